"""Files that are there, whole and for good, or not at all.

A batch is written to temporary names, each flushed to the disk, then renamed into place, and the
folders flushed.  A file once written is not written again with other content, but for the
checkpoint and the right edge of the tree, which are replaced as a whole.  All calls to the system
go through `System`, so that tests can make any of them fail.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from keys.errors import Unreadable

# Two processes may write the same file at once; each has its own temporary name.
TEMPORARY_SUFFIX = f".{os.getpid()}.new"


class System:
    """The calls that make files durable."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a new file and flush it to the disk."""
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            self.fsync(file.fileno())

    def fsync(self, descriptor: int) -> None:
        """Flush an open file or folder to the disk."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another, at once."""
        os.replace(source, target)


class Files:
    """The files of one ledger, under one folder."""

    def __init__(self, folder: Path, system: System | None = None) -> None:
        self.folder = folder
        self._system = system or System()

    def read(self, path: str) -> bytes:
        """A file's bytes; raises `Unreadable`."""
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise Unreadable("file-unreadable", path=path, reason=error.strerror) from error

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / path).is_file()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write a batch of files; when this returns, all of them survive a loss of power."""
        folders: set[Path] = set()
        for path, data in files.items():
            target = self.folder / path
            if not target.parent.is_dir():
                self._make_folder(target.parent)
            self._system.write(target.with_name(target.name + TEMPORARY_SUFFIX), data)
            folders.add(target.parent)
        for path in files:
            target = self.folder / path
            self._system.rename(target.with_name(target.name + TEMPORARY_SUFFIX), target)
        for folder in sorted(folders):
            self._flush(folder)

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        (self.folder / path).unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        if not folder.parent.is_dir():
            self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._flush(folder.parent)

    def _flush(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            self._system.fsync(descriptor)
        finally:
            os.close(descriptor)
