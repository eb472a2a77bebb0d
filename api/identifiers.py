"""Identifiers of people, vehicles, tickets … on their way to pseudonyms.

A *draft* is an activity (`chain.activities`) that is not written yet, as a flat mapping: a field
within another has a dot in its name, as ``ticket.number`` does.  Its identifiers are `Plain`, in
their one spelling (`api.normalisers`), until `put_pseudonyms` puts pseudonyms in their places.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.normalisers import normalise
from keys.pseudonyms import Pseudonymiser

IDENTIFIERS: Mapping[str, str] = {
    "subject": "traveller",
    "vehicle": "vehicle",
    "meter": "meter",
    "ticket.number": "ticket",
    "order.number": "order",
    "parcel.number": "parcel",
    "bill.account": "bill",
}
"""The fields that become pseudonyms, and of which class."""

Draft = dict[str, Any]


class Plain(str):
    """An identifier that is not yet a pseudonym."""

    __slots__ = ()


def plain(field: str, value: str) -> Plain:
    """What stands in ``field``, in its one spelling; empty if nothing is left of it."""
    return Plain(normalise(IDENTIFIERS[field], value))


def put_pseudonyms(
    drafts: Sequence[Draft], day_of: Callable[[int], int], pseudonymiser: Pseudonymiser
) -> None:
    """Put pseudonyms in the place of plain identifiers: one call for a class and a day.

    day_of: the day of a unix second, by which a pseudonymiser may choose its key.
    """
    wanted: dict[tuple[str, int], list[tuple[Draft, str]]] = defaultdict(list)
    for draft in drafts:
        for name, line_class in IDENTIFIERS.items():
            if isinstance(draft.get(name), Plain):
                wanted[line_class, day_of(draft["start"])].append((draft, name))
    for (line_class, day), places in wanted.items():
        given = [str(draft[name]) for draft, name in places]
        made = pseudonymiser.pseudonyms(line_class, day, given)
        for (draft, name), pseudonym in zip(places, made, strict=True):
            draft[name] = pseudonym


def nested(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a draft, each where it belongs."""
    made: dict[str, Any] = {}
    for name, value in draft.items():
        outer, dot, inner = name.partition(".")
        if dot:
            made.setdefault(outer, {})[inner] = value
        else:
            made[outer] = value
    return made
