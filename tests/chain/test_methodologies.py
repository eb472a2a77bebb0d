"""Methodologies: worked figures, claims as documented, and a checker that fits the maker."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chain.activities import Activity, parse_activity
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes, library
from chain.methodologies import Methodology
from chain.reductions import CLAIMS_MAX, Claim, Reduction
from chain.spans import FOREVER, make_line
from keys.errors import Malformed, Refusal, VerificationError
from keys.strict import DAY_MAX, dump_json, parse_date, parse_json

OFFSET = 8 * 3600
CALENDAR = Calendar(OFFSET)
ISSUERS = {"ticket": ["city-bus"], "order": ["canteen"], "parcel": ["post"], "bill": ["grid"]}
CLASSES = Classes(default_classes(ISSUERS), CALENDAR)
DAY = parse_date("2026-03-02")
MIDNIGHT = CALENDAR.start(DAY)
NOON = MIDNIGHT + 12 * 3600
ANN, BIKE, TICKET, ORDER, METER = (digit * 32 for digit in "abcde")


def document(**more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "id": "test",
        "version": 1,
        "title": {"en": "Test", "zh": "测试"},
        "source": {"standard": "-", "table": "-", "date": "2023-01-01"},
        "points": 1,
        "tiers": ["platform-record"],
        "duration": {"min": 0, "max": 2_000_000},
        "quantities": {},
        "grams": "7",
        "claims": [{"class": "order", "parts": ["{order.issuer}", "{order.number}"]}],
        **more,
    }


def read(**more: Any) -> Methodology:
    return Methodology(dump_json(document(**more)), CLASSES)


def activity(start: int, end: int | None = None, **more: Any) -> Activity:
    given = {
        "format": 1,
        "id": "a",
        "scenario": "s",
        "start": start,
        "end": start if end is None else end,
        "evidence": {"tier": "platform-record", "digest": "0" * 64},
        "authorisation": "1" * 64,
        "nonce": "2" * 32,
        "subject": ANN,
        "vehicle": BIKE,
        "meter": METER,
        "ticket": {"issuer": "city-bus", "number": TICKET},
        "order": {"issuer": "canteen", "number": ORDER},
        **more,
    }
    return parse_activity(dump_json({k: v for k, v in given.items() if v is not None}))


LIBRARY = {name: Methodology(data, CLASSES) for name, data in library().items()}
PLATE, BUS, BIKES = (
    LIBRARY[name] for name in ("clean-plate", "bus-ride-by-code", "bike-share-trip")
)

# --- worked figures ---


def test_a_clean_plate_is_144_g_an_order_and_a_seat() -> None:
    of = activity(NOON)
    assert PLATE.reduce(of, "app") == Reduction.make(
        "app",
        "s",
        1,
        DAY,
        144,
        (
            Claim(make_line(5, ["canteen", ORDER]), 0, FOREVER),
            Claim(make_line(8, ["clean-plate-lunch", "day", ANN], DAY)),
        ),
        of.digest,
    )


@pytest.mark.parametrize(
    ("clock", "slot"),
    [
        ("04:59", None),
        ("05:00", "breakfast"),
        ("10:29", "breakfast"),
        ("10:30", "lunch"),
        ("15:59", "lunch"),
        ("16:00", "dinner"),
        ("22:59", "dinner"),
        ("23:00", None),
        ("00:00", None),
    ],
)
def test_meal_slots(clock: str, slot: str | None) -> None:
    hours, minutes = map(int, clock.split(":"))
    of = activity(MIDNIGHT + hours * 3600 + minutes * 60)
    if slot is None:
        with pytest.raises(Refusal) as refusal:
            PLATE.reduce(of, "app")
        assert refusal.value.code == "outside-slots"
    else:
        line = make_line(8, [f"clean-plate-{slot}", "day", ANN], DAY)
        assert PLATE.reduce(of, "app").claims[1] == Claim(line)


def test_a_bus_ride_is_80_g_the_travellers_time_and_the_ticket() -> None:
    """300 seconds from the instant, and a guard of 60 at both ends."""
    for end in (NOON, NOON + 1_800):
        reduction = BUS.reduce(activity(NOON, end), "app")
        assert (reduction.grams, reduction.day) == (80, DAY)
        assert reduction.claims == (
            Claim(make_line(1, [ANN], DAY), NOON - 60, NOON + 360),
            Claim(make_line(4, ["city-bus", TICKET]), 0, FOREVER),
        )


def test_two_clocks_that_saw_one_ride_overlap() -> None:
    """Up to the nominal length and two guards apart."""
    claims = [BUS.reduce(activity(NOON + apart), "app").claims[0] for apart in (0, 419, 420)]
    first, near, far = ((claim.start or 0, claim.end or 0) for claim in claims)
    assert near[0] < first[1]
    assert far[0] == first[1]


@pytest.mark.parametrize(
    ("seconds_after_midnight", "pieces"),
    [
        (-420, [(DAY - 1, -480, -60)]),
        (-360, [(DAY - 1, -420, 0)]),
        (-359, [(DAY - 1, -419, 0), (DAY, 0, 1)]),
        (59, [(DAY - 1, -1, 0), (DAY, 0, 419)]),
        (60, [(DAY, 0, 420)]),
    ],
)
def test_a_guarded_span_is_cut_at_midnight(
    seconds_after_midnight: int, pieces: list[tuple[int, int, int]]
) -> None:
    reduction = BUS.reduce(activity(MIDNIGHT + seconds_after_midnight), "app")
    assert reduction.day == (DAY if seconds_after_midnight >= 0 else DAY - 1)
    assert list(reduction.claims[:-1]) == [
        Claim(make_line(1, [ANN], day), MIDNIGHT + start, MIDNIGHT + end)
        for day, start, end in pieces
    ]


def test_a_bike_trip_is_52_g_the_bikes_time_and_the_persons_where_there_is_one() -> None:
    start, end = NOON, NOON + 900
    alone = BIKES.reduce(activity(start, end, subject=None), "app")
    assert alone.claims == (Claim(make_line(2, [BIKE], DAY), start, end),)
    both = BIKES.reduce(activity(start, end), "app")
    assert both.claims == (*alone.claims, Claim(make_line(1, [ANN], DAY), start, end))
    assert alone.grams == both.grams == 52


def test_a_trip_of_18_days_makes_19_claims() -> None:
    end = NOON + 18 * 86_400
    reduction = BIKES.reduce(activity(NOON, end, subject=None), "app")
    assert len(reduction.claims) == 19
    assert [claim.day for claim in reduction.claims] == list(range(DAY, DAY + 19))
    assert reduction.claims[0].end == reduction.claims[1].start == MIDNIGHT + 86_400
    assert reduction.claims[-1].end == end


def test_a_car_free_day_meets_the_metro_ride_inside_it() -> None:
    claims = [{"class": "traveller", "parts": ["{subject}"], "span": {"seconds": 86_400}}]
    whole = read(claims=claims).reduce(activity(MIDNIGHT), "app")
    assert whole.claims == (Claim(make_line(1, [ANN], DAY), MIDNIGHT, MIDNIGHT + 86_400),)
    assert BUS.reduce(activity(NOON), "other").claims[0].line == whole.claims[0].line


@pytest.mark.parametrize(
    ("period", "day", "last"),
    [
        ("day", "2026-03-02", "2026-03-02"),
        ("month", "2026-03-02", "2026-03-31"),
        ("month", "2026-12-31", "2026-12-31"),
        ("month", "2024-02-01", "2024-02-29"),
        ("year", "2026-03-02", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_a_cap_is_dated_by_the_last_day_of_its_period(period: str, day: str, last: str) -> None:
    cap = {"class": "cap", "parts": ["test", period, "{subject}"], "seats": 10}
    methodology = read(claims=[*document()["claims"], cap])
    of = activity(CALENDAR.start(parse_date(day)))
    reduction = methodology.reduce(of, "app")
    assert reduction.claims[1] == Claim(make_line(8, ["test", period, ANN], parse_date(last)))
    assert methodology.check(reduction) == [None, 10]


def test_figures_from_tables_and_distance() -> None:
    """A rail passenger-kilometre instead of a car's (DEFRA 2007): 144 g each."""
    methodology = read(
        quantities={"metres": {"min": 100, "max": 100_000}},
        tables={"mode": {"by": ["mode"], "rows": [["rail", "60.2"], ["shared-car", "102.1"]]}},
        grams={
            "product": [
                {"difference": ["204.2", {"lookup": "mode"}]},
                {"quantity": "metres"},
                "0.001",
            ]
        },
    )
    assert methodology.grams_bounds == (10, 14_400)
    for metres, mode, grams in (
        (10_000, "rail", 1_440),
        (999, "rail", 143),
        (10_000, "shared-car", 1_021),
    ):
        of = activity(NOON, quantities={"metres": metres}, attributes={"mode": mode})
        assert methodology.reduce(of, "app").grams == grams


