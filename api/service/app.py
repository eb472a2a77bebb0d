"""The application: routes, errors, limits and measures of one worker, around one `Service`."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.service import problems, tracing
from api.service.description import PROBLEMS_DESCRIBED, describe
from api.service.logs import LOG, REQUEST_ID
from api.service.metrics import PROBLEMS, REQUEST_SECONDS, REQUESTS
from api.service.routes import (
    books,
    claims,
    errors,
    files,
    ledger,
    log,
    lots,
    operations,
    proofs,
    pseudonyms,
    reductions,
    scitt,
    statements,
    statistics,
    submissions,
)
from api.service.service import Service

_ROUTERS = (
    submissions,
    statements,
    claims,
    pseudonyms,
    reductions,
    proofs,
    lots,
    books,
    statistics,
    files,
    ledger,
    log,
    scitt,
    operations,
    errors,
)
_REQUEST_ID = b"x-request-id"


class _Api(FastAPI):
    """The application, with what its routes have in common said once in its description."""

    def openapi(self) -> dict[str, Any]:
        """The description served at /openapi.json."""
        routes = [route for module in _ROUTERS for route in module.router.routes]
        return describe(super().openapi(), routes)

    def build_middleware_stack(self) -> ASGIApp:
        """All of the application, its answers to errors included, observed."""
        return _Observed(super().build_middleware_stack())


def create_app(service: Service) -> FastAPI:
    """The application of one worker; its lifespan starts and stops the intake."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = service.settings.threads
        service.intake.start()
        yield
        service.intake.stop()

    app = _Api(
        title="Tally",
        summary="A permissioned, verifiable ledger for everyday carbon reductions.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A route that is not there is not there under another spelling either.
        redirect_slashes=False,
        responses=PROBLEMS_DESCRIBED,
    )
    app.state.service = service
    problems.install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    return app


class _Observed:
    """The application around all else: gives each request its id; counts, measures and logs it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = secrets.token_hex(8)
        REQUEST_ID.set(name)
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (_REQUEST_ID, name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        began = perf_counter()
        with tracing.span("request") as span:
            # What nobody foresaw is answered and logged by now (`api.service.problems`).
            with contextlib.suppress(Exception):
                await self._app(scope, receive, sending)
            _note(scope, status, perf_counter() - began, span)


def _note(scope: Scope, status: int, seconds: float, span: tracing.Span | None) -> None:
    """Count, measure and log a request that was answered."""
    route = getattr(scope.get("route"), "path", "-")
    made = {"method": scope["method"], "route": route, "status": status}
    code = scope.get("state", {}).get("code")
    REQUESTS.labels(route, scope["method"], status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    if code is not None:
        made["code"] = code
        PROBLEMS.labels(code).inc()
    if span is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attributes({f"tally.{of}": value for of, value in made.items()})
    LOG.info("request", extra={**made, "seconds": round(seconds, 4)})
