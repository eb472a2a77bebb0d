"""Pseudonyms: how the identifiers of people, vehicles, orders and parcels enter the ledger.

A pseudonym is the same on every platform, so that one trip reported twice meets itself, and
separate by class, so that a person's time and a person's caps cannot be laid side by side.

`KeyedHash` is the first way to make them: HMAC-SHA256 (RFC 2104) under one secret, over
``tally/pseudonym/v1``, a newline and the deterministic CBOR of [class, identifier], cut to 16
bytes, written as 32 lower-case hexadecimal digits.

What that shows, and to whom: whoever holds the secret can try identifiers, and so find out whose
pseudonym is whose; identifiers are few enough to try them all.  They can do so for every day at
once.  Whoever does not hold it learns nothing but that two pseudonyms of a class are the same.
Platforms must not hold it; a service computes for them, and sees what they ask.  The oblivious
PRF of RFC 9497 is to replace it behind `Pseudonymiser`: the service then sees nothing of what it
computes, and its key goes by the day.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keys.errors import Usage
from keys.strict import dump_cbor, parse_text

PSEUDONYM_BYTES = 16
SECRET_BYTES_MIN = 16
_PSEUDONYM_TAG = b"tally/pseudonym/v1\n"


class Pseudonymiser(Protocol):
    """Whatever turns identifiers into pseudonyms."""

    def pseudonyms(self, class_name: str, day: int, identifiers: Sequence[str]) -> list[str]:
        """The pseudonyms of ``identifiers`` of one class, in their order.

        day: the day number of the activities, from 1970-01-01, by which a key may be chosen.
        """


@dataclass(frozen=True)
class KeyedHash:
    """Pseudonyms by HMAC-SHA256 under one secret of at least 16 bytes; the day plays no part."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES_MIN:
            raise Usage("pseudonym-secret-short", limit=SECRET_BYTES_MIN)

    def pseudonyms(self, class_name: str, day: int, identifiers: Sequence[str]) -> list[str]:
        """The pseudonyms of ``identifiers``; raises `Malformed` for text not in normal form C."""
        return [
            hmac.digest(
                self.secret,
                _PSEUDONYM_TAG + dump_cbor([class_name, parse_text(identifier)]),
                "sha256",
            )[:PSEUDONYM_BYTES].hex()
            for identifier in identifiers
        ]