def test_points_follow_a_formula_that_the_reduction_does_not_show() -> None:
    """30 points a kilogram, rounded down; never less than none."""
    weight = {"quantity": "weight"}
    methodology = read(
        quantities={"weight": {"min": 1, "max": 1_000}},
        points={"difference": [{"product": ["0.03", weight]}, "1"]},
    )
    for grams, points in ((1, 0), (33, 0), (66, 0), (67, 1), (1_000, 29)):
        of = activity(NOON, quantities={"weight": grams})
        assert methodology.points_of(of) == points
        reduction = methodology.reduce(of, "app")
        assert (reduction.grams, methodology.check(reduction)) == (7, [None])
    assert read(points=2**62).points_of(activity(NOON)) == 2**62


def test_points_and_grams_have_a_formula_s_length_each() -> None:
    longest = {"sum": ["1"] * 63}
    methodology = read(points=longest, grams=longest)
    assert methodology.points_of(activity(NOON)) == 63
    with pytest.raises(Malformed) as error:
        read(points={"sum": ["1"] * 64})
    assert error.value.code == "formula-invalid"


# --- what earns no reduction ---


NONE: dict[str, tuple[Methodology, dict[str, Any], str]] = {
    "a tier that does not count": (
        BUS,
        {"evidence": {"tier": "photo", "digest": "0" * 64}},
        "tier-not-counted",
    ),
    "too long": (BUS, {"end": NOON + 14_401}, "duration-out-of-bounds"),
    "too short": (BIKES, {"end": NOON}, "duration-out-of-bounds"),
    "no subject": (BUS, {"subject": None}, "activity-field-missing"),
    "no ticket": (BUS, {"ticket": None}, "activity-field-missing"),
    "no vehicle": (BIKES, {"end": NOON + 60, "vehicle": None}, "activity-field-missing"),
    "an issuer that is not on the list": (
        BUS,
        {"ticket": {"issuer": "metro-app", "number": TICKET}},
        "issuer-unknown",
    ),
    "a name for a pseudonym": (BUS, {"subject": "Ann"}, "line-part"),
    "a pseudonym in capitals": (BUS, {"subject": ANN.upper()}, "line-part"),
    "longer than the class allows": (
        read(
            duration={"min": 1, "max": 2**40},
            claims=[{"class": "vehicle", "parts": ["{vehicle}"]}],
        ),
        {"end": NOON + 2_678_401},
        "span-too-long",
    ),
    "too many claims": (
        read(
            duration={"min": 1, "max": 2**40},
            claims=[
                {"class": name, "parts": [f"{{{part}}}"]}
                for name, part in [("vehicle", "vehicle"), ("traveller", "subject")] * 3
            ],
        ),
        {"end": NOON + 30 * 86_400},
        "too-many-claims",
    ),
    "a quantity that is missing": (
        read(quantities={"metres": {"min": 0, "max": 9}}),
        {},
        "quantity-out-of-bounds",
    ),
    "a quantity above": (
        read(quantities={"metres": {"min": 0, "max": 9}}),
        {"quantities": {"metres": 10}},
        "quantity-out-of-bounds",
    ),
    "a quantity below": (
        read(quantities={"metres": {"min": 1, "max": 9}}),
        {"quantities": {"metres": 0}},
        "quantity-out-of-bounds",
    ),
    "less than a gram": (
        read(
            quantities={"metres": {"min": 0, "max": 9}},
            grams={"product": [{"quantity": "metres"}, "0.2"]},
        ),
        {"quantities": {"metres": 4}},
        "no-reduction",
    ),
    "a row that there is not": (
        read(
            tables={"t": {"by": ["mode"], "rows": [["bus", "1"]]}},
            grams={"sum": ["1", {"lookup": "t"}]},
        ),
        {"attributes": {"mode": "rail"}},
        "table-row-missing",
    ),
    "before the first day": (BUS, {"start": 30, "end": 30}, "span-too-long"),
    "beyond the last day": (
        BIKES,
        {"start": CALENDAR.start(DAY_MAX + 1) - 1, "end": CALENDAR.start(DAY_MAX + 1) + 1},
        "span-beyond-calendar",
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_what_earns_no_reduction(name: str) -> None:
    methodology, more, code = NONE[name]
    with pytest.raises(Refusal) as refusal:
        methodology.reduce(activity(**{"start": NOON, **more}), "app")
    assert refusal.value.code == code
    assert refusal.value.text("zh") != refusal.value.text("en")


# --- making and checking ---

VARIED = [
    *LIBRARY.values(),
    read(
        duration={"min": 1, "max": 300_000},
        claims=[
            {"class": "vehicle", "parts": ["{vehicle}"], "optional": "vehicle", "guard": 30},
            {"class": "traveller", "parts": ["{subject}"], "guard": 3_600},
            {"class": "cap", "parts": ["x", "month", "{subject}"], "seats": 4},
            {
                "class": "ticket",
                "parts": ["{ticket.issuer}", "{ticket.number}"],
                "optional": "ticket",
            },
        ],
        quantities={"metres": {"min": 0, "max": 9_000}},
        grams={"product": [{"quantity": "metres"}, "0.0999"]},
    ),
    read(
        claims=[
            {"class": "meter", "parts": ["{meter}"], "span": {"seconds": 86_400}},
            {"class": "cap", "parts": ["x", "year", "{subject}"], "seats": 1},
            {"class": "cap", "parts": ["y", "day", "{subject}"], "seats": 2},
        ],
    ),
]

ACTIVITIES = st.builds(
    lambda day, seconds, length, subject, vehicle, ticket, metres: activity(
        CALENDAR.start(DAY + day) + seconds,
        CALENDAR.start(DAY + day) + seconds + length,
        subject=subject,
        vehicle=vehicle,
        ticket=ticket,
        quantities={"metres": metres},
    ),
    st.integers(0, 500),
    st.one_of(st.integers(0, 86_399), st.sampled_from([0, 30, 59, 60, 86_040, 86_340, 86_399])),
    st.one_of(st.integers(0, 4_000), st.integers(0, 2_700_000), st.sampled_from([0, 86_400])),
    st.sampled_from([ANN, None]),
    st.sampled_from([BIKE, None]),
    st.sampled_from([{"issuer": "city-bus", "number": TICKET}, None]),
    st.integers(0, 9_000),
)


def allowed(methodology: Methodology, reduction: Reduction) -> bool:
    """Whether some activity could give this reduction, by the letter of the description."""
    given = parse_json(methodology.document)
    if reduction.version != given["version"]:
        return False
    low, high = methodology.grams_bounds
    if not low <= reduction.grams <= high:
        return False
    if len({claim.line for claim in reduction.claims}) != len(reduction.claims):
        return False
    return _fits(given, given["claims"], reduction.claims, reduction.day, {})


def _fits(
    given: Any, templates: Any, claims: tuple[Claim, ...], day: int, event: dict[str, int]
) -> bool:
    """Try every way to deal the claims out to the templates; all speak of one event."""
    if not templates:
        return not claims
    first, rest = templates[0], templates[1:]
    if "optional" in first and _fits(given, rest, claims, day, event):
        return True
    for n in range(1, len(claims) + 1):
        if _gives(given, first, claims[:n], day):
            said = _event(first, claims[:n])
            if all(event.get(name, second) == second for name, second in said.items()) and _fits(
                given, rest, claims[n:], day, {**event, **said}
            ):
                return True
    return False


def _event(template: Any, claims: tuple[Claim, ...]) -> dict[str, int]:
    """What the claims of a template say about the start and the end."""
    if CLASSES.named(template["class"]).axis != "seconds":
        return {}
    guard = template.get("guard", 0)
    said = {"start": (claims[0].start or 0) + guard}
    if "span" not in template:
        said["end"] = (claims[-1].end or 0) - guard
    return said


def _gives(given: Any, template: Any, claims: tuple[Claim, ...], day: int) -> bool:
    of = CLASSES.named(template["class"])
    if any(claim.line[2] != of.number for claim in claims):
        return False
    if of.axis == "seats":
        last = CALENDAR.period_end(day, template["parts"][1])
        return len(claims) == 1 and claims[0].start is None and claims[0].day == last
    if of.axis == "whole":
        return [(c.day, c.start, c.end) for c in claims] == [(0, 0, FOREVER)]
    if any(claim.start is None for claim in claims):
        return False
    first, last = claims[0].start or 0, claims[-1].end or 0
    if not first < last <= first + of.longest or [
        (c.day, c.start, c.end) for c in claims
    ] != CALENDAR.cut(first, last):
        return False
    low, high = given["duration"]["min"], given["duration"]["max"]
    if "span" in template:
        low = high = template["span"]["seconds"]
    guard = template.get("guard", 0)
    return low <= last - first - 2 * guard <= high and CALENDAR.day(first + guard) == day


def accepts(methodology: Methodology, reduction: Reduction) -> bool:
    try:
        limits = methodology.check(reduction)
    except VerificationError:
        return False
    assert [limit is not None for limit in limits] == [
        claim.start is None for claim in reduction.claims
    ]
    return True


def made(methodology: Methodology, of: Activity) -> Reduction | None:
    try:
        return methodology.reduce(of, "app")
    except Refusal:
        return None


@given(st.sampled_from(VARIED), ACTIVITIES)
def test_what_a_methodology_makes_it_accepts(methodology: Methodology, of: Activity) -> None:
    reduction = made(methodology, of)
    if reduction is not None:
        assert accepts(methodology, reduction)
        assert allowed(methodology, reduction)
        assert len(reduction.claims) <= CLAIMS_MAX
        assert Reduction.parse(reduction.data) == reduction


def again(reduction: Reduction, **more: Any) -> Reduction:
    names = ("platform", "scenario", "version", "day", "grams", "claims", "digest")
    return Reduction.make(**{name: more.get(name, getattr(reduction, name)) for name in names})


STEPS = [-86_400, -3_600, -60, -1, 1, 60, 3_600, 86_400]


@st.composite
def altered(draw: st.DrawFn) -> tuple[Methodology, Reduction]:
    """A reduction of a methodology, with one thing about it changed."""
    methodology = draw(st.sampled_from(VARIED))
    reduction = made(methodology, draw(ACTIVITIES))
    if reduction is None:
        reduction = made(methodology, activity(NOON, NOON + 60, quantities={"metres": 999}))
    if reduction is None:
        reduction = BUS.reduce(activity(NOON), "app")
    claims = list(reduction.claims)
    at = draw(st.integers(0, len(claims) - 1))
    one = claims[at]
    step = draw(st.sampled_from(STEPS))
    start, end = one.start or 0, one.end or 0
    match draw(st.integers(0, 13)):
        case 0:
            return methodology, again(reduction, grams=max(reduction.grams + step % 7 - 3, 1))
        case 1:
            return methodology, again(reduction, day=reduction.day + (1 if step > 0 else -1))
        case 2:
            return methodology, again(reduction, version=2)
        case 3:
            del claims[at]
        case 4:
            claims.insert(draw(st.integers(0, len(claims))), one)
        case 5:
            other = draw(st.integers(0, len(claims) - 1))
            claims[at], claims[other] = claims[other], claims[at]
        case 6:
            claims[at] = replace(one, start=max(start + step, 0), end=max(end, start + step) + 1)
        case 7:
            claims[at] = replace(one, start=start, end=max(end + step, start + 1))
        case 8:
            claims[at] = replace(one, start=start + step if start + step > 0 else 0, end=end + step)
            if not (claims[at].start or 0) < (claims[at].end or 0):
                claims[at] = one
        case 9:
            number = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 11, 200]))
            claims[at] = replace(one, line=one.line[:2] + bytes([number]) + one.line[3:])
        case 10:
            day = max(one.day + draw(st.sampled_from([-1, 1, 30])), 0)
            claims[at] = replace(one, line=day.to_bytes(2) + one.line[2:])
        case 11:
            claims[at] = Claim(one.line)
        case 12:
            middle = (start + end) // 2
            if start < middle < end:
                claims[at : at + 1] = [replace(one, end=middle), replace(one, start=middle)]
        case _:
            if at + 1 < len(claims) and claims[at + 1].end:
                claims[at : at + 2] = [replace(one, end=claims[at + 1].end, start=start)]
    return methodology, again(reduction, claims=tuple(claims))


