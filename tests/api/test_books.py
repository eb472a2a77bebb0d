"""Books from a ledger: page by page, and as `tally book` writes them."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.city import FIRST_DAY, NOON, ORIGIN, TODAY, City, key, pseudonym
from support.commands import Run, set_up

import api.books
from api.books import Asked, Item, Page, page
from chain.paths import activities_path
from keys.errors import Fault, Usage
from keys.strict import dump_date
from verifier import cli as verify
from verifier.policies import policy_text

DAY = 86_400
ANN, BEN = (pseudonym("traveller", name) for name in ("ann", "ben"))
BOOK = Asked("metro-app", [ANN])


def build(folder: Path) -> City:
    """Three days of rides and a meal, one ride voided, one on another platform."""
    city = City.found(folder, acceptance_days=2)
    city.submit([city.ride("ann", NOON), city.ride("ben", NOON)])
    city.submit([city.meal("ann", NOON)])
    city.submit([city.ride("ann", NOON + hour * 3_600) for hour in (2, 3, 4)])
    city.submit([city.ride("ann", NOON + 8 * 3_600)], "pay-app")
    voided = city.submit([city.ride("ann", NOON - 2 * DAY), city.ride("ann", NOON + DAY)])
    city.post(city.void(voided, [0], "metro-app"))
    return city


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return build(tmp_path_factory.mktemp("books") / "city")


def read(city: City, of: Asked = BOOK, **more: Any) -> Page:
    with city.store.snapshot() as snapshot:
        return page(city.store, snapshot, of, **{"limit": 100, **more})


# --- page by page ---


def test_the_first_page_adds_up_what_stands(city: City) -> None:
    found = read(city)
    assert found.totals == {
        **{"count": 6, "grams": 5 * 80 + 144, "points": 5 * 10 + 5},
        "behaviours": [
            {
                **{"scenario": "city-bus", "methodology": "bus-ride-by-code"},
                **{"count": 5, "grams": 400, "points": 50},
            },
            {
                **{"scenario": "city-plate", "methodology": "clean-plate"},
                **{"count": 1, "grams": 144, "points": 5},
            },
        ],
        "months": [{"month": "2026-03", "count": 6, "grams": 544, "points": 55}],
    }
    status = Counter(item.status for item in found.items)
    assert status == {"provisional": 6, "voided": 1}


def test_every_item_is_what_the_ledger_recorded(city: City) -> None:
    for item in read(city).items:
        shown = item.as_json()
        with city.store.snapshot() as snapshot:
            place = snapshot.locate(item.row.holder)
            assert place is not None
            root = bytes.fromhex(snapshot.statement(shown["index"]).body["root"])
        reduction = city.store.reductions(root)[shown["position"]]
        assert (place.index, place.position) == (shown["index"], shown["position"])
        assert shown["leaf"] == reduction.leaf.hex()
        assert (shown["grams"], shown["day"]) == (reduction.grams, dump_date(reduction.day))
        line = json.loads(city.store.activities(root)[shown["position"]])
        assert line["subject"] == ANN and line["scenario"] == shown["scenario"]


def test_pages_are_one_list_and_totals_come_with_the_first(city: City) -> None:
    every = read(city).items
    found: list[Item] = []
    after = None
    while more := read(city, after=after, limit=3):
        assert (more.totals is None) == (after is not None)
        if not more.items:
            break
        found += more.items
        after = (found[-1].row.day, found[-1].row.holder)
    assert found == every
    assert len({item.leaf for item in found}) == 7


def test_a_pinned_book_does_not_grow(tmp_path: Path) -> None:
    city = build(tmp_path / "city")
    size, before = city.state.index, read(city)
    city.submit([city.ride("ann", NOON + 10 * 3_600)])
    assert read(city, size=size) == before
    assert len(read(city).items) == len(before.items) + 1


def test_it_keeps_to_platform_subjects_days_and_scenario(city: City) -> None:
    def counted(of: Asked) -> int:
        found = read(city, of)
        assert found.totals is not None
        count: int = found.totals["count"]
        return count

    assert counted(Asked("pay-app", [ANN])) == 1
    assert counted(Asked("metro-app", [BEN])) == 1
    assert counted(Asked("metro-app", sorted([ANN, BEN]))) == 7
    assert counted(BOOK._replace(first=TODAY + 1)) == 1
    assert counted(BOOK._replace(until=TODAY + 1)) == 5
    assert counted(BOOK._replace(scenario="city-plate")) == 1
    assert counted(BOOK._replace(until=FIRST_DAY)) == 0


def test_what_is_of_closed_days_is_final(tmp_path: Path) -> None:
    city = build(tmp_path / "city")
    city.now += 4 * DAY
    city.govern({"action": "threshold", "governors": 1, "instead_of": 1})
    city.post(statement := city.close(TODAY + 1))
    city.answer(statement)
    status = Counter((item.as_json()["day"], item.status) for item in read(city).items)
    assert status == {
        ("2026-03-02", "final"): 5,
        ("2026-02-28", "voided"): 1,
        ("2026-03-03", "provisional"): 1,
    }


def test_a_book_that_is_too_long_says_so(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.books, "BOOK_REDUCTIONS_MAX", 6)
    with pytest.raises(Usage, match="book-too-large"):
        read(city)
    assert read(city, BOOK._replace(until=TODAY + 1)).totals


def test_activities_that_are_not_those_submitted_are_not_shown(tmp_path: Path) -> None:
    city = build(tmp_path / "city")
    [item, *_] = read(city).items
    path = city.folder / activities_path(item.row.root)
    path.write_bytes(path.read_bytes().replace(b'"id":"a-', b'"id":"b-'))
    with pytest.raises(Fault, match="reductions-differ"):
        read(city)


def test_what_is_erased_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    city = build(tmp_path / "city")
    [*rest, first] = read(city).items
    path = city.folder / activities_path(first.row.root)
    lines = path.read_bytes().split(b"\n")
    lines[first.row.place.position] = b""
    path.write_bytes(b"\n".join(lines))
    assert read(city).items == rest
    with pytest.raises(Usage, match="activity-erased"):
        api.books.write_book(city.store, BOOK)


# --- the command ---


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Run]:
    set_up(monkeypatch, tmp_path, NOON)
    city = build(tmp_path / "city")
    Path("policy").write_text(policy_text(ORIGIN, key("operator").public))
    city.store.engine.dispose()
    yield Run(capsys)


def test_a_book_is_written_and_checked(tally: Run, capsys: Any) -> None:
    written = ("book", "city", "--as", "metro-app", "--subject", ANN, "--out")
    made = tally.json(*written, "ann.json")
    assert made["count"] == 6
    assert made["size"] == Path("ann.json").stat().st_size
    assert Path("ann.json").stat().st_mode & 0o077 == 0
    assert verify.main(["check", "ann.json", "--policy", "policy", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["facts"]["points"]) == ("provisional", 55)
    assert verify.main(["check", "ann.json", "--policy", "policy", "--lang", "zh"]) == 0
    assert "544 克" in capsys.readouterr().out
    assert "tally-verify check ann.json" in tally(*written, "ann.json")
    days = ("--from", "2026-03-02", "--until", "2026-03-03")
    assert tally.json(*written, "day.json", *days, "--subject", BEN)["count"] == 6


def test_wrong_use_is_told(tally: Run) -> None:
    def code(*arguments: str) -> str:
        given = ("book", "city", "--out", "b.json", *arguments)
        error: str = tally.json(*given, expected=_status(arguments))["error"]["code"]
        return error

    def _status(arguments: tuple[str, ...]) -> int:
        return 1 if "12" in arguments or "march" in arguments else 2

    assert code("--as", "metro-app", "--subject", "00" * 16) == "book-empty"
    assert code("--as", "nobody", "--subject", ANN) == "book-empty"
    assert code("--as", "metro-app", "--subject", "12") == "hex-not-canonical"
    assert code("--as", "metro-app", "--subject", ANN, "--from", "march") == "date-invalid"
    assert not Path("b.json").exists()
