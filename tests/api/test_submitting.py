"""Submissions that were signed elsewhere, handed over with their activities: `tally submit
--statement`.  The ledger and the statements are those of docs/vectors/submissions.json, unchanged:
whoever follows docs/integrating.md in another language has no more than these.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import PASSPHRASE, set_up
from support.postgres import engine_of

from api import cli
from chain.receipts import check_receipt
from chain.sequencer import Sequencer
from chain.spans import make_holder
from chain.store.ledger import LedgerStore
from keys.signer import from_seed, save
from keys.statements import parse_statement, sign_statement
from keys.strict import parse_base64

pytestmark = pytest.mark.usefixtures("database")

Json = dict[str, Any]
VECTORS = Path(__file__).parents[2] / "docs" / "vectors" / "submissions.json"
FILE = json.loads(VECTORS.read_text("ascii"))
GIVEN: Json = FILE["given"]
CASES: dict[str, Json] = {case["name"]: case for case in FILE["cases"]["submissions"]}
RIDES = CASES["submission: three bus rides"]
ADMISSION: list[Json] = FILE["cases"]["admission"]
LATER = str(GIVEN["time"] + 7 * 86_400)
LEDGER = "city"


class Run:
    """Runs commands; says what they printed as JSON."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, expected: int = 0) -> Any:
        status = cli.main([*map(str, arguments), "--json"])
        printed = self._capsys.readouterr().out
        assert status == expected, printed
        return json.loads(printed)

    def hand_over(self, case: Json, *more: object, expected: int = 0) -> Any:
        """Submit the statement and the activities of a case."""
        lines = "".join(f"{line}\n" for line in case["activities"])
        Path("rides.ndjson").write_text(lines, "utf-8")
        Path("rides.cose").write_bytes(bytes.fromhex(case["statement"]))
        handed = ("submit", LEDGER, "rides.ndjson", "--statement", "rides.cose")
        return self(*handed, *more, expected=expected)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The ledger that the vectors give, in a folder; its operator's key alone is at hand."""
    set_up(monkeypatch, tmp_path, str(GIVEN["time"] + 60))
    operator = from_seed(GIVEN["seeds"]["operator"].encode())
    Path(f"{LEDGER}-keys").mkdir()
    save(operator, Path(f"{LEDGER}-keys") / "operator.pem", PASSPHRASE.encode())
    store = LedgerStore(tmp_path / LEDGER, engine_of(tmp_path / LEDGER))
    store.prepare()
    sequencer = Sequencer(store, operator)
    sequencer.post([parse_statement(bytes.fromhex(GIVEN["genesis"]))])
    sequencer.seal_all(GIVEN["time"])
    with store.snapshot() as snapshot:
        assert snapshot.statement(1).data.hex() == GIVEN["seal"]
    store.engine.dispose()
    return Run(capsys)


@pytest.mark.parametrize("name", CASES)
def test_a_submission_of_the_vectors_is_recorded(run: Run, name: str) -> None:
    case = CASES[name]
    done = run.hand_over(case, "--answers", "answers.ndjson")
    assert (done["recorded"], done["refused"], done["left_out"]) == (case["count"], 0, [])
    assert done["grams"] == case["grams"]
    [sent] = done["submissions"]
    assert (sent["id"], sent["index"], sent["count"]) == (case["id"], 2, case["count"])
    operator = from_seed(GIVEN["seeds"]["operator"].encode()).public
    entry = bytes.fromhex(case["statement"])
    receipt = parse_base64(sent["receipt"])
    assert check_receipt(receipt, entry, operator, GIVEN["origin"])[:2] == (4, 2)
    answers = [json.loads(line) for line in Path("answers.ndjson").read_text("utf-8").splitlines()]
    assert [answer["leaf"] for answer in answers] == case["leaves"]
    assert {answer["outcome"] for answer in answers} == {"recorded"}


def test_the_same_statement_again_is_answered_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run.hand_over(RIDES)
    size = run("status", LEDGER)["size"]
    assert run.hand_over(RIDES) == first
    # Also when it has expired, and with any block after it.
    monkeypatch.setenv("TALLY_NOW", LATER)
    assert run.hand_over(RIDES) == first
    assert run("status", LEDGER)["size"] == size


def test_the_same_activities_in_another_statement_are_refused_one_by_one(run: Run) -> None:
    run.hand_over(RIDES)
    again = next(case for case in ADMISSION if case["name"] == "admission: two rides")
    done = run.hand_over(again)
    assert (done["recorded"], done["refused"]) == (0, 2)
    assert {refusal["code"] for refusal in done["refusals"]} == {"span-taken"}
    assert {refusal["platform"] for refusal in done["refusals"]} == {"metro-app"}


def test_what_is_handed_over_waits_for_a_block_if_asked_to(run: Run) -> None:
    sent = run.hand_over(RIDES, "--no-seal")
    assert (sent["waiting"], sent["submissions"][0]["receipt"]) == (3, None)
    assert run.hand_over(RIDES, "--no-seal") == sent
    run("seal", LEDGER)
    assert run.hand_over(RIDES, "--no-seal")["recorded"] == 3
    assert run("status", LEDGER)["recorded"] == 3


