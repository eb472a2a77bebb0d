"""Forged rights: rules, classes, keys, roles, scenarios and methodologies that were not in force,
and reductions that they do not allow.  How strong the forger is, `test_forgeries` tells.
"""

import json

import pytest
from support.bundles import (
    Json,
    activity,
    check,
    failure,
    logged,
    samples,
    world,
)
from support.city import NOON, TODAY, genesis, key, scenario_document
from support.forging import (
    IDENTITY,
    MEALS,
    MINUS_ONE,
    RIDES,
    SMALL,
    TRIPS,
    altered,
    high_s,
    recorded,
    reduction_of,
    resigned,
    ride,
    small_r,
)

from chain.genesis import default_classes, library
from chain.reductions import Claim
from chain.spans import FOREVER, Span, make_holder
from chain.state import RULES_VERSION, rules_holder
from keys.participants import Role, key_holder, role_holder
from keys.statements import sign_statement
from keys.strict import dump_base64, dump_cbor, dump_json

# --- rules and classes ---


def test_an_altered_registry_of_classes_fails() -> None:
    bundle = ride()
    registry = json.loads(bundle["classes"]["document"])
    for of in registry["classes"]:
        of["longest"] = FOREVER
    bundle["classes"]["document"] = json.dumps(registry)
    assert failure(bundle) == "rules: held-other-holder"
    # The same text with one space more is not the same document.
    bundle["classes"]["document"] = ride()["classes"]["document"] + " "
    assert failure(bundle) == "rules: held-other-holder"


def test_a_registry_of_classes_that_is_no_longer_in_force_fails() -> None:
    forged = world().copy()
    line = forged.line("classes")
    old = forged.classes.document
    new = default_classes({"ticket": ["city-bus"]})
    forged.publish(line, old, "classes", 0, 4)
    forged.publish(line, new, "classes", 4, FOREVER)
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert check(bundle).verdict == "provisional"
    bundle["classes"] = sealed.document(line, 0)
    assert failure(bundle) == "rules: not-in-force"
    # Nor one that is not yet.
    forged.drop(Span(line, 4, FOREVER, bytes(32)))
    forged.publish(line, old, "classes", 0, 10_000)
    forged.publish(line, new, "classes", 10_000, FOREVER)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "classes": sealed.document(line, 10_000)}
    assert failure(bundle) == "rules: not-in-force"


def test_other_rules_than_those_of_this_checker_fail() -> None:
    forged = world().copy()
    line = forged.line("rules")
    for version in (0, RULES_VERSION + 1):
        forged.put(Span(line, 0, FOREVER, rules_holder(version)))
        assert failure(forged.sealed().reduction(RIDES, 0)) == "rules: held-other-holder"
    later = rules_holder(RULES_VERSION + 1)
    forged.put(Span(line, 0, RIDES, rules_holder(1)), Span(line, RIDES, FOREVER, later))
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert failure(bundle) == "rules: held-other-holder"
    assert failure({**bundle, "rules": sealed.held(line, 0)}) == "rules: not-in-force"


def test_books_that_are_not_the_books_fail() -> None:
    bundle = ride()
    for other in (bundle["rules"], bundle["claims"][0], bundle["scenario"]["held"]):
        assert failure({**bundle, "books": other}) == "books: held-other-line"
    forged = world().copy()
    forged.put(Span(forged.line("books"), 0, TODAY + 1, make_holder("books", b"x")))
    assert failure(forged.sealed().reduction(RIDES, 0)) == "books: held-other-holder"
    # Days that are closed beyond days that are not.
    forged = world().copy()
    books = Span(forged.line("books"), TODAY, TODAY + 1, make_holder("books", b""))
    forged.put(books)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "books": sealed.held(books.line, TODAY)}
    assert failure(bundle) == "books: held-other-line"


# --- who signed ---


def test_a_submission_signed_by_a_key_that_is_no_longer_valid_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("metro-app"))
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    assert failure(bundle) == "submission: statement-signature"
    bundle["signer"] = sealed.submitted(RIDES)["signer"]
    assert failure(bundle) == "right: not-in-force"
    bundle["signer"]["key_held"] = sealed.submitted(index)["signer"]["key_held"]
    assert failure(bundle) == "right: held-other-holder"


def test_a_submission_signed_by_a_key_that_is_not_yet_valid_fails() -> None:
    forged = world().copy()
    late = forged.submit(world().batches[RIDES], signer=key("metro-app/2"))
    forged.statements[RIDES] = forged.statements.pop(late)
    sealed = forged.sealed()
    bundle = sealed.reduction(RIDES, 0)
    assert failure(bundle) == "submission: statement-signature"
    bundle["signer"] = sealed.submitted(SMALL.rotated.index)["signer"]
    assert failure(bundle) == "right: not-in-force"


