"""The gateway: each line that is taken has one result, whatever the ledger says and when."""

from pathlib import Path

import pytest
from support.city import NOON, PSEUDONYMS, City, founding_actions, pseudonym
from support.gateway import Direct, Opened, policy_of, ride, rows, work

from api.gateway.gateway import PAUSE_SECONDS_MAX
from api.gateway.queue import Found
from chain.activities import parse_activity
from keys.errors import Busy, Refusal, Usage, VerificationError
from keys.oprf import PrivateKey
from keys.participants import role_holder
from keys.statements import parse_statement
from keys.strict import parse_json
from verifier.check import check_file


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


@pytest.fixture
def ledger(city: City) -> Direct:
    return Direct(city)


def codes(found: list[Found | Refusal]) -> list[str | None]:
    return [one.code if isinstance(one, Refusal) else None for one in found]


def test_a_line_is_recorded_and_proved(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    assert gateway.take([ride("r-1", "a nn")]) == [Found(True)]
    work(gateway)
    [row] = rows(gateway)
    assert row == {
        "cursor": 1,
        "id": "r-1",
        "status": "recorded",
        "leaf": row["leaf"],
        "index": row["index"],
        "position": 0,
        "grams": 80,
        "points": 10,
    }
    bundle, report = gateway.proof(bytes.fromhex(row["leaf"]), disclose=True)
    assert report.verdict == "provisional"
    assert check_file(bundle, policy_of(ledger.city)).verdict == "provisional"
    activity = parse_activity(parse_json(bundle)["activity"].encode())
    assert activity.fields["id"] == "r-1"
    assert activity.fields["subject"] == pseudonym("traveller", "ANN")
    assert activity.fields["ticket"]["number"] == pseudonym("ticket", "Tr-1")


def test_a_bad_line_is_refused_and_the_others_go_on(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    found = gateway.take([ride("r-1", "ann"), b"{", ride("r-2", ""), ride("r-3", "bob")])
    assert codes(found) == [None, "json-invalid", "identifier-empty", None]
    work(gateway)
    assert [row["id"] for row in rows(gateway)] == ["r-1", "r-3"]


def test_a_line_is_known_by_its_id(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    first, other = ride("r-1", "ann"), ride("r-1", "bob")
    assert codes(gateway.take([first, first, other])) == [None, None, "line-id-taken"]
    assert gateway.take([first]) == [Found(False)]
    work(gateway)
    [row] = rows(gateway)
    [found] = gateway.take([first])
    assert isinstance(found, Found)
    assert found.result is not None
    assert parse_json(found.result) == row
    assert codes(gateway.take([other])) == ["line-id-taken"]
    work(gateway)
    assert len(rows(gateway)) == 1
    assert len(ledger.came) == 1


def test_what_earns_nothing_is_refused_alone(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", batch=10)
    gateway.take(
        [
            ride("r-1", "ann"),
            ride("r-2", "bob", scenario="no-such"),
            ride("r-3", "carl", end=NOON + 86_400),
            ride("r-4", "dora"),
        ]
    )
    work(gateway)
    found = {row["id"]: (row["status"], row.get("code")) for row in rows(gateway)}
    assert found == {
        "r-1": ("recorded", None),
        "r-2": ("refused", "scenario-not-in-force"),
        "r-3": ("refused", "duration-out-of-bounds"),
        "r-4": ("recorded", None),
    }


def test_what_meets_another_platforms_reduction_is_told(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    city = ledger.city
    city.submit([city.ride("ANN", NOON)], "pay-app")
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann", NOON + 60), ride("r-2", "bob")])
    work(gateway)
    refused, recorded = sorted(rows(gateway), key=lambda row: str(row["id"]))
    assert recorded["status"] == "recorded"
    assert (refused["status"], refused["code"], refused["class"]) == (
        "refused",
        "span-taken",
        "traveller",
    )
    assert (refused["platform"], refused["day"]) == ("pay-app", "2026-03-02")
    assert refused["met"]["start"] == NOON - 60
    assert "pay-app" in refused["text"]["en"]
    assert "pay-app" in refused["text"]["zh"]


def test_batches_are_of_one_scenario_and_not_too_long(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", batch=2)
    lines = [ride(f"r-{n}", f"person {n}") for n in range(5)]
    bike = ride("b-1", "eve", scenario="city-bike", end=NOON + 600, vehicle="B 1", ticket=None)
    bike = bike.replace(b'"ticket":null,', b"")
    gateway.take([*lines[:2], bike, *lines[2:]])
    work(gateway)
    assert all(row["status"] == "recorded" for row in rows(gateway))
    bodies = [parse_statement(data).body for data in ledger.came]
    assert [(body["scenario"], body["count"]) for body in bodies] == [
        ("city-bus", 2),
        ("city-bike", 1),
        ("city-bus", 2),
        ("city-bus", 1),
    ]


def test_fewer_wait_for_more_and_then_no_longer(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", seconds=5)
    gateway.take([ride("r-1", "ann")])
    work(gateway)
    assert ledger.came == []
    ledger.city.now += 4
    work(gateway)
    assert ledger.came == []
    ledger.city.now += 1
    work(gateway)
    assert len(ledger.came) == 1


def test_identifiers_leave_the_file_when_the_activity_is_made(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "queue"
    gateway = gateway_of(ledger, path, seconds=1_000)
    ledger.away = True
    gateway.take([ride("r-1", "somebody's telephone", attributes={"note": "x" * 5_000})])
    files = [path, path.with_name("queue-wal")]
    assert any(b"somebody" in file.read_bytes() for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    ledger.away = False
    work(gateway)
    assert gateway.queue.counts()["made"] == 1
    assert not any(b"somebody" in file.read_bytes() for file in files)
    gateway.queue.close()
    assert b"somebody" not in path.read_bytes()


def test_cut_off_it_takes_lines_and_goes_on_later(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    ledger.away = True
    gateway.take([ride("r-1", "ann")])
    pauses = [gateway.step() for _ in range(6)]
    assert pauses == [1, 2, 4, 8, PAUSE_SECONDS_MAX, PAUSE_SECONDS_MAX]
    assert gateway.problem == "service-unreachable"
    gateway.take([ride("r-2", "bob")])
    ledger.away = False
    work(gateway)
    assert gateway.problem is None
    assert [row["status"] for row in rows(gateway)] == ["recorded", "recorded"]


def test_a_lost_answer_is_asked_for_with_the_same_bytes(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann"), ride("r-2", "ann", NOON + 60)])
    ledger.silent = True
    for _ in range(3):
        gateway.step()
    ledger.silent = False
    work(gateway)
    assert len(ledger.came) > 2
    assert len(set(ledger.came)) == 1
    assert [row["status"] for row in rows(gateway)] == ["recorded", "refused"]


def test_what_waits_for_its_block_is_asked_for_again(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann")])
    ledger.stalled = True
    work(gateway)
    assert rows(gateway) == []
    assert gateway.problem is None
    ledger.stalled = False
    work(gateway)
    assert [row["status"] for row in rows(gateway)] == ["recorded"]


def test_what_has_expired_is_signed_anew(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann")])
    send, ledger.send = ledger.send, _away  # type: ignore[method-assign]
    gateway.step()
    ledger.send = send  # type: ignore[method-assign]
    ledger.city.now += 2 * 86_400
    ledger.city.submit([ledger.city.ride("else", NOON)])  # the ledger's clock moves on
    ledger.city.submit([ledger.city.ride("other", NOON)])
    work(gateway)
    assert [row["status"] for row in rows(gateway)] == ["recorded"]
    assert len(set(ledger.came)) == 2


def _away(*_: object, **__: object) -> None:
    raise Busy("service-busy", retry_after=1)


def test_a_line_at_fault_does_not_hold_back_the_others(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    """The ledger refuses a batch for a line that its platform thinks good."""
    gateway = gateway_of(ledger, tmp_path / "queue", batch=16)
    gateway.take([ride(f"r-{n}", f"person {n}") for n in range(16)])
    send = ledger.send

    def picky(statement, lines, reductions=None):  # type: ignore[no-untyped-def]
        if any(b'"r-11"' in line for line in lines):
            raise Refusal("no-reduction", grams=0)
        return send(statement, lines, reductions)

    ledger.send = picky  # type: ignore[method-assign]
    work(gateway)
    found = {row["id"]: row.get("code") for row in rows(gateway)}
    assert found == {f"r-{n}": "no-reduction" if n == 11 else None for n in range(16)}
    assert len(ledger.came) == 4  # 8, 2, 4 and 1


def test_a_platform_without_its_right_refuses_no_line(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", platform="new-app")
    gateway.take([ride("r-1", "ann")])
    # The scenario does not admit it: that is told of each line.
    work(gateway)
    assert [row["code"] for row in rows(gateway)] == ["platform-not-admitted"]
    gateway.queue.close()
    gateway = gateway_of(ledger, tmp_path / "other")
    city = ledger.city
    role = {"participant": "metro-app", "role": "platform"}
    consumes = role_holder("metro-app", "platform").hex()
    gateway.take([ride("r-1", "ann")])
    city.govern({"action": "withdraw", **role, "consumes": consumes})
    for _ in range(3):
        assert gateway.step() > 0
    assert gateway.problem == "role-missing"
    assert rows(gateway) == []
    city.govern({"action": "grant", **role})
    work(gateway)
    assert [row["status"] for row in rows(gateway)] == ["recorded"]


def test_a_batch_given_up_that_was_recorded_after_all_counts_once(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    """An old copy of a statement arrives after its lines were signed anew."""
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann"), ride("r-2", "bob")])
    held: list[object] = []
    send = ledger.send

    def late(*given):  # type: ignore[no-untyped-def]
        held.append(given)
        raise Refusal("no-reduction", grams=0)

    ledger.send = late  # type: ignore[method-assign]
    gateway.step()
    ledger.send = send  # type: ignore[method-assign]
    [(statement, lines, reductions)] = held  # type: ignore[misc]
    sent = send(statement, lines, reductions)
    assert sent.answer is not None
    work(gateway)
    assert [(row["status"], row["index"], row["position"]) for row in rows(gateway)] == [
        ("recorded", sent.answer.index, 0),
        ("recorded", sent.answer.index, 1),
    ]


def test_a_proof_that_does_not_hold_is_not_given(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann"), ride("r-2", "bob")])
    work(gateway)
    one, other = (bytes.fromhex(row["leaf"]) for row in rows(gateway))
    bundle = ledger.bundle(other)
    for given in (bundle, ledger.bundle(one).replace(b'"position":0', b'"position":1')):
        ledger.bundle = lambda *_, given=given, **__: given  # type: ignore[method-assign, misc]
        with pytest.raises(VerificationError) as caught:
            gateway.proof(one)
        assert caught.value.code == "proof-invalid"


def test_there_is_a_bound_on_what_waits(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", open_max=2)
    gateway.take([ride("r-1", "ann")])
    with pytest.raises(Busy) as caught:
        gateway.take([ride("r-2", "bob"), ride("r-3", "carl")])
    assert caught.value.code == "queue-full"
    work(gateway)
    gateway.take([ride("r-2", "bob"), ride("r-3", "carl")])
    work(gateway)
    assert len(rows(gateway)) == 3


def test_results_are_kept_for_some_time_and_their_numbers_never_come_again(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    gateway.take([ride("r-1", "ann")])
    work(gateway)
    ledger.city.now += 89 * 86_400
    gateway.forget()
    assert len(rows(gateway)) == 1
    ledger.city.now += 86_400 + 1
    gateway.forget()
    assert rows(gateway) == []
    assert gateway.queue.find("r-1") is None
    gateway.take([ride("r-2", "bob", ledger.city.now)])
    work(gateway)
    assert [row["cursor"] for row in rows(gateway)] == [2]


def test_one_gateway_uses_a_queue(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue")
    with pytest.raises(Usage) as caught:
        gateway_of(ledger, tmp_path / "queue")
    assert caught.value.code == "queue-in-use"
    gateway.queue.close()
    gateway_of(ledger, tmp_path / "queue")


# --- pseudonyms by the ledger's key ---


@pytest.fixture
def epochal(tmp_path: Path) -> Direct:
    """A ledger whose pseudonyms have a key from 2026 on."""
    private = PrivateKey(b"k" * 32)
    action = {
        "action": "pseudonym-key",
        "from": "2026-01-01",
        "key": private.public.hex(),
    }
    city = City.found(tmp_path / "city", actions=[*founding_actions(), action])
    return Direct(city, private)


def test_pseudonyms_are_by_the_key_of_the_day(
    epochal: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(epochal, tmp_path / "queue", before=None)
    gateway.take([ride("r-1", "ann"), ride("r-2", "a-nn", NOON + 60)])
    work(gateway)
    # Two spellings of one person meet.
    assert [row["status"] for row in rows(gateway)] == ["recorded", "refused"]
    keyed = gateway_of(epochal, tmp_path / "keyed", platform="pay-app", before=PSEUDONYMS)
    keyed.take([ride("p-1", "Ann", NOON + 120)])
    work(keyed)
    assert [row["code"] for row in rows(keyed)] == ["span-taken"]


def test_a_day_before_all_keys_is_refused_where_nothing_stands_in(
    epochal: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway = gateway_of(epochal, tmp_path / "queue", before=None)
    gateway.take([ride("r-1", "ann", NOON - 90 * 86_400), ride("r-2", "bob")])
    work(gateway)
    assert [row.get("code") for row in rows(gateway)] == ["epoch-missing", None]


def test_without_any_key_lines_wait(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> None:
    gateway = gateway_of(ledger, tmp_path / "queue", before=None)
    gateway.take([ride("r-1", "ann")])
    assert gateway.step() > 0
    assert gateway.problem == "pseudonyms-missing"
    assert gateway.queue.counts()["taken"] == 1


def test_a_service_that_uses_another_key_makes_no_pseudonym(
    epochal: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    false = PrivateKey(b"f" * 32)
    epochal.evaluate = lambda epoch, elements: false.evaluate(elements)  # type: ignore[method-assign]
    gateway = gateway_of(epochal, tmp_path / "queue", before=None)
    gateway.take([ride("r-1", "ann")])
    gateway.step()
    assert gateway.problem == "oprf-unproved"
    assert gateway.queue.counts()["taken"] == 1


def test_what_was_evaluated_is_not_asked_for_again(
    epochal: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    """The service limits how much it evaluates: each call but the first of a step is too much."""
    evaluate, asked = epochal.evaluate, []

    def limited(epoch, elements):  # type: ignore[no-untyped-def]
        asked.append(len(elements))
        if len(asked) % 2 == 0:
            raise Busy("request-rate", retry_after=7, limit=1)
        return evaluate(epoch, elements)

    epochal.evaluate = limited  # type: ignore[method-assign]
    gateway = gateway_of(epochal, tmp_path / "queue", before=None)
    gateway.take([ride("r-1", "ann"), ride("r-2", "bob", NOON - 86_400)])
    steps = 0
    while gateway.step() == 7:
        steps += 1
    work(gateway)
    # Travellers of two days, and tickets of two days, one at a time.
    assert (steps, asked) == (3, [1] * 7)
    assert [row["status"] for row in rows(gateway)] == ["recorded", "recorded"]
