"""Formulas of methodologies: declarative, exact, the same in every language.

A formula is a decimal text ("204.2"), or one of these objects::

    {"quantity": name}                  an integer of the activity's quantities
    {"duration": "seconds"}             end - start
    {"lookup": table}                   the value of the first row that matches
    {"sum": [formula, …]}, {"product": [formula, …]}
    {"difference": [formula, formula]}  the first less the second

A table is ``{"by": [field, …], "rows": [[text, …, decimal], …]}``: each field is an attribute of
the activity, ``tier`` (of its evidence), or ``year`` (of its first day).  All arithmetic is on
fractions; the result is rounded down, once, at the very end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from chain.activities import Activity
from keys.errors import Malformed, Refusal
from keys.strict import dump_date, fields, parse_decimal

Interval = tuple[Fraction, Fraction]
FORMULA_NODES_MAX = 64


def decimal(value: object) -> Fraction:
    """A decimal text as the exact fraction it stands for; raises `Malformed`."""
    number, decimals = parse_decimal(value)
    return Fraction(number, 10**decimals)


@dataclass(frozen=True)
class Table:
    """A lookup table: the fields that select a row, and the rows."""

    by: tuple[str, ...]
    rows: Mapping[tuple[str, ...], Fraction]

    @classmethod
    def read(cls, name: str, value: object) -> "Table":
        """Read a table; raises `Malformed`."""
        given = fields(value, f"table {name}", {"by": list, "rows": list})
        by = tuple(given["by"])
        rows: dict[tuple[str, ...], Fraction] = {}
        for row in given["rows"]:
            if not (
                isinstance(row, list)
                and len(row) == len(by) + 1
                and all(isinstance(cell, str) for cell in row)
            ):
                raise Malformed("formula-invalid", reason=f"a row of {name} does not fit")
            if tuple(row[:-1]) in rows:
                raise Malformed("formula-invalid", reason=f"two rows of {name} match alike")
            rows[tuple(row[:-1])] = decimal(row[-1])
        if not by or not rows or not all(isinstance(field, str) for field in by):
            raise Malformed("formula-invalid", reason=f"the table {name} is empty")
        return cls(by, rows)


def look_up(table: Table, activity: Activity, day: int) -> Fraction:
    """The value of the row that ``activity`` selects; raises `Refusal` if there is none."""
    given = activity.fields
    attributes = given.get("attributes", {})
    key = []
    for field in table.by:
        if field == "tier":
            key.append(given["evidence"]["tier"])
        elif field == "year":
            key.append(dump_date(day)[:4])
        else:
            key.append(attributes.get(field, ""))
    try:
        return table.rows[tuple(key)]
    except KeyError:
        raise Refusal("table-row-missing", fields=", ".join(table.by), values=key) from None


class Formula:
    """One formula with the tables and the bounds of quantities it may use."""

    def __init__(
        self,
        source: Any,
        tables: Mapping[str, Table],
        quantities: Mapping[str, tuple[int, int]],
        duration: tuple[int, int],
    ) -> None:
        self._tables = tables
        self.source = source
        self._nodes = 0
        low, high = self._bounds(source, quantities, duration)
        #: Least and most that the formula can give, rounded down, at least 0.
        self.bounds = (max(int(low // 1), 0), max(int(high // 1), 0))
        # A table of equal rows is no constant: an activity may fit none of them.
        self._constant = low // 1 if isinstance(source, str) else None

    def floor(self, activity: Activity, day: int) -> int:
        """The formula's value for an activity, rounded down."""
        if self._constant is not None:
            return int(self._constant)
        return int(self._value(self.source, activity, day) // 1)

    def _value(self, node: Any, activity: Activity, day: int) -> Fraction:
        if isinstance(node, str):
            return decimal(node)
        [(operation, argument)] = node.items()
        match operation:
            case "quantity":
                return Fraction(activity.fields["quantities"][argument])
            case "duration":
                return Fraction(activity.fields["end"] - activity.fields["start"])
            case "lookup":
                return look_up(self._tables[argument], activity, day)
            case "sum":
                return sum((self._value(item, activity, day) for item in argument), Fraction())
            case "product":
                product = Fraction(1)
                for item in argument:
                    product *= self._value(item, activity, day)
                return product
        return self._value(argument[0], activity, day) - self._value(argument[1], activity, day)

    def _bounds(
        self, node: Any, quantities: Mapping[str, tuple[int, int]], duration: tuple[int, int]
    ) -> Interval:
        """The interval of a node's values; raises `Malformed` for anything that is no formula."""
        self._nodes += 1
        if self._nodes > FORMULA_NODES_MAX:
            raise Malformed("formula-invalid", reason="it is too long")
        if isinstance(node, str):
            return decimal(node), decimal(node)
        if not isinstance(node, dict) or len(node) != 1:
            raise Malformed("formula-invalid", reason="a node is neither a decimal nor one object")
        [(operation, argument)] = node.items()
        named = isinstance(argument, str)
        if operation == "quantity" and named and argument in quantities:
            low, high = quantities[argument]
            return Fraction(low), Fraction(high)
        if operation == "duration" and argument == "seconds":
            return Fraction(duration[0]), Fraction(duration[1])
        if operation == "lookup" and named and argument in self._tables:
            values = self._tables[argument].rows.values()
            return min(values), max(values)
        if operation in ("sum", "product", "difference") and isinstance(argument, list):
            parts = [self._bounds(item, quantities, duration) for item in argument]
            if operation == "difference" and len(parts) == 2:
                return parts[0][0] - parts[1][1], parts[0][1] - parts[1][0]
            if operation == "sum" and parts:
                return sum((p[0] for p in parts), Fraction()), sum(
                    (p[1] for p in parts), Fraction()
                )
            if operation == "product" and parts:
                interval = parts[0]
                for part in parts[1:]:
                    corners = [one * other for one in interval for other in part]
                    interval = min(corners), max(corners)
                return interval
        raise Malformed("formula-invalid", reason=f"{str(operation)[:40]} cannot be computed")
