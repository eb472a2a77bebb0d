"""Payouts: how the revenue of an issuance is shared among those whose reductions it stands for.

For each platform and scenario the certified grams wait in one *queue*.  An issuance puts in what
was certified for it, at the end: its lots by day, in each the reductions in the order of their leaf
hashes, those excluded left out.  Then it takes ``units × unit_grams`` from the front.  What is left
is carried, and is paid once, with the issuance that takes it.

A correction does not say whose grams were in error.  It takes grams from the end of the queue; what
is not there is owed, and taken from the end as soon as further days are in, before their issuance
takes its own.  So at every step the grams that wait, less those owed, are the carry of the ledger,
and nobody is paid for the grams that make up for what was paid in error.

All this follows from public statements.  Which subject a reduction is of, its activity alone says.
Where the activity is erased, or names nobody, its part goes to the *reserve*.

An amount, in the smallest units of its currency, is shared by *largest remainder*: to each the
whole units of the exact quota, ``amount × grams / all grams``; the units that are left over go, one
each, to the largest remainders, and among equal ones to the first by name.  The reserve is the last
by name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chain.lots import LotEntry
from keys.errors import Usage

RESERVE = "reserve"
"""The name under which the part of nobody stands; a pseudonym is hexadecimal, and comes before."""

DECIMALS_USUAL = 2
DECIMALS: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""The currencies (ISO 4217) whose smallest unit has another number of decimals than two."""
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"([0-9]{1,15})(?:\.([0-9]+))?", re.ASCII)


class Step(NamedTuple):
    """What an issuance or a correction does with the queue, in grams."""

    statement: bytes
    certified: int
    corrected: int
    used: int


class Stretch(NamedTuple):
    """The grams ``[start, end)`` of those that were certified for an issuance."""

    issuance: bytes
    start: int
    end: int


def stretches(steps: Iterable[Step]) -> dict[bytes, list[Stretch]]:
    """The grams that each step uses; ``steps``: all of a platform and a scenario, in their order.

    Of the grams certified for one issuance, what another uses is one stretch.
    """
    used: dict[bytes, list[Stretch]] = {}
    queue: list[Stretch] = []
    owed = 0
    for step in steps:
        queue.append(Stretch(step.statement, 0, step.certified))
        owed += step.corrected
        waiting = sum(stretch.end - stretch.start for stretch in queue)
        queue, taken = _split(queue, max(waiting - owed, 0))
        owed -= sum(stretch.end - stretch.start for stretch in taken)
        used[step.statement], queue = _split(queue, step.used)
    return used


def _split(queue: Sequence[Stretch], grams: int) -> tuple[list[Stretch], list[Stretch]]:
    """The first ``grams`` of a queue, and the rest."""
    first, rest = [], []
    for stretch in queue:
        place = min(stretch.start + grams, stretch.end)
        grams -= place - stretch.start
        first.append(stretch._replace(end=place))
        rest.append(stretch._replace(start=place))
    return _filled(first), _filled(rest)


def _filled(queue: Iterable[Stretch]) -> list[Stretch]:
    return [stretch for stretch in queue if stretch.start < stretch.end]


def within(entries: Iterable[LotEntry], stretch: Stretch) -> Iterator[LotEntry]:
    """Of each reduction that reaches into the stretch, how many of its grams do.

    entries: all that were certified for the issuance, in the order of the queue.
    """
    start = 0
    for leaf, grams in entries:
        overlap = min(start + grams, stretch.end) - max(start, stretch.start)
        if overlap > 0:
            yield leaf, overlap
        start += grams


def share(amount: int, grams: Mapping[str, int]) -> dict[str, int]:
    """The share of each of those who have these grams, one of them more than none, by name."""
    total = sum(grams.values())
    parts = {name: divmod(amount * grams[name], total) for name in sorted(grams)}
    shares = {name: whole for name, (whole, _) in parts.items()}
    # Sorting keeps the order of equal ones.
    largest = sorted(parts, key=lambda name: -parts[name][1])
    for name in largest[: amount - sum(shares.values())]:
        shares[name] += 1
    return shares


# --- amounts ---


def decimals(currency: str) -> int:
    """The decimals of a currency's smallest unit; raises `Usage` for what is no code of one."""
    if not _CURRENCY.fullmatch(currency):
        raise Usage("currency-invalid", value=currency)
    return next((places for places, of in DECIMALS.items() if currency in of), DECIMALS_USUAL)


def parse_amount(value: str, currency: str) -> int:
    """An amount such as "12345.67" in the smallest units of its currency; raises `Usage`."""
    places = decimals(currency)
    match = _AMOUNT.fullmatch(value)
    if match is None or len(match[2] or "") > places:
        raise Usage("amount-invalid", value=value, currency=currency, places=places)
    return int(match[1] + (match[2] or "").ljust(places, "0"))


def show_amount(amount: int, currency: str) -> str:
    """An amount in the smallest units of its currency, as people write it."""
    places = decimals(currency)
    whole, rest = divmod(amount, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)
