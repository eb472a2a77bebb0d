"""When a checkpoint is final, and which checkpoints are offered to those who cosign.

A block is *final* when enough of the cosigners of the witness policy in use (`chain.policies`) have
cosigned its checkpoint, or that of a later block: the quorum of the auditors, and that of the
ordinary witnesses where the policy asks for one.

A policy that governance enacts is in force from its index on, and in *use* only after a checkpoint
that contains it is final under the policy in use before: there is never a moment at which nobody
but the operator vouches for who vouches.  The first policy is in use from its own block on.

Each block is offered to each cosigner, in order.  A cosigner that has fallen far behind takes steps
of a power of two, to heights that are multiples of it, so that others who are behind stop at the
same ones and a quorum meets there.
"""

from collections.abc import Collection

from chain.policies import WitnessPolicy
from keys.notes import NoteKey

BEHIND_MAX = 32
"""Blocks by which a cosigner may be behind and still be offered each of them."""


def is_final(policy: WitnessPolicy, cosigned: Collection[NoteKey]) -> bool:
    """Whether these of its keys, having cosigned a checkpoint, make it final."""
    return all(
        sum(key in cosigned for key in of.keys) >= of.quorum
        for of in (policy.auditors, policy.witnesses)
    )


def next_offer(last: int, newest: int, halt: int | None = None) -> int | None:
    """The height to offer after ``last``, to which a cosigner has come, where ``newest`` is sealed;
    None if there is none.  halt: a height that is not passed over."""
    if last >= newest:
        return None
    step = 1 << max(0, ((newest - last) // BEHIND_MAX).bit_length() - 1)
    following = (last // step + 1) * step
    return following if halt is None or not last < halt < following else halt
