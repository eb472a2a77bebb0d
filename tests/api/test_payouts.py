"""Payouts: the whole amount, to the smallest unit, and every certified gram paid once."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.payouts import (
    RESERVE,
    Step,
    Stretch,
    parse_amount,
    share,
    show_amount,
    stretches,
    within,
)
from chain.issuances import divide
from keys.errors import Usage

pytestmark = pytest.mark.usefixtures("database")

NAMES = st.text("0123456789abcdef", min_size=32, max_size=32) | st.just(RESERVE)
SHARERS = st.dictionaries(NAMES, st.integers(0, 2**40), min_size=1, max_size=30).filter(
    lambda grams: any(grams.values())
)
AMOUNTS = st.integers(0, 2**50)
UNIT = 10


@given(AMOUNTS, SHARERS)
def test_shares_sum_exactly_to_the_amount(amount: int, grams: dict[str, int]) -> None:
    shares = share(amount, grams)
    assert sum(shares.values()) == amount
    assert shares.keys() == grams.keys()
    assert all(part >= 0 for part in shares.values())


@given(AMOUNTS, SHARERS)
def test_a_share_is_within_one_smallest_unit_of_its_quota(
    amount: int, grams: dict[str, int]
) -> None:
    total = sum(grams.values())
    for name, part in share(amount, grams).items():
        assert abs(part - Fraction(amount * grams[name], total)) < 1


@given(AMOUNTS, SHARERS)
def test_who_has_more_grams_gets_no_less(amount: int, grams: dict[str, int]) -> None:
    shares = share(amount, grams)
    ordered = sorted(grams, key=lambda name: grams[name])
    for less, more in pairwise(ordered):
        if grams[less] < grams[more]:
            assert shares[less] <= shares[more]


@given(AMOUNTS, SHARERS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(amount, grams, random) -> None:  # type: ignore[no-untyped-def]
    items = list(grams.items())
    random.shuffle(items)
    assert list(share(amount, dict(items)).items()) == list(share(amount, grams).items())


def test_the_largest_remainders_get_what_is_left_and_equal_ones_by_name() -> None:
    assert share(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert share(10, {"a": 34, "b": 33, "c": 33}) == {"a": 4, "b": 3, "c": 3}
    assert share(10, {"a": 33, "b": 33, "c": 34}) == {"a": 3, "b": 3, "c": 4}
    # 1.25, 1.25, 2.5
    assert share(5, {"f" * 32: 1, RESERVE: 1, "0": 2}) == {"0": 3, "f" * 32: 1, RESERVE: 1}
    assert share(1, {"f" * 32: 1, RESERVE: 1}) == {"f" * 32: 1, RESERVE: 0}
    assert share(0, {"a": 1}) == {"a": 0}


# --- the queue ---


@st.composite
def histories(draw: st.DrawFn, *, corrected: bool) -> list[tuple[Step, int]]:
    """Issuances, and corrections, as the rules allow them; after each, the ledger's carry."""
    carry, steps = 0, []
    for number in range(draw(st.integers(1, 12))):
        name = number.to_bytes(32)
        if steps and corrected and draw(st.booleans()):
            most = max(step.certified for step, _ in steps)
            step = Step(name, 0, draw(st.integers(1, most)), 0)
            carry -= step.corrected
        else:
            certified = draw(st.integers(1, 60))
            units, carry = divide(carry + certified, UNIT)
            step = Step(name, certified, 0, units * UNIT)
        steps.append((step, carry))
    return steps


def grams_of(used: list[Stretch]) -> list[tuple[bytes, int]]:
    """Each gram by its issuance and its place."""
    return [(one.issuance, place) for one in used for place in range(one.start, one.end)]


