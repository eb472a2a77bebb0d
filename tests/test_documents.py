"""The documents name what is there: tests, files, modules, commands."""

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
TESTS = TOP / "tests"
DOCUMENTS = sorted([*(TOP / "docs").glob("*.md"), *TOP.glob("*.md")])
THREATS = (TOP / "docs" / "threat-model.md").read_text("utf-8")
ARCHITECTURE = (TOP / "docs" / "architecture.md").read_text("utf-8")
FOLDERS = ("keys", "chain", "verifier", "api")
_NAMED = re.compile(r"`((?:[a-z]+/)*test_[a-z0-9_]+\.py)::(\w+)`")
_FILE = re.compile(
    r"`((?:tests|docs|chain|keys|verifier|api|bench|demo)/[a-z0-9_/.-]+\.(?:py|md|json))`"
)
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)")
_MODULE = re.compile(r"`((?:keys|chain|verifier|api)(?:\.[a-z_]+)+)(?:\.([A-Z]\w*))?`")


@functools.cache
def defined(path: str) -> frozenset[str]:
    """The names of the functions and classes of a test file, and what is assigned in it."""
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return frozenset(names)


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = _NAMED.findall(THREATS)
    assert len(named) > 40
    assert [(path, name) for path, name in named if name not in defined(path)] == []


def test_every_row_of_the_threat_model_names_a_test() -> None:
    exempt = ("the same, activity disclosed", "the same event in another ledger or scheme")
    rows = [line for line in THREATS.splitlines() if line.startswith("| ") and "---" not in line]
    heads = ("| if this party", "| together |", "| by |")
    silent = [row for row in rows if not row.startswith(heads) and not _NAMED.search(row)]
    assert [row for row in silent if row.split("|")[1].strip() not in exempt] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    assert [name for name in _FILE.findall(text) if not (TOP / name).exists()] == []
    links = [link for link in _LINK.findall(text) if link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    for name, _ in _MODULE.findall(document.read_text("utf-8")):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_architecture_names_every_module(folder: str) -> None:
    table = ARCHITECTURE.partition(f"**{folder}/**")[2].partition("\n| **")[0]
    modules = {path.name for path in (TOP / folder).glob("*.py") if path.name != "__init__.py"}
    assert set(re.findall(r"`([a-z_]+\.py)`", table)) == modules


def test_the_architecture_is_one_page() -> None:
    assert len(ARCHITECTURE.split()) < 1_200
