"""Forged claims: spans that a reduction does not hold, or holds no more, or that are not free.

How strong the forger is, `test_forgeries` tells.
"""

import copy
import json
from collections.abc import Sequence

import pytest
from support.bundles import (
    VOIDED,
    Sealed,
    activity,
    check,
    failure,
    hexes,
    honest,
    samples,
    stretch,
    world,
)
from support.city import NOON, TODAY
from support.forging import (
    MEALS,
    RIDES,
    SMALL,
    TRIPS,
    altered,
    recorded,
    reduction_of,
    ride,
)

from api.proving import prove_reduction
from chain import merkle
from chain.activities import parse_activity
from chain.calendar import DAY_SECONDS
from chain.proofs import Free, Neighbour, Present
from chain.spans import Span, make_holder
from keys.errors import Usage
from keys.strict import dump_base64, dump_json

# --- claims ---


def test_a_claims_proof_for_another_line_fails() -> None:
    bundle = ride()
    bundle["claims"][0] = honest().reduction(RIDES, 1)["claims"][0]
    assert failure(bundle) == "claims: held-other-line"
    bundle = ride()
    bundle["claims"][0]["line"] = honest().reduction(RIDES, 1)["claims"][0]["line"]
    assert failure(bundle) == "claims: held-other-line"


def test_a_claims_proof_for_another_holder_fails() -> None:
    # A refused reduction shows who holds the span instead.
    refused = reduction_of(SMALL.second.index, 0)
    sealed = honest()
    bundle = sealed.reduction(SMALL.second.index, 1)
    leaves = [reduction.leaf for reduction in world().batches[SMALL.second.index]]
    bundle["reduction"] = {
        "position": 0,
        "data": dump_base64(refused.data),
        "path": hexes(merkle.inclusion_path(leaves, 0)),
    }
    line = refused.claims[0].line
    taken = next(s for s in world().spans.values() if s.line == line)
    bundle["claims"] = [sealed.held(line, taken.start), bundle["claims"][1]]
    assert failure(bundle) == "claims: held-other-holder"
    bundle["claims"][0]["holder"] = refused.holder.hex()
    assert failure(bundle) == "claims: held-root-differs"
    bundle["claims"][0] |= {"start": refused.claims[0].start, "end": refused.claims[0].end}
    assert failure(bundle).startswith("claims: ")


def test_a_claims_proof_for_another_span_fails() -> None:
    reduction = reduction_of(RIDES, 0)
    first, _ = reduction.claims
    assert first.start is not None and first.end is not None
    for start, end in (
        (first.start, first.end - 1),
        (first.start, first.end + 1),
        (first.start + 1, first.end),
        (first.start - 1, first.end),
        (first.start - 60, first.start),
    ):
        forged = world().copy()
        del forged.spans[first.line + first.start.to_bytes(8)]
        forged.put(Span(first.line, start, end, reduction.holder))
        sealed = forged.sealed()
        forged.put(Span(first.line, first.start, first.end, reduction.holder))
        bundle = forged.sealed().reduction(RIDES, 0)
        bundle |= {**sealed.common("reduction"), **sealed.submitted(RIDES)}
        scenario, methodology = (
            sealed.document(world().line(name, of), TODAY)
            for name, of in (("scenario", "city-bus"), ("methodology", "bus-ride-by-code"))
        )
        ticket = sealed.held(reduction.claims[1].line, 0)
        bundle |= {"scenario": scenario, "methodology": methodology}
        bundle["claims"] = [sealed.held(first.line, start), ticket]
        assert failure(bundle) == "claims: held-other-span"
        bundle["claims"][0] |= {"start": first.start, "end": first.end}
        assert failure(bundle).startswith("claims: ")


def test_a_claims_proof_that_is_missing_fails() -> None:
    for name in ("ride", "trip of 19 days", "meal"):
        for at in range(len(samples()[name]["claims"])):
            bundle = copy.deepcopy(samples()[name])
            del bundle["claims"][at]
            assert failure(bundle) == "claims: claims-incomplete"
    assert failure({**ride(), "claims": []}) == "claims: claims-incomplete"


