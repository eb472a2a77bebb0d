"""Files in, files out: for programs that write files.

Below the gateway's folder::

    in/NAME.ndjson            what is put there is taken: write it elsewhere, then rename it
    out/NAME.results.ndjson   the results, in the order of the lines, once all of them are there
    in/done/NAME.ndjson       where the input goes then

A line of results is a line's result (`api.gateway.gateway`), with the number of its line in the
file as ``line``.  A line that is refused before it is taken has its code and text there; its
``id`` is null, but where that is what it is refused for.

Nothing about files is remembered but the files: a line is known by its id, so that a file can be
taken again at any time, and is after every start.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from api.gateway.gateway import Gateway, refusal_row
from api.values import write_file
from keys.errors import Refusal
from keys.strict import dump_json, parse_json

CHUNK_LINES = 1_000
SUFFIX = ".ndjson"


class Folder:
    """The files of one gateway, below ``folder``; the folders are made where there are none."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self._in, self._out = folder / "in", folder / "out"
        self._done = self._in / "done"
        for path in (self._done, self._out):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._gateway = gateway
        self._open: dict[Path, int] = {}
        """Files whose lines are taken, and in how many chunks of each all lines have results."""

    @property
    def is_open(self) -> bool:
        """Whether there are files whose results are not written yet."""
        return bool(self._open)

    def step(self) -> bool:
        """Take new files, and write the results of those that are complete; whether any was."""
        worked = False
        for path in sorted(self._in.glob(f"*{SUFFIX}")):
            if path not in self._open:
                for chunk in _chunks(path):
                    self._gateway.take(chunk)
                self._open[path] = 0
                worked = True
        for path in list(self._open):
            if self._is_complete(path):
                self._write(path)
                del self._open[path]
                worked = True
        return worked

    def _is_complete(self, path: Path) -> bool:
        for chunk in islice(_chunks(path), self._open[path], None):
            for found in self._gateway.take(chunk):
                if not isinstance(found, Refusal) and found.result is None:
                    return False
            self._open[path] += 1
        return True

    def _write(self, path: Path) -> None:
        target = self._out / f"{path.name.removesuffix(SUFFIX)}.results{SUFFIX}"
        write_file(target, self._rows(path), private=True)
        _flush(target)
        _flush(self._out)
        path.replace(self._done / path.name)

    def _rows(self, path: Path) -> Iterator[bytes]:
        number = 0
        for chunk in _chunks(path):
            for found in self._gateway.take(chunk):
                number += 1
                if isinstance(found, Refusal):
                    row = {
                        "id": found.details.get("id"),
                        "status": "refused",
                        **refusal_row(found),
                    }
                else:
                    row = parse_json(found.result or b"null")
                yield dump_json({"line": number, **row}) + b"\n"


def _chunks(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file, so many at a time."""
    with path.open("rb") as file:
        lines = (line.removesuffix(b"\n") for line in file)
        while chunk := list(islice(lines, CHUNK_LINES)):
            yield chunk


def _flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or renamed in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