TWICE = BIKES.reduce(activity(NOON, NOON + 60, subject=None), "app")


@given(altered())
@example((BIKES, again(TWICE, claims=TWICE.claims * 2)))
def test_an_altered_reduction_is_accepted_only_if_an_activity_could_give_it(
    pair: tuple[Methodology, Reduction],
) -> None:
    methodology, reduction = pair
    if any(c.start is not None and not c.start < (c.end or 0) for c in reduction.claims):
        return  # no such reduction can be read
    assert accepts(methodology, reduction) == allowed(methodology, reduction)


def test_a_span_longer_than_its_class_is_not_accepted() -> None:
    """Though each of its days is, and though the methodology's own bounds would let it pass."""
    claims = [{"class": "vehicle", "parts": ["{vehicle}"]}]
    methodology = read(duration={"min": 1, "max": 2**40}, claims=claims)
    reduction = methodology.reduce(activity(NOON, NOON + 2_678_400), "app")
    assert accepts(methodology, reduction)
    last = reduction.claims[-1]
    longer = (*reduction.claims[:-1], replace(last, end=(last.end or 0) + 1))
    assert not accepts(methodology, again(reduction, claims=longer))


def test_two_claims_on_one_line_are_refused() -> None:
    """They could overlap each other, which no look into the register would show."""
    claims = [
        {"class": "traveller", "parts": ["{subject}"]},
        {"class": "traveller", "parts": ["{subject}"], "guard": 60},
    ]
    methodology = read(duration={"min": 60, "max": 7_200}, claims=claims)
    reduction = methodology.reduce(activity(NOON, NOON + 60), "app")
    with pytest.raises(VerificationError) as error:
        methodology.check(reduction)
    assert error.value.code == "reduction-claim-twice"