def test_a_claims_proof_too_many_fails() -> None:
    bundle = ride()
    for extra in (bundle["claims"][0], bundle["books"]):
        forged = {**bundle, "claims": [*bundle["claims"], extra]}
        assert failure(forged) == "claims: claims-incomplete"


def test_claims_proofs_in_another_order_fail() -> None:
    for name in ("ride", "trip of 19 days", "meal"):
        claims = samples()[name]["claims"]
        bundle = {**samples()[name], "claims": claims[::-1]}
        assert failure(bundle) == "claims: held-other-line"
        bundle = {**samples()[name], "claims": [claims[0]] * len(claims)}
        assert failure(bundle) == "claims: held-other-line"


def test_a_seat_beyond_the_cap_fails() -> None:
    reduction = reduction_of(MEALS, 0)
    line = reduction.claims[1].line
    forged = world().copy()
    first = Span(line, 0, 1, reduction.holder)
    forged.drop(first)
    for seat in (1, 2, 9_999):
        beyond = forged.copy()
        beyond.put(Span(line, 0, 1, make_holder("reduction", bytes(32))))
        beyond.put(Span(line, seat, seat + 1, reduction.holder))
        bundle = beyond.sealed().reduction(MEALS, 0)
        assert failure(bundle) == "claims: seat-beyond-cap"
    # Two seats wide is no seat, be it within the cap.
    wide = forged.copy()
    wide.put(Span(line, 0, 2, reduction.holder))
    assert failure(wide.sealed().reduction(MEALS, 0)) == "claims: span-class"


def test_a_claim_that_overlaps_another_fails_however_it_is_shown() -> None:
    # The operator counts a trip twice: both spans stand in its register.
    reduction = reduction_of(TRIPS, 3)
    (claim,) = reduction.claims
    assert claim.start is not None and claim.end is not None
    other = make_holder("reduction", bytes(32))
    for start, end in (
        (claim.start - 10, claim.start + 1),
        (claim.start - 10, claim.end + 10),
        (claim.end - 1, claim.end + 10),
        (claim.start + 1, claim.end - 1),
    ):
        forged = world().copy()
        forged.put(Span(claim.line, start, end, other))
        bundle = forged.sealed().reduction(TRIPS, 3)
        assert failure(bundle) == "claims: neighbour-overlaps"
        for name in ("before", "after"):
            hidden = copy.deepcopy(bundle)
            hidden["claims"][0][name] = None
            assert failure(hidden).startswith("claims: neighbour-")
        # The neighbour but one, in the place of the one that overlaps.
        honest_claim = samples()["trip between two"]["claims"][0]
        shown = copy.deepcopy(bundle)
        register = forged.register()
        far_start, far_end = stretch(SMALL.trips, 2)[1:]
        far = register.held(claim.line, far_start)
        shown["claims"][0]["before"] = {
            "start": far_start,
            "end": far_end,
            "holder": far.span.holder.hex(),
            "path": [[step.bits, step.sibling.hex()] for step in far.path],
        }
        after = register.held(claim.line, honest_claim["after"]["start"])
        shown["claims"][0]["after"] = {
            **honest_claim["after"],
            "path": [[step.bits, step.sibling.hex()] for step in after.path],
        }
        assert failure(shown) == "claims: neighbour-not-adjacent"


def test_swapped_neighbours_fail() -> None:
    bundle = copy.deepcopy(samples()["trip between two"])
    held = bundle["claims"][0]
    before, after = held["before"], held["after"]
    spans = {span.start: span for span in world().spans.values() if span.line.hex() == held["line"]}
    behind, ahead = spans[before["start"]], spans[after["start"]]
    held["before"] = {
        "start": ahead.start,
        "end": ahead.end,
        "holder": ahead.holder.hex(),
        "path": after["path"],
    }
    assert failure(bundle) == "claims: neighbour-overlaps"
    held["after"] = {"start": behind.start, "value": after["value"], "path": before["path"]}
    held["before"] = before
    assert failure(bundle) == "claims: neighbour-overlaps"
    # With their places swapped and nothing else.
    held["before"] = {**before, "path": after["path"]}
    held["after"] = {**after, "path": before["path"]}
    assert failure(bundle) == "claims: neighbour-root-differs"


