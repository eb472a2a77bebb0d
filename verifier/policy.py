"""The trust policy: whose signatures on a checkpoint are enough (c2sp.org/tlog-policy).

A policy is a text file, a line each, blank lines and lines that start with "#" ignored::

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name> …
    quorum <name>|none

A checkpoint is good if one of the logs has signed it and the quorum has cosigned it: a witness by
its cosignature, a group by at least k of its members.  Names are defined before they are used, each
once; a name is a member of one group at most, and no two logs or witnesses have one key: so nobody
counts twice, however often they have signed.  A log's key signs plain notes, a witness's makes
cosignatures, of Ed25519 or ML-DSA-44 (`keys.notes`); who has one of each is two witnesses, and a
group of both with ``all`` asks for both.  Bytes beyond ASCII are opaque.  Auditors, who replay
every block, and ordinary witnesses are both "witnesses" here; a policy that wants both puts each
kind in a group of its own, and requires all groups.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from keys.errors import Malformed, VerificationError
from keys.notes import Checkpoint, Note, NoteKey, parse_checkpoint, parse_vkey, signed_by
from keys.suites import PublicKey

POLICY_BYTES_MAX = 1_048_576
NONE = "none"
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_SPACE = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Group:
    """At least ``least`` of the members."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Signed:
    """What the signatures on a checkpoint amount to."""

    checkpoint: Checkpoint
    log: NoteKey
    cosigned_by: tuple[str, ...]
    """Names of the policy's witnesses that have cosigned."""
    is_witnessed: bool
    """Whether the quorum has cosigned; without a quorum, yes."""


@dataclass(frozen=True)
class Policy:
    """A trust policy, read."""

    logs: tuple[NoteKey, ...]
    witnesses: dict[str, NoteKey]
    groups: dict[str, Group]
    """In the order of their definition, members before the groups that they are in."""
    quorum: str

    def check(self, note: Note) -> Signed:
        """What ``note`` is worth; raises `VerificationError` unless a log here has signed it."""
        try:
            checkpoint = parse_checkpoint(note.text)
        except Malformed as error:
            raise VerificationError(error.code, **error.details) from error
        for log in self.logs:
            if log.name == checkpoint.origin and signed_by(note, log) is not None:
                break
        else:
            raise VerificationError("checkpoint-log-unknown", origin=checkpoint.origin)
        cosigned = self.cosigners(note)
        return Signed(checkpoint, log, cosigned, self.is_reached(cosigned))

    def cosigners(self, note: Note) -> tuple[str, ...]:
        """The names of the witnesses that have cosigned; raises `VerificationError` if a line of
        one of them does not verify."""
        return tuple(
            name for name, key in self.witnesses.items() if signed_by(note, key) is not None
        )

    def requirement(self) -> bytes:
        """A hash of what the quorum asks for, whatever its witnesses and groups are called here.

        So two policies have the same one if the same cosigners, in the same groups with the same
        thresholds, are enough for both.
        """
        made = {NONE: b""}
        for name, key in self.witnesses.items():
            made[name] = sha256(b"key " + key.vkey.encode("utf-8", "surrogateescape")).digest()
        for name, group in self.groups.items():
            members = sorted(made[member] for member in group.members)
            made[name] = sha256(b"".join([b"%d " % group.least, *members])).digest()
        return made[self.quorum]

    def is_reached(self, cosigned: Collection[str]) -> bool:
        """Whether the witnesses with these names make the quorum."""
        reached = {NONE, *cosigned}
        for name, group in self.groups.items():
            if len(reached.intersection(group.members)) >= group.least:
                reached.add(name)
        return self.quorum in reached


def parse_policy(data: bytes) -> Policy:
    """Read a policy; raises `Malformed` with the number of the line that is wrong."""
    if len(data) > POLICY_BYTES_MAX:
        raise Malformed("policy-line", line=0, reason="the file is too long")
    if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data):
        raise Malformed("policy-line", line=0, reason="it holds a control character")
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    logs: dict[PublicKey, NoteKey] = {}
    witnesses: dict[PublicKey, tuple[str, NoteKey]] = {}
    groups: dict[str, Group] = {}
    names = {NONE}
    loose: set[str] = set()  # what is defined and in no group yet
    quorum = None
    for number, line in enumerate(lines, 1):
        words = [word for word in _SPACE.split(line) if word]
        if not words or words[0].startswith("#"):
            continue
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                key = _key(number, vkey, False)
                if key.public in logs:
                    raise _wrong(number, "this log's key stands in the policy already")
                logs[key.public] = key
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                _define(number, name, names, loose)
                key = _key(number, vkey, True)
                if key.public in witnesses:
                    raise _wrong(number, "this witness's key stands in the policy already")
                witnesses[key.public] = name, key
            case ["group", name, count, *members] if members:
                groups[name] = _group(number, count, members, loose)
                _define(number, name, names, loose)
            case ["quorum", name] if quorum is None:
                if name not in names:
                    raise _wrong(number, f"{name[:40]} is not defined above")
                quorum = name
            case _:
                raise _wrong(number, "it is not a log, witness, group or single quorum line")
    if quorum is None:
        raise Malformed("policy-line", line=len(lines), reason="there is no quorum line")
    return Policy(tuple(logs.values()), dict(witnesses.values()), groups, quorum)


def _key(number: int, vkey: str, cosigner: bool) -> NoteKey:
    try:
        key = parse_vkey(vkey)
    except Malformed as error:
        raise _wrong(number, error.text()) from error
    if key.cosigner != cosigner:
        raise _wrong(number, "the key is of the wrong type for its line")
    return key


def _define(number: int, name: str, names: set[str], loose: set[str]) -> None:
    if name in names:
        raise _wrong(number, f"the name {name[:40]} is taken")
    names.add(name)
    loose.add(name)


def _group(number: int, count: str, members: Sequence[str], loose: set[str]) -> Group:
    """A group of members that are in no other yet."""
    if len(set(members)) != len(members) or not loose.issuperset(members):
        raise _wrong(number, "a member is not defined above, or is in a group already")
    loose.difference_update(members)
    if count in ("all", "any"):
        return Group(len(members) if count == "all" else 1, tuple(members))
    if not _COUNT.fullmatch(count) or int(count) > len(members):
        raise _wrong(number, "the threshold is not 1 to the number of members")
    return Group(int(count), tuple(members))


def _wrong(number: int, reason: str) -> Malformed:
    return Malformed("policy-line", line=number, reason=reason)
