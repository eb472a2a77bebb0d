"""The catalogue holds every code that the source raises; the tree of errors is the one drawn."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import keys.errors
from keys.catalogue import LANGUAGES, TEXTS, text
from keys.errors import Malformed, TallyError, Usage

TOP = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "chain", "keys", "verifier")


def classes(base: type[TallyError] = TallyError) -> Iterator[type[TallyError]]:
    yield base
    for below in base.__subclasses__():
        yield from classes(below)


NAMES = {cls.__name__ for cls in classes()}


def codes(argument: ast.expr) -> Iterator[str]:
    """The codes that an argument may be: a literal, or a choice between literals."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from codes(argument.body)
        yield from codes(argument.orelse)


def raised() -> Iterator[tuple[str, str, set[str] | None]]:
    """Where, code, and the names of the details (None if they are not spelled out)."""
    for package in PACKAGES:
        for path in sorted((TOP / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                if called in NAMES:
                    given = [keyword.arg for keyword in node.keywords]
                    details = None if None in given else {name for name in given if name}
                    for code in codes(node.args[0]):
                        yield f"{path.relative_to(TOP)}:{node.lineno}", code, details


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_code_that_is_raised_has_its_text() -> None:
    missing = [f"{where}: {code}" for where, code, _ in raised() if code not in TEXTS]
    assert not missing


def test_every_text_gets_the_details_that_it_names() -> None:
    short = [
        f"{where}: {code} lacks {sorted(wanted - details)}"
        for where, code, details in raised()
        if details is not None and code in TEXTS
        for wanted in [placeholders(TEXTS[code][0])]
        if not wanted <= details
    ]
    assert not short


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_texts_say_the_same_in_both_languages(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    english, chinese = TEXTS[code]
    assert placeholders(english) == placeholders(chinese)
    assert english.isascii() or max(english) < "\u4e00"
    assert any("\u4e00" <= char <= "\u9fff" for char in chinese)


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (keys.errors.__doc__ or "").splitlines():
        match = re.match(r"    ([ │├└─]*)(\w+)   ", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            drawn[match[2]] = above[depth - 1] if depth else "Exception"
    real = {cls.__name__: cls.__bases__[0].__name__ for cls in classes()}
    real = {name: base for name, base in real.items() if hasattr(keys.errors, name)}
    assert drawn == real


def test_an_error_explains_itself() -> None:
    error = Malformed("json-size", limit=7)
    assert isinstance(error, TallyError)
    assert str(error) == "The JSON is longer than 7 bytes. [json-size]"
    assert error.text("zh") == "JSON 超过 7 字节。"
    assert error.as_json() == {
        "code": "json-size",
        "details": {"limit": "7"},
        "text": {"en": error.text("en"), "zh": error.text("zh")},
    }


def test_a_text_never_fails() -> None:
    assert text("no-such-code") == "no-such-code"
    assert text("json-size", "fr", limit=1) == TEXTS["json-size"][0]
    assert Usage("json-size").text("en") == TEXTS["json-size"][0]
    assert LANGUAGES == ("en", "zh")
