"""The library: every published figure exactly, the bounds, the caps, and what an activity lacks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import independent_forms as second
import pytest
from support.activities import ISSUERS, evidence, examples
from support.city import NOON, OFFSET

from chain.activities import LINE_FIELDS, OPTIONAL, parse_activity
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.methodologies import Methodology, fields_of
from chain.reductions import Reduction
from keys.errors import Refusal, VerificationError
from keys.strict import dump_json

CLASSES = Classes(default_classes(ISSUERS), Calendar(OFFSET))
LIBRARY = {name: Methodology(document, CLASSES) for name, document in library().items()}
EXAMPLES = examples()
SECOND = second.Classes(default_classes(ISSUERS), OFFSET)
EVENING = NOON + 12 * 3600 - 500
"""Some minutes before midnight."""
KILOGRAM, TRIP = {"grams": 1_000}, {"metres": 22_000}


def reduce(name: str, **more: Any) -> Reduction:
    """The reduction of an example with other fields; None takes a field away."""
    given = {k: v for k, v in {**EXAMPLES[name], **more}.items() if v is not None}
    of = LIBRARY[name]
    reduction = of.reduce(parse_activity(dump_json(given)), "app")
    of.check(reduction)
    return reduction


def refused(name: str, **more: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        reduce(name, **more)
    return refusal.value.code


# --- figures ---

FIGURES: list[tuple[str, str, dict[str, Any], int]] = [
    ("a clean plate", "clean-plate", {}, 144),
    ("a bus ride by code", "bus-ride-by-code", {}, 80),
    ("a kilogram of old clothes", "old-clothes", {"quantities": KILOGRAM}, 1_280),
    ("2.5 kg of old clothes", "old-clothes", {"quantities": {"grams": 2_500}}, 3_200),
    ("99.999 kg of old clothes", "old-clothes", {"quantities": {"grams": 99_999}}, 127_998),
    ("a kilogram by its life cycle", "old-clothes-bir", {"quantities": KILOGRAM}, 3_600),
    ("a metro ride in Beijing", "metro-ride", {}, 46),
    ("a metro ride, tapped in", "metro-entry", {}, 46),
    ("a metro ride with a screenshot", "metro-wuhan", {"evidence": evidence("screenshot")}, 274),
    ("a metro ride, declared", "metro-wuhan", {"evidence": evidence("self-declared")}, 137),
    ("a metro ride in Guangzhou, 541.9", "metro-guangzhou", {}, 541),
    ("a bus ride with a screenshot", "bus-wuhan", {"evidence": evidence("screenshot")}, 105),
    ("a bus ride, declared", "bus-wuhan", {"evidence": evidence("self-declared")}, 52),
    ("a bike ride", "bike-share-trip", {}, 52),
    ("7,250 steps", "walking", {"quantities": {"steps": 7_250}}, 145),
    ("7,299 steps, 145.98", "walking", {"quantities": {"steps": 7_299}}, 145),
    ("no cutlery", "no-cutlery", {}, 23),
    ("a carton returned", "carton-returned", {}, 37),
    ("a utility bill", "utility-e-bill", {}, 262),
    ("a payment", "e-payment", {}, 5),
    ("a cinema ticket", "cinema-e-ticket", {}, 180),
    ("a train ticket", "train-e-ticket", {}, 136),
    ("a clinic appointment", "clinic-booking", {}, 277),
    ("a toll", "etc-payment", {}, 23),
    *(
        (f"10 km by {mode}", "passenger-km-defra-2007", {"attributes": {"mode": mode}}, grams)
        # (204.2 - 102.1, 89.1, 60.2, 65.0) g a km
        for mode, grams in (("shared-car", 1_021), ("bus", 1_151), ("rail", 1_440), ("tram", 1_392))
    ),
    # 22 km: 5,979.6 g by car, 1,350.8 g by metro.
    ("22 km by metro, 4,628.8", "passenger-km-by-city", {"quantities": TRIP}, 4_628),
    ("a day without a car that goes 22 km", "car-free-day", {"quantities": TRIP}, 4_628),
    # 5,979.6 g by car, less 0.5366 g a watt-hour.
    ("22 km with 3.3 kWh, 4,208.82", "ev-driving", {}, 4_208),
    # 3.4 × 69.3 g/MJ × 3.6 MJ - 536.6 g, for each kWh.
    ("a kWh charged, 311.632", "ev-charging", {"quantities": {"watthours": 1_000}}, 311),
    ("10 kWh charged, 3,116.32", "ev-charging", {"quantities": {"watthours": 10_000}}, 3_116),
]


@pytest.mark.parametrize(
    ("name", "more", "grams"),
    [row[1:] for row in FIGURES],
    ids=[row[0] for row in FIGURES],
)
def test_every_published_figure_is_reproduced(name: str, more: dict[str, Any], grams: int) -> None:
    assert reduce(name, **more).grams == grams


@pytest.mark.parametrize("name", LIBRARY)
def test_a_second_reader_makes_the_same_reductions(name: str) -> None:
    """Written from the specification alone; on every figure, and on the example around midnight."""
    of = second.Methodology(library()[name], SECOND)
    given = EXAMPLES[name]
    length = given["end"] - given["start"]
    times = ({"start": start, "end": start + length} for start in range(EVENING, EVENING + 900, 60))
    for more in (*(more for _, at, more, _ in FIGURES if at == name), *times):
        data = dump_json({**given, **more})
        try:
            first = LIBRARY[name].reduce(parse_activity(data), "app")
        except Refusal as refusal:
            assert (name, refusal.code) == ("clean-plate", "outside-slots")
            continue
        assert of.reduce(data, "app") == first.data
        assert of.match(second.read_reduction(first.data)) == LIBRARY[name].check(first)


def test_every_methodology_has_its_figure() -> None:
    assert {name for _, name, _, _ in FIGURES} == LIBRARY.keys() == EXAMPLES.keys()


@pytest.mark.parametrize(
    ("name", "more", "points"),
    [
        ("clean-plate", {}, 5),
        ("bus-ride-by-code", {}, 10),
        ("old-clothes", {"quantities": KILOGRAM}, 30),
        ("old-clothes", {"quantities": {"grams": 2_530}}, 75),
        ("old-clothes", {"quantities": {"grams": 100}}, 3),
    ],
)
def test_points_are_those_of_the_source(name: str, more: dict[str, Any], points: int) -> None:
    activity = parse_activity(dump_json({**EXAMPLES[name], **more}))
    assert LIBRARY[name].points_of(activity) == points


def test_without_a_source_there_are_no_points() -> None:
    given = {name for name, of in LIBRARY.items() if of.points != 0}
    assert given == {"clean-plate", "bus-ride-by-code", "old-clothes"}


# --- documents ---

# What one reduction can have; what it claims, of the example; its caps.
DOCUMENTS: dict[str, tuple[tuple[int, int], str, dict[str, tuple[str, int]]]] = {
    "bike-share-trip": ((52, 52), "vehicle traveller", {}),
    "bus-ride-by-code": ((80, 80), "traveller ticket", {}),
    "bus-wuhan": ((52, 105), "traveller cap", {"bus-ride": ("day", 10)}),
    "car-free-day": ((210, 12_624), "vehicle traveller", {}),
    "carton-returned": ((37, 37), "parcel cap", {"carton-returned": ("day", 10)}),
    "cinema-e-ticket": ((180, 180), "ticket cap", {"cinema-e-ticket": ("month", 10)}),
    "clean-plate": ((144, 144), "order cap", {"clean-plate-{slot}": ("day", 1)}),
    "clinic-booking": ((277, 277), "order cap", {"clinic-booking": ("month", 5)}),
    "e-payment": ((5, 5), "order cap", {"e-payment": ("day", 10)}),
    "etc-payment": ((23, 23), "vehicle ticket cap", {"etc-payment": ("day", 20)}),
    "ev-charging": ((311, 62_326), "vehicle meter", {}),
    "ev-driving": ((1, 271_799), "vehicle traveller", {}),
    "metro-entry": ((46, 46), "traveller ticket cap", {"metro-ride": ("day", 10)}),
    "metro-guangzhou": ((541, 541), "traveller cap", {"metro-ride": ("day", 10)}),
    "metro-ride": ((46, 46), "traveller cap", {"metro-ride": ("day", 10)}),
    "metro-wuhan": ((137, 274), "traveller cap", {"metro-ride": ("day", 10)}),
    "no-cutlery": ((23, 23), "order cap", {"no-cutlery": ("day", 5)}),
    "old-clothes": ((128, 128_000), "parcel cap", {"old-clothes": ("month", 10)}),
    "old-clothes-bir": ((360, 360_000), "parcel cap", {"old-clothes": ("month", 10)}),
    "passenger-km-by-city": ((21, 42_080), "traveller", {}),
    "passenger-km-defra-2007": ((10, 72_000), "traveller", {}),
    "train-e-ticket": ((136, 136), "ticket cap", {"train-e-ticket": ("month", 10)}),
    "utility-e-bill": ((262, 262), "bill cap", {"utility-e-bill": ("month", 10)}),
    "walking": ((1, 1_000), "meter cap", {"walking": ("day", 1)}),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_says_what_it_should(name: str) -> None:
    of = LIBRARY[name]
    bounds, classes, caps = DOCUMENTS[name]
    assert (of.id, of.version) == (name, 1)
    assert all(of.title.values()) and all(of.source.values())
    assert of.grams_bounds == bounds
    claims = reduce(name).claims
    assert [CLASSES.by_number[claim.line[2]].name for claim in claims] == classes.split()
    seats = [template for template in of.templates if template.line_class.name == "cap"]
    assert {t.parts[0]: (t.period, t.seats) for t in seats} == caps


@pytest.mark.parametrize("name", LIBRARY)
def test_a_forged_reduction_is_not_the_methodologys(name: str) -> None:
    """A claim less, twice or out of order; grams beyond the bounds; a later end; no span."""
    of, made = LIBRARY[name], reduce(name)
    least, most = of.grams_bounds
    claims = made.claims
    first = claims[0]
    forged = [
        *(replace(made, grams=grams) for grams in (least - 1, most + 1)),
        replace(made, version=2),
        *(replace(made, claims=claims[:n] + claims[n + 1 :]) for n in needed_claims(name)),
        *(replace(made, claims=(*claims, claim)) for claim in claims),
        replace(made, claims=claims[1:] + claims[:1] if len(claims) > 1 else ()),
        replace(made, claims=(replace(first, end=(first.end or 0) + 90_000), *claims[1:])),
        replace(made, claims=(replace(first, start=None, end=None), *claims[1:])),
    ]
    for reduction in forged:
        with pytest.raises(VerificationError):
            of.check(reduction)


def needed_claims(name: str) -> list[int]:
    """The places of those claims of an example that are not optional."""
    given = [t for t in LIBRARY[name].templates if t.optional in (None, *EXAMPLES[name])]
    return [n for n, template in enumerate(given) if template.optional is None]


# --- bounds ---


def limits() -> Iterator[Any]:
    """Each bound of each methodology: a change just within it, and one just beyond."""
    for name, of in LIBRARY.items():
        start, (least, most) = EXAMPLES[name]["start"], of.duration
        code = "duration-out-of-bounds"
        yield pytest.param(name, "end", start + most, start + most + 1, code, id=f"{name} most")
        if least:
            near, far = start + least, start + least - 1
            yield pytest.param(name, "end", near, far, code, id=f"{name} least")
        for quantity, (least, most) in of.quantities.items():
            code = "quantity-out-of-bounds"
            for near, far in ((least, least - 1), (most, most + 1)):
                inside, beyond = (
                    {**EXAMPLES[name]["quantities"], quantity: value} for value in (near, far)
                )
                at = f"{name} {quantity} {near}"
                yield pytest.param(name, "quantities", inside, beyond, code, id=at)


@pytest.mark.parametrize(("name", "field", "inside", "beyond", "code"), [*limits()])
def test_a_bound_holds(name: str, field: str, inside: Any, beyond: Any, code: str) -> None:
    assert refused(name, **{field: beyond}) == code
    try:
        reduce(name, **{field: inside})
    except Refusal as refusal:
        # 100 m with 3.3 kWh save nothing.
        assert (name, refusal.code) == ("ev-driving", "no-reduction")


@pytest.mark.parametrize("name", LIBRARY)
def test_evidence_of_another_tier_does_not_count(name: str) -> None:
    for tier in ("platform-record", "screenshot", "self-declared", "photo", "odometer-photo", ""):
        if tier in LIBRARY[name].tiers:
            reduce(name, evidence=evidence(tier))
        else:
            assert refused(name, evidence=evidence(tier)) == "tier-not-counted"


@pytest.mark.parametrize("name", LIBRARY)
def test_what_a_claim_takes_must_be_given(name: str) -> None:
    of = LIBRARY[name]
    taken = {
        (field.partition(".")[0], template.optional)
        for template in of.templates
        for part in template.parts
        for field in fields_of(part)
    } - {("slot", None)}
    needed = {field for field, optional in taken if field != optional}
    assert needed
    for field in OPTIONAL.keys() - {"attributes", "quantities"}:
        if field in needed:
            assert refused(name, **{field: None}) == "activity-field-missing"
        else:
            reduce(name, **{field: None})


@pytest.mark.parametrize("name", [name for name, of in LIBRARY.items() if of.quantities])
def test_quantities_must_be_given(name: str) -> None:
    assert refused(name, quantities=None) == "quantity-out-of-bounds"
    for quantity in LIBRARY[name].quantities:
        given = {**EXAMPLES[name]["quantities"]}
        del given[quantity]
        assert refused(name, quantities=given) == "quantity-out-of-bounds"


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("passenger-km-defra-2007", None),
        ("passenger-km-defra-2007", {"mode": "car"}),
        ("passenger-km-defra-2007", {"mode": "Bus"}),
        ("passenger-km-by-city", None),
        ("passenger-km-by-city", {"mode": "metro"}),
        ("passenger-km-by-city", {"city": "beijing"}),
        ("passenger-km-by-city", {"city": "wuhan", "mode": "metro"}),
        ("passenger-km-by-city", {"city": "beijing", "mode": "bus"}),
    ],
)
def test_what_a_table_has_no_row_for_does_not_count(
    name: str, attributes: dict[str, str] | None
) -> None:
    assert refused(name, attributes=attributes) == "table-row-missing"


def test_a_factor_is_of_the_year_of_the_trip() -> None:
    """The last second of 2026 in the city has one; the next has none."""
    end_of_year = CLASSES.calendar.start(20_819)  # 2027-01-01
    assert reduce("passenger-km-by-city", start=end_of_year - 1, end=end_of_year + 99).grams == 4628
    beyond = {"start": end_of_year, "end": end_of_year + 100}
    assert refused("passenger-km-by-city", **beyond) == "table-row-missing"


@pytest.mark.parametrize("name", LIBRARY)
def test_numbers_are_those_of_a_known_issuer(name: str) -> None:
    for field in LINE_FIELDS.keys() & EXAMPLES[name].keys():
        first = LINE_FIELDS[field][0]
        other = {**EXAMPLES[name][field], first: "nobody"}
        assert refused(name, **{field: other}) == "issuer-unknown"
        raw = {**EXAMPLES[name][field], LINE_FIELDS[field][1]: "12345678"}
        assert refused(name, **{field: raw}) == "line-part"
