"""The demonstration runs, small, as `make demo` runs it: every command of it for real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SAMPLE = TOP / "tests" / "data" / "synthetic-trips.csv"


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    """`tally-verify`, in this environment: `make demo` gives it one of its own."""
    path = tmp_path / "tally-verify"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m verifier.cli "$@"\n', "utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "150"], "THE DATA IS SYNTHETIC"),
        pytest.param(
            ["--data", str(SAMPLE)],
            "Trips are converted: synthetic-trips.csv",
            marks=pytest.mark.long,
        ),
    ],
    ids=["synthetic", "trips"],
)
def test_the_demonstration_ends_well(
    arguments: list[str], words: str, verifier: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(TOP / "demo" / "demo.py"), *arguments),
            *("--out", str(tmp_path / "out"), "--verifier", str(verifier)),
        ],
        env={**os.environ, "PYTHONPATH": str(TOP), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert done.stdout.count("VALID, BUT PROVISIONAL.") == 2
    assert done.stdout.count("VALID. As of ") == 2
    assert done.stdout.count("INVALID. This file proves nothing.") == 2
    assert "is already claimed by a reduction of metro-app" in done.stdout