def test_a_key_whose_end_is_at_the_submission_is_no_longer_valid() -> None:
    for end, verdict in ((RIDES, "invalid"), (RIDES + 1, "provisional")):
        forged = world().copy()
        line = forged.line("key", "metro-app")
        public = key("metro-app").public
        forged.put(Span(line, 0, end, key_holder(public)))
        sealed = forged.sealed()
        bundle = {**ride(), **sealed.common("reduction")}
        bundle |= {
            name: sealed.reduction(RIDES, 0)[name] if verdict != "invalid" else bundle[name]
            for name in ("submission", "signer", "scenario", "methodology", "claims")
        }
        bundle["submission"] = logged(sealed.statements, RIDES)
        bundle["signer"] = {
            "key": public.as_json(),
            "key_held": sealed.held(line, 0),
            "role_held": sealed.held(forged.line("role", "metro-app", "platform"), RIDES),
        }
        assert check(bundle).verdict == verdict
        if verdict == "invalid":
            assert failure(bundle) == "right: not-in-force"


def test_a_key_that_the_register_does_not_hold_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("stranger"))
    bundle = forged.sealed().reduction(index, 0)
    bundle["signer"]["key"] = key("stranger").public.as_json()
    assert failure(bundle) == "right: held-other-holder"


def test_the_key_of_another_participant_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)], signer=key("pay-app"))
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    bundle["signer"] = sealed.submitted(SMALL.again.index)["signer"]
    assert failure(bundle) == "right: held-other-line"


def test_a_reduction_of_another_platform_fails() -> None:
    # Another platform's reduction, submitted as one's own.
    bundle = recorded(reduction_of(RIDES, 0), platform="pay-app", signer=key("pay-app"))
    assert failure(bundle) == "reduction: submission-mixed"
    bundle = recorded(reduction_of(RIDES, 0), scenario="city-bike")
    assert failure(bundle) == "reduction: submission-mixed"


def test_a_submission_without_the_role_fails() -> None:
    forged = world().copy()
    reduction = altered(reduction_of(RIDES, 0), platform="verifier")
    index = forged.submit([reduction], platform="verifier", signer=key("verifier"))
    platforms = [*map(str, ("metro-app", "pay-app", "verifier"))]
    scenario = scenario_document("city-bus", "bus-ride-by-code", platforms)
    line = forged.line("scenario", "city-bus")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, scenario, "scenario", start, TODAY + 400)

    def signed_as(role_line: bytes, point: int) -> Json:
        sealed = forged.sealed()
        return {
            **sealed.reduction(RIDES, 0),
            "submission": logged(sealed.statements, index),
            "signer": {
                "key": key("verifier").public.as_json(),
                "key_held": sealed.held(forged.line("key", "verifier"), index),
                "role_held": sealed.held(role_line, point),
            },
            "reduction": {"position": 0, "data": dump_base64(reduction.data), "path": []},
            "claims": [sealed.held(c.line, c.start or 0) for c in reduction.claims],
        }

    for line in (
        forged.line("role", "verifier", Role.VERIFIER.value),
        forged.line("role", "metro-app", Role.PLATFORM.value),
        forged.line("key", "verifier"),
    ):
        assert failure(signed_as(line, index)) == "right: held-other-line"
    line = forged.line("role", "verifier", Role.PLATFORM.value)
    forged.put(Span(line, 0, FOREVER, role_holder("verifier", Role.VERIFIER)))
    assert failure(signed_as(line, index)) == "right: held-other-holder"
    # A role that has ended, and one that has not begun.
    holder = role_holder("verifier", Role.PLATFORM)
    forged.put(Span(line, 0, index, holder), Span(line, index + 1, FOREVER, holder))
    assert failure(signed_as(line, 0)) == "right: not-in-force"
    assert failure(signed_as(line, index + 1)) == "right: not-in-force"
    # With the role, the very same bundle is good.
    forged.put(Span(line, 0, index + 1, holder))
    assert check(signed_as(line, index)).verdict == "provisional"


def test_variants_of_the_submissions_signature_fail() -> None:
    statement = world().statements[RIDES]
    for signature in (
        high_s(statement.signature),
        small_r(key("metro-app"), statement.signed),
        IDENTITY + bytes(32),
        bytes(64),
        key("pay-app").sign(statement.signed),
    ):
        forged = world().copy()
        forged.statements[RIDES] = resigned(statement, signature)
        assert failure(forged.sealed().reduction(RIDES, 0)) == "submission: statement-signature"


