"""The oblivious function behind pseudonyms: RFC 9497 in verifiable mode, ristretto255-SHA512.

A *client* blinds its inputs; the *server* multiplies the blinded elements by its private key, and
proves that it was the key whose public part everybody knows; the client checks the proof and takes
the blinds away.  The server learns neither inputs nor outputs, the client nothing of the key.

What is sent: elements of 32 bytes each, in the one encoding of RFC 9496, none the identity; and
with what is evaluated a proof of 64 bytes, one for all elements of a batch, of which there are 1
to 1,024.

At rest a private key is a seed of 32 bytes, from which DeriveKeyPair (RFC 9497, section 3.2.1)
makes it with the info ``tally/pseudonyms/v1``.  Its file is like those of `keys.signer`; PKCS#8
has no name for such keys, so the seed stands there as the bytes of an X25519 key, which is no
signature suite's: neither file passes for the other.

Nothing but this module imports `voprf`, whose arithmetic it is.
"""

import secrets
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from voprf import ristretto

from keys.errors import Malformed, Unreadable, Usage, VerificationError
from keys.pseudonyms import PSEUDONYM_BYTES, Epoch, Pseudonymiser, message
from keys.ristretto import ELEMENT_BYTES
from keys.signer import read_private, write_private
from keys.strict import dump_date

PROOF_BYTES = 64
SEED_BYTES = 32
INPUT_BYTES_MAX = 65_535
ELEMENTS_MAX = 1_024
_INFO = b"tally/pseudonyms/v1"


@dataclass(frozen=True)
class PrivateKey:
    """A private key, in memory."""

    seed: bytes = field(repr=False)
    info: bytes = _INFO

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A new key."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @cached_property
    def _evaluator(self) -> ristretto.Evaluator:
        return ristretto.Evaluator.from_seed(self.seed, self.info)

    @cached_property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._evaluator.public_key.serialize()

    def evaluate(self, elements: Sequence[bytes]) -> tuple[list[bytes], bytes]:
        """What ``elements`` become under this key, in their order, and the proof of it.

        Raises `Malformed`: "oprf-batch" unless there are 1 to 1,024, "oprf-element".
        """
        if not 1 <= len(elements) <= ELEMENTS_MAX:
            raise Malformed("oprf-batch", count=len(elements), limit=ELEMENTS_MAX)
        try:
            blinded = [ristretto.BlindedInput.deserialize(_sized(one)) for one in elements]
        except ValueError:
            raise Malformed("oprf-element") from None
        made = self._evaluator.evaluate_batch(blinded).serialize()
        # The package writes the proof first.
        return _split(made[PROOF_BYTES:]), made[:PROOF_BYTES]

    def save(self, path: Path | str, passphrase: bytes) -> None:
        """Write the key to a new file at ``path``; raises `Usage` if it cannot."""
        write_private(X25519PrivateKey.from_private_bytes(self.seed), path, passphrase)

    @classmethod
    def load(cls, path: Path | str, passphrase: bytes) -> "PrivateKey":
        """Read the key at ``path``; raises `Unreadable`."""
        private = read_private(path, passphrase)
        if not isinstance(private, X25519PrivateKey):
            raise Unreadable("key-file-unreadable", path=path, reason="X25519")
        return cls(private.private_bytes_raw())


class Blinded:
    """Inputs of a client, blinded; raises `Malformed` for one that is empty or too long.

    elements: what the server is to evaluate, in the order of the inputs.
    """

    def __init__(self, inputs: Sequence[bytes]) -> None:
        if not all(1 <= len(one) <= INPUT_BYTES_MAX for one in inputs):
            raise Malformed("oprf-input", limit=INPUT_BYTES_MAX)
        made = [ristretto.Client.blind(one) for one in inputs]
        self._clients = [client for client, _ in made]
        self.elements = [blinded.serialize() for _, blinded in made]

    def finalize(self, evaluated: Sequence[bytes], proof: bytes, public: bytes) -> list[bytes]:
        """The outputs, 64 bytes each, of what the holder of the key ``public`` has evaluated.

        Raises `VerificationError` unless the proof shows that it has, of all of these elements.
        """
        try:
            written = _sized(proof, PROOF_BYTES) + b"".join(map(_sized, evaluated))
            output = ristretto.VerifiableBatchOutput.deserialize(written)
            key = ristretto.PublicKey.deserialize(_sized(public))
            return ristretto.Client.finalize_batch(self._clients, output, key)
        except BaseException as error:
            # Where the proof of a batch does not verify, the package panics; that has no class to
            # name, and is no `Exception`.
            if isinstance(error, ValueError) or type(error).__name__ == "PanicException":
                raise VerificationError("oprf-unproved") from None
            raise


def _sized(data: bytes, size: int = ELEMENT_BYTES) -> bytes:
    """``data`` of this size: the package does not look at what follows."""
    if len(data) != size:
        raise ValueError("size")
    return data


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + ELEMENT_BYTES] for at in range(0, len(data), ELEMENT_BYTES)]


Evaluate = Callable[[Epoch, Sequence[bytes]], tuple[Sequence[bytes], bytes]]
"""Has whoever holds the key of an epoch evaluate 1 to 1,024 elements; gives what they became, and
the proof."""


@dataclass(frozen=True)
class ObliviousPseudonyms:
    """Pseudonyms by the oblivious function, each held against the key that stands in the ledger.

    epoch: the epoch of a class and a day, as the ledger's state tells it (`chain.state`), None
    where there is none.  evaluate: how the service is reached.  before: makes the pseudonyms where
    there is no epoch; without it they are refused.  known: pseudonyms are taken from here, and
    left here, by epoch and message; it holds what nobody else should see, so by default nothing is
    kept from one call to the next.
    """

    epoch: Callable[[str, int], Epoch | None]
    evaluate: Evaluate
    before: Pseudonymiser | None = None
    known: MutableMapping[tuple[Epoch, bytes], str] | None = field(default=None, repr=False)

    def pseudonyms(self, class_name: str, day: int, identifiers: Sequence[str]) -> list[str]:
        """The pseudonyms of ``identifiers``.

        Raises `Usage` if the day has no epoch, `VerificationError` if the service does not prove
        that it used the epoch's key, `Malformed` for text not in normal form C.
        """
        epoch = self.epoch(class_name, day)
        if epoch is None:
            if self.before is None:
                raise Usage("epoch-missing", name=class_name, day=dump_date(day))
            return self.before.pseudonyms(class_name, day, identifiers)
        wanted = [message(class_name, identifier) for identifier in identifiers]
        known = {} if self.known is None else self.known
        made = {one: known[epoch, one] for one in wanted if (epoch, one) in known}
        missing = [one for one in dict.fromkeys(wanted) if one not in made]
        for at in range(0, len(missing), ELEMENTS_MAX):
            batch = missing[at : at + ELEMENTS_MAX]
            blinded = Blinded(batch)
            outputs = blinded.finalize(*self.evaluate(epoch, blinded.elements), epoch.public)
            for one, output in zip(batch, outputs, strict=True):
                made[one] = known[epoch, one] = output[:PSEUDONYM_BYTES].hex()
        return [made[one] for one in wanted]