def test_neighbours_that_are_left_out_fail() -> None:
    for name in ("before", "after"):
        bundle = copy.deepcopy(samples()["trip between two"])
        bundle["claims"][0][name] = None
        assert failure(bundle) == "claims: neighbour-left-out"


def test_trailing_steps_of_a_span_fail() -> None:
    for bits in (-1, 0, 255, 256, 2**40):
        bundle = ride()
        bundle["claims"][0]["path"].append([bits, "11" * 32])
        assert failure(bundle).startswith("claims: ")
        bundle = ride()
        bundle["claims"][0]["path"].insert(0, [bits, "11" * 32])
        assert failure(bundle).startswith("claims: ")


def test_a_spans_path_under_another_root_fails() -> None:
    other = world().copy()
    other.drop(*(s for s in other.spans.values() if s.holder == reduction_of(RIDES, 5).holder))
    sealed = other.sealed()
    bundle = ride()
    bundle["claims"] = sealed.reduction(RIDES, 0)["claims"]
    assert failure(bundle) == "claims: held-root-differs"


# --- what is gone, and what is free ---


def before_the_void() -> Sealed:
    """The small ledger as if the void had not been."""
    earlier = world().copy()
    voided = reduction_of(RIDES, VOIDED)
    again = reduction_of(SMALL.again.index, 0)
    earlier.drop(*(s for s in earlier.spans.values() if s.holder == again.holder))
    earlier.put(*(Span(c.line, c.start or 0, c.end or 1, voided.holder) for c in voided.claims))
    return earlier.sealed()


def test_a_voided_reduction_is_good_as_of_then_and_never_again() -> None:
    old = before_the_void().reduction(RIDES, VOIDED)
    new = honest()
    assert check(old).verdict == "provisional"
    with pytest.raises(Usage, match="reduction-unknown"):
        prove_reduction(SMALL.city.store, reduction_of(RIDES, VOIDED).leaf)
    # The old bundle under the new checkpoint, bit by bit.
    bundle = {**old, "checkpoint": new.checkpoint}
    assert failure(bundle) == "genesis: inclusion-invalid"
    bundle |= new.common("reduction")
    assert failure(bundle) == "submission: inclusion-invalid"
    bundle |= new.submitted(RIDES)
    assert failure(bundle) == "scenario: held-root-differs"
    current = new.reduction(RIDES, 0)
    bundle |= {name: current[name] for name in ("scenario", "methodology")}
    assert failure(bundle) == "claims: held-root-differs"
    again = new.reduction(SMALL.again.index, 0)["claims"]
    assert failure({**bundle, "claims": again}) == "claims: held-other-holder"
    again[0]["holder"] = old["claims"][0]["holder"]
    assert failure({**bundle, "claims": again}) == "claims: held-root-differs"


def test_a_part_of_a_voided_reduction_that_nobody_holds_fails() -> None:
    # The traveller's time is taken again; the ticket is free.
    bundle = {**before_the_void().reduction(RIDES, VOIDED), **honest().common("reduction")}
    assert failure(bundle).startswith("submission: ")
    span = {**before_the_void().span(RIDES, VOIDED, 1), **honest().common("span")}
    span |= honest().submitted(RIDES)
    assert failure(span) == "holder: held-root-differs"


