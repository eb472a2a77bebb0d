"""Errors as a program reads them over HTTP: problem details (RFC 9457).

    {"type": "/errors/CODE", "title", "status", "detail", "code", "details"}

``type`` is relative to the service, which serves a page of each under it; ``code`` is the stable
code of the catalogue and never changes its meaning; ``title`` and ``detail`` come in the language
that the request accepts, English or Chinese.  ``details`` holds what the text names.  A refusal
that passes by itself (429, 503) carries Retry-After.

The status follows from the kind of the error, but for the codes of `_STATUS`.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from api.service.logs import LOG, reason_of
from keys.catalogue import LANGUAGES
from keys.errors import (
    Busy,
    Conflict,
    Fault,
    Malformed,
    NotAllowed,
    Refusal,
    TallyError,
    Unreadable,
    Usage,
    VerificationError,
)

MEDIA_TYPE = "application/problem+json"
_KINDS: tuple[tuple[type[TallyError], int], ...] = (
    (Malformed, 422),
    (NotAllowed, 403),
    (Conflict, 409),
    (Refusal, 409),
    (Busy, 503),
    (Usage, 404),
    (VerificationError, 422),
    (Unreadable, 503),
    (Fault, 500),
)
_STATUS: Mapping[str, int] = {
    "request-unsigned": 401,
    **dict.fromkeys(
        (
            "request-signature-malformed",
            "request-signature-covers",
            "request-signature-time",
            "request-signature-ledger",
            "request-signature-invalid",
            "request-signature-digest",
        ),
        401,
    ),
    "token-missing": 401,
    "request-malformed": 400,
    "method-unknown": 405,
    "head-late": 408,
    "body-late": 408,
    "body-size": 413,
    "inflated-size": 413,
    "body-encoding": 415,
    "request-rate": 429,
    "head-size": 431,
    "span-not-free": 409,
}
_ACCEPTED = re.compile(
    r"\s*([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?"
)


def language(request: Request) -> str:
    """The reader's language, by Accept-Language (RFC 9110, section 12.5.4); English by default."""
    best, of = 0.0, LANGUAGES[0]
    for part in request.headers.get("accept-language", "").split(","):
        found = _ACCEPTED.fullmatch(part)
        if found and found[1].lower() in LANGUAGES and float(found[2] or 1) > best:
            best, of = float(found[2] or 1), found[1].lower()
    return of


def status_of(error: TallyError) -> int:
    """The HTTP status that an error is answered with."""
    kind = next(status for of, status in _KINDS if isinstance(error, of))
    return _STATUS.get(error.code, kind)


def problem(error: TallyError, lang: str) -> dict[str, Any]:
    """The error as problem details."""
    status = status_of(error)
    return {
        "type": f"/errors/{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.text(lang),
        "code": error.code,
        "details": {name: str(value) for name, value in error.details.items()},
    }


def respond(request: Request, error: TallyError) -> Response:
    """The answer to a request that ended with an error."""
    made = problem(error, language(request))
    headers = {"Content-Language": language(request), "Cache-Control": "no-store"}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after)
    if made["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Signature"
    if made["status"] == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"
    request.state.code = error.code
    body = json.dumps(made, ensure_ascii=False).encode()
    return Response(body, made["status"], headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` in this form."""

    @app.exception_handler(TallyError)
    async def ours(request: Request, error: TallyError) -> Response:
        if isinstance(error, Fault) or error.code == "file-unreadable":
            LOG.error("fault", exc_info=error, extra={"code": error.code})
            error = Fault("service-fault")
        return respond(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return respond(request, Malformed("request-invalid", where=where, reason=first["msg"]))

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            made = respond(request, Usage("method-unknown", method=request.method))
            made.headers.update(error.headers or {})
            return made
        if error.status_code == HTTPStatus.NOT_FOUND:
            return respond(request, Usage("route-unknown", path=request.url.path))
        return respond(request, Malformed("request-invalid", where="-", reason=error.detail))

    @app.exception_handler(SQLAlchemyError)
    async def database(request: Request, error: SQLAlchemyError) -> Response:
        LOG.error("database", extra={"reason": reason_of(error)})
        return respond(request, Busy("service-busy", retry_after=1))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # What it was is in the log, with the request's id; a stranger is not told.
        LOG.error("unexpected", exc_info=error)
        return respond(request, Fault("service-fault"))