@pytest.mark.parametrize(
    "public",
    [
        IDENTITY,
        MINUS_ONE,
        bytes(32),
        (2**255 - 18).to_bytes(32, "little"),  # y = 1, written as p + 1
        IDENTITY[:31] + b"\x80",  # x = 0 with its sign bit
        b"\x02" + bytes(31),  # not on the curve
        bytes(31),
        bytes(33),
        b"",
    ],
)
def test_a_key_that_is_unsound_fails(public: bytes) -> None:
    bundle = ride()
    bundle["signer"]["key"]["public"] = dump_base64(public)
    assert failure(bundle) == "form: key-invalid"


@pytest.mark.parametrize("alg", [0, -9, 8, -19, 2**62])
def test_a_key_of_another_algorithm_fails(alg: int) -> None:
    bundle = ride()
    bundle["signer"]["key"]["alg"] = alg
    assert failure(bundle) == "form: suite-unknown"


def test_a_submission_of_another_ledger_fails() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)])
    other = sign_statement(
        key("metro-app/2"),
        kind="submission",
        issuer="metro-app",
        subject="city-bus",
        audience=genesis(time=NOON + 1).id,
        expires=NOON,
        payload=forged.statements[index].body,
    )
    forged.statements[index] = other
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "submission: statement-other-ledger"


def test_another_kind_of_statement_is_no_submission() -> None:
    forged = world().copy()
    index = forged.submit([reduction_of(RIDES, 0)])
    forged.statements[index] = sign_statement(
        key("metro-app/2"),
        kind="void",
        issuer="metro-app",
        subject="city-bus",
        audience=forged.genesis_id,
        expires=NOON,
        payload=forged.statements[index].body,
    )
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "submission: bundle-incomplete"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"scenario": 5},
        {"scenario": ["city-bus"]},
        {"root": 5},
        {"root": "AB" * 32},
        {"root": "ab"},
        {"count": "1"},
        {"count": True},
        {"count": None},
        {"grams": "80"},
        {"grams": 79},
        {"grams": -1},
        {"grams": None},
        {"more": 1},
    ],
)
def test_a_submission_of_odd_values_fails(change: Json) -> None:
    bundle = recorded(reduction_of(RIDES, 0), **change)
    assert failure(bundle).split(": ")[0] in ("submission", "reduction")


# --- the reduction ---


def test_a_reduction_with_altered_grams_fails() -> None:
    reduction = altered(reduction_of(RIDES, 0), grams=81)
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(reduction.data)
    assert failure(bundle) == "reduction: inclusion-invalid"
    # Signed and recorded as well.
    assert failure(recorded(reduction)) == "methodology: reduction-grams"
    assert failure(recorded(altered(reduction, grams=79))) == "methodology: reduction-grams"
    assert failure(recorded(altered(reduction, grams=2**53 - 1))) == "methodology: reduction-grams"


def test_a_submission_that_states_fewer_grams_than_it_holds_fails() -> None:
    assert failure(recorded(reduction_of(RIDES, 0), grams=79)) == "reduction: submission-grams"


def test_a_reduction_of_another_version_or_day_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    assert failure(recorded(altered(reduction, version=2))) == "methodology: reduction-version"
    for day in (TODAY - 1, TODAY + 1):
        bundle = recorded(altered(reduction, day=day))
        assert failure(bundle) == "methodology: reduction-claim"


@pytest.mark.parametrize("day", [0, 65_535])
def test_a_reduction_of_a_day_on_which_nothing_was_in_force_fails(day: int) -> None:
    forged = world().copy()
    index = forged.submit([altered(reduction_of(RIDES, 0), day=day)])
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), **sealed.submitted(index)}
    reduction = forged.batches[index][0]
    bundle["reduction"] = {"position": 0, "data": dump_base64(reduction.data), "path": []}
    assert failure(bundle) == "scenario: not-in-force"


def test_claims_that_lack_a_class_of_the_methodology_fail() -> None:
    for index, position, classes in (
        (RIDES, 0, ("traveller", "ticket")),
        (MEALS, 0, ("order", "cap")),
    ):
        reduction = reduction_of(index, position)
        for left_out, name in enumerate(classes):
            kept = tuple(c for at, c in enumerate(reduction.claims) if at != left_out)
            bundle = recorded(altered(reduction, claims=kept))
            assert failure(bundle) == "methodology: reduction-class-missing", name
        swapped = altered(reduction, claims=reduction.claims[::-1])
        assert failure(recorded(swapped)) == "methodology: reduction-class-missing"


