"""Files that are there, whole and for good, or not at all.

A batch is written to temporary names, each flushed to the disk, then renamed into place, and the
folders flushed.  A file once written is not written again with other content, but for the
checkpoint, the right edge of the tree, and activities of which some are erased, which are replaced
as a whole.  All calls to the system go through `System`, so that tests can make any of them fail.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import cast

from keys.errors import Unreadable

FLUSHES_MAX = 16


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
        self._durable: set[Path] = set()
        # The disk flushes many files at once in little more than the time of one.
        self._pool = ThreadPoolExecutor(FLUSHES_MAX)

    def read(self, path: str, start: int = 0, size: int = -1) -> bytes:
        """A file's bytes: all, or ``size`` of them from ``start`` on; raises `Unreadable`."""
        try:
            with open(self.folder / path, "rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise Unreadable("file-unreadable", path=path, reason=error.strerror) from error

    @contextmanager
    def mapped(self, path: str) -> Iterator[bytes]:
        """A file's bytes, read where they are looked at; raises `Unreadable`."""
        try:
            with open(self.folder / path, "rb") as file:
                data = mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise Unreadable("file-unreadable", path=path, reason=str(error)) from error
        with data:
            # It is sliced as bytes are.
            yield cast(bytes, data)

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / path).is_file()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write a batch of files; when this returns, all of them survive a loss of power."""
        targets = {self.folder / path: data for path, data in files.items()}
        # Two threads or processes may write the same file at once, each under a name of its own.
        suffix = f".{secrets.token_hex(8)}.new"
        news = {target: target.with_name(target.name + suffix) for target in targets}
        folders = {target.parent for target in targets}
        for folder in sorted(folders):
            self._make_folder(folder)
        written = [
            self._pool.submit(self._system.write, news[target], data)
            for target, data in targets.items()
        ]
        # All of them have ended, well or not, before anything is told.
        wait(written)
        for done in written:
            done.result()
        for target, new in news.items():
            self._system.rename(new, target)
        flushed = [self._pool.submit(self._flush, folder) for folder in sorted(folders)]
        wait(flushed)
        for done in flushed:
            done.result()

    def keep(self, paths: Iterable[str]) -> None:
        """Have files that are there survive a loss of power, whoever wrote them."""
        for folder in sorted({(self.folder / path).parent for path in paths}):
            self._flush(folder)

    def paths(self, under: str) -> list[str]:
        """All files under a folder, also those that were not finished."""
        files = (path for path in (self.folder / under).rglob("*") if path.is_file())
        return [str(path.relative_to(self.folder)) for path in files]

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        (self.folder / path).unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        # That a folder is there does not say that whoever made it came to flush it.
        if folder in self._durable or folder == self.folder:
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._flush(folder.parent)
        self._durable.add(folder)

    def _flush(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            self._system.fsync(descriptor)
        finally:
            os.close(descriptor)