@pytest.mark.parametrize("case", ADMISSION, ids=lambda case: case["name"])
def test_what_the_vectors_refuse_is_refused_and_nothing_is_kept(run: Run, case: Json) -> None:
    if case["valid"]:
        run.hand_over(case)
        return
    before = run("status", LEDGER)
    error = run.hand_over(case, expected=1)["error"]
    assert error["code"] == case["code"]
    assert run("status", LEDGER) == before


def test_other_activities_than_were_recorded_are_refused(run: Run) -> None:
    run.hand_over(RIDES)
    other = {**RIDES, "activities": RIDES["activities"][::-1]}
    assert run.hand_over(other, expected=1)["error"]["code"] == "submission-root"
    fewer = {**RIDES, "activities": RIDES["activities"][:2]}
    assert run.hand_over(fewer, expected=1)["error"]["code"] == "submission-root"


def test_a_file_that_is_no_statement_is_refused(run: Run) -> None:
    for data, code in (("", "cbor-not-canonical"), ("d2", "cbor-not-canonical")):
        case = {**RIDES, "statement": data}
        assert run.hand_over(case, expected=1)["error"]["code"] == code
    long = {**RIDES, "statement": "00" * 65_536}
    assert run.hand_over(long, expected=1)["error"]["code"] == "statement-size"


def test_a_statement_of_another_kind_is_no_submission_also_where_the_log_has_it(run: Run) -> None:
    for statement in (GIVEN["genesis"], GIVEN["seal"], void(0).hex()):
        error = run.hand_over({**RIDES, "statement": statement}, expected=1)["error"]
        assert error["code"] == "kind-unknown"


def test_the_answer_names_the_scenario_whatever_the_subject_says(run: Run) -> None:
    statement = sign_statement(
        from_seed(GIVEN["seeds"]["metro-app"].encode()),
        kind="submission",
        issuer="metro-app",
        subject="the rides of a morning",
        audience=bytes.fromhex(GIVEN["ledger"]),
        expires=GIVEN["time"] + 3600,
        payload=RIDES["payload"].encode(),
    )
    [sent] = run.hand_over({**RIDES, "statement": statement.data.hex()})["submissions"]
    assert sent["scenario"] == RIDES["scenario"]


def test_who_signs_is_said_once(run: Run) -> None:
    error = run.hand_over(RIDES, "--as", "metro-app", expected=2)["error"]
    assert error["code"] == "signed-by-whom"
    error = run("submit", LEDGER, "rides.ndjson", expected=2)["error"]
    assert error["code"] == "signed-by-whom"


def void(*positions: int, **changes: Any) -> bytes:
    """A void of rides, as their platform signs it elsewhere."""
    listed = [
        {
            "index": 2,
            "position": position,
            "holder": make_holder("reduction", bytes.fromhex(RIDES["leaves"][position])).hex(),
        }
        for position in positions
    ]
    given = {
        "kind": "void",
        "issuer": "metro-app",
        "subject": "void",
        "audience": bytes.fromhex(GIVEN["ledger"]),
        "expires": GIVEN["time"] + 3600,
        "payload": {"format": 1, "reason": "reported twice", "reductions": listed},
        **changes,
    }
    return sign_statement(from_seed(GIVEN["seeds"]["metro-app"].encode()), **given).data


def hand_over_void(run: Run, data: bytes, *more: object, expected: int = 0) -> Any:
    Path("void.cose").write_bytes(data)
    return run("void", LEDGER, *more, "--statement", "void.cose", expected=expected)


def test_a_void_that_was_signed_elsewhere_gives_the_claims_free(run: Run) -> None:
    run.hand_over(RIDES)
    done = hand_over_void(run, void(0, 2))
    assert (done["voided"], done["indexes"]) == (2, [4])
    assert run("status", LEDGER)["recorded"] == 1
    error = hand_over_void(run, void(0, 2, subject="again"), expected=1)["error"]
    assert error["code"] == "void-not-held"
    # One of the two rides of the other statement is free again.
    again = next(case for case in ADMISSION if case["name"] == "admission: two rides")
    assert run.hand_over(again)["recorded"] == 1


def test_what_is_no_void_of_ones_own_is_refused(run: Run) -> None:
    run.hand_over(RIDES)
    pay_app = {"issuer": "pay-app", "expires": GIVEN["time"] + 3600}
    for data, code in (
        (void(0, **pay_app), "signature-invalid"),
        (void(0, audience=bytes(32)), "statement-other-ledger"),
        (void(), "void-list"),
        (bytes.fromhex(RIDES["statement"]), "kind-unknown"),
        (b"", "cbor-not-canonical"),
    ):
        assert hand_over_void(run, data, expected=1)["error"]["code"] == code
    for more in (["--as", "metro-app"], ["--reason", "x"], [RIDES["leaves"][0]]):
        error = hand_over_void(run, void(0), *more, expected=2)["error"]
        assert error["code"] == "voided-by-whom"
    error = run("void", LEDGER, RIDES["leaves"][0], "--as", "metro-app", expected=2)["error"]
    assert error["code"] == "voided-by-whom"
