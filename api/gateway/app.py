"""The gateway over HTTP, for the platform's own programs: no signature, no password.

Whoever reaches its address can hand in activities and read results; it listens on the machine
itself unless it is told otherwise.

    POST /activities            lines (`api.gateway.lines`) → 202 with how many were taken, how many
                                were known, and each that is refused: its line, code and text
    GET /results?after=CURSOR   results in the order in which they were found, a line each
    GET /results/ID             the result of a line, or that it waits
    GET /proof/ID               the bundle of a recorded reduction, checked by the trust policy;
                                ?disclose=true: with its activity
    GET /livez, /readyz, /metrics

Errors are problem details, as the ledger's service gives them (`api.service.problems`).
"""

from typing import Annotated

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST

from api.gateway.gateway import Gateway, refusal_row
from api.gateway.metrics import measures
from api.service import problems
from api.service.bodies import read_body
from api.service.responses import Json
from chain.activities import split_lines
from keys.errors import Refusal, Usage
from keys.strict import parse_json

BODY_BYTES_MAX = 16 * 2**20
BODY_SECONDS = 60
RESULTS_MAX = 10_000
NDJSON = "application/x-ndjson"

LineId = Annotated[str, Path(min_length=1, max_length=128, description="A line's id.")]


def create_app(gateway: Gateway) -> FastAPI:
    """The application of one gateway."""
    app = FastAPI(
        title="Tally gateway",
        summary="Takes a platform's activities to the ledger.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)

    @app.post("/activities", summary="Hand in activities", status_code=202)
    async def take(request: Request) -> Response:
        """Take lines; with the answer they survive a crash."""
        body = await read_body(
            request, most=BODY_BYTES_MAX, inflated=BODY_BYTES_MAX, seconds=BODY_SECONDS
        )
        found = await run_in_threadpool(gateway.take, split_lines(body))
        known = [one for one in found if not isinstance(one, Refusal)]
        return Json(
            {
                "taken": sum(one.is_new for one in known),
                "known": sum(not one.is_new for one in known),
                "refused": [
                    {"line": number, **refusal_row(one)}
                    for number, one in enumerate(found, 1)
                    if isinstance(one, Refusal)
                ],
            },
            202,
        )

    @app.get("/results", summary="Results, in their order")
    def results(
        after: Annotated[int, Query(ge=0, description="The cursor of the last one read.")] = 0,
        limit: Annotated[int, Query(ge=1, le=RESULTS_MAX, description="How many.")] = 1_000,
    ) -> Response:
        """The next results, each with its cursor; nothing where there are no more yet."""
        lines = gateway.queue.results(after, limit)
        return Response(b"".join(line + b"\n" for line in lines), media_type=NDJSON)

    # An id may hold a slash.
    @app.get("/results/{name:path}", summary="The result of a line")
    def result(name: LineId) -> Response:
        """What became of a line: its result, or ``status`` "waiting"."""
        found = _result(gateway, name)
        if found is None:
            return Json({"id": name, "status": "waiting"})
        return Response(found, media_type="application/json")

    @app.get("/proof/{name:path}", summary="The proof of a line")
    def proof(name: LineId, disclose: bool = False) -> Response:
        """The bundle of what a line recorded; what the check said stands in Tally-Verdict."""
        row = parse_json(_result(gateway, name) or b"{}")
        if row.get("status") != "recorded":
            raise Usage("line-not-recorded", id=name)
        bundle, report = gateway.proof(bytes.fromhex(row["leaf"]), disclose=disclose)
        headers = {"Tally-Verdict": report.verdict, "Cache-Control": "no-store"}
        return Response(bundle, headers=headers, media_type="application/json")

    @app.get("/livez", summary="Whether the process answers")
    def alive() -> Response:
        """It does."""
        return Json({"status": "ok"})

    @app.get("/readyz", summary="Whether lines are taken, and where they stand")
    def ready() -> Response:
        """It takes lines while its database does, also while it is cut off from the ledger:
        ``problem`` is the code of what stops it then."""
        return Json({"status": "ok", "problem": gateway.problem, "lines": gateway.queue.counts()})

    @app.get("/metrics", summary="What it counts, for Prometheus")
    def metrics() -> Response:
        """The measures of this gateway."""
        return Response(measures(gateway), media_type=CONTENT_TYPE_LATEST)

    return app


def _result(gateway: Gateway, name: str) -> bytes | None:
    """The result of a line, None while it waits; raises `Usage`."""
    found = gateway.queue.find(name)
    if found is None:
        raise Usage("line-not-known", id=name)
    return found.result