def test_a_reduction_without_claims_is_none() -> None:
    reduction = reduction_of(RIDES, 0)
    data = altered(reduction, claims=()).data
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(data)
    assert failure(bundle) == "reduction: reduction-malformed"


def test_claims_beyond_those_of_the_methodology_fail() -> None:
    reduction = reduction_of(RIDES, 0)
    for extra in (reduction_of(RIDES, 1).claims, reduction_of(TRIPS, 2).claims):
        bundle = recorded(altered(reduction, claims=reduction.claims + extra))
        assert failure(bundle) == "methodology: reduction-claim-extra"


def test_claims_shorter_or_longer_than_the_methodology_says_fail() -> None:
    reduction = reduction_of(RIDES, 0)
    first, ticket = reduction.claims
    assert first.start is not None and first.end is not None
    for start, end in (
        (first.start, first.end - 1),
        (first.start + 1, first.end),
        (first.start, first.end + 1),
        (first.start, first.start + 1),
    ):
        claims = (Claim(first.line, start, end), ticket)
        bundle = recorded(altered(reduction, claims=claims))
        assert failure(bundle) == "methodology: reduction-claim"


def test_a_claim_on_a_whole_line_that_takes_a_part_of_it_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    first, ticket = reduction.claims
    for start, end in ((0, 1), (1, FOREVER), (0, FOREVER - 1)):
        claims = (first, Claim(ticket.line, start, end))
        bundle = recorded(altered(reduction, claims=claims))
        assert failure(bundle) == "methodology: span-class"


def test_a_day_left_out_of_a_long_trip_fails() -> None:
    reduction = reduction_of(TRIPS, 0)
    assert len(reduction.claims) == 19
    for left_out in range(19):
        kept = tuple(c for at, c in enumerate(reduction.claims) if at != left_out)
        bundle = recorded(altered(reduction, claims=kept))
        assert check(bundle).verdict == ("provisional" if left_out in (18,) else "invalid")
        # What ends a day earlier is a shorter trip, and says so; its activity would tell.
    with_activity = recorded(altered(reduction, claims=reduction.claims[:-1]))
    with_activity["activity"] = activity(SMALL.trips, 0).decode()
    assert failure(with_activity) == "activity: activity-differs"


def test_a_span_that_is_not_cut_at_midnight_fails() -> None:
    reduction = reduction_of(TRIPS, 1)
    vehicle, second, *rest = reduction.claims
    joined = (Claim(vehicle.line, vehicle.start, second.end), *rest)
    bundle = recorded(altered(reduction, claims=joined))
    assert failure(bundle) == "methodology: span-class"
    # Cut elsewhere as well.
    assert vehicle.start is not None
    middle = vehicle.start + 1
    pieces = (
        Claim(vehicle.line, vehicle.start, middle),
        Claim(vehicle.line, middle, vehicle.end),
        second,
        *rest,
    )
    bundle = recorded(altered(reduction, claims=pieces))
    assert failure(bundle).startswith("methodology: ")


