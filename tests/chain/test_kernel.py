"""Which kernel is in use: one choice at import, by what is installed and by TALLY_KERNEL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE_FOR_ANOTHER = "INTERFACE = -1\n"


def name(wanted: str, folder: Path, module: str) -> str:
    """What a fresh interpreter says that is given this module as the compiled kernel."""
    (folder / "carbon_tally_native.py").write_text(module, "utf-8")
    paths = os.pathsep.join(map(str, (folder, ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", "from chain import kernel; print(kernel.name())"],
        env={**os.environ, "TALLY_KERNEL": wanted, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().rsplit("\n", 1)[-1]


@pytest.mark.parametrize("module", ["raise ImportError\n", MADE_FOR_ANOTHER])
def test_the_python_serves_where_no_compiled_kernel_fits(module: str, tmp_path: Path) -> None:
    assert name("", tmp_path, module) == name("python", tmp_path, module) == "python"
    assert "[kernel-missing]" in name("native", tmp_path, module)
    assert "[kernel-missing]" in name("fast", tmp_path, module)


def test_a_compiled_kernel_that_fits_is_used_unless_told_otherwise(tmp_path: Path) -> None:
    from chain.kernel import INTERFACE

    fits = f"INTERFACE = {INTERFACE}\n"
    assert name("", tmp_path, fits) == name("native", tmp_path, fits) == "native"
    assert name("python", tmp_path, fits) == "python"