def taken_as_free(sealed: Sealed, span: Span, start: int, end: int) -> Sequence[Free]:
    """Everything that might show a stretch that ``span`` reaches into as free."""
    register = sealed.register
    line = span.line
    held = register.held(line, span.start)
    shown: list[Free] = []
    neighbours: list[Neighbour | None] = [None, held.before]
    for other in sorted(s for s in sealed.world.spans.values() if s.line == line):
        proof = register.held(line, other.start)
        neighbours.append(Neighbour(other.start, other.end, other.holder, proof.path))
        for before in neighbours:
            shown.append(Free(line, start, end, Present(before, proof.after)))
            shown.append(Free(line, start, end, Present(before, held.after)))
            shown.append(Free(line, start, end, Present(before, None)))
    nobody = world().classes.line("traveller", ["0" * 32], TODAY)
    absent = register.free(nobody, NOON, NOON + 60).evidence
    return [*shown, Free(line, start, end, absent), Free(line, start, end, None)]


def test_a_taken_stretch_is_never_shown_as_free() -> None:
    tried, common = 0, honest().common("free")
    for span in list(world().spans.values()):
        of = world().classes.by_number[span.class_number]
        if of.claimed_by != "reduction":
            continue
        stretches = {(span.start, span.end)}
        if of.axis == "seconds":
            stretches = {(span.start, span.start + 1), (span.end - 1, span.end)}
        for start, end in stretches:
            for free in taken_as_free(honest(), span, start, end):
                assert failure({**common, "free": free.as_json()}).startswith("free: ")
                tried += 1
    assert tried > 1_000


def test_a_free_stretch_that_reaches_too_far_fails() -> None:
    bundle = copy.deepcopy(samples()["free between two"])
    _, start, end = stretch(SMALL.trips, 3)
    following = stretch(SMALL.trips, 4)[1]
    bundle["free"] |= {"start": end, "end": following}
    assert check(bundle).verdict == "provisional"
    for first, last in ((end - 1, following), (end, following + 1), (start, following)):
        bundle["free"] |= {"start": first, "end": last}
        assert failure(bundle) == "free: neighbour-overlaps"
    midnight = (TODAY + 1) * DAY_SECONDS
    bundle["free"] |= {"start": end, "end": midnight + DAY_SECONDS}
    assert failure(bundle) == "free: span-class"


def test_an_absent_line_is_shown_for_itself_alone() -> None:
    bundle = copy.deepcopy(samples()["free of an absent line"])
    for name in ("ride", "trip between two"):
        held = samples()[name]["claims"][0]
        bundle["free"] |= {"line": held["line"], "start": held["start"], "end": held["end"]}
        assert failure(bundle).startswith("free: ")


# --- the activity ---


def test_an_activity_altered_by_one_byte_fails() -> None:
    bundle = copy.deepcopy(samples()["ride, disclosed"])
    line = bundle["activity"]
    for at in range(len(line)):
        bundle["activity"] = line[:at] + chr(ord(line[at]) ^ 1) + line[at + 1 :]
        assert failure(bundle).startswith("activity: ")
    for forged in (line + " ", line + "\n", " " + line, line.replace(":", ": ", 1)):
        assert failure({**bundle, "activity": forged}).startswith("activity: ")


def test_the_activity_of_another_reduction_fails() -> None:
    bundle = ride() | {"activity": activity(SMALL.rides, 1).decode()}
    assert failure(bundle) == "activity: activity-differs"


def test_an_activity_that_gives_another_reduction_fails() -> None:
    # The platform commits to an activity, and reports more than it gives.
    digest = reduction_of(RIDES, 1).digest
    bundle = recorded(altered(reduction_of(RIDES, 0), digest=digest))
    assert check(bundle).verdict == "provisional"
    bundle["activity"] = activity(SMALL.rides, 1).decode()
    assert failure(bundle) == "activity: activity-differs"


def test_activities_of_odd_times_fail() -> None:
    given = json.loads(activity(SMALL.rides, 0))
    for start in (0, 2**40, 2**62, 2**63 - 1):
        line = dump_json({**given, "start": start, "end": start})
        bundle = recorded(altered(reduction_of(RIDES, 0), digest=parse_activity(line).digest))
        bundle["activity"] = line.decode()
        assert failure(bundle).startswith("activity: ")
