"""Normalisers: the one spelling of an identifier, before it becomes a pseudonym.

The registry of classes (`chain.classes`) names one for each part of a line, so that two platforms
that write one identifier differently still meet on its line.  All begin with Unicode normal form
KC, which folds full-width letters and digits:

    none      nothing further
    code      white space away: numbers of tickets, orders, parcels, accounts
    plate     white space, hyphens and dots away, then upper case: plates and numbers of vehicles
    identity  as plate: numbers of people's documents, cards, telephones
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache

from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes

_SPACE = re.compile(r"\s+")
_MARKS = re.compile(r"[\s\-‐-―.·•]+")


def _code(value: str) -> str:
    return _SPACE.sub("", value)


def _plate(value: str) -> str:
    return _MARKS.sub("", value).upper()


NORMALISERS: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "code": _code,
    "plate": _plate,
    "identity": _plate,
}


@cache
def _normaliser(line_class: str) -> Callable[[str], str]:
    for _, grammar, normaliser in Classes(default_classes(), Calendar(0)).named(line_class).parts:
        if grammar == "pseudonym":
            return NORMALISERS[normaliser]
    return str


def normalise(line_class: str, identifier: str) -> str:
    """An identifier of ``line_class`` as it enters the computation of its pseudonym."""
    folded = unicodedata.normalize("NFKC", identifier)
    return unicodedata.normalize("NFC", _normaliser(line_class)(folded))
