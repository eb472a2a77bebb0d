"""Normalisers: the specification's table, row by row; one spelling, reached once and for all."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.identifiers import IDENTIFIERS
from api.normalisers import NORMALISERS, normalise
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes

SPEC = (Path(__file__).resolve().parents[2] / "docs" / "spec.md").read_text("utf-8")
SECTION = SPEC.partition("**Normalisers.**")[2].partition("\nA class *allows*")[0]
ROWS = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(.+)` \| `(.+)` \|$", SECTION, re.MULTILINE)
CLASSES = Classes(default_classes(), Calendar(0))


@pytest.mark.parametrize(("line_class", "normaliser", "raw", "normal"), ROWS)
def test_the_specifications_examples(
    line_class: str, normaliser: str, raw: str, normal: str
) -> None:
    assert normalise(line_class, raw) == normal
    [named] = [n for _, grammar, n in CLASSES.named(line_class).parts if grammar == "pseudonym"]
    assert named == normaliser


def test_the_specification_names_all() -> None:
    steps = re.findall(r"^\| `(\w+)` \| [^|`]*(?:`\w+`)? \|$", SECTION, re.MULTILINE)
    assert steps == list(NORMALISERS)
    assert {row[0] for row in ROWS} == set(IDENTIFIERS.values())


def characters(written: str) -> set[str]:
    """The characters of "U+0009–000D, 0085 …"."""
    found: set[str] = set()
    for first, last in re.findall(r"([0-9A-F]{4})(?:–([0-9A-F]{4}))?", written):
        found |= {chr(code) for code in range(int(first, 16), int(last or first, 16) + 1)}
    return found


def test_the_characters_that_go_are_those_that_the_specification_lists() -> None:
    space, hyphens, dots = (
        characters(re.search(rf"\*{name}\* (?:is|are)? ?([^;.*]*)", SECTION)[1])  # type: ignore[index]
        for name in ("White space", "Hyphens", "dots")
    )
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert {c for c in every if NORMALISERS["code"](c) == ""} == space
    assert {c for c in every if NORMALISERS["plate"](c) == ""} == space | hyphens | dots
    assert NORMALISERS["identity"] is NORMALISERS["plate"]


@given(st.sampled_from(sorted({*IDENTIFIERS.values()})), st.text(max_size=20))
def test_a_normal_identifier_stays_as_it_is(line_class: str, raw: str) -> None:
    once = normalise(line_class, raw)
    assert unicodedata.is_normalized("NFC", once)
    assert normalise(line_class, once) == once


def test_what_is_written_apart_meets() -> None:
    assert normalise("vehicle", "京A-12345") == normalise("vehicle", " 京 ａ·１２３４５")
    assert normalise("traveller", "straße 1") == "STRASSE1"
    assert normalise("order", "a.b") != normalise("order", "ab")
    assert normalise("vehicle", " - ") == ""
