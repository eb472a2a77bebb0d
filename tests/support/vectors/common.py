"""What all files of vectors have in common: a case, a file, and how values are written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.methodologies import Methodology
from chain.reductions import Claim, Reduction
from chain.spans import Span

FORMAT = "tally-vectors/1"
EXACT_MAX = 2**53 - 1
"""Beyond it a reader whose numbers are floating-point loses digits."""

Case = dict[str, Any]


@dataclass
class Vectors:
    """One file."""

    about: str
    spec: Sequence[int]
    cases: Mapping[str, Sequence[Case]]
    given: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The file's bytes, a case a line; refuses two cases of one name."""
        names = [case["name"] for cases in self.cases.values() for case in cases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise AssertionError(f"named twice: {twice}")
        document = {
            "format": FORMAT,
            "about": self.about,
            "spec": list(self.spec),
            "given": plain(self.given),
        }
        fields = [f"{_dump(name)}: {_dump(value)}" for name, value in document.items()]
        lists = [
            f"{_dump(name)}: [\n   " + ",\n   ".join(map(_dump, cases)) + "\n  ]"
            for name, cases in self.cases.items()
        ]
        cases = '"cases": {\n  ' + ",\n  ".join(lists) + "\n }"
        return ("{\n " + ",\n ".join([*fields, cases]) + "\n}\n").encode("ascii")


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def accepted(name: str, **fields: Any) -> Case:
    """A case that must be accepted, with what goes in and what comes out."""
    return {"name": name, "valid": True, **plain(fields)}


def refused(name: str, code: str | None, **fields: Any) -> Case:
    """A case that must be refused."""
    return {"name": name, "valid": False, "code": code, **plain(fields)}


def plain(value: Any) -> Any:
    """A value in JSON: bytes in hexadecimal, and no number that a reader could round."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, int) and abs(value) > EXACT_MAX:
        raise AssertionError(f"{value} does not fit every reader's numbers")
    return value


def digits(value: int | None) -> str | None:
    """A number that may be large, as the digits that stand for it."""
    return None if value is None else str(value)


def source(name: str, data: bytes) -> dict[str, Any]:
    """What goes in: as the text called ``name``, or as ``bytes`` if no text spells it."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {"bytes": data}


def span(of: Span) -> dict[str, Any]:
    """A span of the register."""
    return {
        "line": of.line,
        "start": digits(of.start),
        "end": digits(of.end),
        "holder": of.holder,
    }


def claims(given: Sequence[Claim]) -> list[dict[str, Any]]:
    """The claims of a reduction."""
    return [{"line": c.line, "start": digits(c.start), "end": digits(c.end)} for c in given]


def reduction(of: Reduction) -> dict[str, Any]:
    """What a reduction says."""
    return {
        "platform": of.platform,
        "scenario": of.scenario,
        "version": of.version,
        "day": of.day,
        "grams": of.grams,
        "claims": claims(of.claims),
        "digest": of.digest,
        "leaf": of.leaf,
        "holder": of.holder,
    }


def methodology(of: Methodology) -> dict[str, Any]:
    """A methodology, with what a reader must find in it."""
    least, most = of.grams_bounds
    return {
        "id": of.id,
        "version": of.version,
        "document": of.document.decode(),
        "holder": of.holder,
        "grams_min": least,
        "grams_max": most,
    }
