"""Faults: any one call to the disk or the database fails, before it is done or after."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine, event

from chain.files import System
from chain.paths import CHECKPOINT
from keys.notes import parse_checkpoint, parse_note


class Injected(OSError):
    """What a call raises that was chosen to fail."""


class Faults:
    """Counts the calls that can fail, and lets the one that was chosen do so.

    late: the call is done, and its error is reported all the same; else it is not done, but that
    of a file half is written.
    """

    def __init__(self, at: int = 0, late: bool = False) -> None:
        self.at, self.late = at, late
        self.calls: list[str] = []
        self._counting = Lock()

    @property
    def struck(self) -> bool:
        """Whether the chosen call has come."""
        return 0 < self.at <= len(self.calls)

    def disarm(self) -> None:
        """Let all further calls pass."""
        self.at = 0

    def count(self, name: str) -> int:
        """Count a call, which may come from any thread; its number."""
        with self._counting:
            self.calls.append(name)
            return len(self.calls)

    def fails(self, number: int, late: bool) -> bool:
        """Whether that call fails, before it is done or after."""
        return (number, late) == (self.at, self.late)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """A call that can fail."""
        number = self.count(name)
        if self.fails(number, late=False):
            raise Injected(name)
        yield
        if self.fails(number, late=True):
            raise Injected(name)

    def watch(self, engine: Engine) -> None:
        """Let the statements and the commits of a database fail as well."""

        @event.listens_for(engine, "before_cursor_execute")
        def before(connection: Any, cursor: Any, statement: str, *_: object) -> None:
            connection.info["call"] = self.count("database " + statement.split(maxsplit=1)[0])
            if self.fails(connection.info["call"], late=False):
                raise Injected(statement)

        @event.listens_for(engine, "after_cursor_execute")
        def after(connection: Any, cursor: Any, statement: str, *_: object) -> None:
            if self.fails(connection.info["call"], late=True):
                raise Injected(statement)

        do_commit = engine.dialect.do_commit

        def commit(connection: Any) -> None:
            with self.call("database COMMIT"):
                do_commit(connection)

        engine.dialect.do_commit = commit  # type: ignore[method-assign]


class FaultySystem(System):
    """A disk whose calls go through `Faults`, and which remembers every checkpoint ever there."""

    def __init__(self, faults: Faults, checkpoints: dict[int, set[bytes]]) -> None:
        self._faults = faults
        self._checkpoints = checkpoints

    def write(self, path: Path, data: bytes) -> None:
        number = self._faults.count("write")
        if self._faults.fails(number, late=False):
            path.write_bytes(data[: len(data) // 2])
            raise Injected("write")
        super().write(path, data)
        if self._faults.fails(number, late=True):
            raise Injected("write")

    def fsync(self, descriptor: int) -> None:
        with self._faults.call("fsync"):
            super().fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        with self._faults.call("rename"):
            if target.name == CHECKPOINT:
                note_checkpoint(source, self._checkpoints)
            super().rename(source, target)


def note_checkpoint(path: Path, checkpoints: dict[int, set[bytes]]) -> None:
    """Remember the root that a checkpoint file shows for its size."""
    shown = parse_checkpoint(parse_note(path.read_bytes()).text)
    checkpoints.setdefault(shown.size, set()).add(shown.root)
