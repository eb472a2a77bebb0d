"""Pairing: whatever comes, in whatever order, every end is given back once and rightly."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from api.pairing import End, pair_up

LONGEST = 20
PLACES = ("", "x", "y")


def ends(places: tuple[str | None, ...] = PLACES) -> st.SearchStrategy[list[End[int]]]:
    """Ends of two keys within a minute; their rows are their numbers."""
    end = st.tuples(
        st.integers(0, 60), st.booleans(), st.sampled_from("ab"), st.sampled_from(places)
    )
    return st.lists(end, max_size=20).map(
        lambda made: [End(*one, row) for row, one in enumerate(made)]
    )


def judged(before: End[int], end: End[int]) -> str | None:
    if end.time > before.time + LONGEST:
        return "pair-too-long"
    return None if {before.place, end.place} in ({"x", "y"}, {None}) else "pair-same-place"


@given(st.one_of(ends(), ends((None,))))
def test_an_end_pairs_with_the_next_of_its_key(made: list[End[int]]) -> None:
    told = {}
    for reason, rows in pair_up(made, LONGEST):
        for row in rows:
            assert row not in told
            told[row] = (reason, rows)
    assert told.keys() == set(range(len(made)))
    for key in "ab":
        mine = sorted((end for end in made if end.key == key), key=lambda e: (e.time, e.opens))
        for before, end in pairwise([None, *mine, None]):
            if before and end and before.opens and not end.opens:
                pair = (judged(before, end), (before.row, end.row))
                assert told[before.row] == told[end.row] == pair
            else:
                if before and before.opens:
                    assert told[before.row] == ("pair-unclosed", (before.row,))
                if end and not end.opens:
                    assert told[end.row] == ("pair-unopened", (end.row,))


@given(ends(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_plays_no_part(made: list[End[int]], random: Random) -> None:
    apart = list({(end.time, end.opens, end.key): end for end in made}.values())
    mixed = random.sample(apart, len(apart))
    assert set(pair_up(apart, LONGEST)) == set(pair_up(mixed, LONGEST))
