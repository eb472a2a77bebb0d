"""What the service of pseudonyms answers: public keys, and evaluations with the private ones.

A platform asks for blinded elements (`keys.oprf`) to be evaluated under the key of an epoch, which
is named by its first day::

    {"from": "2027-01-01", "elements": [BASE64, …]}                      1 to 1,024 elements
    {"from": "2027-01-01", "elements": [BASE64, …], "proof": BASE64}     the answer

The service holds the private keys of all epochs or of some; which key is an epoch's, the ledger
says, and the platform checks the proof against that.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from keys.errors import Usage
from keys.oprf import PrivateKey
from keys.pseudonyms import Epoch
from keys.ristretto import ELEMENT_BYTES
from keys.strict import dump_base64, dump_date, fields, parse_base64, parse_date


def published(epochs: Sequence[Epoch]) -> dict[str, Any]:
    """The public keys that stand in the ledger, each with the first day of its epoch."""
    return {"keys": [{"from": dump_date(e.start), "key": e.public.hex()} for e in epochs]}


def read_request(value: object) -> tuple[int, list[bytes]]:
    """The epoch's first day and the elements of a request; raises `Malformed`."""
    given = fields(value, "evaluation", {"from": str, "elements": list})
    elements = [parse_base64(element, ELEMENT_BYTES) for element in given["elements"]]
    return parse_date(given["from"]), elements


class Evaluator:
    """Whoever holds private keys."""

    def __init__(self, keys: Iterable[PrivateKey] = ()) -> None:
        self._keys = {key.public: key for key in keys}

    def evaluate(
        self, epochs: Sequence[Epoch], start: int, elements: Sequence[bytes]
    ) -> dict[str, Any]:
        """The answer about elements under the key of the one of ``epochs`` that begins on
        ``start``.

        Raises `Usage` "epoch-unknown" where none does, or its private key is not at hand;
        `Malformed` for elements that are none, or are too many.
        """
        public = next((epoch.public for epoch in epochs if epoch.start == start), b"")
        if public not in self._keys:
            raise Usage("epoch-unknown", day=dump_date(start))
        evaluated, proof = self._keys[public].evaluate(elements)
        return {
            "from": dump_date(start),
            "elements": [dump_base64(element) for element in evaluated],
            "proof": dump_base64(proof),
        }
