"""The service's log: a JSON object a line on standard error, with the request's id.

It names routes, statuses, codes and times; never a body, a query, a pseudonym or an address: what
people did is not in it.  An error that nobody foresaw is named by its kind and by where it came
from, not by its text, which may hold anything; so is what other libraries say by its template.
"""

import contextvars
import json
import logging
import sys
import threading
import time
import traceback
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError

from keys.errors import TallyError

LOG: Final = logging.getLogger("tally")
REQUEST_ID: Final = contextvars.ContextVar("request_id", default="")
_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, request, and what was given beside."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        made: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": str(record.msg).split("\n", 1)[0],
        }
        if record.name != LOG.name:
            made["logger"] = record.name
        if REQUEST_ID.get():
            made["request"] = REQUEST_ID.get()
        if record.exc_info and record.exc_info[1]:
            made |= _where(record.exc_info[1])
        if record.name == LOG.name:
            made |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        return json.dumps(made, ensure_ascii=False, default=str)


def install(level: int = logging.INFO) -> None:
    """Send the log of this process to standard error; other libraries' warnings as well."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOG.setLevel(level)
    threading.excepthook = lambda of: LOG.error(
        "unexpected", exc_info=(of.exc_type, of.exc_value or of.exc_type(), of.exc_traceback)
    )


def reason_of(error: BaseException) -> str:
    """What can be said of an error: no text into which a value may have been written."""
    if isinstance(error, TallyError):
        return error.code
    if isinstance(error, OperationalError):
        return str(error.orig).split("\n", 1)[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__


def _where(error: BaseException) -> dict[str, object]:
    """The kinds of an error and of those that led to it, and where the first came from."""
    chain = [error]
    while before := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(before)
    frames = traceback.extract_tb(chain[-1].__traceback__)
    return {
        "error": " < ".join(type(one).__name__ for one in chain),
        "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
