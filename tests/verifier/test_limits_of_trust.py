"""What a bundle and a policy cannot show, and what shows it: each yes of docs/threat-model.md.

Here the operator lies, alone or with a platform, and a checker whose policy asks for nobody but
the log believes it.  With a quorum the same bundle is not witnessed: whether it becomes so is in
the hands of auditors, who replay the rules and see the lie.
"""

from collections.abc import Callable

import pytest
from support.bundles import PLAIN, QUORUM, Json, World, activity, check, failure, ledger, world
from support.city import NOON, key, pseudonym
from support.forging import RIDES, TRIPS, altered, reduction_of

from chain.activities import parse_activity
from chain.methodologies import Methodology
from chain.reductions import Claim, Reduction
from chain.spans import FOREVER, Span, make_line
from keys.participants import Role, key_holder, role_holder
from keys.strict import dump_json, parse_json


def is_believed(bundle: Json) -> bool:
    """Whether the log's word alone is enough; never with a quorum that has not cosigned."""
    assert check(bundle, QUORUM).verdict in ("unwitnessed", "invalid")
    return check(bundle, PLAIN).verdict == "provisional"


def test_an_operator_alone_can_show_two_logs_of_one_size() -> None:
    seen = []
    for days in (2, 3):
        forged = world().copy()
        index = forged.submit([_moved(days)])
        bundle = forged.sealed().reduction(index, 0)
        assert is_believed(bundle)
        seen.append(bundle["checkpoint"].split("\n")[1:3])
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_an_operator_alone_can_take_a_claim_from_one_and_give_it_to_another() -> None:
    forged = world().copy()
    mine = reduction_of(RIDES, 0)
    theirs = altered(mine, platform="pay-app", digest=bytes(32))
    index = forged.submit([theirs], signer=key("pay-app"), platform="pay-app")
    assert is_believed(forged.sealed().reduction(index, 0))
    # Whoever lost it sees that it is no longer held.
    assert failure(forged.sealed().reduction(RIDES, 0)) == "claims: held-other-holder"


def test_an_operator_alone_can_enrol_whom_it_likes() -> None:
    forged = world().copy()
    stranger = key("stranger").public
    holder = key_holder(stranger)
    forged.put(Span(forged.line("key", "metro-app"), 0, FOREVER, holder))
    for span in [s for s in forged.spans.values() if s.line == forged.line("key", "metro-app")]:
        if span.holder != holder:
            forged.drop(span)
    forged.keys[holder] = stranger
    forged.put(
        Span(
            forged.line("role", "metro-app", "platform"),
            0,
            FOREVER,
            role_holder("metro-app", Role.PLATFORM),
        )
    )
    index = forged.submit([_moved()], signer=key("stranger"))
    assert is_believed(forged.sealed().reduction(index, 0))


def test_an_operator_alone_can_state_any_time() -> None:
    forged = world().copy()
    bundle = forged.sealed(forged.seal(time=NOON + 10**9)).reduction(RIDES, 0)
    assert is_believed(bundle)


def test_an_operator_alone_can_misstate_a_submission_as_a_whole() -> None:
    forged = world().copy()
    index = forged.submit([_moved()], grams=10**9)
    assert is_believed(forged.sealed().reduction(index, 0))


def _moved(days: int = 1) -> Reduction:
    """A ride that nobody reported: the first one's, on another day and of another ticket."""
    rule, line = _rule(), parse_json(activity(ledger().rides, 0))
    line |= {"start": line["start"] - 86_400 * days, "end": line["end"] - 86_400 * days}
    line["ticket"]["number"] = pseudonym("ticket", f"invented {days}")
    return rule.reduce(parse_activity(dump_json(line)), "metro-app")


def _rule() -> Methodology:
    document = next(d for d in world().documents.values() if b'"id": "bus-ride-by-code"' in d)
    return Methodology(document, world().classes)


def test_a_platform_can_invent_activities() -> None:
    forged = world().copy()
    index = forged.submit([_moved(2)])
    assert is_believed(forged.sealed().reduction(index, 0))


def _misnamed(forged: World) -> int:
    """A ride whose traveller's line is nobody's: it meets no other claim."""
    mine = reduction_of(RIDES, 0)
    first, second = mine.claims
    line = make_line(1, ["0" * 31 + "1"], first.day)
    ticket = make_line(4, ["city-bus", "0" * 31 + "2"])
    claims = (Claim(line, first.start, first.end), Claim(ticket, second.start, second.end))
    return forged.submit([altered(mine, claims=claims)])


def _without_the_traveller(forged: World) -> int:
    """A bike trip that has a rider, and leaves the rider's time out."""
    mine = reduction_of(TRIPS, 1)
    vehicles = tuple(claim for claim in mine.claims if claim.line[2] == 2)
    assert len(vehicles) < len(mine.claims)
    lines = {claim.line for claim in mine.claims}
    forged.drop(*[span for span in forged.spans.values() if span.line in lines])
    return forged.submit([altered(mine, claims=vehicles)])


@pytest.mark.parametrize(
    ("forge", "answer", "position"),
    [(_misnamed, "rides", 0), (_without_the_traveller, "trips", 1)],
    ids=["a misnamed line", "an optional claim left out"],
)
def test_only_the_activity_shows_which_line_and_whether_a_field_was_given(
    forge: Callable[[World], int], answer: str, position: int
) -> None:
    forged = world().copy()
    index = forge(forged)
    sealed = forged.sealed()
    assert is_believed(sealed.reduction(index, 0))
    disclosed = activity(getattr(ledger(), answer), position)
    assert failure(sealed.reduction(index, 0, disclosed)) == "activity: activity-differs"


def test_a_person_with_two_identifiers_is_two_people() -> None:
    forged = world().copy()
    line = parse_json(activity(ledger().rides, 0))
    line["subject"] = pseudonym("traveller", "the same person, by another card")
    line["ticket"]["number"] = pseudonym("ticket", "another ticket")
    index = forged.submit([_rule().reduce(parse_activity(dump_json(line)), "metro-app")])
    sealed = forged.sealed()
    assert is_believed(sealed.reduction(RIDES, 0))
    assert is_believed(sealed.reduction(index, 0))


def test_a_person_with_two_identifiers_has_one_ticket() -> None:
    forged = world().copy()
    line = parse_json(activity(ledger().rides, 0))
    line["subject"] = pseudonym("traveller", "the same person, by another card")
    index = forged.submit(
        [_rule().reduce(parse_activity(dump_json(line)), "metro-app")], hold=False
    )
    second = forged.batches[index][0]
    first, _ = second.claims
    forged.put(Span(first.line, first.start or 0, first.end or 0, second.holder))
    assert failure(forged.sealed().reduction(index, 0)) == "claims: held-other-holder"


def test_a_void_shows_only_under_a_later_checkpoint() -> None:
    forged = world().copy()
    before = forged.sealed().reduction(RIDES, 0)
    mine = reduction_of(RIDES, 0).holder
    forged.drop(*[span for span in forged.spans.values() if span.holder == mine])
    taken = before["claims"][0]
    stretch = bytes.fromhex(taken["line"]), taken["start"], taken["end"]
    assert is_believed(forged.sealed().free(*stretch))
    assert is_believed(before)
