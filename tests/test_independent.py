"""The second checker, written from docs/spec.md alone, gives the same verdicts as the first."""

import ast
import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import independent_checker as second
import pytest
from support.bundles import (
    ENOUGH,
    PLAIN_TEXT,
    QUORUM_TEXT,
    Json,
    cosigned,
    dump,
    samples,
    world,
)
from support.city import TODAY
from support.example import EXAMPLES
from support.mutations import mutate

from verifier.check import check_file
from verifier.policy import parse_policy

TESTS = Path(__file__).parent
MODULES = (
    "independent_certificates.py",
    "independent_checker.py",
    "independent_forms.py",
    "independent_lots.py",
    "independent_notes.py",
)
MAY_IMPORT = {"cbor2", "cryptography", *(module.removesuffix(".py") for module in MODULES)}
POLICIES = {
    text: (parse_policy(text.encode()), second.Policy(text.encode()))
    for text in (PLAIN_TEXT, QUORUM_TEXT, (EXAMPLES / "policy").read_text("utf-8"))
}


def verdict(data: bytes, text: str) -> str:
    """The verdict of both checkers."""
    ours, theirs = POLICIES[text]
    first = check_file(data, ours).verdict
    assert second.check(data, theirs) == first
    return first


@cache
def pool() -> list[Json]:
    """Good bundles: those of the small ledger, cosigned, and one whose books are closed."""
    grown = world().copy()
    grown.close(TODAY + 40)
    index = min(grown.batches)
    return [
        *(cosigned(bundle, *ENOUGH) for bundle in samples().values()),
        cosigned(grown.sealed().reduction(index, 0), *ENOUGH),
    ]


@pytest.mark.parametrize("module", MODULES)
def test_it_uses_no_package_of_ours(module: str) -> None:
    tree = ast.parse((TESTS / module).read_text("utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    tops = {name.partition(".")[0] for name in imported}
    assert tops - set(sys.stdlib_module_names) <= MAY_IMPORT


@pytest.mark.parametrize("module", MODULES)
def test_it_stays_short(module: str) -> None:
    assert len((TESTS / module).read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", ["bundle", "span", "free"])
def test_it_checks_the_example(name: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(TESTS / "independent_checker.py"),
            str(EXAMPLES / f"{name}.json"),
            str(EXAMPLES / "policy"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "provisional\n"


@pytest.mark.parametrize("name", samples())
def test_it_agrees_on_good_bundles(name: str) -> None:
    bundle = samples()[name]
    assert verdict(dump(bundle), PLAIN_TEXT) == "provisional"
    assert verdict(dump(bundle), QUORUM_TEXT) == "unwitnessed"
    assert verdict(dump(cosigned(bundle, *ENOUGH)), QUORUM_TEXT) == "provisional"


def test_it_agrees_on_what_is_final() -> None:
    assert verdict(dump(pool()[-1]), QUORUM_TEXT) == "valid"


def test_it_agrees_on_mutated_bundles() -> None:
    random = Random("independent")
    verdicts = Counter(verdict(mutate(random, pool()), QUORUM_TEXT) for _ in range(400))
    assert verdicts.keys() >= {"invalid", "provisional"}


def _every_node(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, item in items:
        found.append((value, name))
        if isinstance(item, dict | list):
            found += _every_node(item)
    return found


def test_it_agrees_when_any_one_field_of_the_example_is_gone_or_null() -> None:
    source = (EXAMPLES / "bundle.json").read_text("utf-8")
    policy = (EXAMPLES / "policy").read_text("utf-8")
    verdicts: Counter[str] = Counter()
    for change in ("gone", "null"):
        for place in range(len(_every_node(json.loads(source)))):
            bundle = json.loads(source)
            parent, name = _every_node(bundle)[place]
            if change == "null" and parent[name] is None:
                continue
            if change == "gone":
                del parent[name]
            else:
                parent[name] = None
            verdicts[verdict(dump(bundle), policy)] += 1
    # Without the books, and without the activity, it says less and is still good.
    assert verdicts["provisional"] == 2
    assert verdicts.keys() == {"invalid", "provisional"}