def test_a_line_claimed_twice_by_one_reduction_fails() -> None:
    # The second part of the trip on the vehicle's line, claimed as the traveller's.
    document = json.loads(library()["bike-share-trip"])
    document["claims"] = [{"class": "vehicle", "parts": ["{vehicle}"]}] * 2
    forged = world().copy()
    line = forged.line("methodology", "bike-share-trip")
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, dump_json(document), "methodology", start, FOREVER)
    reduction = reduction_of(TRIPS, 2)
    twice = altered(reduction, claims=reduction.claims * 2)
    index = forged.submit([twice])
    bundle = forged.sealed().reduction(index, 0)
    assert failure(bundle) == "methodology: reduction-claim-twice"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        dump_cbor([1]),
        dump_cbor([2, "metro-app", "city-bus", 1, TODAY, 80, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([1, "metro-app", "city-bus", 1, 2**70, 80, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([1, "metro-app", "city-bus", 1, TODAY, 1.5, [[TODAY, bytes(22)]], bytes(32)]),
        dump_cbor([True, "metro-app", "city-bus", 1, TODAY, 80, [[TODAY, bytes(22)]], bytes(32)]),
        b"\x81\xd8\x23\x64[[a]",  # a regular expression, over whose form Python would warn
        b"\x9f\xff",
        b"\x5b\x7f" + b"\xff" * 7,  # bytes without end
        b"\x9b\x7f" + b"\xff" * 7,
        b"\x81" * 60_000,
        b"\xc1" * 60_000,
        bytes(70_000),
    ],
)
def test_a_reduction_that_is_none_fails(data: bytes, recwarn: pytest.WarningsRecorder) -> None:
    bundle = ride()
    bundle["reduction"]["data"] = dump_base64(data)
    assert failure(bundle).startswith("reduction: ")
    assert not recwarn.list


# --- scenario and methodology ---


def test_a_scenario_that_does_not_admit_the_platform_fails() -> None:
    forged = world().copy()
    line = forged.line("scenario", "city-bus")
    document = scenario_document("city-bus", "bus-ride-by-code", ["pay-app"])
    start = next(span.start for span in forged.spans.values() if span.line == line)
    forged.publish(line, document, "scenario", start, TODAY + 400)
    assert failure(forged.sealed().reduction(RIDES, 0)) == "scenario: platform-not-admitted"
    # The document altered on the way does not stand in the register.
    bundle = ride()
    bundle["scenario"]["document"] = bundle["scenario"]["document"].replace("pay-app", "gym-app")
    assert failure(bundle) == "scenario: held-other-holder"


def test_a_scenario_that_is_not_in_force_that_day_fails() -> None:
    line = world().line("scenario", "city-bus")
    document = samples()["ride"]["scenario"]["document"].encode()
    start = next(span.start for span in world().spans.values() if span.line == line)
    for first, last in ((start, TODAY), (TODAY + 1, TODAY + 400)):
        forged = world().copy()
        forged.drop(*(span for span in forged.spans.values() if span.line == line))
        forged.publish(line, document, "scenario", first, last)
        sealed = forged.sealed()
        shown = forged.copy()
        shown.publish(line, document, "scenario", TODAY, TODAY + 1)
        bundle = {**shown.sealed().reduction(RIDES, 0), **sealed.common("reduction")}
        bundle |= sealed.submitted(RIDES)
        bundle["scenario"] = sealed.document(line, first)
        assert failure(bundle) == "scenario: not-in-force"


def test_another_scenario_fails() -> None:
    bundle = ride()
    for other in ("meal", "trip between two"):
        forged = {**bundle, "scenario": samples()[other]["scenario"]}
        assert failure(forged) == "scenario: platform-not-admitted"


def test_another_methodologys_document_fails() -> None:
    bundle = {**ride(), "methodology": samples()["meal"]["methodology"]}
    assert failure(bundle) == "methodology: methodology-differs"
    bundle = ride()
    bundle["methodology"]["document"] = samples()["meal"]["methodology"]["document"]
    assert failure(bundle) == "methodology: methodology-differs"
    bundle = ride()
    bundle["methodology"]["held"] = samples()["meal"]["methodology"]["held"]
    assert failure(bundle) == "methodology: held-other-line"


def test_a_methodology_with_an_altered_factor_fails() -> None:
    document = ride()["methodology"]["document"]
    forged = recorded(altered(reduction_of(RIDES, 0), grams=800))
    forged["methodology"]["document"] = document.replace('"80"', '"800"')
    assert failure(forged) == "methodology: held-other-holder"
    bundle = ride()
    bundle["methodology"]["document"] = document + "\n"
    assert failure(bundle) == "methodology: held-other-holder"


def test_a_methodology_that_is_not_in_force_that_day_fails() -> None:
    line = world().line("methodology", "bus-ride-by-code")
    start = next(span.start for span in world().spans.values() if span.line == line)
    old = ride()["methodology"]["document"]
    new = old.replace('"80"', '"800"').replace('"version": 1', '"version": 2')
    forged = world().copy()
    forged.publish(line, old.encode(), "methodology", start, TODAY + 1)
    forged.publish(line, new.encode(), "methodology", TODAY + 1, FOREVER)
    # Tomorrow's factor for today's ride.
    index = forged.submit([altered(reduction_of(RIDES, 0), grams=800, version=2)])
    sealed = forged.sealed()
    bundle = sealed.reduction(index, 0)
    assert failure(bundle) == "methodology: reduction-version"
    bundle["methodology"] = sealed.document(line, TODAY + 1)
    assert failure(bundle) == "methodology: not-in-force"
    # And yesterday's.
    forged.publish(line, old.encode(), "methodology", start, TODAY)
    forged.drop(Span(line, TODAY + 1, FOREVER, bytes(32)))
    forged.publish(line, new.encode(), "methodology", TODAY, FOREVER)
    sealed = forged.sealed()
    bundle = {**sealed.reduction(RIDES, 0), "methodology": sealed.document(line, start)}
    assert failure(bundle) == "methodology: not-in-force"
