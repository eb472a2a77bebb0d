"""Reports: the checks of a file, each in plain words, and the verdict.

Verdicts:

* ``valid``: all checks passed, and the books of the days in question are closed: it is final;
* ``provisional``: all checks passed, as of the checkpoint; a void may still come before the close;
* ``unwitnessed``: all checks passed, but the policy's quorum has not cosigned the checkpoint;
* ``invalid``: a check failed;
* ``proved``, ``stated``: of evidence, whether it shows by itself what was done, or rests on the
  word of whoever wrote it (`verifier.evidence`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from keys.catalogue import LANGUAGES, text
from keys.errors import TallyError, VerificationError

VALID, PROVISIONAL, UNWITNESSED, INVALID = "valid", "provisional", "unwitnessed", "invalid"
_NAMES = re.compile(r"\{(\w+)\}", re.ASCII)


@dataclass(frozen=True)
class Check:
    """One step: its code in the catalogue, what it found, and why it failed if it did."""

    code: str
    details: dict[str, object]
    error: TallyError | None = None

    def text(self, lang: str) -> str:
        """What was checked, and what it proves or why it fails."""
        code = f"check-{self.code}"
        if self.error is None:
            return text(code, lang, **self.details)
        # What was not found by then stays open.
        unknown = dict.fromkeys(_NAMES.findall(text(code, lang)), "?")
        said = text(code, lang, **{**unknown, **self.details})
        return text("check-failed", lang, said=said, reason=self.error.text(lang))


@dataclass
class Report:
    """The checks that were made, in order, the facts found, and the verdict."""

    verdict: str = INVALID
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    said: str | None = None
    """The text of the verdict, if the file has one of its own."""

    def text(self, lang: str) -> str:
        """The verdict in words."""
        return text(self.said or f"verdict-{self.verdict}", lang, **self.facts)

    def as_json(self) -> dict[str, Any]:
        """The report as programs read it."""
        return {
            "verdict": self.verdict,
            "text": {lang: self.text(lang) for lang in LANGUAGES},
            "facts": self.facts,
            "checks": [
                {
                    "check": check.code,
                    "ok": check.error is None,
                    "error": None if check.error is None else check.error.as_json(),
                }
                for check in self.checks
            ],
        }


@contextmanager
def step(report: Report, code: str) -> Iterator[dict[str, object]]:
    """One check: what is put into the mapping given completes its text."""
    details: dict[str, object] = {}
    try:
        yield details
    except TallyError as error:
        report.checks.append(Check(code, details, error))
        raise
    report.checks.append(Check(code, details))


def demand(condition: bool, code: str, **details: object) -> None:
    if not condition:
        raise VerificationError(code, **details)
