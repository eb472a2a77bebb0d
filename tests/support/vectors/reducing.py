"""From an activity to a reduction, by every methodology of the library; what earns none; and what
a checker that sees no activity can hold against a methodology."""

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from support.activities import ISSUERS, examples
from support.city import NOON, OFFSET, TODAY, scenario_document
from support.vectors.common import Case, Vectors, accepted, claims, refused, source
from support.vectors.common import methodology as said

from chain.activities import parse_activity
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.methodologies import Methodology
from chain.reductions import Claim, Reduction
from chain.scenarios import Scenario
from chain.spans import FOREVER, make_line
from keys.strict import DAY_MAX, dump_json

Json = dict[str, Any]
PLATFORM = "metro-app"
PERSON, CAR = "ab" * 16, "cd" * 16
REGISTRY = default_classes(ISSUERS)
CALENDAR = Calendar(OFFSET)
CLASSES = Classes(REGISTRY, CALENDAR)
MIDNIGHT = CALENDAR.start(TODAY)

EVERYTHING: Json = {
    "format": 1,
    "id": "everything",
    "version": 7,
    "title": {"en": "Everything that a methodology can have", "zh": "方法学的所有要素"},
    "source": {"standard": "made for the test vectors", "table": "none", "date": "2026"},
    "points": {"product": [{"quantity": "metres"}, "0.001"]},
    "tiers": ["platform-record", "photo"],
    "duration": {"min": 0, "max": 7 * 86_400},
    "quantities": {"metres": {"min": 0, "max": 100_000}},
    "tables": {
        "baseline": {
            "by": ["city", "year"],
            "rows": [["beijing", "2026", "0.0603"], ["beijing", "2025", "0.07"],
                     ["beijing", "2149", "0.0603"]],
        },
        "mode": {"by": ["mode", "tier"], "rows": [["", "photo", "0.01"],
                 ["bus", "platform-record", "0.0203"], ["bus", "photo", "0.03"]]},
    },
    "grams": {
        "product": [
            {"difference": [{"lookup": "baseline"}, {"lookup": "mode"}]},
            {"sum": [{"quantity": "metres"}, {"product": [{"duration": "seconds"}, "0.000001"]}]},
        ]
    },
    "slots": {"field": "slot", "rows": [["06:00", "12:00", "morning"], ["12:00", "24:00", "late"]]},
    "claims": [
        {"class": "traveller", "parts": ["{subject}"], "guard": 60},
        {"class": "vehicle", "parts": ["{vehicle}"], "span": {"seconds": 300},
         "optional": "vehicle"},
        {"class": "order", "parts": ["{order.issuer}", "{order.number}"], "optional": "order"},
        {"class": "cap", "parts": ["everything-{slot}", "month", "{subject}"], "seats": 3},
    ],
}  # fmt: skip
LONG: Json = {
    **EVERYTHING,
    "id": "long-stay",
    "points": 0,
    "duration": {"min": 1, "max": 200 * 86_400},
    "quantities": {},
    "tables": {},
    "grams": "1",
    "claims": [{"class": "traveller", "parts": ["{subject}"]},
               *[{"class": "vehicle", "parts": ["{vehicle}"]}] * 5],
}  # fmt: skip
del LONG["slots"]


@functools.cache
def methodologies() -> Mapping[str, Methodology]:
    """All that come with the project, and two that were made for the vectors."""
    documents = [*library().values(), dump_json(EVERYTHING), dump_json(LONG)]
    made = [Methodology(document, CLASSES) for document in documents]
    return {methodology.id: methodology for methodology in made}


def activity_vectors() -> Vectors:
    """activities.json."""
    return Vectors(
        "Activities, methodologies and scenarios, and the reductions that come of them.",
        [14, 15, 16, 17],
        {
            "activities": [*_honest(), *_accepted(), *_refused()],
            "methodologies": _methodologies(),
            "scenarios": _scenarios(),
            "alone": _alone(),
        },
        {
            "classes": REGISTRY.decode(),
            "methodologies": [said(of) for of in methodologies().values()],
        },
    )


# --- activities ---