@given(histories(corrected=False))
def test_every_gram_is_paid_once_and_in_its_turn(history: list[tuple[Step, int]]) -> None:
    steps = [step for step, _ in history]
    used = stretches(steps)
    paid = [gram for step in steps for gram in grams_of(used[step.statement])]
    every = [(step.statement, place) for step in steps for place in range(step.certified)]
    assert paid == every[: len(paid)]
    assert len(every) - len(paid) == history[-1][1]


@given(histories(corrected=True))
def test_an_issuance_uses_what_its_units_are_and_nothing_is_paid_twice(
    history: list[tuple[Step, int]],
) -> None:
    steps = [step for step, _ in history]
    used = stretches(steps)
    for step in steps:
        assert len(grams_of(used[step.statement])) == step.used
    paid = Counter(gram for step in steps for gram in grams_of(used[step.statement]))
    assert all(times == 1 for times in paid.values())
    for sources in used.values():
        assert len({one.issuance for one in sources}) == len(sources)


@given(histories(corrected=True))
def test_what_was_used_does_not_change_by_what_comes_later(
    history: list[tuple[Step, int]],
) -> None:
    steps = [step for step, _ in history]
    used = stretches(steps)
    for count in range(len(steps)):
        assert stretches(steps[:count]).items() <= used.items()


def test_corrections_take_the_end_of_what_waits_and_then_of_what_comes() -> None:
    a, b, c, d = (bytes([number]) * 32 for number in range(4))
    used = stretches(
        [
            Step(a, 17, 0, 10),  # 7 wait
            Step(b, 0, 3, 0),  # the last 3 of them do not
            Step(c, 9, 0, 10),  # 4 + 6; 3 wait
            Step(d, 0, 8, 0),  # 5 are owed
        ]
    )
    assert used == {a: [(a, 0, 10)], b: [], c: [(a, 10, 14), (c, 0, 6)], d: []}
    e = bytes([5]) * 32
    assert stretches([Step(a, 10, 0, 10), Step(b, 0, 5, 0), Step(e, 28, 0, 20)])[e] == [(e, 0, 20)]
    assert stretches([Step(a, 10, 0, 10), Step(b, 0, 5, 0), Step(e, 4, 0, 0)])[e] == []


ENTRIES = st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 9)), max_size=12)


@given(ENTRIES, st.integers(0, 60), st.integers(0, 60))
def test_a_reduction_counts_with_the_grams_that_are_in_the_stretch(
    entries: list[tuple[bytes, int]], one: int, other: int
) -> None:
    start, end = sorted((one, other))
    axis = [leaf for leaf, grams in entries for _ in range(grams)]
    found = [leaf for leaf, n in within(entries, Stretch(b"", start, end)) for _ in range(n)]
    assert found == axis[start:end]


# --- amounts ---


@pytest.mark.parametrize(
    ("text", "currency", "units", "shown"),
    [
        ("12345.67", "CNY", 1_234_567, "12345.67"),
        ("12345.6", "CNY", 1_234_560, "12345.60"),
        ("0.05", "EUR", 5, "0.05"),
        ("12345", "CNY", 1_234_500, "12345.00"),
        ("12345", "JPY", 12_345, "12345"),
        ("1.005", "KWD", 1_005, "1.005"),
    ],
)
def test_an_amount_is_read_in_the_smallest_units_of_its_currency(
    text: str, currency: str, units: int, shown: str
) -> None:
    assert parse_amount(text, currency) == units
    assert show_amount(units, currency) == shown


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("1.005", "CNY", "amount-invalid"),
        ("1.5", "JPY", "amount-invalid"),
        ("1,5", "CNY", "amount-invalid"),
        ("-1", "CNY", "amount-invalid"),
        ("1e3", "CNY", "amount-invalid"),
        ("1.", "CNY", "amount-invalid"),
        ("", "CNY", "amount-invalid"),
        ("1", "yuan", "currency-invalid"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str, code: str) -> None:
    with pytest.raises(Usage) as caught:
        parse_amount(text, currency)
    assert caught.value.code == code
