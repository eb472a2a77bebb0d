"""Keys of pseudonyms from the command line, and evaluating with them."""

import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.city import OFFSET, City, key
from support.commands import PASSPHRASE, Run, set_up

from api.identifiers import Draft, plain, put_pseudonyms
from api.pseudonymising import Evaluator, published, read_request
from chain.genesis import default_classes
from keys.errors import TallyError, Usage
from keys.oprf import ELEMENTS_MAX, Blinded, Evaluate, ObliviousPseudonyms, PrivateKey
from keys.pseudonyms import Epoch
from keys.signer import save
from keys.strict import (
    dump_base64,
    dump_date,
    dump_json,
    parse_base64,
    parse_date,
    parse_json,
)

START = parse_date("2026-03-02") * 86_400 + 43_200 - OFFSET
FIRST, SECOND = PrivateKey(b"1" * 32), PrivateKey(b"2" * 32)
EPOCHS = (
    Epoch(parse_date("2026-03-01"), FIRST.public),
    Epoch(parse_date("2027-01-01"), SECOND.public),
)
NEXT_YEAR = EPOCHS[1].start


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> Run:
    set_up(monkeypatch, tmp_path, START)
    return Run(capsys)


def opened(tally: Run, *more: object) -> None:
    tally("init", "city", "--origin", "ledger.example/city", "--first-day", "2026-03-01", *more)


def code(call: Callable[..., object], *given: Any) -> str:
    with pytest.raises(TallyError) as raised:
        call(*given)
    return raised.value.code


# --- commands ---


def test_a_ledger_opens_with_a_key_and_publishes_the_next(tally: Run) -> None:
    new = ("pseudonyms", "new-key", "city", "--from")
    made = tally.json(*new, "2026-03-01", "--out", "founding.json")
    path = Path("city-keys/pseudonyms-2026-03-01.pem")
    assert made["path"] == str(path.absolute())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PrivateKey.load(path, PASSPHRASE.encode()).public.hex() == made["action"]["key"]
    assert json.loads(Path("founding.json").read_text()) == [made["action"]]
    opened(tally, "--founding", "founding.json")
    following = tally.json(*new, "2027-01-01")
    published = ("pseudonyms", "publish", "city", "--from", "2027-01-01", "--by", "governor")
    assert tally.json(*published)["enacted"]
    epochs = [{"from": row["action"]["from"], "key": row["action"]["key"]}
              for row in tally.json("history", "city", "pseudonyms")]  # fmt: skip
    assert epochs == tally.json("status", "city")["epochs"]
    assert [epoch["key"] for epoch in epochs] == [made["action"]["key"], following["action"]["key"]]
    assert tally.json(*published, expected=1)["error"]["code"] == "epoch-key-known"
    spans = tally.json("show", "line", "city", "pseudonyms")["spans"]
    assert [span["start"] for span in spans] == [epoch.start for epoch in EPOCHS]
    for lang in ("en", "zh"):
        assert epochs[1]["key"] in tally("history", "city", "pseudonyms", "--lang", lang)
        assert epochs[1]["key"] in tally("status", "city", "--lang", lang)


def test_a_key_is_not_made_twice(tally: Run) -> None:
    new = ("pseudonyms", "new-key", "city", "--from", "2027-01-01")
    tally(*new)
    before = Path("city-keys/pseudonyms-2027-01-01.pem").read_bytes()
    assert tally.json(*new, expected=2)["error"]["code"] == "key-file-exists"
    assert Path("city-keys/pseudonyms-2027-01-01.pem").read_bytes() == before


def test_a_key_that_is_kept_elsewhere_is_published(tally: Run) -> None:
    opened(tally)
    publish = ("pseudonyms", "publish", "city", "--from", "2027-01-01", "--by", "governor")
    assert tally.json(*publish, expected=3)["error"]["code"] == "key-file-unreadable"
    wrong = tally.json(*publish, "--public", "00" * 32, expected=1)
    assert wrong["error"]["code"] == "key-invalid"
    assert tally.json(*publish, "--public", SECOND.public.hex())["enacted"]
    assert tally.json("status", "city")["epochs"] == [
        {"from": "2027-01-01", "key": SECOND.public.hex()}
    ]


def test_an_older_ledger_needs_the_rules_and_gets_the_class(tally: Run) -> None:
    registry = parse_json(default_classes())
    registry["classes"] = registry["classes"][:21]
    City.found(Path("city"), rules=2, time=START, classes=dump_json(registry))
    Path("city-keys").mkdir()
    for name in ("operator", "governor"):
        save(key(name), Path(f"city-keys/{name}.pem"), PASSPHRASE.encode())
    tally("pseudonyms", "new-key", "city", "--from", "2027-01-01")
    publish = ("pseudonyms", "publish", "city", "--from", "2027-01-01", "--by", "governor")
    assert tally.json(*publish, expected=2)["error"]["code"] == "pseudonyms-rules"
    tally("publish", "rules", "city", "--by", "governor")
    assert tally.json(*publish)["enacted"]
    assert len(tally.json("status", "city")["epochs"]) == 1


