"""Bundles that are as they should be: what is checked, what is said, and the verdict."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.bundles import (
    ENOUGH,
    PLAIN,
    QUORUM,
    Json,
    activity,
    check,
    cosigned,
    dump,
    honest,
    ledger,
    rotation,
    samples,
    stretch,
    world,
)
from support.city import NOON, TODAY, City, key

from api.proving import prove_free, prove_reduction, prove_span
from chain.calendar import DAY_SECONDS
from chain.genesis import library
from chain.spans import FOREVER, make_holder
from chain.state import RULES_VERSION, rules_holder
from keys.catalogue import LANGUAGES
from keys.errors import Usage
from keys.participants import role_holder
from keys.strict import dump_date
from verifier.bundles import parse_file, read_bundle
from verifier.check import check_file

SMALL = ledger()
STORE = SMALL.city.store


# --- made by api.proving, and apart from it ---


def test_the_bundles_of_all_recorded_reductions_are_good() -> None:
    recorded = 0
    for index, reductions in world().batches.items():
        for position, reduction in enumerate(reductions):
            try:
                made = prove_reduction(STORE, reduction.leaf, disclose=True)
            except Usage as error:
                assert error.code == "reduction-unknown"
                continue
            line = activity(replace(SMALL.rides, index=index), position)
            assert made == honest().reduction(index, position, line)
            assert check(made).verdict == "provisional"
            recorded += 1
    assert recorded == 17


def test_the_bundles_of_all_held_spans_are_good() -> None:
    places = {
        reduction.holder: (index, position)
        for index, reductions in world().batches.items()
        for position, reduction in enumerate(reductions)
    }
    proved = 0
    for span in world().spans.values():
        if span.holder not in places:
            with pytest.raises(Usage, match="reduction-unknown"):
                prove_span(STORE, span.line, span.start)
            continue
        made = prove_span(STORE, span.line, span.start)
        report = check(made)
        assert report.verdict == "provisional"
        assert (report.facts["start"], report.facts["end"]) == (span.start, span.end)
        assert made["leaf"]["hash"] == report.facts["leaf"]
        proved += 1
    assert proved == 2 * 9 + 19 + 4 + 3 + 2 * 3 - 2 + 2


@pytest.mark.parametrize("name", [name for name in samples() if name.startswith("free")])
def test_the_bundles_of_free_stretches_are_good(name: str) -> None:
    bundle = samples()[name]
    free = bundle["free"]
    line = bytes.fromhex(free["line"])
    assert prove_free(STORE, line, free["start"], free["end"]) == bundle


def test_what_is_not_there_has_no_bundle() -> None:
    line, start, end = stretch(SMALL.rides, 0)
    with pytest.raises(Usage, match="reduction-unknown"):
        prove_reduction(STORE, bytes(32))
    with pytest.raises(Usage, match="span-not-held"):
        prove_span(STORE, line, start + 1)
    with pytest.raises(Usage, match="span-not-free"):
        prove_free(STORE, line, end - 1, end)


# --- verdicts ---


@pytest.mark.parametrize("name", samples())
def test_the_verdicts_of_each_kind(name: str) -> None:
    bundle = samples()[name]
    assert check(bundle).verdict == "provisional"
    assert check(bundle, QUORUM).verdict == "unwitnessed"
    assert check(cosigned(bundle, *ENOUGH), QUORUM).verdict == "provisional"
    assert check({**bundle, "checkpoint": "no"}, QUORUM).verdict == "invalid"


CLOSING: dict[str, tuple[Callable[..., Json], int | None]] = {
    # What is proved, and the day of which the close makes it final.
    "ride": (lambda s: s.reduction(SMALL.rides.index, 0), TODAY),
    "trip of 19 days": (lambda s: s.reduction(SMALL.trips.index, 0), TODAY),
    "trip over midnight": (lambda s: s.reduction(SMALL.trips.index, 1), TODAY),
    "meal": (lambda s: s.reduction(SMALL.meals.index, 1), TODAY),
    "span of seconds": (lambda s: s.span(SMALL.trips.index, 3), TODAY),
    "span of a day before": (lambda s: s.span(SMALL.trips.index, 0, 7), TODAY - 18 + 7),
    "span of a seat": (lambda s: s.span(SMALL.meals.index, 0, 1), TODAY),
    "span of a ticket": (lambda s: s.span(SMALL.rides.index, 2, 1), None),
    "free of a day": (lambda s: s.free(stretch(SMALL.rides, 0)[0], NOON, NOON + 60), TODAY),
    "free for ever": (lambda s: s.free(stretch(SMALL.rides, 3, 1)[0], 0, 2**63 - 1), None),
}


@pytest.mark.parametrize("name", CLOSING)
def test_closed_books_make_it_final(name: str) -> None:
    make, last = CLOSING[name]
    for until in (TODAY - 30, TODAY - 11, TODAY - 10, TODAY, TODAY + 1, TODAY + 400):
        closed = world().copy()
        closed.close(until)
        bundle = make(closed.sealed())
        is_final = last is not None and last < until
        report = check(bundle)
        assert report.verdict == ("valid" if is_final else "provisional"), until
        assert report.facts["closed_until"] == dump_date(until)
        # Final or not, who asks for a quorum waits for it.
        assert check(bundle, QUORUM).verdict == "unwitnessed"
        assert check(cosigned(bundle, *ENOUGH), QUORUM).verdict == report.verdict
        # Not to show the close leaves what is proved provisional.
        assert check({**bundle, "books": None}).verdict == "provisional"


def test_without_closed_books_there_is_nothing_to_show() -> None:
    open_world = world().copy()
    open_world.drop(*(s for s in open_world.spans.values() if s.line == open_world.line("books")))
    sealed = open_world.sealed
    with pytest.raises(AssertionError):
        sealed().reduction(SMALL.rides.index, 0)
    report = check({**samples()["ride"], "books": None})
    assert report.verdict == "provisional"
    assert report.facts["closed_until"] == "1970-01-01"


# --- what a report says ---

STEPS = {
    "reduction": [
        *("form", "checkpoint", "genesis", "seal", "rules", "governed", "submission", "right"),
        *("reduction", "scenario", "methodology", "claims", "books", "witnessed"),
    ],
    "span": [
        *("form", "checkpoint", "genesis", "seal", "rules", "governed", "submission", "right"),
        *("holder", "books", "witnessed"),
    ],
    "free": [
        *("form", "checkpoint", "genesis", "seal", "rules", "governed", "free", "books"),
        "witnessed",
    ],
}


@pytest.mark.parametrize("name", samples())
def test_every_step_is_told_in_both_languages(name: str) -> None:
    bundle = samples()[name]
    report = check(bundle)
    expected = list(STEPS[bundle["kind"]])
    if bundle.get("activity"):
        expected.insert(expected.index("books"), "activity")
    assert [step.code for step in report.checks] == expected
    for step in report.checks:
        told = [step.text(lang) for lang in LANGUAGES]
        assert len(set(told)) == 2
        assert not any("{" in said or said.startswith("check-") for said in told)
        assert any("\u4e00" <= char <= "\u9fff" for char in told[1])


def test_the_facts_of_a_reduction() -> None:
    bundle = samples()["trip of 19 days"]
    sealed = honest()
    reduction = world().batches[SMALL.trips.index][0]
    assert check(bundle).facts == {
        "kind": "reduction",
        "origin": "ledger.example/city",
        "size": sealed.size,
        "root": sealed.root.hex(),
        "ledger": world().genesis_id.hex(),
        "height": world().last.body["height"],
        "time": "2026-03-02T04:00:00Z",
        "register_root": world().last.body["register"],
        "index": SMALL.trips.index,
        "platform": "metro-app",
        "leaf": reduction.leaf.hex(),
        "grams": 52,
        "day": "2026-02-12",
        "scenario": "city-bike",
        "methodology": "bike-share-trip",
        "version": 1,
        "points": 0,
        "source": json.loads(library()["bike-share-trip"])["source"],
        "count": 19,
        "classes": "vehicle",
        "closed_until": "2026-01-01",
        "cosigned_by": [],
    }


def test_the_facts_of_a_span_and_of_a_free_stretch() -> None:
    line, start, end = stretch(SMALL.trips, 3)
    facts = check(samples()["span of seconds"]).facts
    assert facts | {"class": "vehicle", "line": line.hex(), "start": start, "end": end} == facts
    assert facts["leaf"] == world().batches[SMALL.trips.index][3].leaf.hex()
    facts = check(samples()["free seat"]).facts
    assert facts | {"class": "cap", "start": 1, "end": 2} == facts
    assert "leaf" not in facts


def test_the_report_as_json() -> None:
    for policy, bundle in (
        (PLAIN, samples()["ride"]),
        (QUORUM, samples()["ride"]),
        (PLAIN, {**samples()["ride"], "kind": "span"}),
    ):
        report = check(bundle, policy)
        told = json.loads(json.dumps(report.as_json()))
        assert told.keys() == {"verdict", "text", "facts", "checks"}
        assert told["verdict"] == report.verdict
        assert told["text"].keys() == set(LANGUAGES)
        assert all(said and "{" not in said for said in told["text"].values())
        assert [step["check"] for step in told["checks"]] == [c.code for c in report.checks]
        for step in told["checks"]:
            assert step["ok"] == (step["error"] is None)
            if step["error"]:
                assert step["error"].keys() == {"code", "details", "text"}
        bad = [step for step in told["checks"] if not step["ok"]]
        assert len(bad) == (report.verdict in ("unwitnessed", "invalid"))


def test_a_check_that_failed_says_why_and_leaves_open_what_it_did_not_find() -> None:
    bundle = {**samples()["ride"], "seal": samples()["ride"]["genesis"]}
    *_, last = check(bundle).checks
    assert last.error is not None
    assert last.text("en").endswith(last.error.text("en"))
    assert "block ?" in last.text("en")


def test_what_is_submitted_again_is_the_same_reduction_wherever_it_is_listed() -> None:
    grown = world().copy()
    index = grown.submit([world().batches[SMALL.rides.index][0]], hold=False)
    sealed = grown.sealed()
    first, again = (check(sealed.reduction(at, 0)) for at in (SMALL.rides.index, index))
    assert first.verdict == again.verdict == "provisional"
    assert {**first.facts, "index": index} == again.facts


# --- what is in a bundle, and what is not ---


@pytest.mark.parametrize("name", [name for name in samples() if samples()[name].get("activity")])
def test_an_activity_may_be_disclosed_or_not(name: str) -> None:
    shown, hidden = samples()[name], {**samples()[name], "activity": None}
    assert check(shown).facts == check(hidden).facts
    assert len(check(shown).checks) == len(check(hidden).checks) + 1
    assert "nonce" not in json.dumps(hidden)


def test_a_bundle_reads_the_same_however_its_json_is_written() -> None:
    bundle = samples()["meal"]
    written = [
        dump(bundle),
        json.dumps(bundle, indent=4).encode(),
        json.dumps(dict(reversed(bundle.items())), separators=(",", ":")).encode(),
        b" \r\n\t" + dump(bundle) + b"\n",
        dump(bundle).replace(b"city", b"\\u0063ity"),
    ]
    assert len({read_bundle(parse_file(data)) for data in written[:4]}) == 1
    assert {check_file(data, PLAIN).verdict for data in written} == {"provisional"}


# --- a ledger that has gone on ---


def ride_of(city: City, person: str, days: int = 0) -> tuple[bytes, bytes]:
    """Submit a ride; the leaf of its reduction and the activity."""
    line = city.ride(person, city.now - 3600 + days * DAY_SECONDS)
    city.submit([line])
    return city.reduce([line])[0].leaf, line


def proved(city: City, leaf: bytes) -> Any:
    return check(prove_reduction(city.store, leaf, disclose=True))


def test_what_was_signed_in_time_stays_good_after_a_rotation(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    leaf, _ = ride_of(city, "before")
    city.govern(rotation("metro-app", key("metro-app"), key("metro-app/2")))
    assert proved(city, leaf).verdict == "provisional"


def test_what_was_submitted_in_time_stays_good_after_the_role_ends(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    leaf, _ = ride_of(city, "before")
    role = {"action": "withdraw", "participant": "metro-app", "role": "platform"}
    city.govern(role | {"consumes": role_holder("metro-app", "platform").hex()})
    assert proved(city, leaf).verdict == "provisional"
    # And again under a second grant, from a later index on.
    city.govern({"action": "grant", "participant": "metro-app", "role": "platform"})
    assert proved(city, leaf).verdict == "provisional"
    after, _ = ride_of(city, "after")
    assert proved(city, after).verdict == "provisional"
    assert proved(city, leaf).verdict == "provisional"


def test_what_was_recorded_stays_good_after_the_classes_change(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    leaf, _ = ride_of(city, "before")
    old = city.state.classes.document
    registry = json.loads(old)
    registry["issuers"]["ticket"].append("night-bus")
    city.govern(
        {
            "action": "classes",
            "document": json.dumps(registry),
            "consumes": make_holder("classes", old).hex(),
        }
    )
    after, _ = ride_of(city, "after")
    assert proved(city, leaf).verdict == proved(city, after).verdict == "provisional"
    # What is no longer in force is no longer shown.
    bundle = prove_reduction(city.store, leaf)
    assert bundle["classes"]["document"] == json.dumps(registry)


def test_what_was_recorded_stays_good_after_the_rules_change(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger", rules=1)
    leaf, _ = ride_of(city, "before")
    consumes = rules_holder(1).hex()
    city.govern({"action": "rules", "version": RULES_VERSION, "consumes": consumes})
    after, _ = ride_of(city, "after")
    assert proved(city, leaf).verdict == proved(city, after).verdict == "provisional"
    # Each shows the version that judged it; a stretch that is free, the one in force.
    free = city.state.classes.line("ticket", ["city-bus", "0" * 32])
    bundles = (
        prove_reduction(city.store, leaf),
        prove_reduction(city.store, after),
        prove_free(city.store, free, 0, FOREVER),
    )
    holders = [bytes.fromhex(bundle["rules"]["holder"]) for bundle in bundles]
    newest = rules_holder(RULES_VERSION)
    assert holders == [rules_holder(1), newest, newest]
    assert check(bundles[2]).verdict == "provisional"


def test_what_was_recorded_stays_good_after_the_next_version(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    leaf, _ = ride_of(city, "before")
    document = json.loads(library()["bus-ride-by-code"]) | {"version": 2, "grams": "75"}
    city.govern(
        {
            "action": "methodology",
            "document": json.dumps(document, ensure_ascii=False),
            "from": dump_date(TODAY + 2),
            "consumes": city.state.methodologies["bus-ride-by-code"][0].document.holder.hex(),
        }
    )
    city.now += 3 * DAY_SECONDS
    city.sequencer.seal_all(city.now)
    ride_of(city, "waker")
    after, _ = ride_of(city, "after")
    assert proved(city, leaf).facts["version"] == 1
    assert proved(city, after).facts["version"] == 2
    assert proved(city, after).facts["grams"] == 75
    assert proved(city, leaf).verdict == proved(city, after).verdict == "provisional"


def test_what_is_recorded_again_after_its_void_is_good_again(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    line = city.ride("rider", NOON - 3600)
    leaf = city.reduce([line])[0].leaf
    first = city.submit([line])
    city.post(city.void(first, [0], "governor"))
    with pytest.raises(Usage, match="reduction-unknown"):
        prove_reduction(city.store, leaf)
    city.now += 1
    again = city.submit([line])
    report = proved(city, leaf)
    assert report.verdict == "provisional"
    assert report.facts["index"] == again.index != first.index
