"""Formulas: exact against fractions, bounded by what they say, and refused if they are none."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.activities import Activity
from chain.formulas import FORMULA_NODES_MAX, Formula, Table, decimal, look_up
from keys.errors import Malformed, Refusal
from keys.strict import parse_date

DAY = parse_date("2026-03-02")
QUANTITIES = {"metres": (0, 100_000), "count": (1, 9)}
DURATION = (0, 7_200)
TABLES = {
    "mode": {"by": ["mode"], "rows": [["bus", "89.1"], ["rail", "60.2"], ["tram", "65"]]},
    "year": {"by": ["year", "tier"], "rows": [["2026", "photo", "0.5"], ["2026", "card", "1"]]},
}


def activity(**more: Any) -> Activity:
    fields = {
        "start": 1_000,
        "end": 1_600,
        "evidence": {"tier": "photo"},
        "attributes": {"mode": "bus"},
        "quantities": {"metres": 22_000, "count": 3},
        **more,
    }
    return Activity(b"", fields)


def formula(source: Any) -> Formula:
    tables = {name: Table.read(name, value) for name, value in TABLES.items()}
    return Formula(source, tables, QUANTITIES, DURATION)


KM = {"product": [{"quantity": "metres"}, "0.001"]}
WORKED: list[tuple[Any, int, tuple[int, int]]] = [
    ("144", 144, (144, 144)),
    ("0.999", 0, (0, 0)),
    # A car's 271.8 g less a metro's 61.4 g, for 22 km.
    ({"product": [{"difference": ["271.8", "61.4"]}, KM]}, 4_628, (0, 21_040)),
    ({"product": [{"difference": ["204.2", {"lookup": "mode"}]}, KM]}, 2_532, (0, 14_400)),
    ({"product": [{"lookup": "year"}, "274"]}, 137, (137, 274)),
    ({"duration": "seconds"}, 600, (0, 7_200)),
    # A third is not lost twice: rounded once, at the end.
    ({"sum": ["0.4", "0.4", "0.4"]}, 1, (1, 1)),
    ({"difference": ["1", "2.5"]}, -2, (0, 0)),
    ({"product": [{"difference": ["1", "2"]}, {"difference": ["1", "3"]}]}, 2, (2, 2)),
    ({"product": ["0.1", "0.1", "100"]}, 1, (1, 1)),
]


@pytest.mark.parametrize(("source", "grams", "bounds"), WORKED)
def test_worked_figures(source: Any, grams: int, bounds: tuple[int, int]) -> None:
    made = formula(source)
    assert made.floor(activity(), DAY) == grams
    assert made.bounds == bounds


def test_a_decimal_is_the_fraction_that_it_spells() -> None:
    assert decimal("204.2") == Fraction(2042, 10)
    assert decimal("0") == 0
    assert decimal("0.000000000000000001") == Fraction(1, 10**18)
    for text in ("", "1.0", "01", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "١"):
        with pytest.raises(Malformed) as error:
            decimal(text)
        assert error.value.code == "decimal-not-canonical"


# --- against fractions ---

DECIMALS = st.tuples(st.integers(0, 10**6), st.integers(0, 4)).map(
    lambda pair: (
        str(pair[0] // 10 ** pair[1])
        + (f".{pair[0] % 10 ** pair[1]:0{pair[1]}}".rstrip("0") if pair[0] % 10 ** pair[1] else "")
    )
)
LEAVES = st.one_of(
    DECIMALS,
    st.sampled_from([{"quantity": "metres"}, {"quantity": "count"}, {"duration": "seconds"}]),
    st.sampled_from([{"lookup": "mode"}, {"lookup": "year"}]),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=4).map(lambda items: {"sum": items}),
        st.lists(below, min_size=1, max_size=3).map(lambda items: {"product": items}),
        st.tuples(below, below).map(lambda pair: {"difference": list(pair)}),
    ),
    max_leaves=12,
)
ACTIVITIES = st.builds(
    lambda metres, count, seconds, mode, tier: activity(
        quantities={"metres": metres, "count": count},
        end=1_000 + seconds,
        attributes={"mode": mode},
        evidence={"tier": tier},
    ),
    st.integers(*QUANTITIES["metres"]),
    st.integers(*QUANTITIES["count"]),
    st.integers(*DURATION),
    st.sampled_from(["bus", "rail", "tram"]),
    st.sampled_from(["photo", "card"]),
)


def value(node: Any, of: Activity) -> Fraction:
    """The formula, computed again by the letter of its description."""
    if isinstance(node, str):
        return Fraction(node)
    [(operation, argument)] = node.items()
    if operation == "quantity":
        return Fraction(of.fields["quantities"][argument])
    if operation == "duration":
        return Fraction(of.fields["end"] - of.fields["start"])
    if operation == "lookup":
        if argument == "mode":
            row = {"bus": "89.1", "rail": "60.2", "tram": "65"}[of.fields["attributes"]["mode"]]
        else:
            row = {"photo": "0.5", "card": "1"}[of.fields["evidence"]["tier"]]
        return Fraction(row)
    values = [value(item, of) for item in argument]
    if operation == "sum":
        return sum(values, Fraction())
    if operation == "difference":
        return values[0] - values[1]
    product = Fraction(1)
    for item in values:
        product *= item
    return product


@given(TREES, ACTIVITIES)
def test_a_formula_is_exact_and_within_its_bounds(source: Any, of: Activity) -> None:
    made = formula(source)
    exact = value(source, of)
    grams = made.floor(of, DAY)
    assert grams == exact.numerator // exact.denominator
    low, high = made.bounds
    assert low <= max(grams, 0) <= high


# --- tables ---


def test_look_ups() -> None:
    tables = {name: Table.read(name, source) for name, source in TABLES.items()}
    assert look_up(tables["mode"], activity(), DAY) == Fraction("89.1")
    assert look_up(tables["year"], activity(), DAY) == Fraction("0.5")
    for table, of, day in (
        ("mode", activity(attributes={"mode": "car"}), DAY),
        ("mode", activity(attributes={}), DAY),
        ("mode", Activity(b"", {"evidence": {"tier": "photo"}}), DAY),
        ("year", activity(), DAY + 365),
        ("year", activity(evidence={"tier": "hearsay"}), DAY),
    ):
        with pytest.raises(Refusal) as error:
            look_up(tables[table], of, day)
        assert error.value.code == "table-row-missing"


def test_a_tier_in_the_attributes_is_not_the_tier() -> None:
    table = Table.read("t", {"by": ["tier"], "rows": [["photo", "1"], ["card", "2"]]})
    assert look_up(table, activity(attributes={"tier": "card"}), DAY) == 1


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"by": ["mode"], "rows": []}, "formula-invalid"),
        ({"by": [], "rows": [["1"]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [["bus"]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [["bus", "a", "1"]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [["bus", 1]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [[["bus"], "1"]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": ["bus"]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [["bus", "1"], ["bus", "1"]]}, "formula-invalid"),
        ({"by": [1], "rows": [["bus", "1"]]}, "formula-invalid"),
        ({"by": [["mode"]], "rows": [["bus", "1"]]}, "formula-invalid"),
        ({"by": ["mode"], "rows": [["bus", "-1"]]}, "decimal-not-canonical"),
        ({"by": ["mode"], "rows": [["bus", "1.0"]]}, "decimal-not-canonical"),
        ({"by": "mode", "rows": [["bus", "1"]]}, "field-type"),
        ({"by": ["mode"]}, "field-missing"),
        ({"by": ["mode"], "rows": [["bus", "1"]], "else": "0"}, "field-unknown"),
        ([], "field-type"),
    ],
)
def test_malformed_tables(source: Any, code: str) -> None:
    with pytest.raises(Malformed) as error:
        Table.read("t", source)
    assert error.value.code == code


@pytest.mark.parametrize(
    "source",
    [
        1,
        None,
        [],
        {},
        {"quantity": "litres"},
        {"quantity": ["metres"]},
        {"quantity": {"metres": 1}},
        {"duration": "hours"},
        {"lookup": "price"},
        {"lookup": ["mode"]},
        {"quotient": ["1", "2"]},
        {"sum": []},
        {"product": []},
        {"sum": "1"},
        {"difference": ["1"]},
        {"difference": ["1", "2", "3"]},
        {"sum": ["1", 2]},
        {"sum": ["1"], "product": ["1"]},
        {"sum": ["1"] * FORMULA_NODES_MAX},
    ],
)
def test_what_is_no_formula(source: Any) -> None:
    with pytest.raises(Malformed) as error:
        formula(source)
    assert error.value.code == "formula-invalid"


def test_the_longest_formula() -> None:
    assert formula({"sum": ["1"] * (FORMULA_NODES_MAX - 1)}).bounds == (63, 63)
