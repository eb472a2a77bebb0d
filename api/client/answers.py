"""Reading what the service answers: nothing of it is believed for its own sake.

Whatever has not the shape that it must have, or contradicts what was sent, is a
`VerificationError`; problem details (RFC 9457) become the error that they tell of.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from api.outcomes import Item
from chain.effects import Refused
from chain.receipts import check_receipt
from chain.reductions import Reduction, total_grams
from chain.spans import FOREVER, Span
from chain.store.answers import Answer
from keys.errors import (
    Busy,
    Conflict,
    Malformed,
    NotAllowed,
    Refusal,
    TallyError,
    Unreadable,
    Usage,
    VerificationError,
)
from keys.statements import Statement
from keys.strict import parse_base64, parse_date, parse_hex, parse_json
from verifier.policy import Policy

ANSWER_BYTES_MAX = 64 * 2**20
_KINDS: Mapping[int, type[TallyError]] = {
    400: Malformed,
    401: NotAllowed,
    403: NotAllowed,
    404: Usage,
    405: Usage,
    409: Conflict,
    413: Malformed,
    415: Malformed,
    422: Malformed,
}


@contextmanager
def reading() -> Iterator[None]:
    """Within, whatever is not as it must be is a `VerificationError`."""
    try:
        yield
    except Refusal as error:
        raise VerificationError("answer-invalid", reason=error.text()) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise VerificationError("answer-invalid", reason=str(error)) from error


def read_json(reply: httpx2.Response) -> Any:
    """The JSON of an answer; raises the error that it tells of, or `VerificationError`."""
    if not reply.is_success:
        raise read_error(reply)
    with reading():
        return parse_json(reply.content, bytes_max=ANSWER_BYTES_MAX)


def read_error(reply: httpx2.Response | httpx2.RequestError) -> TallyError:
    """The error for which there is no answer."""
    if isinstance(reply, httpx2.RequestError):
        url = str(reply.request.url.copy_with(query=None))
        reason = str(reply) or type(reply).__name__
        return Unreadable("service-unreachable", url=url, reason=reason)
    try:
        return read_problem(parse_json(reply.content, bytes_max=ANSWER_BYTES_MAX), reply)
    except (Malformed, VerificationError):
        return Unreadable("service-failed", status=reply.status_code)


def read_problem(made: Any, reply: httpx2.Response | None = None) -> TallyError:
    """The error that problem details (RFC 9457) tell of."""
    with reading():
        code, status, details = made["code"], made["status"], dict(made["details"])
        if type(code) is not str or type(status) is not int:
            raise TypeError("code")
    if reply is not None and reply.status_code != status:
        raise VerificationError("answer-invalid", reason="status")
    if status in (429, 503):
        details.pop("retry_after", None)
        return Busy(code, retry_after=read_retry_after(reply) if reply else 0, **details)
    return _KINDS.get(status, Unreadable)(code, **details)


def read_retry_after(reply: httpx2.Response) -> int:
    """The seconds of Retry-After; 0 where it says none."""
    asked = reply.headers.get("retry-after", "")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0


def read_receipt(policy: Policy, receipt: bytes, statement: Statement) -> int:
    """The log index of a statement, by its receipt under one of the policy's log keys."""
    error = VerificationError("policy-without-log")
    for log in policy.logs:
        try:
            return check_receipt(receipt, statement.data, log.public, log.name)[1]
        except VerificationError as found:
            error = found
    raise error


def check_settled(policy: Policy, statement: Statement, made: Any) -> dict[str, Any]:
    """An answer about this statement: waiting, refused, or recorded, by its receipt."""
    with reading():
        if made["id"] != statement.id.hex():
            raise VerificationError("answer-contradicts", what="id")
        if made["status"] == "recorded":
            index = read_receipt(policy, parse_base64(made["receipt"]), statement)
            if made["index"] != index or made["kind"] != statement.kind:
                raise VerificationError("answer-contradicts", what="index")
        elif made["status"] == "refused":
            read_problem(made["error"])
        elif made["status"] != "waiting":
            raise ValueError("status")
    checked: dict[str, Any] = made
    return checked


def read_answer(statement: Statement, items: Sequence[Item], made: Mapping[str, Any]) -> Answer:
    """The answer about a submission; raises `VerificationError` if it contradicts what was sent."""
    refusals: dict[int, Refused] = {}
    platforms: dict[bytes, str] = {}
    for row in made["refused"]:
        position = row["position"]
        if type(position) is not int or not 0 <= position < len(items) or position in refusals:
            raise VerificationError("answer-contradicts", what="position")
        refused = _read_refused(items[position].reduction, row)
        refusals[position] = refused
        if refused.met is not None and row["platform"] is not None:
            platforms[refused.met.holder] = str(row["platform"])
    recorded = [item.reduction for n, item in enumerate(items) if n not in refusals]
    for name, value in (
        ("scenario", statement.body["scenario"]),
        ("count", len(items)),
        ("recorded", len(recorded)),
        ("grams", total_grams(recorded)),
    ):
        if made[name] != value or type(made[name]) is not type(value):
            raise VerificationError("answer-contradicts", what=name)
    if type(made["height"]) is not int:
        raise TypeError("height")
    if type(made["final"]) is not bool:
        raise TypeError("final")
    receipt = parse_base64(made["receipt"])
    return Answer(
        made["index"],
        made["height"],
        made["time"],
        receipt,
        refusals,
        platforms,
        made["final"],
    )


def _read_refused(reduction: Reduction, row: Mapping[str, Any]) -> Refused:
    """Why a reduction was refused: what it met stands in the way of the claim named."""
    code, place = row["code"], row["claim"]
    if type(code) is not str or type(place) is not int:
        raise TypeError("code")
    if row["leaf"] != reduction.leaf.hex() or not 0 <= place < len(reduction.claims):
        raise VerificationError("answer-contradicts", what="leaf")
    claim, met = reduction.claims[place], None
    if row["met"] is not None:
        met = _read_span(row["met"])
        start, end = claim.start or 0, claim.end or FOREVER
        if met.line != claim.line or not (met.start < end and start < met.end):
            raise VerificationError("answer-contradicts", what="met")
    return Refused(code, place, met, parse_date(row["day"]))


def _read_span(row: Mapping[str, Any]) -> Span:
    start, end = row["start"], row["end"]
    if type(start) is not int or type(end) is not int:
        raise TypeError("met")
    return Span(parse_hex(row["line"], 24), start, end, parse_hex(row["holder"], 32))