def test_without_epochs_nothing_is_said_of_them(tally: Run) -> None:
    opened(tally)
    status = tally.json("status", "city")
    assert (status["rules"], status["epochs"]) == (3, [])
    assert "keys of pseudonyms" not in tally("status", "city")
    assert tally.json("history", "city", "pseudonyms") == []


# --- evaluating ---


def epoch(class_name: str, day: int) -> Epoch:
    return EPOCHS[day >= NEXT_YEAR]


def asking(evaluator: Evaluator) -> Evaluate:
    """How a platform reaches the evaluator, through the bytes of both documents."""

    def evaluate(of: Epoch, blinded: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        elements = [dump_base64(element) for element in blinded]
        request = dump_json({"from": dump_date(of.start), "elements": elements})
        answer = evaluator.evaluate(EPOCHS, *read_request(parse_json(request)))
        given = parse_json(dump_json(answer))
        assert given["from"] == dump_date(of.start)
        return [parse_base64(one, 32) for one in given["elements"]], parse_base64(given["proof"])

    return evaluate


def test_identifiers_become_pseudonyms_through_the_service() -> None:
    keys = {key.public: key for key in (FIRST, SECOND)}
    through = ObliviousPseudonyms(epoch, asking(Evaluator(keys.values())))
    direct = ObliviousPseudonyms(epoch, lambda of, blinded: keys[of.public].evaluate(blinded))
    starts = [day * 86_400 for day in (NEXT_YEAR - 1, NEXT_YEAR)]
    made = []
    for by in (through, direct):
        drafts: list[Draft] = [
            {"start": start, "vehicle": plain("vehicle", written)}
            for start in starts
            for written in ("京Ａ·１２３４５", "京a-12345")
        ]
        put_pseudonyms(drafts, lambda time: time // 86_400, by)
        made.append([draft["vehicle"] for draft in drafts])
    assert made[0] == made[1]
    first, again, second, second_again = made[0]
    assert first == again != second == second_again


def test_what_is_published() -> None:
    assert published(EPOCHS) == {
        "keys": [
            {"from": "2026-03-01", "key": FIRST.public.hex()},
            {"from": "2027-01-01", "key": SECOND.public.hex()},
        ]
    }
    assert published(()) == {"keys": []}


ELEMENT = dump_base64(Blinded([b"a"]).elements[0])


@pytest.mark.parametrize(
    ("expected", "request_body"),
    [
        ("field-type", []),
        ("field-missing", {"from": "2026-03-01"}),
        ("field-unknown", {"from": "2026-03-01", "elements": [], "key": ""}),
        ("date-invalid", {"from": "1 March", "elements": [ELEMENT]}),
        ("base64-not-canonical", {"from": "2026-03-01", "elements": [ELEMENT[:-1]]}),
        ("base64-not-canonical", {"from": "2026-03-01", "elements": [ELEMENT, 5]}),
        ("base64-not-canonical", {"from": "2026-03-01", "elements": [dump_base64(bytes(31))]}),
        ("oprf-element", {"from": "2026-03-01", "elements": [dump_base64(bytes(32))]}),
        ("oprf-element", {"from": "2026-03-01", "elements": [ELEMENT, dump_base64(b"\xff" * 32)]}),
        ("oprf-batch", {"from": "2026-03-01", "elements": []}),
        ("oprf-batch", {"from": "2026-03-01", "elements": [ELEMENT] * (ELEMENTS_MAX + 1)}),
        ("epoch-unknown", {"from": "2026-03-02", "elements": [ELEMENT]}),
        ("epoch-unknown", {"from": "2028-01-01", "elements": [ELEMENT]}),
    ],
)
def test_requests_that_are_refused(expected: str, request_body: Any) -> None:
    evaluator = Evaluator([FIRST, SECOND])
    assert code(lambda: evaluator.evaluate(EPOCHS, *read_request(request_body))) == expected


def test_only_keys_that_stand_in_the_ledger_are_used() -> None:
    elements = Blinded([b"a"]).elements
    for keys, epochs in (([FIRST], EPOCHS), ([FIRST, SECOND], EPOCHS[:1]), ([], EPOCHS)):
        found = code(Evaluator(keys).evaluate, epochs, NEXT_YEAR, elements)
        assert found == "epoch-unknown"
    other = (Epoch(NEXT_YEAR, FIRST.public),)
    assert code(Evaluator([SECOND]).evaluate, other, NEXT_YEAR, elements) == "epoch-unknown"


def test_a_service_without_the_years_key_says_so() -> None:
    by = ObliviousPseudonyms(epoch, asking(Evaluator([FIRST])))
    assert by.pseudonyms("traveller", NEXT_YEAR - 1, ["a"])
    with pytest.raises(Usage) as raised:
        by.pseudonyms("traveller", NEXT_YEAR, ["a"])
    assert raised.value.code == "epoch-unknown"
