"""What an operator has signed to break the checker: it says "invalid", and no worse."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.bundles import (
    Json,
    Sealed,
    activity,
    check,
    failure,
    samples,
    world,
)
from support.city import TODAY
from support.forging import (
    MEALS,
    RIDES,
    SMALL,
    altered,
    reduction_of,
    ride,
)

from chain.activities import parse_activity
from chain.calendar import DAY_SECONDS
from chain.genesis import library
from chain.reductions import Claim
from chain.spans import FOREVER
from keys.strict import dump_json

METHODOLOGY = json.loads(library()["bus-ride-by-code"])
TRAVELLER, TICKET = METHODOLOGY["claims"]
HOSTILE_METHODOLOGIES: list[Json] = [
    {"tiers": [[]]},
    {"tiers": [{}]},
    {"tiers": "platform-record"},
    {"grams": {"quantity": []}},
    {"grams": {"lookup": {}}},
    {"grams": {"duration": ["seconds"]}},
    {"grams": {"sum": []}},
    {"grams": {"product": [[]]}},
    {"grams": {"difference": ["1"]}},
    {"grams": {"sum": ["1"] * 70}},
    {"grams": {"product": ["999999999999999999"] * 60}},
    {"grams": "9" * 400},
    {"grams": "-1"},
    {"grams": {}},
    {"tables": {"t": {"by": [[]], "rows": [["a", "1"]]}}, "grams": {"lookup": "t"}},
    {"tables": {"t": {"by": [], "rows": []}}},
    {"tables": {"t": []}},
    {"tables": {"t": {"by": ["year"], "rows": [[[], "1"]]}}},
    {"slots": {"field": "slot", "rows": [["99:99", "24:00", "x"]]}},
    {"slots": {"field": "slot", "rows": [[1, 2, 3]]}},
    {"slots": {"field": [], "rows": {}}},
    {"duration": {"min": 5, "max": 1}},
    {"duration": {"min": 0, "max": 2**63 - 1}},
    {"duration": []},
    {"quantities": {"x": 5}},
    {"quantities": {"x": {"min": -1, "max": 0}}},
    {"claims": []},
    {"claims": [5]},
    {"claims": [{}]},
    {"claims": [{"class": [], "parts": []}]},
    {"claims": [{"class": "nowhere", "parts": []}]},
    {"claims": [{"class": "key", "parts": ["x"]}]},
    {"claims": [{**TRAVELLER, "parts": [5]}, TICKET]},
    {"claims": [{**TRAVELLER, "parts": ["{" * 1000]}, TICKET]},
    {"claims": [{**TRAVELLER, "guard": 2**62}, TICKET]},
    {"claims": [{**TRAVELLER, "span": {"seconds": 2**62}}, TICKET]},
    {"claims": [{**TRAVELLER, "optional": []}, TICKET]},
    {"claims": [{"class": "cap", "parts": ["x", "century", "{subject}"], "seats": 1}]},
    {"claims": [{"class": "cap", "parts": ["x", [], "{subject}"], "seats": 1}]},
    {"version": 0},
    {"version": [1]},
    {"title": []},
    {"title": {"en": 1, "zh": 2}},
    {"source": {"standard": 1, "table": 2, "date": 3}},
    {"points": -1},
    {"points": []},
    {"points": {}},
    {"points": "five"},
    {"points": {"sum": []}},
    {"points": {"lookup": "nowhere"}},
    {"points": {"product": ["1"] * 64}},
    {"format": {}},
    {"id": []},
]


def published(line: bytes, document: bytes, kind: str, **more: Any) -> Sealed:
    """The small ledger with another document in force on a line, always."""
    forged = world().copy()
    for name, value in more.items():
        setattr(forged, name, value)
    forged.drop(*(span for span in forged.spans.values() if span.line == line))
    forged.publish(line, document, kind, 0, FOREVER)
    return forged.sealed()


@pytest.mark.parametrize("change", HOSTILE_METHODOLOGIES, ids=str)
def test_a_hostile_methodology_fails_and_nothing_worse(change: Json) -> None:
    line = world().line("methodology", "bus-ride-by-code")
    sealed = published(line, dump_json(METHODOLOGY | change), "methodology")
    bundle = sealed.reduction(RIDES, 0, activity(SMALL.rides, 0))
    report = check(bundle)
    assert report.verdict == "invalid" or change in (
        {"duration": {"min": 0, "max": 2**63 - 1}},
        {"tables": {"t": {"by": [], "rows": []}}},
    )
    assert report.as_json()


HOSTILE_SCENARIOS: list[Json] = [
    {"platforms": [[]]},
    {"platforms": [{}]},
    {"platforms": [5, "metro-app"]},
    {"platforms": {}},
    {"title": []},
    {"methodology": []},
    {"crediting": {"from": 5, "to": []}},
    {"crediting": {"from": "2026-01-01", "to": "9999-99-99"}},
    {"crediting": {"from": "2030-01-01", "to": "2020-01-01"}},
    {"format": True},
    {"id": "x" * 100},
    {"id": "city-bus\n"},
]


@pytest.mark.parametrize("change", HOSTILE_SCENARIOS, ids=str)
def test_a_hostile_scenario_fails_and_nothing_worse(change: Json) -> None:
    line = world().line("scenario", "city-bus")
    given = json.loads(ride()["scenario"]["document"])
    forged = world().copy()
    document = dump_json(given | change)
    bundle = ride()
    forged.drop(*(span for span in forged.spans.values() if span.line == line))
    forged.publish(line, document, "scenario", 0, FOREVER)
    sealed = forged.sealed()
    bundle |= {**sealed.common("reduction"), **sealed.submitted(RIDES)}
    bundle["scenario"] = sealed.document(line, TODAY)
    assert failure(bundle).startswith("scenario: ")


def of_class(name: str, /, **change: Any) -> Callable[[Json], None]:
    def edit(registry: Json) -> None:
        next(of for of in registry["classes"] if of["name"] == name).update(change)

    return edit


def registry_with(**change: Any) -> Callable[[Json], None]:
    return lambda registry: registry.update(change)


HOSTILE_CLASSES: list[Callable[[Json], None]] = [
    registry_with(classes=[]),
    registry_with(classes=[5]),
    registry_with(classes={}),
    registry_with(issuers={"ticket": 5}),
    registry_with(issuers={"ticket": [[]]}),
    registry_with(issuers={"nowhere": []}),
    registry_with(issuers=[]),
    registry_with(format="1"),
    of_class("traveller", number=0),
    of_class("traveller", number=256),
    of_class("traveller", number=2),
    of_class("traveller", name=[]),
    of_class("traveller", name="vehicle"),
    of_class("traveller", axis=[]),
    of_class("traveller", axis="seats"),
    of_class("traveller", axis="days"),
    of_class("traveller", dated=False),
    of_class("traveller", dated=1),
    of_class("traveller", longest=0),
    of_class("traveller", longest=2**63 - 1),
    of_class("traveller", claimed_by=[]),
    of_class("traveller", parts=[5]),
    of_class("traveller", parts=[{"name": "x", "grammar": "none", "normaliser": "x"}]),
    of_class("traveller", parts=[]),
    of_class("cap", parts=[{"name": "x", "grammar": "slug", "normaliser": "x"}]),
    of_class("cap", parts=[]),
    of_class("books", name="ledgers"),
    of_class("books", parts=[{"name": "x", "grammar": "slug", "normaliser": "x"}]),
    of_class("key", name="lock"),
    of_class("classes", dated=True, axis="seconds"),
    of_class("rules", name="rule"),
    of_class("ticket", axis="seconds", dated=True),
]


@pytest.mark.parametrize("number", range(len(HOSTILE_CLASSES)))
@pytest.mark.parametrize("name", ["ride, disclosed", "meal", "span of a seat", "free seat"])
def test_a_hostile_registry_of_classes_does_nothing_worse_than_fail(name: str, number: int) -> None:
    registry = json.loads(world().classes.document)
    HOSTILE_CLASSES[number](registry)
    document = dump_json(registry)
    line = world().line("classes")
    sealed = published(line, document, "classes")
    bundle = copy.deepcopy(samples()[name])
    index = {"ride, disclosed": RIDES}.get(name, MEALS)
    if bundle["kind"] == "reduction":
        bundle = sealed.reduction(index, 1, bundle["activity"].encode())
    elif bundle["kind"] == "span":
        bundle = sealed.span(index, 0, 1)
    else:
        bundle |= sealed.common("free")
        free = bundle["free"]
        made = sealed.free(bytes.fromhex(free["line"]), free["start"], free["end"])
        bundle["free"] = made["free"]
    report = check(bundle)
    assert report.verdict in ("invalid", "provisional")
    assert report.as_json()


def test_an_activity_cannot_make_the_checker_cut_for_ever() -> None:
    # Classes and a methodology that allow spans of any length, and an activity that asks for one.
    registry = json.loads(world().classes.document)
    for of in registry["classes"]:
        of["longest"] = FOREVER
    forged = world().copy()
    document = dump_json(registry)
    forged.publish(forged.line("classes"), document, "classes", 0, FOREVER)
    methodology = METHODOLOGY | {
        "duration": {"min": 1, "max": FOREVER},
        "claims": [
            TICKET,
            {"class": "traveller", "parts": ["{subject}"], "optional": "subject"},
        ],
    }
    line = forged.line("methodology", "bus-ride-by-code")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, dump_json(methodology), "methodology", start, FOREVER)
    given = json.loads(activity(SMALL.rides, 0)) | {"end": FOREVER}
    asked = dump_json(given)
    reduction = altered(
        reduction_of(RIDES, 0),
        claims=reduction_of(RIDES, 0).claims[1:],
        digest=parse_activity(asked).digest,
    )
    index = forged.submit([reduction])
    bundle = forged.sealed().reduction(index, 0)
    assert check(bundle).verdict == "provisional"
    bundle["activity"] = asked.decode()
    assert failure(bundle) == "activity: span-beyond-calendar"


def test_a_cap_at_the_end_of_the_calendar_fails_and_nothing_worse() -> None:
    last = 65_535
    forged = world().copy()
    for name, of in (("scenario", "city-plate"), ("methodology", "clean-plate")):
        line = forged.line(name, of)
        old = next(span for span in forged.spans.values() if span.line == line)
        document = forged.documents[old.holder]
        if name == "methodology":
            given = json.loads(document)
            given["claims"][1]["parts"][1] = "year"
            document = dump_json(given)
        forged.drop(old)
        forged.publish(line, document, name, 0, FOREVER)
    given = json.loads(activity(SMALL.meals, 0))
    given["start"] = given["end"] = last * DAY_SECONDS + 3600
    asked = dump_json(given)
    order, seat = reduction_of(MEALS, 0).claims
    claims = (order, Claim((last).to_bytes(2) + seat.line[2:]))
    digest = parse_activity(asked).digest
    reduction = altered(reduction_of(MEALS, 0), day=last, claims=claims, digest=digest)
    index = forged.submit([reduction])
    bundle = forged.sealed().reduction(index, 0) | {"activity": asked.decode()}
    assert check(bundle).verdict == "invalid"
