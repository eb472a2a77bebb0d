"""Participants: who they are, with which keys they sign, in which roles, and from when to when.

Time is the log index.  A key, and a role, is valid in a half-open span ``[start, end)`` of
indices; "for ever" is 2^63 - 1.  A participant has at most one key at any index.  An end moves
once, from "for ever" to an index that is not before the statement that moves it: what was signed
in time stays signed.

The register holds each span, under a 32-byte holder:

    key     SHA-256("tally/holder/key/v1\\n" ‖ alg, 8 bytes, signed, big-endian ‖ raw public key)
    role    SHA-256("tally/holder/role/v1\\n" ‖ deterministic CBOR [participant id, role])

A person whose activities are counted is no participant: they are a pseudonym, and sign nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from keys.errors import Conflict, Fault, Malformed, NotAllowed
from keys.strict import dump_cbor
from keys.suites import PublicKey

FOREVER = 2**63 - 1
PARTICIPANT_ID = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:[-.][a-z0-9]+)*", re.ASCII)
_KEY_HOLDER_TAG = b"tally/holder/key/v1\n"
_ROLE_HOLDER_TAG = b"tally/holder/role/v1\n"


class Role(StrEnum):
    """What a participant may be; it may be several at once."""

    OPERATOR = "operator"
    """Runs the ledger: opens it with the genesis and seals its blocks."""
    GOVERNOR = "governor"
    """Decides, with others, who takes part and by which rules."""
    PLATFORM = "platform"
    """Submits the activities of its users."""
    VERIFIER = "verifier"
    """Examines reductions independently and certifies them."""
    AUDITOR = "auditor"
    """Replays every block and cosigns what it has found right."""
    EXCHANGE = "exchange"
    """Imports certified units and trades them."""
    AUTHORITY = "authority"
    """Signs the issuances of its scenarios."""
    HOLDER = "holder"
    """Holds units, and nothing else."""


MEMBERS = frozenset(Role) - {Role.PLATFORM, Role.HOLDER}
"""Who may see all reductions."""
_HOLDERS = frozenset(Role) - {Role.OPERATOR, Role.AUDITOR}
"""Who may hold units: those who keep the ledger's record have no stake in it."""


MAY_SIGN: dict[str, frozenset[Role]] = {
    "genesis": frozenset({Role.OPERATOR}),
    "seal": frozenset({Role.OPERATOR}),
    "proposal": frozenset({Role.GOVERNOR}),
    "approval": frozenset({Role.GOVERNOR}),
    "submission": frozenset({Role.PLATFORM}),
    "void": frozenset({Role.PLATFORM, Role.GOVERNOR, Role.VERIFIER}),
    "close": frozenset({Role.OPERATOR, Role.GOVERNOR}),
    "certification": frozenset({Role.VERIFIER}),
    "withdrawal": frozenset({Role.VERIFIER, Role.GOVERNOR}),
    "issuance": frozenset({Role.AUTHORITY}),
    "correction": frozenset({Role.AUTHORITY}),
    "deposit": frozenset({Role.AUTHORITY}),
    "transfer": _HOLDERS,
    "offer": _HOLDERS,
    "import": frozenset({Role.EXCHANGE}),
    "release": _HOLDERS,
    "retirement": _HOLDERS,
    "cancellation": frozenset({Role.AUTHORITY}),
    "erasure": frozenset({Role.OPERATOR}),
}
"""For each kind of statement, the roles of which one is needed to sign it."""


@dataclass(frozen=True)
class KeySpan:
    """A key, and the half-open span of log indices at which it signs validly."""

    public: PublicKey
    start: int
    end: int = FOREVER


@dataclass(frozen=True)
class Participant:
    """A participant as of some point of the log.  Changes give a new one.

    id: 1 to 64 of a-z, 0-9, with single "-" or "." between.  name: for display.  keys: in order
    of their spans, which do not overlap.  roles: for each role, the span of its latest grant
    (earlier ones that ended are in the register).
    """

    id: str
    name: str
    keys: tuple[KeySpan, ...] = ()
    roles: Mapping[str, tuple[int, int]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not PARTICIPANT_ID.fullmatch(self.id):
            raise Malformed("participant-id-invalid", participant=self.id[:80])
        reached = 0
        for span in self.keys:
            if not reached <= span.start < span.end <= FOREVER:
                raise Fault("participant-spans-broken", participant=self.id)
            reached = span.end
        for start, end in self.roles.values():
            if not 0 <= start < end <= FOREVER:
                raise Fault("participant-spans-broken", participant=self.id)

    def key_at(self, index: int) -> KeySpan | None:
        """The key that is valid at the log index ``index``."""
        for span in reversed(self.keys):
            if span.start <= index < span.end:
                return span
        return None

    def has_role(self, role: str, index: int) -> bool:
        """Whether it has ``role`` at the log index ``index``."""
        start, end = self.roles.get(role, (0, 0))
        return start <= index < end

    def may(self, kind: str, index: int) -> bool:
        """Whether one of its roles lets it sign a statement of ``kind`` at ``index``."""
        return any(self.has_role(role, index) for role in MAY_SIGN.get(kind, ()))

    def with_key(self, public: PublicKey, start: int) -> "Participant":
        """With the key ``public`` from ``start`` on, which the last key must have reached its end
        by; raises `Conflict`.  A key that ended never returns: it may have ended by a theft."""
        if any(span.public == public for span in self.keys):
            raise Conflict("key-used-before", participant=self.id)
        if self.keys and self.keys[-1].end > start:
            raise Conflict("key-still-valid", participant=self.id, end=self.keys[-1].end)
        return replace(self, keys=(*self.keys, KeySpan(public, start)))

    def end_key(self, at: int, not_before: int) -> "Participant":
        """With its last key valid up to ``at``, not including it.

        not_before: the index of the statement that asks for it.  Raises `NotAllowed`
        "key-end-refused" if there is no key without an end, or ``at`` lies before.
        """
        if not self.keys or not _may_end(self.keys[-1].start, self.keys[-1].end, at, not_before):
            raise NotAllowed("key-end-refused", participant=self.id, at=at, not_before=not_before)
        return replace(self, keys=(*self.keys[:-1], replace(self.keys[-1], end=at)))

    def with_role(self, role: Role, start: int) -> "Participant":
        """With ``role`` from ``start`` on; raises `Conflict` if an earlier grant reaches beyond."""
        end = self.roles.get(role, (0, 0))[1]
        if end > start:
            raise Conflict("role-still-valid", participant=self.id, role=role, end=end)
        return replace(self, roles={**self.roles, role: (start, FOREVER)})

    def end_role(self, role: Role, at: int, not_before: int) -> "Participant":
        """With ``role`` up to ``at``, under the same rule as `end_key`; raises `NotAllowed`
        "role-end-refused"."""
        start, end = self.roles.get(role, (0, 0))
        if not _may_end(start, end, at, not_before):
            raise NotAllowed(
                "role-end-refused", participant=self.id, role=role, at=at, not_before=not_before
            )
        return replace(self, roles={**self.roles, role: (start, at)})


def _may_end(start: int, end: int, at: int, not_before: int) -> bool:
    return end == FOREVER and max(start + 1, not_before) <= at < FOREVER


def key_holder(public: PublicKey) -> bytes:
    """What holds the span of a key in the register: 32 bytes."""
    return public.digest(_KEY_HOLDER_TAG)


def role_holder(participant_id: str, role: str) -> bytes:
    """What holds the span of a grant in the register: 32 bytes."""
    return hashlib.sha256(_ROLE_HOLDER_TAG + dump_cbor([participant_id, str(role)])).digest()
