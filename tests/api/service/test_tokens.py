"""Access tokens: what a platform lets somebody read, and every token that opens nothing."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.city import NOON, City, key, pseudonym
from support.commands import Run, set_up
from support.suites import es256

from api.access_tokens import (
    TOKEN_SECONDS_MAX,
    TOKEN_SUBJECTS_MAX,
    Access,
    check_token,
    make_token,
)
from chain.genesis import enrol
from chain.state import State
from keys.errors import Malformed, NotAllowed, TallyError
from keys.participants import Role, key_holder, role_holder
from keys.statements import parse_statement, sign_statement
from keys.strict import parse_date

ADA, BEN = sorted(pseudonym("traveller", name) for name in ("ada", "ben"))
DAY = parse_date("2026-03-02")
BOOK = Access("metro-app", subjects=(ADA,))
FOR_VERIFIER = Access("metro-app", reader="verifier")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    city = City.found(tmp_path_factory.mktemp("city") / "ledger")
    phone = es256("phone-app").public
    city.govern(enrol("phone-app", "Phone", [Role.PLATFORM], phone))
    yield city
    city.store.engine.dispose()


@pytest.fixture(scope="module")
def state(city: City) -> State:
    return city.state


def token(state: State, access: Access = BOOK, **more: Any) -> str:
    return make_token(
        more.get("signer", key(access.platform)),
        access,
        ledger=more.get("ledger", state.genesis.id),
        expires=more.get("expires", NOON + 3600),
    )


def written(state: State, body: dict[str, Any], **more: Any) -> str:
    """A token with another payload, or of another kind."""
    full = {
        "format": 1,
        "reader": None,
        "subjects": [ADA],
        "scenario": None,
        "from": None,
        "until": None,
    }
    statement = sign_statement(
        key("metro-app"),
        kind=more.get("kind", "access"),
        issuer="metro-app",
        subject="access",
        audience=state.genesis.id,
        expires=NOON + 3600,
        payload={name: value for name, value in (full | body).items() if value != "left out"},
    )
    return base64.urlsafe_b64encode(statement.data).decode().rstrip("=")


def code_of(state: State, text: str, reader: str | None = None, time: float = NOON) -> str:
    with pytest.raises(TallyError) as caught:
        check_token(state, text, reader=reader, time=time)
    assert isinstance(caught.value, Malformed | NotAllowed)
    return caught.value.code


# --- what a token opens ---


@pytest.mark.parametrize(
    ("access", "reader"),
    [
        (BOOK, None),
        (BOOK, "verifier"),
        (Access("metro-app", subjects=(ADA, BEN)), None),
        (FOR_VERIFIER, "verifier"),
        (Access("metro-app", "verifier", (BEN,), "city-bus", DAY, DAY + 1), "verifier"),
        (Access("metro-app", "verifier", None, "city-bus", DAY, None), "verifier"),
        (Access("metro-app", "verifier", None, None, None, DAY), "verifier"),
    ],
)
def test_a_token_opens_what_its_platform_wrote(
    state: State, access: Access, reader: str | None
) -> None:
    text = token(state, access)
    assert check_token(state, text, reader=reader, time=NOON) == access
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_platform_may_sign_it_in_any_suite(state: State) -> None:
    access = Access("phone-app", subjects=(ADA,))
    text = token(state, access, signer=es256("phone-app"))
    assert check_token(state, text, reader=None, time=NOON) == access


def test_what_a_token_covers() -> None:
    bounded = Access("metro-app", "verifier", None, "city-bus", DAY, DAY + 2)
    assert [bounded.covers("city-bus", DAY + n) for n in (-1, 0, 1, 2)] == [
        False,
        True,
        True,
        False,
    ]
    assert not bounded.covers("city-bike", DAY)
    assert FOR_VERIFIER.covers("city-bike", 0)
    assert Access("metro-app", "verifier", start=DAY).covers("city-bus", 65_535)
    assert Access("metro-app", "verifier", until=DAY).covers("city-bus", 0)


def test_a_token_holds_up_to_its_expiry_and_a_day_at_most(state: State) -> None:
    text = token(state, expires=NOON + 10)
    assert check_token(state, text, reader=None, time=NOON + 9.9) == BOOK
    assert code_of(state, text, time=NOON + 10) == "token-expired"
    longest = token(state, expires=NOON + TOKEN_SECONDS_MAX)
    assert check_token(state, longest, reader=None, time=NOON) == BOOK
    assert code_of(state, longest, time=NOON - 1) == "token-too-long"


# --- who may write one ---


def test_a_token_for_a_reader_is_for_that_reader(state: State) -> None:
    for reader in (None, "governor"):
        assert code_of(state, token(state, FOR_VERIFIER), reader) == "token-other-reader"


def test_a_token_of_another_ledger_opens_nothing(state: State) -> None:
    assert code_of(state, token(state, ledger=bytes(32))) == "statement-other-ledger"


def test_only_a_platform_signs_a_token(state: State) -> None:
    for name in ("operator", "governor", "verifier"):
        assert code_of(state, token(state, Access(name, subjects=(ADA,)))) == "role-missing"
    assert code_of(state, token(state, Access("nobody", subjects=(ADA,)))) == "participant-unknown"


def test_a_platform_signs_with_its_own_key(state: State) -> None:
    for signer in (key("pay-app"), es256("metro-app")):
        assert code_of(state, token(state, signer=signer)) == "signature-invalid"


def test_with_the_key_or_the_role_its_tokens_end(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    texts = {
        name: token(city.state, Access(name, subjects=(ADA,))) for name in ("metro-app", "pay-app")
    }
    for text in texts.values():
        check_token(city.state, text, reader=None, time=NOON)
    consumes = key_holder(key("metro-app").public).hex()
    city.govern(
        {"action": "revoke", "participant": "metro-app", "consumes": consumes},
        {
            "action": "withdraw",
            "participant": "pay-app",
            "role": "platform",
            "consumes": role_holder("pay-app", "platform").hex(),
        },
    )
    assert code_of(city.state, texts["metro-app"]) == "signature-invalid"
    assert code_of(city.state, texts["pay-app"]) == "role-missing"
    city.store.engine.dispose()


def test_a_token_never_comes_into_the_log(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    text = token(city.state)
    statement = parse_statement(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert statement.kind == "access"
    size = city.state.index
    city.post(statement)
    with pytest.raises(TallyError) as caught:
        city.answer(statement)
    assert caught.value.code == "kind-unknown"
    assert city.state.index == size
    city.store.engine.dispose()


# --- what is no token ---


@pytest.mark.parametrize(
    "body",
    [
        {"reader": None, "subjects": None},
        {"subjects": []},
        {"subjects": [ADA.upper()]},
        {"subjects": [ADA, ADA]},
        {"subjects": [BEN, ADA]},
        {"subjects": [ADA[:-2]]},
        {"subjects": [1]},
        {"subjects": ADA},
        {"subjects": [f"{n:032x}" for n in range(TOKEN_SUBJECTS_MAX + 1)]},
        {"reader": "Verifier"},
        {"reader": 1},
        {"reader": ""},
        {"scenario": "City Bus"},
        {"scenario": ["city-bus"]},
        {"from": "2026-3-2"},
        {"from": 20_000},
        {"until": "2026-02-30"},
        {"from": "2026-03-02", "until": "2026-03-02"},
        {"from": "2026-03-03", "until": "2026-03-02"},
        {"format": 2},
        {"format": True},
        {"more": 1},
        *({name: "left out"} for name in ("format", "reader", "subjects", "scenario", "from")),
        {"until": "left out"},
    ],
    ids=str,
)
def test_payloads_that_are_refused(state: State, body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        check_token(state, written(state, body), reader=None, time=NOON)


def test_the_most_subjects_are_taken(state: State) -> None:
    subjects = tuple(f"{n:032x}" for n in range(TOKEN_SUBJECTS_MAX))
    text = token(state, Access("metro-app", subjects=subjects))
    assert check_token(state, text, reader=None, time=NOON).subjects == subjects


@pytest.mark.parametrize("kind", ["submission", "void", "accesses", "transfer"])
def test_another_kind_of_statement_is_no_token(state: State, kind: str) -> None:
    assert code_of(state, written(state, {}, kind=kind)) == "kind-unknown"


def test_what_no_token_says_is_not_made(state: State) -> None:
    for access in (
        Access("metro-app"),
        Access("metro-app", subjects=()),
        Access("metro-app", subjects=(BEN, ADA)),
        Access("metro-app", "verifier", start=DAY, until=DAY),
    ):
        with pytest.raises(Malformed):
            token(state, access)


def test_a_token_has_one_spelling(state: State) -> None:
    good = token(state)
    raw = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    padded = base64.urlsafe_b64encode(raw).decode()
    for text in (
        f"{good}=",
        f" {good}",
        f"{good}\n",
        good[:-1],
        f"{good}A",
        "",
        "=",
        "公交",
        good + ".",
    ):
        with pytest.raises(Malformed):
            check_token(state, text, reader=None, time=NOON)
    if padded != good:
        assert code_of(state, padded) == "token-malformed"


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_token_with_one_byte_changed_opens_nothing(state: State, at: int, flip: int) -> None:
    good = token(state)
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    raw[at % len(raw)] ^= flip
    text = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    with pytest.raises((Malformed, NotAllowed)):
        check_token(state, text, reader=None, time=NOON)


@given(st.text(max_size=200))
def test_whatever_is_shown_nothing_else_is_raised(state: State, text: str) -> None:
    with pytest.raises((Malformed, NotAllowed)):
        check_token(state, text, reader=None, time=NOON)


# --- the command ---


@pytest.fixture
def tally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    set_up(monkeypatch, tmp_path, NOON)
    run = Run(capsys)
    run(
        "init",
        "town",
        "--origin",
        "ledger.example/town",
        "--utc-offset",
        "+08:00",
        "--first-day",
        "2026-03-01",
        "--issuer",
        "ticket=city-bus",
        "--methodology",
        "bus-ride-by-code",
    )
    run("enrol", "town", "metro-app", "--role", "platform", "--by", "governor")
    run("enrol", "town", "checker", "--role", "verifier", "--by", "governor")
    return run


def state_of(folder: Path) -> State:
    from api.session import Session

    session = Session(json=True)
    state = session.open(folder).state
    session.close()
    return state


def test_the_command_prints_a_token_that_opens_what_was_asked(tally: Run, tmp_path: Path) -> None:
    text = tally("token", "town", "--as", "metro-app", "--subject", BEN, "--subject", ADA).strip()
    state = state_of(tmp_path / "town")
    access = check_token(state, text, reader=None, time=NOON)
    assert access == Access("metro-app", subjects=(ADA, BEN))
    made = tally.json(
        *("token", "town", "--as", "metro-app", "--reader", "checker", "--scenario", "city-bus"),
        *("--from", "2026-03-02", "--until", "2026-04-01", "--hours", 24),
    )
    assert made["expires"] == NOON + 24 * 3600
    access = check_token(state, made["token"], reader="checker", time=NOON)
    until = parse_date("2026-04-01")
    assert access == Access("metro-app", "checker", None, "city-bus", DAY, until)


def test_the_command_refuses_what_would_open_nothing(tally: Run) -> None:
    command = ("token", "town", "--as")
    tally(*command, "metro-app", expected=1)
    tally(*command, "metro-app", "--subject", "ada", expected=1)
    tally(*command, "metro-app", "--reader", "nobody", expected=1)
    tally(*command, "checker", "--subject", ADA, expected=1)
    tally(*command, "metro-app", "--subject", ADA, "--from", "soon", expected=1)
    tally(*command, "metro-app", "--subject", ADA, "--hours", 25, expected=2)
    tally("token", "town", "--subject", ADA, expected=2)
