"""Files of lots: a stranger adds up the reductions, and sees that each claim is held once."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import independent_lots
import pytest
from support.city import NOON, ORIGIN, TODAY, City, key

from api.exporting import export_lot
from api.proving import prove_free, prove_reduction, prove_span
from chain.lots import Lot, LotTree
from chain.reductions import Reduction, split_reductions
from chain.store.ledger import LedgerStore
from keys.notes import NoteKey
from keys.strict import dump_base64, dump_json, parse_base64
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy
from verifier.reports import INVALID, PROVISIONAL, UNWITNESSED, VALID

DAY = 86_400
POLICY_TEXT = policy_text(ORIGIN, key("operator").public).encode()
POLICY, SECOND = parse_policy(POLICY_TEXT), independent_lots.Policy(POLICY_TEXT)


def build(folder: Path) -> City:
    """A city with a closed day: rides, meals (under a cap), voids, refusals, a rotated key."""
    city = City.found(folder, acceptance_days=2)
    first = [city.ride(person, NOON) for person in ("ann", "ben", "cat", "dan")]
    answer = city.submit([*first, city.ride("eve", NOON + DAY)])
    city.post(city.void(answer, [1], "metro-app"))
    city.submit([city.ride("ann", NOON), city.ride("fay", NOON), first[1]])
    city.submit([city.ride("gus", NOON)], "pay-app")
    city.submit([city.meal(person, NOON) for person in ("ann", "ben", "cat")])
    city.now += 4 * DAY
    city.govern({"action": "threshold", "governors": 1, "instead_of": 1})
    city.post(close := city.close(TODAY + 1))
    city.answer(close)
    return city


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return build(tmp_path_factory.mktemp("lots") / "city")


@pytest.fixture(scope="module")
def rides(city: City) -> bytes:
    return export_lot(city.store, "metro-app", "city-bus", TODAY)


@pytest.fixture(scope="module")
def meals(city: City) -> bytes:
    return export_lot(city.store, "metro-app", "city-plate", TODAY)


def failed(data: bytes | dict[str, Any]) -> str:
    """The code of the check that failed, and of its error."""
    data = data if isinstance(data, bytes) else dump_json(data)
    report = check_file(data, POLICY)
    assert report.verdict == independent_lots.check(data, SECOND) == INVALID
    error = report.checks[-1].error
    assert error is not None
    return f"{report.checks[-1].code}: {error.code}"


def test_a_closed_lot_is_proved_from_its_file_alone(rides: bytes, meals: bytes) -> None:
    report = check_file(rides, POLICY)
    assert report.verdict == VALID, [check.text("en") for check in report.checks]
    assert [independent_lots.check(data, SECOND) for data in (rides, meals)] == [VALID, VALID]
    facts = report.facts
    assert (facts["platform"], facts["scenario"], facts["day"]) == (
        *("metro-app", "city-bus"),
        "2026-03-02",
    )
    # Ann, Cat, Dan, Fay, and Ben, whose first was voided; not Ann's second, nor Eve's day.
    assert (facts["count"], facts["grams"]) == (5, 400)
    assert check_file(meals, POLICY).facts["grams"] == 3 * 144
    assert [check.code for check in report.checks if check.error] == []
    assert all(check.text(lang) for check in report.checks for lang in ("en", "zh"))


def test_what_is_proved_of_closed_days_is_final(city: City) -> None:
    with city.store.snapshot() as snapshot:
        [lot] = snapshot.lots("pay-app")
    [leaf] = city.store.lot_tree(lot).keys
    bundle = prove_reduction(city.store, leaf, disclose=True)
    report = check_file(dump_json(bundle), POLICY)
    assert report.verdict == VALID
    assert report.facts["closed_until"] == "2026-03-03"
    claim = bundle["claims"][0]
    line = bytes.fromhex(claim["line"])
    for made in (
        prove_span(city.store, line, claim["start"]),
        prove_free(city.store, line, claim["end"], claim["end"] + 60),
    ):
        assert check_file(dump_json(made), POLICY).verdict == VALID
    open_day = city.reduce([city.ride("eve", NOON + DAY)])[0]
    assert city.submit([city.ride("hal", city.now)]).refusals == {}
    assert open_day.day == TODAY + 1


def test_of_an_open_day_it_is_provisional(tmp_path: Path) -> None:
    city = City.found(tmp_path / "open")
    city.submit([line := city.ride("ann", NOON)])
    bundle = prove_reduction(city.store, city.reduce([line])[0].leaf)
    assert check_file(dump_json(bundle), POLICY).verdict == PROVISIONAL


def test_without_the_policys_quorum_it_is_not_yet_witnessed(rides: bytes) -> None:
    lines = policy_text(ORIGIN, key("operator").public).splitlines()
    vkey = NoteKey("auditor.example", key("auditor").public, cosigner=True).vkey
    policy = "\n".join([lines[0], f"witness auditor {vkey}", "quorum auditor", ""])
    assert check_file(rides, parse_policy(policy.encode())).verdict == UNWITNESSED
    assert independent_lots.check(rides, independent_lots.Policy(policy.encode())) == UNWITNESSED


# --- forgeries ---


def opened(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


def leaves(data: bytes) -> list[tuple[bool, bytes]]:
    items, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        items.append((size > 0, data[at + 2 : at + 2 + (size or 32)]))
        at += 2 + (size or 32)
    return items


def joined(items: list[tuple[bool, bytes]]) -> str:
    return dump_base64(
        b"".join((len(data) if shown else 0).to_bytes(2) + data for shown, data in items)
    )


def change(number: int, alter: Callable[[list[tuple[bool, bytes]]], None]) -> Any:
    """A forger of the leaves of a submission."""

    def forge(file: dict[str, Any]) -> None:
        submission = file["submissions"][number]
        items = leaves(parse_base64(submission["leaves"]))
        alter(items)
        submission["leaves"] = joined(items)

    return forge


def hide(items: list[tuple[bool, bytes]]) -> None:
    place = next(place for place, (shown, _) in enumerate(items) if shown)
    items[place] = False, Reduction.parse(items[place][1]).leaf


def heavier(items: list[tuple[bool, bytes]]) -> None:
    place = next(place for place, (shown, _) in enumerate(items) if shown)
    old = Reduction.parse(items[place][1])
    new = Reduction.make(
        old.platform, old.scenario, old.version, old.day, 81, old.claims, old.digest
    )
    items[place] = True, new.data


def swap(items: list[tuple[bool, bytes]]) -> None:
    items[0], items[-1] = items[-1], items[0]


def cut(items: list[tuple[bool, bytes]]) -> None:
    del items[-1]


def record(**more: Any) -> Any:
    def forge(file: dict[str, Any]) -> None:
        file["lot"]["record"].update(more)

    return forge


def drop_submission(file: dict[str, Any]) -> None:
    del file["submissions"][1]


def twice(file: dict[str, Any]) -> None:
    file["submissions"].append(file["submissions"][0])


def other_signer(file: dict[str, Any]) -> None:
    file["submissions"][0]["signer"] = len(file["signers"])


def negative_signer(file: dict[str, Any]) -> None:
    file["submissions"][0]["signer"] = -1


def trailing_leaf(file: dict[str, Any]) -> None:
    data = parse_base64(file["submissions"][0]["leaves"])
    file["submissions"][0]["leaves"] = dump_base64(data[:-1])


def more_seats(file: dict[str, Any]) -> None:
    file["seats"].append(0)


def a_field_more(file: dict[str, Any]) -> None:
    file["more"] = 1


def seats_as_texts(file: dict[str, Any]) -> None:
    file["seats"] = ["0"]


def other_index(file: dict[str, Any]) -> None:
    file["submissions"][0]["index"] += 1


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (change(0, hide), "lot-claims: multiproof-leaves"),
        (change(0, heavier), "lot-submissions: submission-root"),
        (change(0, swap), "lot-submissions: submission-root"),
        (change(0, cut), "lot-submissions: submission-count"),
        (record(count=6), "lot: held-other-holder"),
        (record(grams=401), "lot: held-other-holder"),
        (record(root="00" * 32), "lot: held-other-holder"),
        (record(day="2026-03-03"), "lot: held-other-holder"),
        (record(platform="pay-app"), "lot: held-other-line"),
        (record(grams="400"), "form: field-type"),
        (drop_submission, "lot-claims: multiproof-leaves"),
        (twice, "lot-claims: multiproof-leaves"),
        (other_signer, "lot-submissions: bundle-incomplete"),
        (negative_signer, "lot-submissions: bundle-incomplete"),
        (other_index, "lot-submissions: inclusion-invalid"),
        (trailing_leaf, "form: reduction-malformed"),
        (more_seats, "lot-methodology: claims-incomplete"),
        (seats_as_texts, "form: field-type"),
        (a_field_more, "form: field-unknown"),
    ],
)
def test_a_forged_file_proves_nothing(
    forge: Callable[[dict[str, Any]], None], expected: str, rides: bytes
) -> None:
    file = opened(rides)
    forge(file)
    assert failed(file) == expected


def test_a_reduction_that_was_refused_or_is_of_another_day_is_not_of_the_lot(
    city: City, rides: bytes
) -> None:
    file = opened(rides)
    items = leaves(parse_base64(file["submissions"][0]["leaves"]))
    hidden = [place for place, (shown, _) in enumerate(items) if not shown]
    assert hidden == [1, 4]  # the voided one, and Eve's, of the day after
    with city.store.snapshot() as snapshot:
        root = snapshot.statement(file["submissions"][0]["index"]).body["root"]
    every = split_reductions((city.folder / "submissions" / root[:2] / root).read_bytes())
    for place, expected in ((1, "lot-claims"), (4, "lot-methodology: lot-mixed")):
        other = [*items]
        other[place] = True, every[place]
        file["submissions"][0]["leaves"] = joined(other)
        assert failed(file).startswith(expected)


def test_seats_are_those_that_are_held_and_within_the_cap(meals: bytes) -> None:
    assert opened(meals)["seats"] == [0, 0, 0]
    for seats, expected in (
        ([0, 0], "lot-methodology: claims-incomplete"),
        ([0, 1, 0], "lot-methodology: seat-beyond-cap"),
        ([0, -1, 0], "lot-claims: span-invalid"),
    ):
        file = opened(meals)
        file["seats"] = seats
        assert failed(file) == expected


def test_documents_are_those_of_the_day(rides: bytes, meals: bytes) -> None:
    for name, expected in (
        ("scenario", "scenario: platform-not-admitted"),
        ("methodology", "lot-methodology: methodology-differs"),
    ):
        file = opened(rides)
        file[name] = opened(meals)[name]
        assert failed(file) == expected
        file = opened(rides)
        file[name]["document"] = file[name]["document"].replace("en", "En", 1)
        assert failed(file)


def test_the_lot_of_one_day_is_not_that_of_another(rides: bytes, meals: bytes) -> None:
    file = opened(rides)
    file["lot"] = opened(meals)["lot"]
    assert failed(file) == "lot-submissions: submission-mixed"
    file["submissions"] = []
    assert failed(file).startswith("scenario")


@pytest.mark.parametrize("lie", [{"grams": 1_000_000}, {"count": 7}, {"root": bytes(32)}], ids=min)
def test_totals_are_added_up_and_not_taken_on_trust(
    lie: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator whose register holds a lot that its reductions do not give is found out."""
    gather, trees = LedgerStore.gather, dict[Lot, LotTree]()

    def lying(self: LedgerStore, first: int, until: int) -> dict[Lot, LotTree]:
        trees.update({lot._replace(**lie): t for lot, t in gather(self, first, until).items()})
        return trees

    monkeypatch.setattr(LedgerStore, "gather", lying)
    monkeypatch.setattr(LedgerStore, "lot_tree", lambda self, lot: trees[lot])
    city = build(tmp_path / "city")
    data = export_lot(city.store, "metro-app", "city-bus", TODAY)
    assert failed(data) == "lot-total: lot-root-differs"


def test_mutated_files_prove_nothing_else(rides: bytes) -> None:
    """Whatever byte is changed: the file is refused, or says the same."""
    rng = Random(5)
    facts = check_file(rides, POLICY).facts
    for _ in range(400):
        data = bytearray(rides)
        for _ in range(rng.choice((1, 1, 2))):
            data[rng.randrange(len(data))] = rng.choice(b'0123456789abcdef"{}[],:AZ+/= \x00\xff')
        report = check_file(bytes(data), POLICY)
        assert independent_lots.check(bytes(data), SECOND) == report.verdict
        if report.verdict != INVALID:
            assert report.facts == facts
