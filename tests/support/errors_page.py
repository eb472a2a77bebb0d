"""docs/errors.md: every code that the service may answer with, its status, and its text.

    PYTHONPATH=.:tests .venv/bin/python tests/support/errors_page.py

writes its table again.  The codes are those that the modules raise which a process of the service
imports; a code that is put together from a part and a name stands for all that it may become.
"""

import ast
import functools
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import keys.errors
from api.service.problems import status_of
from keys.catalogue import TEXTS
from keys.errors import Busy, TallyError

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "errors.md"
_RULE = "|---|---|---|\n"


def _modules() -> list[Path]:
    """The source files of this project that a process of the service imports."""
    code = (
        "import sys, api.service.app\n"
        "for one in list(sys.modules.values()):\n"
        "    print(getattr(one, '__file__', None) or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, capture_output=True, check=True, text=True
    )
    paths = (Path(line) for line in done.stdout.splitlines())
    packages = [TOP / name for name in ("api", "chain", "keys", "verifier")]
    return sorted(p for p in paths if any(p.is_relative_to(of) for of in packages))


def _codes(argument: ast.expr) -> Iterator[str]:
    """The codes that an argument may be."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from _codes(argument.body)
        yield from _codes(argument.orelse)
    elif isinstance(argument, ast.JoinedStr):
        pattern = "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z-]+"
            for part in argument.values
        )
        yield from (code for code in TEXTS if re.fullmatch(pattern, code))


def _status(kind: type[TallyError], code: str) -> int:
    error = Busy(code, retry_after=1) if kind is Busy else kind(code)
    return status_of(error)


@functools.cache
def statuses() -> dict[str, set[int]]:
    """The statuses that each code is answered with."""
    kinds = {
        name: of
        for name, of in vars(keys.errors).items()
        if isinstance(of, type) and issubclass(of, TallyError)
    }
    found: dict[str, set[int]] = defaultdict(set)
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                kind = kinds.get(getattr(node.func, "id", ""))
                for code in _codes(node.args[0]) if kind else ():
                    found[code].add(_status(kind, code))  # type: ignore[arg-type]
    return found


def page() -> str:
    """The page as it must be: what stands above its table, and the table."""
    head, rule, _ = PAGE.read_text("utf-8").partition(_RULE)
    rows = [
        f"| `/errors/{code}` | {', '.join(map(str, sorted(of)))} | {_cell(TEXTS[code][0])} |"
        for code, of in sorted(statuses().items())
    ]
    return head + rule + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
