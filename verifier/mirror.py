"""An auditor's own copy of a ledger's files, at the ledger's relative paths.

    checkpoint         the newest note that the auditor has cosigned, with its cosignature
    tile/…             the log up to there (`chain.tiles`), made from the entries
    submissions/…      the reductions of every submission up to there, as they were signed

So whoever reads the ledger's own folder can read this one: an audit, a monitor, a successor.

`Mirroring` is what the auditor's audits read.  Reductions are taken from the ledger once, kept if
they have the root that they are asked for by, and from then on read here: what was audited cannot
be withheld any more.  All is flushed to the disk before the checkpoint that rests on it.
"""

from collections.abc import Iterator
from pathlib import Path

from chain import merkle
from chain.files import Files
from chain.paths import CHECKPOINT, SUBMISSIONS, reductions_path
from chain.reductions import split_reductions
from chain.tiles import DirectoryReader, TileTree, new_tiles
from keys.errors import Malformed, Unreadable, VerificationError
from keys.notes import NOTE_BYTES_MAX, Checkpoint
from keys.statements import parse_statement
from verifier.bundles import FILE_BYTES_MAX
from verifier.logs import Log
from verifier.sources import DirectorySource, Source

ENTRIES_AT_ONCE = 8_192
BYTES_AT_ONCE = 16_777_216


class Mirror:
    """The copy in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be; raises `Unreadable` if it cannot be."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreadable("file-unreadable", path=folder, reason=error.strerror) from error
        self.files = Files(folder)
        self.tiles = DirectoryReader(folder)
        self.source = DirectorySource(folder)

    def checkpoint(self) -> bytes | None:
        """The note that was kept last; None before the first."""
        if not self.files.exists(CHECKPOINT):
            return None
        return self.source.read(CHECKPOINT, NOTE_BYTES_MAX)

    def keep_checkpoint(self, note: bytes) -> None:
        """Put ``note`` in the place of the checkpoint, for good."""
        self.files.write({CHECKPOINT: note})

    def has_tiles(self, checkpoint: Checkpoint) -> bool:
        """Whether the log is here up to a checkpoint; a witness that did not audit has none."""
        try:
            tree = TileTree(self.tiles, checkpoint.size)
            return tree.root(checkpoint.size) == checkpoint.root
        except (Malformed, Unreadable):
            return False


class Mirroring:
    """A source that is read through its mirror.

    note: what the source's checkpoint is taken to be.
    """

    def __init__(self, source: Source, mirror: Mirror) -> None:
        self.note = b""
        self._source = source
        self._mirror = mirror
        self._unwritten: dict[str, bytes] = {}
        """Reductions that are not on the disk yet: many are flushed in the time of one."""
        self._bytes = 0
        self._size: int | None = None

    def read(self, path: str, bytes_max: int) -> bytes:
        """See `verifier.sources.Source.read`."""
        if path == CHECKPOINT:
            return self.note
        if not path.startswith(SUBMISSIONS):
            return self._source.read(path, bytes_max)
        if path in self._unwritten:
            return self._unwritten[path]
        if self._has(path):
            return self._mirror.source.read(path, bytes_max)
        data = self._source.read(path, bytes_max)
        if path == _path_of(data):
            self._unwritten[path] = data
            self._bytes += len(data)
            if self._bytes > BYTES_AT_ONCE:
                self._write()
        return data

    def _has(self, path: str) -> bool:
        return path in self._unwritten or self._mirror.files.exists(path)

    def keep(self, log: Log, latest: Checkpoint | None) -> None:
        """Have all of ``log`` in the mirror, which has it up to ``latest``.

        Raises `VerificationError` or `Unreadable` if the source does not show it any more.
        """
        if self._size is None:
            self._size = latest.size if latest and self._mirror.has_tiles(latest) else 0
        for batch in _batches(log, self._size):
            paths = [path for path in map(_submits, batch) if path is not None]
            # Those that are written already, a process that was killed may not have flushed.
            found = [path for path in paths if path not in self._unwritten]
            for path in found:
                if not self._has(path):
                    self.read(path, FILE_BYTES_MAX)
                if not self._has(path):
                    raise VerificationError("reductions-withheld", root=path.rpartition("/")[2])
            self._write()
            self._mirror.files.keep(found)
            self._mirror.files.write(new_tiles(self._mirror.tiles, self._size, batch))
            self._size += len(batch)

    def _write(self) -> None:
        self._mirror.files.write(self._unwritten)
        self._unwritten, self._bytes = {}, 0


def _submits(entry: bytes) -> str | None:
    """Where the reductions are that an entry submits; None if it submits none."""
    statement = parse_statement(entry)
    if statement.kind != "submission":
        return None
    return reductions_path(bytes.fromhex(statement.body["root"]))


def _path_of(data: bytes) -> str | None:
    """Where a file of reductions belongs; None if it is none."""
    try:
        return reductions_path(merkle.root(merkle.leaf_hashes(split_reductions(data))))
    except Malformed:
        return None


def _batches(log: Log, start: int) -> Iterator[list[bytes]]:
    """The entries from ``start`` on, so many at a time that whole tiles are made at once."""
    batch: list[bytes] = []
    for index, entry in enumerate(log.entries(start), start + 1):
        batch.append(entry)
        if index % ENTRIES_AT_ONCE == 0:
            yield batch
            batch = []
    if batch:
        yield batch