def everything(**changes: Any) -> Json:
    """An activity for the methodology that has everything; None takes a field away."""
    made = {
        "format": 1,
        "id": "a-1",
        "scenario": "everything",
        "start": NOON,
        "end": NOON + 600,
        "subject": PERSON,
        "attributes": {"city": "beijing", "mode": "bus"},
        "quantities": {"metres": 12_345},
        "evidence": {"tier": "platform-record", "digest": "0" * 64},
        "authorisation": "1" * 64,
        "nonce": "2" * 32,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def _reduced(name: str, data: bytes, methodology: str, offset: int = OFFSET) -> Case:
    of = methodologies()[methodology]
    if offset != OFFSET:
        of = Methodology(of.document, Classes(REGISTRY, Calendar(offset)))
    activity = parse_activity(data)
    made = of.reduce(activity, PLATFORM)
    return accepted(
        name,
        activity=data.decode(),
        methodology=methodology,
        utc_offset=offset,
        platform=PLATFORM,
        digest=activity.digest,
        version=made.version,
        day=made.day,
        grams=made.grams,
        points=of.points_of(activity),
        claims=claims(made.claims),
        reduction=made.data,
        leaf=made.leaf,
        holder=made.holder,
    )


def _honest() -> list[Case]:
    """An example of each methodology of the library, under a scenario of its name."""
    return [
        _reduced(f"example of {name}", dump_json(activity), name)
        for name, activity in examples().items()
    ]


def _accepted() -> list[Case]:
    bike = examples()["bike-share-trip"]
    ride = examples()["bus-ride-by-code"]
    tried: list[tuple[str, str, Any]] = [
        ("everything", "everything", everything()),
        ("everything, with what is optional", "everything", everything(
            vehicle=CAR, order={"issuer": "canteen", "number": CAR})),
        ("everything, of another tier", "everything", everything(
            evidence={"tier": "photo", "digest": "0" * 64})),
        ("an attribute that is not given is the empty text", "everything", everything(
            attributes={"city": "beijing"}, evidence={"tier": "photo", "digest": "0" * 64})),
        ("the year before, by its own row", "everything", everything(
            start=NOON - 61 * 86_400, end=NOON - 61 * 86_400)),
        ("the last second of a slot", "everything", everything(start=NOON - 1, end=NOON - 1)),
        ("the first second of a slot", "everything", everything(start=NOON, end=NOON)),
        ("a quantity that no methodology asks for", "everything", everything(
            quantities={"metres": 12_345, "steps": 1})),
        ("over midnight", "bike-share-trip", {**bike, "start": MIDNIGHT - 600,
                                              "end": MIDNIGHT + 600}),
        ("up to midnight", "bike-share-trip", {**bike, "start": MIDNIGHT - 600, "end": MIDNIGHT}),
        ("over three midnights, of a person", "bike-share-trip", {
            **bike, "start": MIDNIGHT - 1, "end": MIDNIGHT + 2 * 86_400 + 1, "subject": PERSON}),
        ("a trip of a bike alone", "bike-share-trip", {
            name: value for name, value in bike.items() if name != "subject"}),
        ("a ride whose guard reaches over midnight", "bus-ride-by-code", {
            **ride, "start": MIDNIGHT + 30, "end": MIDNIGHT + 30}),
        ("a ride whose span reaches over midnight", "bus-ride-by-code", {
            **ride, "start": MIDNIGHT - 30, "end": MIDNIGHT - 30}),
        ("text beyond ASCII", "bus-ride-by-code", {**ride, "id": "行程 №1"}),
        ("an id of 128 characters", "bus-ride-by-code", {**ride, "id": "号" * 128}),
        ("the longest nonce", "bus-ride-by-code", {**ride, "nonce": "0f" * 64}),
    ]  # fmt: skip
    made = [
        _reduced(name, dump_json(activity), methodology) for name, methodology, activity in tried
    ]
    spaced = json.dumps(ride, ensure_ascii=True).replace('": ', '" :\t').encode()
    return [
        *made,
        _reduced("other white space is another digest", spaced, "bus-ride-by-code"),
        _reduced("at another offset", dump_json(bike), "bike-share-trip", -5 * 3600),
        _reduced("at an offset that cuts elsewhere", dump_json({**bike, "start": MIDNIGHT - 600,
                 "end": MIDNIGHT + 600}), "bike-share-trip", 7 * 3600),
    ]  # fmt: skip


def _refused() -> list[Case]:
    ride, meal = examples()["bus-ride-by-code"], examples()["clean-plate"]
    data = dump_json(ride)
    day = 86_400
    car = {"vehicle": CAR}
    not_there = {"issuer": "ferry", "number": PERSON}
    last = CALENDAR.start(DAY_MAX + 1)
    longer = everything(scenario="long-stay", quantities=None, attributes=None, **car)

    def of_ride(**changes: Any) -> Json:
        return {k: v for k, v in {**ride, **changes}.items() if v is not None}

    tried: list[tuple[str, str, str, Any]] = [
        ("another format", "format-unknown", "bus-ride-by-code", of_ride(format=2)),
        ("a field more", "field-unknown", "bus-ride-by-code", of_ride(more=1)),
        ("a field in capitals", "field-unknown", "bus-ride-by-code", of_ride(Subject=PERSON)),
        ("no nonce", "field-missing", "bus-ride-by-code", of_ride(nonce=None)),
        ("no evidence", "field-missing", "bus-ride-by-code", of_ride(evidence=None)),
        ("a start that is a text", "field-type", "bus-ride-by-code", of_ride(start=str(NOON))),
        ("a start that is true", "field-type", "bus-ride-by-code", of_ride(start=True)),
        ("a start before the second 0", "field-type", "bus-ride-by-code",
         of_ride(start=-1, end=5)),
        ("an end before the start", "field-type", "bus-ride-by-code",
         of_ride(start=NOON, end=NOON - 1)),
        ("an empty id", "field-type", "bus-ride-by-code", of_ride(id="")),
        ("an id of 129 characters", "field-type", "bus-ride-by-code", of_ride(id="号" * 129)),
        ("a subject that is null", "field-type", "bus-ride-by-code", {**ride, "subject": None}),
        ("evidence without a tier", "field-type", "bus-ride-by-code",
         of_ride(evidence={"digest": "0" * 64})),
        ("evidence with a field more", "field-type", "bus-ride-by-code",
         of_ride(evidence={"tier": "photo", "digest": "0" * 64, "more": ""})),
        ("a digest of 63 digits", "field-type", "bus-ride-by-code",
         of_ride(evidence={"tier": "platform-record", "digest": "0" * 63})),
        ("a digest in capitals", "field-type", "bus-ride-by-code",
         of_ride(evidence={"tier": "platform-record", "digest": "A" * 64})),
        ("an authorisation of 66 digits", "field-type", "bus-ride-by-code",
         of_ride(authorisation="0" * 66)),
        ("a nonce of 30 digits", "field-type", "bus-ride-by-code", of_ride(nonce="0" * 30)),
        ("a nonce of 33 digits", "field-type", "bus-ride-by-code", of_ride(nonce="0" * 33)),
        ("a nonce of 130 digits", "field-type", "bus-ride-by-code", of_ride(nonce="0" * 130)),
        ("a ticket without an issuer", "field-type", "bus-ride-by-code",
         of_ride(ticket={"number": PERSON})),
        ("a ticket with a field more", "field-type", "bus-ride-by-code",
         of_ride(ticket={**ride["ticket"], "seat": "1"})),
        ("a ticket that is a text", "field-type", "bus-ride-by-code", of_ride(ticket=PERSON)),
        ("a quantity below 0", "field-type", "everything", everything(quantities={"metres": -1})),
        ("a quantity that is a text", "field-type", "everything",
         everything(quantities={"metres": "5"})),
        ("a quantity that is true", "field-type", "everything",
         everything(quantities={"metres": True})),
        ("an attribute that is a number", "field-type", "everything",
         everything(attributes={"city": 1})),
        ("a tier that does not count", "tier-not-counted", "bus-ride-by-code",
         of_ride(evidence={"tier": "hearsay", "digest": "0" * 64})),
        ("longer than its methodology allows", "duration-out-of-bounds", "bus-ride-by-code",
         of_ride(end=ride["start"] + 14_401)),
        ("shorter than its methodology allows", "duration-out-of-bounds", "bike-share-trip",
         {**examples()["bike-share-trip"], "end": examples()["bike-share-trip"]["start"]}),
        ("a quantity that is too large", "quantity-out-of-bounds", "everything",
         everything(quantities={"metres": 100_001})),
        ("a quantity that is missing", "quantity-out-of-bounds", "everything",
         everything(quantities={})),
        ("no quantities", "quantity-out-of-bounds", "everything", everything(quantities=None)),
        ("after the last day", "span-beyond-calendar", "bus-ride-by-code",
         of_ride(start=last, end=last)),
        ("over the end of the last day", "span-beyond-calendar", "bus-ride-by-code",
         of_ride(start=last - 60, end=last - 60)),
        ("a period that ends after the last day", "span-beyond-calendar", "everything",
         everything(start=last - day // 2, end=last - day // 2, attributes={"city": "beijing"},
                    evidence={"tier": "photo", "digest": "0" * 64})),
        ("so little that nothing is left", "no-reduction", "everything",
         everything(quantities={"metres": 1}, end=NOON)),
        ("of a year that the table has not", "table-row-missing", "everything",
         everything(start=NOON - 800 * day, end=NOON - 800 * day)),
        ("of a mode that the table has not", "table-row-missing", "everything",
         everything(attributes={"city": "beijing", "mode": "car"})),
        ("outside all slots", "outside-slots", "everything",
         everything(start=MIDNIGHT + 6 * 3600 - 1, end=MIDNIGHT + 6 * 3600)),
        ("a field that a claim needs", "activity-field-missing", "bus-ride-by-code",
         of_ride(subject=None)),
        ("a ticket that a claim needs", "activity-field-missing", "bus-ride-by-code",
         of_ride(ticket=None)),
        ("a pseudonym that is none", "line-part", "bus-ride-by-code", of_ride(subject="ann")),
        ("a pseudonym in capitals", "line-part", "bus-ride-by-code",
         of_ride(subject=PERSON.upper())),
        ("an issuer that is not listed", "issuer-unknown", "bus-ride-by-code",
         of_ride(ticket=not_there)),
        ("an issuer of another class", "issuer-unknown", "clean-plate",
         {**meal, "order": {"issuer": "metro", "number": PERSON}}),
        ("longer than its class allows", "span-too-long", "long-stay",
         {**longer, "end": NOON + 32 * day}),
        ("more claims than a reduction may have", "too-many-claims", "long-stay",
         {**longer, "end": NOON + 30 * day}),
    ]  # fmt: skip
    made = [
        _refuse(name, code, dump_json(activity), methodology)
        for name, code, methodology, activity in tried
    ]
    spelled: list[tuple[str, str, bytes]] = [
        ("a field twice", "json-duplicate-key", data[:-1] + b',"id":"x"}'),
        ("a fraction", "json-float", data.replace(b'"format":1', b'"format":1.0')),
        ("an integer beyond 63 bits", "json-integer-range",
         data.replace(f'"end":{ride["end"]}'.encode(), f'"end":{2**63}'.encode())),
        ("deeper than an activity may be", "json-depth",
         data[:-1] + b',"quantities":{"a":[[[1]]]}}'),
        ("no JSON", "json-invalid", data[:-1]),
        ("a line feed within", "activity-line-feed", data.replace(b",", b",\n", 1)),
        ("a line feed at the end", "activity-line-feed", data + b"\n"),
        ("a carriage return", "activity-line-feed", data + b"\r"),
        ("text in another form than NFC", "text-not-nfc",
         data.replace(b'"id":"', b'"id":"e\xcc\x81')),
        ("a byte that UTF-8 has not", "text-not-utf8", data.replace(b'"id":"', b'"id":"\xff')),
        ("a byte order mark", "json-invalid", b"\xef\xbb\xbf" + data),
        ("a list", "field-type", b"[" + data + b"]"),
    ]  # fmt: skip
    long = {"bytes": [(data, 1), (b" ", 8_192)]}
    return [
        *made,
        *(_refuse(name, code, of, "bus-ride-by-code") for name, code, of in spelled),
        refused("refused: longer than an activity may be", "json-size", **long, **_ASKED),
    ]


_ASKED = {"methodology": "bus-ride-by-code", "utc_offset": OFFSET, "platform": PLATFORM}


def _refuse(name: str, code: str, data: bytes, methodology: str) -> Case:
    given = {**_ASKED, "methodology": methodology}
    return refused(f"refused: {name}", code, **source("activity", data), **given)


# --- documents ---


def _methodologies() -> list[Case]:
    traveller, vehicle, order, cap = EVERYTHING["claims"]
    lean = {**EVERYTHING, "points": 0, "grams": "80", "claims": [traveller], "tables": {},
            "source": {"standard": "", "table": "", "date": ""}}  # fmt: skip
    del lean["slots"]

    def document(**changes: Any) -> str:
        made = {k: v for k, v in {**lean, **changes}.items() if v is not None}
        return dump_json(made).decode()

    wrong = "methodology-invalid"
    formula = "formula-invalid"
    node: Any = "1"
    for _ in range(64):
        node = {"sum": [node]} if not isinstance(node, str) else {"sum": ["1"]}
    tried: list[tuple[str, str, str]] = [
        ("another format", "format-unknown", document(format=2)),
        ("a field more", "field-unknown", document(more=1)),
        ("without a source", "field-missing", document(source=None)),
        ("an id that is no name", wrong, document(id="Bus Ride")),
        ("version 0", wrong, document(version=0)),
        ("fewer than no points", wrong, document(points=-1)),
        ("a title in one language", "field-missing", document(title={"en": "x"})),
        ("a tier that is a number", wrong, document(tiers=[1])),
        ("a duration that ends before it begins", wrong, document(duration={"min": 2, "max": 1})),
        ("a quantity from below 0", wrong,
         document(quantities={"metres": {"min": -1, "max": 1}})),
        ("grams that are a number", "field-type", document(grams=80)),
        ("a decimal with a zero at its end", "decimal-not-canonical", document(grams="80.0")),
        ("a decimal below 0", "decimal-not-canonical", document(grams="-80")),
        ("a quantity that has no bounds", formula, document(grams={"quantity": "steps"})),
        ("a lookup without a table", formula, document(grams={"lookup": "x"})),
        ("a node of two fields", formula,
         document(grams={"duration": "seconds", "quantity": "metres"})),
        ("an operation that there is not", formula, document(grams={"power": ["2", "3"]})),
        ("a difference of three", formula, document(grams={"difference": ["3", "2", "1"]})),
        ("an empty sum", formula, document(grams={"sum": []})),
        ("more nodes than may be", formula, document(grams={"sum": ["1"] * 64})),
        ("deeper than JSON may be", "json-depth", document(grams=node)),
        ("never any grams", wrong, document(grams="0.9")),
        ("more grams than may be", wrong, document(grams=str(2**53))),
        ("a row that does not fit", formula,
         document(tables={"x": {"by": ["a"], "rows": [["1"]]}})),
        ("two rows that match alike", formula,
         document(tables={"x": {"by": ["a"], "rows": [["b", "1"],
                                                                              ["b", "2"]]}})),
        ("an empty table", formula,
         document(tables={"x": {"by": ["a"], "rows": []}})),
        ("slots that overlap", wrong, document(slots={"field": "slot", "rows": [
            ["06:00", "12:00", "a"], ["11:59", "13:00", "b"]]})),
        ("a slot that ends before it begins", wrong,
         document(slots={"field": "slot", "rows": [["12:00", "06:00", "a"]]})),
        ("a time that there is not", wrong,
         document(slots={"field": "slot", "rows": [["12:00", "24:01", "a"]]})),
        ("a claim on a class that there is not", "class-unknown",
         document(claims=[{"class": "x", "parts": []}])),
        ("a claim on a class of governance", wrong,
         document(claims=[traveller, {"class": "key", "parts": ["{subject}"]}])),
        ("a claim of another number of parts", wrong,
         document(claims=[{**traveller, "parts": ["{subject}", "x"]}])),
        ("a brace that stands for nothing", wrong,
         document(claims=[{**traveller, "parts": ["{Subject}"]}])),
        ("a guard of more than an hour", wrong, document(claims=[{**traveller, "guard": 3_601}])),
        ("a guard below 0", wrong, document(claims=[{**traveller, "guard": -1}])),
        ("a span of nothing", wrong, document(claims=[{**vehicle, "span": {"seconds": 0}}])),
        ("a span that is longer than the class", wrong,
         document(claims=[{**vehicle, "span": {"seconds": 2_678_401}}])),
        ("a guard on an order", wrong, document(claims=[traveller, {**order, "guard": 1}])),
        ("seats of a traveller", wrong, document(claims=[{**traveller, "seats": 1}])),
        ("a cap without seats", wrong,
         document(claims=[traveller, {k: v for k, v in cap.items() if k != "seats"}])),
        ("a cap of no seats", wrong, document(claims=[traveller, {**cap, "seats": 0}])),
        ("a cap of a week", wrong,
         document(claims=[traveller, {**cap, "parts": ["x", "week", "{subject}"]}])),
        ("a cap whose period is filled in", wrong,
         document(claims=[traveller, {**cap, "parts": ["x", "{slot}", "{subject}"]}])),
        ("a claim that is optional by a field that there is not", wrong,
         document(claims=[traveller, {**order, "optional": "start"}])),
        ("a span that may be empty", wrong,
         document(claims=[{k: v for k, v in traveller.items() if k != "guard"}])),
        ("a cap alone", "methodology-claims-nothing", document(claims=[cap])),
        ("nothing but what is optional", "methodology-claims-nothing", document(claims=[order])),
        ("no claims", "methodology-claims-nothing", document(claims=[])),
        ("a field twice", "json-duplicate-key", '{"format":1,' + document()[1:]),
    ]  # fmt: skip
    good = [
        accepted(
            f"methodology {name}",
            document=of.document.decode(),
            id=of.id,
            version=of.version,
            grams_min=of.grams_bounds[0],
            grams_max=of.grams_bounds[1],
        )
        for name, of in methodologies().items()
        if name in ("everything", "clean-plate", "passenger-km-by-city")
    ]
    long = [(document().encode(), 1), (b" ", 32_768)]
    return [
        *good,
        *(refused(f"methodology: {n}", code, document=d) for n, code, d in tried),
        refused("methodology: longer than may be", "json-size", bytes=long),
    ]


def _scenarios() -> list[Case]:
    good = scenario_document("city-bus", "bus-ride-by-code")
    said = json.loads(good)

    def document(**changes: Any) -> str:
        made = {k: v for k, v in {**said, **changes}.items() if v is not None}
        return dump_json(made).decode()

    wrong = "field-type"
    tried: list[tuple[str, str, str]] = [
        ("another format", "format-unknown", document(format=2)),
        ("a field more", "field-unknown", document(more=1)),
        ("without an authority", "field-missing", document(authority=None)),
        ("an id that is no name", wrong, document(id="City Bus")),
        ("a platform that is no name", wrong, document(platforms=["Metro"])),
        ("a platform that is a number", wrong, document(platforms=[1])),
        ("a period that ends before it begins", "scenario-period",
         document(crediting={"from": "2026-01-02", "to": "2026-01-01"})),
        ("a date that there is not", "date-invalid",
         document(crediting={"from": "2026-02-29", "to": "2026-03-01"})),
        ("a title in one language", "field-missing", document(title={"en": "x"})),
    ]  # fmt: skip
    return [
        accepted("scenario city-bus", document=good.decode(), id=Scenario(good).id),
        accepted("scenario of one day", document=document(
            crediting={"from": "2026-01-01", "to": "2026-01-01"}), id="city-bus"),
        *(refused(f"scenario: {n}", code, document=d) for n, code, d in tried),
    ]  # fmt: skip


# --- from a reduction alone ---


def _alone() -> list[Case]:
    made: list[Case] = []

    def good(name: str, methodology: str, activity: Json) -> Reduction:
        of = methodologies()[methodology]
        reduction = of.reduce(parse_activity(dump_json(activity)), PLATFORM)
        _add(name, reduction, methodology)
        return reduction

    def _add(name: str, reduction: Reduction, methodology: str, code: str | None = None) -> None:
        given = {
            "reduction": reduction.data,
            "methodology": methodology,
            "utc_offset": OFFSET,
        }
        if code is not None:
            made.append(refused(f"alone: {name}", code, **given))
            return
        seats = methodologies()[methodology].check(reduction)
        made.append(accepted(f"alone: {name}", **given, seats=seats))

    def bad(name: str, code: str, of: Reduction, methodology: str, **changes: Any) -> None:
        names = ("platform", "scenario", "version", "day", "grams", "claims", "digest")
        said = {field: getattr(of, field) for field in names}
        _add(name, Reduction.make(**{**said, **changes}), methodology, code)

    ride = good("a ride", "bus-ride-by-code", examples()["bus-ride-by-code"])
    meal = good("a meal", "clean-plate", examples()["clean-plate"])
    bike = examples()["bike-share-trip"]
    trip = good("a trip over midnight, of a person", "bike-share-trip", {
        **bike, "start": MIDNIGHT - 600, "end": MIDNIGHT + 600, "subject": PERSON})  # fmt: skip
    good("everything", "everything", everything())
    whole = good(
        "everything, with what is optional",
        "everything",
        everything(vehicle=CAR, order={"issuer": "canteen", "number": CAR}),
    )

    time, ticket = ride.claims
    assert time.start is not None and time.end is not None
    by_code = "bus-ride-by-code"
    bad("another version", "reduction-version", ride, by_code, version=2)
    bad("a gram more", "reduction-grams", ride, by_code, grams=81)
    bad("a gram less", "reduction-grams", ride, by_code, grams=79)
    missing, extra, wrong = "reduction-class-missing", "reduction-claim-extra", "reduction-claim"
    bad("without its ticket", missing, ride, by_code, claims=(time,))
    bad("without its traveller", missing, ride, by_code, claims=(ticket,))
    bad("in another order", missing, ride, by_code, claims=(ticket, time))
    other = replace(ticket, line=make_line(4, ["metro", PERSON]))
    bad("a ticket more", extra, ride, by_code, claims=(time, ticket, other))
    bad("the same ticket twice", extra, ride, by_code, claims=(time, ticket, ticket))
    for what, start, end in (
        ("a second shorter", time.start, time.end - 1),
        ("a second longer", time.start, time.end + 1),
        ("begun later", time.start + 1, time.end),
    ):
        bad(what, wrong, ride, by_code, claims=(Claim(time.line, start, end), ticket))
    half = Claim(ticket.line, 0, FOREVER - 1)
    bad("a part of a ticket", "span-class", ride, by_code, claims=(time, half))
    moved = Claim(time.line, time.start + 86_400, time.end + 86_400)
    bad("on another day than its line", "span-class", ride, by_code, claims=(moved, ticket))
    bad("of another day", wrong, ride, by_code, day=TODAY + 1)
    bad("a seat for a span", wrong, ride, by_code, claims=(Claim(time.line), ticket))
    order, cap = meal.claims
    bad("a span for a seat", wrong, meal, "clean-plate", claims=(order, Claim(cap.line, 0, 1)))
    late = Claim((TODAY + 1).to_bytes(2) + cap.line[2:])
    bad("a cap of another day", wrong, meal, "clean-plate", claims=(order, late))
    first, second, *person = trip.claims
    bike_trip = "bike-share-trip"
    bad("without the day after midnight", wrong, trip, bike_trip, claims=(first, *person))
    bad("without the person's day after midnight", wrong, trip, bike_trip,
        claims=(first, second, person[0]))  # fmt: skip
    assert first.end is not None and first.start is not None
    gap = Claim(first.line, first.start, first.end - 1)
    bad("with a gap at midnight", extra, trip, bike_trip, claims=(gap, second, *person))
    bad("cut elsewhere than at midnight", extra, trip, bike_trip, claims=(
        Claim(first.line, first.start, first.start + 300),
        Claim(first.line, first.start + 300, first.end), second, *person))  # fmt: skip
    traveller, vehicle, *rest = whole.claims
    assert vehicle.start is not None and vehicle.end is not None
    apart = Claim(vehicle.line, vehicle.start + 1, vehicle.end + 1)
    bad("two starts", wrong, whole, "everything", claims=(traveller, apart, *rest))
    return made
