"""Governance from the command line: policies, rules, the operator's key, and their history."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.city import City, key
from support.commands import set_up

from api import cli
from api.commands.history import ACTIONS_OF
from chain.governance import ACTIONS
from chain.state import RULES_VERSION
from keys.notes import NoteKey, parse_checkpoint, parse_note
from keys.oprf import PrivateKey
from keys.signer import save
from verifier.policy import parse_policy

pytestmark = pytest.mark.usefixtures("database")

START = 1_772_500_000
Tally = Callable[..., Any]
GOVERNORS = ("first", "second", "third")


@pytest.fixture
def tally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tally:
    """Runs a command in a folder of its own; gives its JSON, or with ``lang`` its text."""
    set_up(monkeypatch, tmp_path, START)

    def run(
        *arguments: object, now: int = START, expected: int = 0, lang: str | None = None
    ) -> Any:
        form = ["--lang", lang] if lang else ["--json"]
        monkeypatch.setenv("TALLY_NOW", str(now))
        status = cli.main([*map(str, arguments), *form])
        out, err = capsys.readouterr()
        assert status == expected, out + err
        return out if lang else json.loads(out)

    return run


@pytest.fixture
def city(tally: Tally) -> Tally:
    """A ledger of three governors, of whom two are needed."""
    given = [word for name in GOVERNORS for word in ("--governor", name)]
    more = ("--threshold", 2, "--methodology", "clean-plate", "--founding", founding("city"))
    tally("init", "city", "--origin", "ledger.example/city", *given, *more)
    return tally


def founding(name: str) -> Path:
    public = key("metro-app").public.as_json()
    enrolled = {"action": "enrol", "participant": "metro-app", "name": "Metro", "key": public}
    return write(f"{name}-founding", [{**enrolled, "roles": ["platform"]}])


def write(name: str, document: Any) -> Path:
    path = Path(name)
    path.write_text(json.dumps(document), "utf-8")
    return path


def policy(quorum: int = 3, names: str = "abcd") -> dict[str, Any]:
    keys = [NoteKey(f"{name}.example", key(name).public, cosigner=True).vkey for name in names]
    return {"format": 1, "auditors": {"keys": keys, "quorum": quorum, "faults": 1}}


def approve(tally: Tally, proposed: Any, *names: str, **more: Any) -> Any:
    for name in names:
        done = tally("approve", "city", proposed["proposal"], "--by", name, **more)
    return done


def test_a_published_policy_is_what_checkers_are_told(city: Tally) -> None:
    start = Path("city/policy").read_text("utf-8")
    assert start.endswith("quorum none\n")
    error = city(
        *("publish", "policy", "city", write("bad", policy(2)), "--by", "first"), expected=1
    )
    assert error["error"]["code"] == "policy-quorum"
    proposed = city("publish", "policy", "city", write("good", policy()), "--by", "first")
    assert not approve(city, proposed, "first")["enacted"]
    assert Path("city/policy").read_text("utf-8") == start
    assert approve(city, proposed, "third")["enacted"]
    text = Path("city/policy").read_text("utf-8")
    assert text == city("show", "policy", "city")["policy"]
    read = parse_policy(text.encode())
    assert list(read.witnesses) == [f"{name}.example" for name in "abcd"]
    assert not read.is_reached(["a.example", "b.example"])
    assert read.is_reached(["a.example", "b.example", "d.example"])
    # The next one names what it follows.
    proposed = city("publish", "policy", "city", write("next", policy(4)), "--by", "first")
    assert approve(city, proposed, "second", "third")["enacted"]
    assert Path("city/policy").read_text("utf-8") == text.replace("auditors 3", "auditors 4")


def test_with_one_governor_a_policy_is_in_force_at_once(tally: Tally) -> None:
    tally("init", "city", "--origin", "ledger.example/city")
    published = tally("publish", "policy", "city", write("p", policy()), "--by", "governor")
    assert published["enacted"]
    assert Path("city/policy").read_text("utf-8").endswith("quorum auditors\n")


def test_a_ledger_may_be_opened_with_a_policy(tally: Tally) -> None:
    action = {"action": "policy", "document": json.dumps(policy())}
    made = tally("init", "city", "--origin", "o.example", "--founding", write("f", [action]))
    assert made["policy"] == Path("city/policy").read_text("utf-8")
    assert made["policy"].endswith("quorum auditors\n")


def test_the_operator_s_key_is_rotated_by_two_of_three(city: Tally) -> None:
    before = Path("city/policy").read_text("utf-8")
    proposed = city("key", "rotate", "city", "operator", "--by", "first")
    assert not proposed["enacted"]
    city("seal", "city")
    # A long time later, and with something else that waits before it.
    later = START + 50_000
    granted = {"action": "grant", "participant": "first", "role": "auditor"}
    city("propose", "city", write("grant", [granted]), "--by", "third", now=later)
    assert approve(city, proposed, "first", "second", now=later)["enacted"]
    after = Path("city/policy").read_text("utf-8")
    assert after != before
    note = parse_note(Path("city/checkpoint").read_bytes())
    assert parse_policy(after.encode()).check(note).is_witnessed
    # The new key goes on, under the first name.
    assert city("status", "city", now=later)["size"] == parse_checkpoint(note.text).size
    proposed = city("propose", "city", write("same", [granted]), "--by", "first", now=later + 1)
    assert approve(city, proposed, "first", "second", now=later + 2)["enacted"]
    assert not Path("city-keys/operator.next.pem").exists()


def test_a_later_version_of_the_rules_is_published(tally: Tally) -> None:
    City.found(Path("city"), rules=1, time=START)
    Path("city-keys").mkdir()
    for name in ("operator", "governor"):
        save(key(name), Path(f"city-keys/{name}.pem"), b"a passphrase")
    assert tally("publish", "rules", "city", "--by", "governor")["enacted"]
    versions = [row["action"]["version"] for row in tally("history", "city", "rules")]
    assert versions == [1, RULES_VERSION]
    error = tally("publish", "rules", "city", "--by", "governor", expected=1)["error"]
    assert error["code"] == "rules-version"


# --- history ---


def test_every_action_is_in_the_history_of_some_kind() -> None:
    assert {action for actions in ACTIONS_OF.values() for action in actions} == set(ACTIONS)


@pytest.fixture
def governed(city: Tally) -> Tally:
    """A ledger with one of every action; each approved by two, one after the other."""
    proposed = city("key", "rotate", "city", "third", "--by", "third")
    approve(city, proposed, "third", "first", now=START + 60)
    classes = city("history", "city", "classes")[0]["action"]["document"]
    ferry = json.loads(classes)
    ferry["issuers"] = {"ticket": ["ferry"]}
    proposed = city("publish", "issuer", "city", "ticket", "ferry", "--by", "first")
    approve(city, proposed, "first", "second", now=START + 120)
    proposed = city("publish", "policy", "city", write("policy", policy()), "--by", "second")
    approve(city, proposed, "first", "second", now=START + 180)
    until = ("--from", "2027-01-01", "--public", PrivateKey(bytes(32)).public.hex())
    proposed = city("pseudonyms", "publish", "city", *until, "--by", "first")
    approve(city, proposed, "first", "second", now=START + 180)
    scenario = {
        "format": 1,
        "id": "plates",
        "title": {"en": "Plates", "zh": "光盘"},
        "region": "city",
        "methodology": "clean-plate",
        "owner": "first",
        "platforms": ["metro-app"],
        "authority": "first",
        "crediting": {"from": "2026-01-01", "to": "2030-12-31"},
    }
    proposed = city("publish", "scenario", "city", write("s", scenario), "--by", "second")
    approve(city, proposed, "first", "second", now=START + 240)
    actions = [
        {"action": "grant", "participant": "metro-app", "role": "exchange"},
        {"action": "threshold", "governors": 3, "instead_of": 2},
    ]
    proposed = city("propose", "city", write("more", actions), "--by", "third")
    approve(city, proposed, "third", "second", now=START + 300)
    proposed = city("key", "revoke", "city", "metro-app", "--by", "third", now=START + 360)
    approve(city, proposed, "third", "second", "first", now=START + 360)
    return city


def test_a_history_says_what_when_and_by_whom(governed: Tally) -> None:
    first, last = governed("history", "city", "threshold")
    assert (first["index"], first["action"]["governors"], first["approved_by"]) == (0, 2, [])
    assert last["action"] == {"action": "threshold", "governors": 3, "instead_of": 2}
    assert last["text"]["en"] == "3 governors must approve"
    assert (last["proposed_by"], last["approved_by"]) == ("third", ["third", "second"])
    assert last["time"] == START + 300
    roles = governed("history", "city", "roles")
    assert roles[-1]["index"] == last["index"]
    assert roles[-1]["text"]["en"] == f"metro-app is exchange from index {last['index'] + 1}"


def test_the_history_of_keys_says_from_when_to_when(governed: Tally) -> None:
    *enrolled, rotated, revoked = governed("history", "city", "keys")
    assert {row["action"]["participant"] for row in enrolled} == {
        *("operator", "metro-app"),
        *GOVERNORS,
    }
    assert {row["index"] for row in enrolled} == {0}
    kid = governed("key", "show", "third", "--keys", "city-keys")["kid"]
    text = f"third has the key {kid} from index {rotated['index'] + 1}"
    assert rotated["text"]["en"] == text
    kid = key("metro-app").public.kid.hex()
    text = f"the key {kid} of metro-app ends at index {revoked['index'] + 1}"
    assert revoked["text"]["en"] == text
    assert revoked["approved_by"] == ["third", "second", "first"]


def test_the_history_of_documents(governed: Tally) -> None:
    (methodology,) = governed("history", "city", "methodologies")
    assert methodology["text"]["en"].startswith("clean-plate, version 1, from ")
    (scenario,) = governed("history", "city", "scenarios")
    expected = "plates, by clean-plate, from 2026-01-01; platforms: metro-app"
    assert scenario["text"]["en"] == expected
    (policy,) = governed("history", "city", "policy")
    expected = "3 of 4 auditors, of whom 1 may lie; 0 of 0 witnesses"
    assert policy["text"]["en"] == expected
    first, last = governed("history", "city", "classes")
    assert first["text"]["en"] == "22 classes of lines; issuers: –"
    assert last["text"]["en"] == "22 classes of lines; issuers: ticket: ferry"


def test_the_history_of_proposals(city: Tally) -> None:
    actions = [{"action": "grant", "participant": "metro-app", "role": "exchange"}]
    enacted = city("propose", "city", write("a", actions), "--by", "first")
    expiring = city("propose", "city", write("b", actions * 2), "--by", "second")
    approve(city, expiring, "third")
    approve(city, enacted, "second", "third")
    later = START + 90_000
    waiting = city("propose", "city", write("c", actions), "--by", "third", now=later)
    approve(city, waiting, "third", now=later)
    rows = city("history", "city", "proposals", now=later)
    assert [row["proposal"] for row in rows] == [
        made["proposal"] for made in (enacted, expiring, waiting)
    ]
    assert [row["outcome"] for row in rows] == ["enacted", "expired", "waiting"]
    assert [[a["by"] for a in row["approvals"]] for row in rows] == [
        ["second", "third"],
        ["third"],
        ["third"],
    ]
    assert rows[0]["enacted"] == rows[0]["approvals"][-1]["index"]
    assert rows[1]["enacted"] is None
    assert city("status", "city")["proposals"] == [waiting["proposal"]]


def test_a_proposal_that_expires_with_the_seal_of_an_approval_is_not_enacted(city: Tally) -> None:
    first = city("publish", "policy", "city", write("p", policy()), "--by", "first")
    # The rules' clock follows, and still stands before the proposal's end.
    city("publish", "policy", "city", write("p", policy()), "--by", "first", now=START + 86_399)
    done = approve(city, first, "first", now=START + 86_401)
    assert (done["enacted"], done["index"], done["approvals"]) == (False, None, 1)
    assert Path("city/policy").read_text("utf-8").endswith("quorum none\n")


def test_an_outcome_counts_the_approvals_that_were_given(city: Tally) -> None:
    actions = [{"action": "threshold", "governors": 3, "instead_of": 2}]
    proposed = city("propose", "city", write("a", actions), "--by", "first")
    done = approve(city, proposed, "first", "third")
    assert (done["enacted"], done["approvals"]) == (True, 2)


def test_whose_key_was_revoked_begins_again_with_another(tally: Tally) -> None:
    tally("init", "city", "--origin", "ledger.example/city")
    tally("enrol", "city", "metro-app", "--role", "platform", "--by", "governor")
    tally("key", "revoke", "city", "metro-app", "--by", "governor")
    again = ("key", "revoke", "city", "metro-app", "--by", "governor")
    assert tally(*again, now=START + 1, expected=1)["error"]["code"] == "key-end-refused"
    assert tally("key", "rotate", "city", "metro-app", "--by", "governor")["enacted"]
    assert not Path("city-keys/metro-app.next.pem").exists()
    made = [row["action"]["action"] for row in tally("history", "city", "keys")]
    assert made[-2:] == ["revoke", "rotate"]
    error = tally("key", "rotate", "city", "pay-app", "--by", "governor", expected=1)
    assert error["error"]["code"] == "participant-unknown"


def test_a_key_is_made_only_under_an_id_that_can_be_enrolled(tally: Tally) -> None:
    tally("init", "city", "--origin", "ledger.example/city")
    before = sorted(Path().rglob("*.pem"))
    for command in (
        ("enrol", "city", "../metro-app", "--role", "platform", "--by", "governor"),
        ("key", "new", "../metro-app", "--keys", "city-keys"),
    ):
        error = tally(*command, expected=1)
        assert error["error"]["code"] == "participant-id-invalid"
        assert sorted(Path().rglob("*.pem")) == before


def test_nobody_writes_into_a_history_but_what_was_decided(tally: Tally) -> None:
    public = key("evil-app").public.as_json()
    enrolled = {"action": "enrol", "participant": "evil-app", "key": public, "roles": ["platform"]}
    action = {**enrolled, "name": "Evil\n\x1b[2J"}
    tally("init", "city", "--origin", "ledger.example/city", "--founding", write("f", [action]))
    shown = tally("history", "city", "participants", lang="en")
    assert "\x1b" not in shown
    assert "Evil\\n\\x1b[2J" in "".join(shown.split("\n"))


def test_a_history_is_read_in_both_languages(governed: Tally) -> None:
    for kind in (*ACTIONS_OF, "proposals"):
        english = governed("history", "city", kind, lang="en")
        chinese = governed("history", "city", kind, lang="zh")
        assert "{" not in english + chinese
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese)
        assert "2026-03-03 " in english
        assert len(english.splitlines()) == len(chinese.splitlines()) > 2


def test_a_history_of_nothing_known_is_wrong_usage(city: Tally) -> None:
    assert city("history", "city", "weather", expected=2)["error"]["code"] == "usage"
