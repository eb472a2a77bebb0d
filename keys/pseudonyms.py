"""Pseudonyms: how the identifiers of people, vehicles, orders and parcels enter the ledger.

A pseudonym is the same on every platform, so that one trip reported twice meets itself, and
separate by class, so that a person's time and a person's caps cannot be laid side by side.

What a pseudonym is computed from is its *message*: ``tally/pseudonym/v1``, a newline and the
deterministic CBOR of [class, identifier], the identifier in its one spelling.  A pseudonym is the
first 16 bytes of what a function under a secret key gives for it, written as 32 lower-case
hexadecimal digits.  There are two such functions:

* The oblivious one (`keys.oprf`): the service that holds the key computes it without seeing what
  it computes, and proves that it used the key which stands in the ledger.  Keys go by the day: an
  *epoch* is the days of one key.
* `KeyedHash`: HMAC-SHA256 (RFC 2104) under one secret, for a ledger without epochs.

What that shows, and to whom: whoever holds a key can try identifiers, and so find out whose
pseudonym is whose; identifiers are few enough to try them all.  With a keyed hash they can do so
for every day at once.  Whoever does not hold it learns nothing but that two pseudonyms of a class
are the same.  Platforms must not hold it; a service computes for them, and of a keyed hash it sees
what they ask.
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
        """The pseudonyms of ``identifiers`` of one class, in their order; raises `Malformed` for
        text not in normal form C.

        day: the ledger's day on which the activities start, by which a key may be chosen.
        """


@dataclass(frozen=True)
class Epoch:
    """The days of one key: from ``start`` up to the start of the next epoch.

    public: the public key, 32 bytes, an element of ristretto255 (RFC 9496).
    """

    start: int
    public: bytes


def message(class_name: str, identifier: str) -> bytes:
    """What the pseudonym of an identifier is computed from; raises `Malformed` for text not in
    normal form C."""
    return _PSEUDONYM_TAG + dump_cbor([class_name, parse_text(identifier)])


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
            hmac.digest(self.secret, message(class_name, identifier), "sha256")[
                :PSEUDONYM_BYTES
            ].hex()
            for identifier in identifiers
        ]
