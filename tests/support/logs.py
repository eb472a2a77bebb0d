"""Small logs in memory, signed by the operator's key: entries that are seals, or anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from support.bundles import Json, cosignature
from support.city import NOON, ORIGIN, key
from support.dishonest import Files, Nothing

from chain import merkle
from chain.paths import CHECKPOINT
from chain.tiles import new_tiles
from keys.notes import Checkpoint, Note, format_note, parse_note, sign_note
from keys.signer import Signer
from keys.statements import sign_statement
from verifier import evidence

LEDGER = bytes(32)


def seal(height: int, time: int = NOON, signer: Signer | None = None, **changes: object) -> bytes:
    """The statement of a seal; of a register that is empty, after a seal that nobody knows."""
    return sign_statement(
        signer or key("operator"),
        kind="seal",
        issuer="operator",
        subject="forged",
        audience=LEDGER,
        expires=NOON + 86_400,
        payload={
            "format": 1,
            "height": height,
            "time": time,
            "previous": "0" * 64,
            "register": "0" * 64,
            **changes,
        },
    ).data


@dataclass
class Log:
    """A log of these entries."""

    entries: Sequence[bytes]
    signer: Signer = field(default_factory=lambda: key("operator"))
    origin: str = ORIGIN

    @property
    def leaves(self) -> list[bytes]:
        return merkle.leaf_hashes(self.entries)

    def root(self, size: int) -> bytes:
        """The root of its first entries."""
        return merkle.root(self.leaves[:size])

    def note(self, *cosigners: str, size: int | None = None, time: int = NOON) -> bytes:
        """Its checkpoint, cosigned at a time."""
        size = len(self.entries) if size is None else size
        text = Checkpoint(self.origin, size, self.root(size)).text
        lines = [sign_note(text, self.origin, self.signer)]
        lines += [cosignature(text, name, time) for name in cosigners]
        return format_note(Note(text, tuple(lines)))

    def logged(self, index: int, size: int | None = None) -> Json:
        """An entry, with its path."""
        leaves = self.leaves[:size]
        return evidence.logged(index, self.entries[index], merkle.inclusion_path(leaves, index))

    def files(self, *cosigners: str, time: int = NOON) -> Files:
        """All that it publishes."""
        tiles = new_tiles(Nothing(), 0, list(self.entries))
        return {**tiles, CHECKPOINT: self.note(*cosigners, time=time)}


def forked(smaller: bytes, larger: bytes, log: Log) -> Json:
    """The evidence that ``log``, of which the larger note is, does not begin with the smaller."""
    size = int(parse_note(smaller).text.split("\n")[1])
    path = merkle.consistency_path(log.leaves, size)
    return evidence.fork(smaller, larger, log.root(size), path)
