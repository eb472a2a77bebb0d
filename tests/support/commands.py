"""Running `tally` in a test: the same surroundings for every command, and what it printed."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.postgres import copy_database, url_of

from api import cli

PASSPHRASE = "a passphrase"


class Run:
    """Runs commands in a folder; says what they printed and how they ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object, expected: int = 0) -> str:
        status = cli.main([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        assert status == expected, self.out + self.err
        return self.out

    def json(self, *arguments: object, expected: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expected=expected))


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with the ledger "city" and its keys into another, for a test to go on from."""
    ignored = shutil.ignore_patterns("ledger.db*")
    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    copy_database(source / "city", target / "city")


def set_up(monkeypatch: pytest.MonkeyPatch, folder: Path, now: object) -> None:
    """A folder, a clock, a passphrase, no terminal; the database is that of the ledger "city"."""
    monkeypatch.chdir(folder)
    for name in ("TALLY_KEYS", "TALLY_DATABASE", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    url = url_of(folder / "city")
    if url is not None:
        monkeypatch.setenv("TALLY_DATABASE", url)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TALLY_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("TALLY_NOW", str(now))
    monkeypatch.setattr("sys.stdin", io.StringIO())