# --- documents ---

ORDER_CLAIM = {"class": "order", "parts": ["{order.issuer}", "{order.number}"]}
TRAVELLER = {"class": "traveller", "parts": ["{subject}"]}
CAP = {"class": "cap", "parts": ["x", "day", "{subject}"], "seats": 1}


def also(**more: Any) -> dict[str, Any]:
    """An order's claim, and beside it one of the traveller's time."""
    return {"claims": [ORDER_CLAIM, {**TRAVELLER, **more}]}


def cap(**more: Any) -> dict[str, Any]:
    return {"claims": [ORDER_CLAIM, {**CAP, **more}]}


def slots(*rows: Any) -> dict[str, Any]:
    return {"slots": {"field": "slot", "rows": list(rows)}}


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, "format-unknown"),
    ({"id": "Test"}, "methodology-invalid"),
    ({"id": ""}, "methodology-invalid"),
    ({"version": 0}, "methodology-invalid"),
    ({"points": -1}, "methodology-invalid"),
    ({"points": "05"}, "decimal-not-canonical"),
    ({"points": ["5"]}, "field-type"),
    ({"points": {"quantity": "metres"}}, "formula-invalid"),
    ({"title": {"en": "Test"}}, "field-missing"),
    ({"title": {"en": "Test", "zh": "测试", "fr": "Essai"}}, "field-unknown"),
    ({"source": {"standard": "-", "table": "-"}}, "field-missing"),
    ({"tiers": "platform-record"}, "field-type"),
    ({"tiers": [["photo"]]}, "methodology-invalid"),
    ({"tiers": [{}]}, "methodology-invalid"),
    ({"tiers": [1]}, "methodology-invalid"),
    ({"duration": {"min": 0}}, "field-missing"),
    ({"duration": {"min": 2, "max": 1}}, "methodology-invalid"),
    ({"duration": {"min": -1, "max": 1}}, "methodology-invalid"),
    ({"quantities": {"metres": {"min": 2, "max": 1}}}, "methodology-invalid"),
    ({"quantities": {"metres": 5}}, "field-type"),
    ({"grams": "0"}, "methodology-invalid"),
    ({"grams": "0.9"}, "methodology-invalid"),
    ({"grams": "9007199254740992"}, "methodology-invalid"),
    ({"grams": {"difference": ["1", "2"]}}, "methodology-invalid"),
    ({"grams": "1.50"}, "decimal-not-canonical"),
    ({"grams": 144}, "field-type"),
    ({"grams": {"quantity": "metres"}}, "formula-invalid"),
    ({"grams": {"lookup": "t"}}, "formula-invalid"),
    ({"tables": {"t": {"by": [], "rows": []}}}, "formula-invalid"),
    ({"code": "print()"}, "field-unknown"),
    ({"claims": []}, "methodology-claims-nothing"),
    ({"claims": [CAP]}, "methodology-claims-nothing"),
    ({"claims": [{**ORDER_CLAIM, "optional": "order"}]}, "methodology-claims-nothing"),
    ({"claims": ["order"]}, "field-type"),
    ({"claims": [{"class": "order"}]}, "field-missing"),
    ({"claims": [{**ORDER_CLAIM, "class": "receipt"}]}, "class-unknown"),
    ({"claims": [{**ORDER_CLAIM, "parts": ["{order.number}"]}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "parts": [1, 2]}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "parts": ["{order", "x"]}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "parts": ["{Order}", "x"]}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "guard": 0}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "span": {"seconds": 1}}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "seats": 1}]}, "methodology-invalid"),
    ({"claims": [{**ORDER_CLAIM, "seat": 1}]}, "field-unknown"),
    # Classes that reductions do not claim.
    ({"claims": [{"class": "books", "parts": []}]}, "methodology-invalid"),
    ({"claims": [{"class": "key", "parts": ["operator"]}]}, "methodology-invalid"),
    ({"claims": [{"class": "lot", "parts": ["a", "b"]}]}, "methodology-invalid"),
    # Time: an instant needs a length or a guard.
    (also(), "methodology-invalid"),
    (also(span={"seconds": 0}), "methodology-invalid"),
    (also(span={"seconds": 2_678_401}), "methodology-invalid"),
    (also(span={"minutes": 1}), "field-missing"),
    (also(span=60), "field-type"),
    (also(guard=-1), "methodology-invalid"),
    (also(guard=3_601), "methodology-invalid"),
    (also(guard=1, seats=1), "methodology-invalid"),
    (also(guard=1, optional="person"), "methodology-invalid"),
    (also(guard=1, optional=1), "field-type"),
    (cap(seats=0), "methodology-invalid"),
    (cap(seats=10_001), "methodology-invalid"),
    (cap(parts=["x", "week", "{subject}"]), "methodology-invalid"),
    (cap(parts=["x", "{slot}", "{subject}"]), "methodology-invalid"),
    (cap(guard=1), "methodology-invalid"),
    (slots(["05:00", "04:00", "x"]), "methodology-invalid"),
    (slots(["05:00", "05:00", "x"]), "methodology-invalid"),
    (slots(["05:00", "07:00", "x"], ["06:00", "08:00", "y"]), "methodology-invalid"),
    (slots(["5:00", "07:00", "x"]), "methodology-invalid"),
    (slots(["05:00", "24:01", "x"]), "methodology-invalid"),
    (slots(["05:00", "25:00", "x"]), "methodology-invalid"),
    (slots(["05:00", "07:60", "x"]), "methodology-invalid"),
    (slots(["05:00", "07:00", "X"]), "methodology-invalid"),
    (slots(["05:00", "07:00"]), "methodology-invalid"),
    (slots([5, 7, "x"]), "methodology-invalid"),
    (slots("05:00"), "methodology-invalid"),
    ({"slots": {"field": "slot"}}, "field-missing"),
]


@pytest.mark.parametrize(("more", "code"), MALFORMED)
def test_malformed_documents(more: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as error:
        read(**more)
    assert error.value.code == code


@pytest.mark.parametrize("name", sorted(document().keys()))
def test_documents_lack_nothing(name: str) -> None:
    given = document()
    del given[name]
    with pytest.raises(Malformed) as error:
        Methodology(dump_json(given), CLASSES)
    assert error.value.code == "field-missing"


@pytest.mark.parametrize(
    "more", [also(guard=1), cap(), slots(["00:00", "24:00", "x"]), {"grams": "9007199254740991"}]
)
def test_documents_at_their_bounds(more: dict[str, Any]) -> None:
    assert read(**more).id == "test"


def test_documents_are_strict_json() -> None:
    data = dump_json(document())
    for bad, code in (
        (data[:-1] + b',"id":"other"}', "json-duplicate-key"),
        (data.replace(b'"points":1', b'"points":1.0'), "json-float"),
        (data.replace("测试".encode(), "e\u0301".encode()), "text-not-nfc"),
        (data + b" " * 40_000, "json-size"),
        (b"[]", "field-type"),
    ):
        with pytest.raises(Malformed) as error:
            Methodology(bad, CLASSES)
        assert error.value.code == code
