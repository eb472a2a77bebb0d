"""Sampling: which grams of a certificate are looked at, and what a look at them shows.

*Seed*: drawn from what nobody could choose.  It is SHA-256 over ``tally/sample/v1``, a newline and
the deterministic CBOR of::

    [issuance, checkpoint, [cosignature, …], nonce]

``issuance``: id of the issuance's statement.  ``checkpoint``: the text of the checkpoint that ends
its block.  ``cosignatures``: those on it of the witness policy at the issuance, in its order,
auditors first, as the first line of each key has it after the key id.  ``nonce``: of the offer, no
bytes without one.

*Offsets*: of ``total`` grams each offset in ``[0, total)`` is drawn alike.  The blocks ``SHA-256(
"tally/offsets/v1" LF ‖ seed ‖ n (8))``, n = 0, 1, …, are cut into four numbers of 8 bytes; of each
the lowest bits are taken, as many as ``total - 1`` has, and what is not below ``total`` is left
out.

*What it shows*: where a share s of the grams is bad, n draws miss all of it with a chance of
(1 - s)^n.  Whoever can try t seeds and keep the best has t times that chance at most.  So with the
certainty of 99.9 % a sample finds every share with ``(1 - s)^n ≤ 1 / (1000 t)``.  A cosignature
cannot be foreseen, but who cosigns last can sign again; an offer can be made again: `TRIES` are
granted.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import count, islice

from chain.policies import WitnessPolicy
from keys.notes import Note, NoteKey, signed_by
from keys.strict import dump_cbor

SAMPLES_MAX = 65_536
TRIES = 2**40
"""Seeds that somebody who could influence them may have tried."""
DOUBT = 1_000
"""One in so many samples may miss what it should find."""
SHARE_PARTS = 10_000
"""Shares are given in hundredths of a percent, rounded up."""


def cosigners(note: Note, policy: WitnessPolicy | None) -> list[NoteKey]:
    """Those of a witness policy who have cosigned a checkpoint, in its order, auditors first.

    Raises `VerificationError` if a line of one of them does not verify.
    """
    if policy is None:
        return []
    return [key for key in policy.keys if signed_by(note, key) is not None]


def make_seed(issuance: bytes, note: Note, cosigned_by: Sequence[NoteKey], nonce: bytes) -> bytes:
    """The seed of a sample, 32 bytes; ``note``: the checkpoint that ends the issuance's block."""
    # The first line of a key, where it has several.
    lines = {(line.name, line.key_id): line.signature for line in reversed(note.signatures)}
    cosignatures = [lines[key.name, key.key_id] for key in cosigned_by]
    drawn_from = dump_cbor([issuance, note.text, cosignatures, nonce])
    return sha256(b"tally/sample/v1\n" + drawn_from).digest()


def draw(seed: bytes, total: int, draws: int) -> list[int]:
    """So many offsets in ``[0, total)``, 1 ≤ total < 2^63, in the order in which they are drawn."""
    return list(islice(_offsets(seed, total), draws))


def _offsets(seed: bytes, total: int) -> Iterator[int]:
    mask = (1 << (total - 1).bit_length()) - 1
    for number in count():
        block = sha256(b"tally/offsets/v1\n" + seed + number.to_bytes(8)).digest()
        for at in range(0, len(block), 8):
            offset = int.from_bytes(block[at : at + 8]) & mask
            if offset < total:
                yield offset


def found_share(draws: int, tries: int = TRIES) -> int:
    """The least share, in `SHARE_PARTS`, that so many draws find, granting so many tries.

    draws: 1 or more.
    """
    low, high = 0, SHARE_PARTS
    bound = SHARE_PARTS**draws
    while low < high:
        share = (low + high) // 2
        if (SHARE_PARTS - share) ** draws * DOUBT * tries <= bound:
            high = share
        else:
            low = share + 1
    return low


def percent(share: int) -> str:
    """A share in `SHARE_PARTS` as people read it, such as "2.47"."""
    return f"{share // 100}.{share % 100:02}"
