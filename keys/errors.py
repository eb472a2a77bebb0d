"""Every error of the project, in one tree.

    TallyError                  anything that this project raises on purpose
    ├── Refusal                 what was sent is not accepted, and nothing has changed
    │   ├── Malformed           its bytes are not in the one form that is allowed
    │   ├── NotAllowed          whoever signed it has no right to it, or not at this time
    │   └── Conflict            it contradicts what the ledger already holds
    ├── VerificationError       a proof, a signature or a file does not show what it should
    ├── Unreadable              a file or a source could not be read at all
    ├── Busy                    it cannot be done now; the same may be asked again later
    ├── Usage                   a command was called in a way that it cannot carry out
    └── Fault                   an invariant of the ledger broke: it stops rather than go on wrong

Each error carries a stable ``code`` and the ``details`` that its text names.  The texts, in
English and Chinese, stand in one catalogue (`keys.catalogue`); programs go by the code.
"""

from keys.catalogue import text


class TallyError(Exception):
    """An error with a stable code, the details of this case, and a text in two languages."""

    def __init__(self, code: str, /, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    def text(self, lang: str = "en") -> str:
        """What went wrong and what to do about it, in ``lang`` ("en" or "zh")."""
        return text(self.code, lang, **self.details)

    def __str__(self) -> str:
        return f"{self.text()} [{self.code}]"

    def as_json(self) -> dict[str, object]:
        """The error as programs read it: code, details, and both texts."""
        return {
            "code": self.code,
            "details": {name: str(value) for name, value in self.details.items()},
            "text": {"en": self.text("en"), "zh": self.text("zh")},
        }


class Refusal(TallyError):
    """What was sent is not accepted, and nothing has changed."""


class Malformed(Refusal):
    """Its bytes are not in the one form that is allowed."""


class NotAllowed(Refusal):
    """Whoever signed it has no right to it, or not at this time."""


class Conflict(Refusal):
    """It contradicts what the ledger already holds."""


class VerificationError(TallyError):
    """A proof, a signature or a file does not show what it should."""


class Unreadable(TallyError):
    """A file or a source could not be read at all."""


class Busy(TallyError):
    """It cannot be done now; the same may be asked again in ``retry_after`` seconds."""

    def __init__(self, code: str, /, *, retry_after: int, **details: object) -> None:
        super().__init__(code, retry_after=retry_after, **details)
        self.retry_after = retry_after


class Usage(TallyError):
    """A command was called in a way that it cannot carry out."""


class Fault(TallyError):
    """An invariant of the ledger broke: it stops rather than go on wrong."""
