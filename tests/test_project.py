"""What the project promises as a whole: what it depends on, what it installs, what it keeps out."""

import importlib
import importlib.metadata
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "chain", "keys", "verifier")
PYPROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
LOCKS = ("verify", "ledger", "dev", "foreign", "merkletools")

# What a checker may find in its process; the underscored ones are the compiled parts.
CHECKER_MAY_LOAD = {"cbor2", "_cbor2", "cffi", "_cffi_backend", "cryptography", "_openssl"}
# Our own compiled kernel, where it is installed.
CHECKER_MAY_LOAD |= {"carbon_tally_native"}
# What multiprocessing, of the standard library, calls the main module.
CHECKER_MAY_LOAD |= {"__mp_main__"}
# What is no part of a checker, and may need more.
LEDGER_ONLY = ("chain.store", "chain.sequencer", "keys.oprf")


def tracked() -> list[Path]:
    """Every file that git has or would take."""
    if not (TOP / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        check=True,
    )
    paths = (TOP / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirement lines name."""
    return {re.split(r"[^a-z0-9-]", line)[0] for line in requirements}


def declared(lock: str) -> list[str]:
    """The lines of requirements/<lock>.in that name a distribution."""
    lines = (TOP / "requirements" / f"{lock}.in").read_text("utf-8").splitlines()
    return [line for line in lines if line and line[0] not in "#-"]


def modules(package: str) -> list[str]:
    """The package and every module below it, but scripts run by another tool."""
    root = importlib.import_module(package)
    found = [info.name for info in pkgutil.walk_packages(root.__path__, f"{package}.")]
    return [
        name for name in [package, *found] if ".migrations" not in name and ".__main__" not in name
    ]


def loaded_by(imported: list[str]) -> set[str]:
    """The top-level names, neither ours nor the standard library's, that importing these loads."""
    script = (
        "import importlib, json, sys\n"
        "before = set(sys.modules)\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(name)\n"
        "print(json.dumps(sorted({n.partition('.')[0] for n in set(sys.modules) - before})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, json.dumps(imported)],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout)) - set(sys.stdlib_module_names) - set(PACKAGES)


# Written so that no pattern finds itself.  A path starts there: "network/" holds none.
@pytest.mark.parametrize(
    "pattern",
    [
        r"pypi\.org",
        r"pythonhosted\.org",
        r"crates\.io",
        r"npmjs\.org",
        r"deb\.debian\.org",
        r"(?<![\w./-])/[o]pt/wheels",
        r"(?<![\w./-])/[r]oot/",
        r"(?<![\w./-])/[w]ork/",
    ],
)
def test_no_file_names_a_registry_or_a_local_path(pattern: str) -> None:
    found = [
        str(path.relative_to(TOP))
        for path in tracked()
        if re.search(pattern.encode(), path.read_bytes())
    ]
    assert found == []


def test_a_checker_depends_on_cryptography_and_cbor2_alone() -> None:
    assert sorted(PYPROJECT["project"]["dependencies"]) == ["cbor2", "cryptography"]


def test_the_locks_start_from_what_pyproject_declares() -> None:
    project = PYPROJECT["project"]
    assert sorted(declared("verify")) == sorted(project["dependencies"])
    assert sorted(declared("ledger")) == sorted(project["optional-dependencies"]["ledger"])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_its_hashes(lock: str) -> None:
    text = (TOP / "requirements" / f"{lock}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==\S+(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), line
    assert names(declared(lock)) <= names(lines)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_imports_without_a_warning(package: str) -> None:
    loaded_by(modules(package))


def test_commands_are_where_the_metadata_says() -> None:
    scripts = importlib.metadata.distribution("carbon-tally").entry_points.select(
        group="console_scripts"
    )
    assert {script.name: script.value for script in scripts} == PYPROJECT["project"]["scripts"]
    for script in scripts:
        assert callable(script.load())


def test_tally_verify_loads_nothing_but_its_two_dependencies() -> None:
    assert loaded_by(["verifier.cli"]) <= CHECKER_MAY_LOAD


@pytest.mark.parametrize("package", ["keys", "chain", "verifier"])
def test_what_a_checker_can_import_loads_nothing_but_its_two_dependencies(package: str) -> None:
    checkers = [
        name
        for name in modules(package)
        if not any(name == other or name.startswith(f"{other}.") for other in LEDGER_ONLY)
    ]
    assert loaded_by(checkers) <= CHECKER_MAY_LOAD


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    expected = {
        path.relative_to(TOP).as_posix()
        for path in tracked()
        if path.relative_to(TOP).parts[0] in PACKAGES and path.suffix != ".md"
    }
    for name in [*expected, "pyproject.toml"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOP / name, source / name)
    (source / "README.md").touch()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), "."),
        ],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected
