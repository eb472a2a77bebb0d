"""`tally`: the command line of a ledger.

Exit status: 0 done; 1 refused, or some of the lines of a conversion or a check were; 2 wrong
usage; 3 a file, a key or a database cannot be read; 4 the ledger is not as it should be.  A
submission that was recorded in the log is done (0), also where single reductions of it were
refused: the output says how many, and why.
"""

import functools
import json
import sys
from collections.abc import Sequence
from typing import Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from api.commands import (
    book,
    certificate,
    certifying,
    closing,
    cosigning,
    database,
    erase,
    founding,
    gateway,
    governing,
    history,
    holding,
    keeping,
    methodologies,
    payout,
    proving,
    pseudonyms,
    reporting,
    sample,
    serve,
    showing,
    submitting,
    succeeding,
    token,
)
from api.session import default_language
from keys.catalogue import LANGUAGES, text
from keys.errors import Busy, Fault, Refusal, TallyError, Unreadable, Usage, VerificationError

EXIT_REFUSED, EXIT_USAGE, EXIT_UNREADABLE, EXIT_FAULT, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
_EXITS: dict[type[TallyError], int] = {
    Refusal: EXIT_REFUSED,
    VerificationError: EXIT_REFUSED,
    Usage: EXIT_USAGE,
    Unreadable: EXIT_UNREADABLE,
    Busy: EXIT_UNREADABLE,
    Fault: EXIT_FAULT,
}

app = typer.Typer(
    name="tally",
    help="A verifiable ledger for everyday carbon reductions.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _part in (
    founding,
    keeping,
    governing,
    pseudonyms,
    history,
    reporting,
    submitting,
    proving,
    showing,
    methodologies,
    closing,
    certifying,
    certificate,
    holding,
    book,
    sample,
    payout,
    erase,
    serve,
    cosigning,
    gateway,
    database,
    succeeding,
    token,
):
    _part.add_to(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(_command()(given, prog_name="tally", standalone_mode=False) or 0)
    except TallyError as error:
        _complain(error, given)
        return next(status for of, status in _EXITS.items() if isinstance(error, of))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        _complain(Unreadable("database-unreadable", reason=reason), given)
        return EXIT_UNREADABLE
    except OSError as error:
        reason = error.strerror or str(error)
        _complain(Unreadable("file-unreadable", path=error.filename or "–", reason=reason), given)
        return EXIT_UNREADABLE
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage:"):
            print(message, file=sys.stderr)  # a group without its command: its help
        else:
            _complain(Usage("usage", reason=message), given)
        return EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED


@functools.cache
def _command() -> Any:
    """All commands, read from their functions once for as many as a process runs."""
    return typer.main.get_command(app)


def _complain(error: TallyError, given: Sequence[str]) -> None:
    """The one place where errors are printed: for people, and with ``--json`` for programs."""
    if "--json" in given:
        print(json.dumps({"error": error.as_json()}, ensure_ascii=False, indent=1))
    lang = default_language()
    for option, value in zip(given, [*given[1:], ""], strict=True):
        lang = value if option == "--lang" and value in LANGUAGES else lang
        lang = option[7:] if option in ("--lang=en", "--lang=zh") else lang
    print(text("error", lang, reason=error.text(lang)), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
