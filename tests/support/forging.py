"""What forgeries are made with: reductions that say something else, signatures that nearly hold."""

import copy
from hashlib import sha512
from typing import Any

from support.bundles import (
    Json,
    ledger,
    samples,
    world,
)

from chain.reductions import Reduction
from keys.signer import KeySigner
from keys.statements import Statement, parse_statement

SMALL = ledger()
RIDES, TRIPS, MEALS = SMALL.rides.index, SMALL.trips.index, SMALL.meals.index


def ride() -> Json:
    return copy.deepcopy(samples()["ride"])


def reduction_of(index: int, position: int) -> Reduction:
    return world().batches[index][position]


def altered(reduction: Reduction, **changes: Any) -> Reduction:
    """A reduction that says something else."""
    names = ("platform", "scenario", "version", "day", "grams", "claims", "digest")
    return Reduction.make(**{**{name: getattr(reduction, name) for name in names}, **changes})


def recorded(*reductions: Reduction, **more: Any) -> Json:
    """The first of some reductions in a submission of their own, which hold all they claim."""
    forged = world().copy()
    index = forged.submit(reductions, **more)
    return forged.sealed().reduction(index, 0)


ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = b"\x01" + bytes(31)
MINUS_ONE = (2**255 - 20).to_bytes(32, "little")  # y = -1, of order 2


def high_s(signature: bytes) -> bytes:
    """The same signature with S + L, which a lax verifier takes as well."""
    number = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + number.to_bytes(32, "little")


def small_r(signer: KeySigner, message: bytes) -> bytes:
    """A signature with R of order 1, which the equation holds for: the key's owner can make it."""
    digest = sha512(signer.private.private_bytes_raw()).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    hashed = int.from_bytes(sha512(IDENTITY + signer.public.raw + message).digest(), "little")
    return IDENTITY + (hashed * scalar % ORDER).to_bytes(32, "little")


def resigned(statement: Statement, signature: bytes) -> Statement:
    """The statement with another signature."""
    return parse_statement(statement.data[:-64] + signature)
