"""The second half of a reduction's life, from the command line: from a close to a retirement."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.books import PARTIES, everybody
from support.city import NOON, PLATFORMS, City, key
from support.commands import set_up
from support.replay import check_replay

from api import cli
from keys.signer import save

pytestmark = pytest.mark.usefixtures("database")

DAY = 86_400
UNIT = 100
NONCE = ("--nonce", "5a" * 16)
SERIES = "city-bus_metro-app_2026"
Tally = Callable[..., Any]
CERTIFY = ("certify", "city", "metro-app", "city-bus", "2026-03-02", "2026-03-02")
SAYS = (
    *("--by", "verifier", "--opinion", "unmodified", "--criteria", "a standard"),
    *("--accreditation", "a body, no. 1", "--report", "report.pdf"),
)
NOTICE = ("--notice", "a notice", "--notice-from", "2026-04-02", "--notice-to", "2026-04-04")
ISSUE = ("--by", "governor", "--owner", "holder-1", *NOTICE)
CLOSED = NOON + 31 * DAY
"""2 April: the books of 2 March can be closed."""


class Clock:
    """What the commands take for the time."""

    now = CLOSED


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: Clock,
) -> Tally:
    """Runs a command on a ledger with four rides on one day, of 80 g each; gives its JSON."""
    set_up(monkeypatch, tmp_path, clock.now)
    city = City.found(tmp_path / "city", actions=everybody(), unit_grams=UNIT)
    city.submit([city.ride(name, NOON - 3_600) for name in ("ann", "ben", "cat", "dan")])
    city.submit([city.ride("eve", NOON - 3_600)], "pay-app")
    city.store.engine.dispose()
    Path("city-keys").mkdir()
    for name in ("operator", "governor", "verifier", *PLATFORMS, *PARTIES):
        save(key(name), Path("city-keys") / f"{name}.pem", b"a passphrase")
    Path("report.pdf").write_bytes(b"what the verifier found")

    def run(*arguments: object, expected: int = 0, lang: str | None = None) -> Any:
        form = ["--lang", lang] if lang else ["--json"]
        monkeypatch.setenv("TALLY_NOW", str(clock.now))
        status = cli.main([*map(str, arguments), *form])
        out, err = capsys.readouterr()
        assert status == expected, out + err
        return (out + err) if lang else json.loads(out)

    return run


def refused(tally: Tally, *arguments: object) -> str:
    return str(tally(*arguments, expected=1)["error"]["code"])


def body_of(tally: Tally, index: int) -> Any:
    return tally("show", "statement", "city", index)["body"]


def close(tally: Tally) -> None:
    tally("close", "city", "2026-03-03", "--by", "operator")


def issued(tally: Tally, clock: Clock) -> dict[str, Any]:
    """Close, certify, wait for the notice, issue."""
    close(tally)
    made = tally(*CERTIFY, *SAYS)
    clock.now += 3 * DAY
    return dict(tally("issue", "city", made["index"], *ISSUE))


def test_from_the_close_to_the_retirement(tally: Tally, clock: Clock) -> None:
    close(tally)
    made = tally(*CERTIFY, *SAYS, "--declare", "claimed nowhere else")
    assert (made["lots"], made["count"], made["grams"]) == (1, 4, 320)
    body = body_of(tally, made["index"])
    assert body["report"] == body["sampling_plan"] == sha256(b"what the verifier found").hexdigest()
    assert (body["from"], body["until"]) == ("2026-03-02", "2026-03-03")
    assert body["declarations"] == ["claimed nowhere else"]

    clock.now += 2 * DAY
    assert refused(tally, "issue", "city", made["index"], *ISSUE) == "notice-open"
    clock.now += DAY
    units = tally("issue", "city", made["id"], *ISSUE)
    assert (units["units"], units["carried_out"], units["first"], units["end"]) == (3, 20, 1, 4)
    assert (units["registry"], units["series"]) == ("ledger-example-city", SERIES)

    sold = tally("transfer", "city", SERIES, 1, 1, "--as", "holder-1", "--to", "holder-2")
    assert (sold["first"], sold["end"], sold["holding"]["owner"]) == (1, 2, "holder-2")
    offered = tally(
        "offer", "city", SERIES, 2, 3, "--as", "holder-1", "--exchange", "exchange-1", *NONCE
    )
    assert offered["holding"]["expires"] == clock.now + 7 * DAY
    traded = tally("import", "city", SERIES, 2, 3, "--as", "exchange-1", "--account", "a-1")
    assert (traded["holding"]["owner"], traded["holding"]["account"]) == ("exchange-1", "a-1")
    says = ("--beneficiary", "the games", "--purpose", "their journeys")
    tally("retire", "city", SERIES, 3, 3, "--as", "exchange-1", *says)

    found = tally("holdings", "city")
    assert found["totals"] == {"held": 2, "retired": 1}
    spans = [(one["first"], one["end"], one["holding"]["owner"]) for one in found["holdings"]]
    assert spans == [(1, 2, "holder-2"), (2, 3, "exchange-1"), (3, 4, "exchange-1")]
    assert tally("holdings", "city", "holder-2")["totals"] == {"held": 1}
    assert tally("holdings", "city", "holder-1") == {"holdings": [], "totals": {}}
    check_replay(City(Path("city")))


def test_the_same_to_read(tally: Tally, clock: Clock) -> None:
    """Every text, in both languages."""
    close(tally)
    out = tally(*CERTIFY, *SAYS, lang="en")
    assert "unmodified: 1 lots, less 0 reductions that are excluded; 4 reductions of 320 g" in out
    index = out.split("index ")[1].split(",")[0]
    clock.now += 3 * DAY
    assert "3 units of city-bus_metro-app_2026, 1 to 3, to holder-1; 20 g are carried" in tally(
        "issue", "city", index, *ISSUE, lang="en"
    )
    by = ("--as", "holder-1")
    lines = [
        ("transfer", "city", SERIES, 1, 1, *by, "--to", "holder-1", "--account", "savings"),
        ("offer", "city", SERIES, 1, 2, *by, "--exchange", "exchange-1", *NONCE),
        ("offer", "city", SERIES, 2, 2, *by, "--exchange", "exchange-1", *NONCE),
        ("release", "city", SERIES, 2, 2, "--as", "exchange-1"),
        ("cancel", "city", SERIES, 1, 1, "--by", "governor", "--reason", "an error"),
        ("offer", "city", SERIES, 3, 3, *by, "--exchange", "exchange-1", *NONCE),
    ]
    said = [tally(*line, lang="zh", expected=int(line[2:5] == (SERIES, 1, 2))) for line in lines]
    assert "转移" in said[0]
    assert "不在同一持有记录中" in said[1]
    assert "要约" in said[2]
    assert "解除锁定" in said[3]
    assert "取消" in said[4]
    shown = tally("holdings", "city", lang="en")
    assert "savings" in shown
    assert "locked: offered to exchange-1 until 2026-04-12 12:00:00+08:00" in shown
    assert "cancelled: 1 units" in shown
    assert "没有持有" in tally("holdings", "city", "nobody", lang="zh")


def test_a_reduction_is_excluded(tally: Tally) -> None:
    close(tally)
    shown = tally("show", "statement", "city", 2)
    leaf = shown["reductions"][1]["leaf"]
    made = tally(*CERTIFY, *SAYS, "--exclude", leaf)
    assert (made["count"], made["grams"]) == (3, 240)
    assert body_of(tally, made["index"])["exclusions"][0]["position"] == 1


def test_a_reduction_of_another_platform_is_not_excluded(tally: Tally) -> None:
    close(tally)
    indexes = range(2, 6)
    [other] = [
        shown["reductions"][0]["leaf"]
        for shown in (tally("show", "statement", "city", index) for index in indexes)
        if shown["issuer"] == "pay-app"
    ]
    assert refused(tally, *CERTIFY, *SAYS, "--exclude", other) == "reduction-elsewhere"


def test_an_adverse_opinion_certifies_nothing(tally: Tally, clock: Clock) -> None:
    close(tally)
    says = ["adverse" if word == "unmodified" else word for word in SAYS]
    made = tally(*CERTIFY, *says)
    assert (made["lots"], made["count"], made["grams"]) == (1, 0, 0)
    clock.now += 3 * DAY
    code = refused(tally, "issue", "city", made["index"], *ISSUE)
    assert code == "certification-certifies-nothing"


def test_a_certification_is_withdrawn_and_what_was_issued_corrected(
    tally: Tally, clock: Clock
) -> None:
    made = issued(tally, clock)
    certification = body_of(tally, made["index"])["certification"]["statement"]
    reason = ("--reason", "evidence was made up")
    withdraw = ("withdraw", "city", certification, *reason)
    assert refused(tally, *withdraw, "--by", "verifier-2") == "withdrawal-not-own"
    tally(*withdraw, "--by", "verifier")
    assert refused(tally, *withdraw, "--by", "governor") == "certification-differs"
    assert refused(tally, *CERTIFY, *SAYS) == "certified-already"
    correct = ("correct", "city", made["index"])
    assert tally(*correct, 120, *reason, "--by", "governor")["carried_out"] == -100
    assert tally(*correct, 200, *reason, "--by", "governor")["carried_out"] == -300
    assert refused(tally, *correct, 321, *reason, "--by", "governor") == "correction-grams"
    line = tally("show", "line", "city", "carry", "metro-app", "city-bus")
    assert [(span["start"], span["end"]) for span in line["spans"]] == [(2, 3)]


def test_units_of_another_registry(tally: Tally, clock: Clock) -> None:
    series = "X-US-102-2003-274"
    deposit = ("deposit", "city", "another", series, 120158095, 120158156, "--by", "authority-2")
    owner = ("--owner", "holder-1", "--reference", "immobilised there")
    made = tally(*deposit, *owner)
    assert (made["first"], made["end"]) == (120158095, 120158157)
    # In the same second it is the same statement, and has its answer; later it is another.
    assert tally(*deposit, *owner) == made
    clock.now += 1
    assert refused(tally, *deposit, *owner) == "serials-taken"
    assert tally("holdings", "city")["totals"] == {"held": 62}
    says = ("--as", "holder-1", "--registry", "another", "--beneficiary", "b", "--purpose", "p")
    tally("retire", "city", series, 120158095, 120158156, *says)
    assert tally("holdings", "city")["totals"] == {"retired": 62}


def test_what_is_not_there(tally: Tally) -> None:
    def code(*arguments: object) -> str:
        return str(tally(*arguments, expected=2)["error"]["code"])

    transfer = ("transfer", "city", SERIES, 1, 1, "--as", "holder-1", "--to", "holder-2")
    assert code(*transfer) == "units-unknown"
    assert code("issue", "city", 0, *ISSUE) == "certification-unknown"
    assert code("issue", "city", 999, *ISSUE) == "statement-unknown"
    correct = ("correct", "city", 0, 1, "--by", "governor", "--reason", "an error")
    assert code(*correct) == "issuance-unknown"
    assert refused(tally, *CERTIFY, *SAYS) == "certification-open"
