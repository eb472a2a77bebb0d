"""The log as static files: C2SP tlog-tiles, so that anyone's log client reads it.

    /checkpoint                         the last checkpoint, a signed note; asked for anew each time
    /checkpoint/final                   the last one that is final; also as /checkpoint.final, the
                                        name of its file
    /tile/<L>/<N>[.p/<W>]               hash tiles
    /tile/entries/<N>[.p/<W>]           entry bundles, gzipped for whoever takes that

They are the files of the ledger's folder, under the same paths.  A tile never changes, full or
partial, and may be kept for ever.  All of them have an ETag, and answer If-None-Match (RFC 9110,
section 13.1.2) with 304.
"""

import gzip
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from api.service.responses import Bytes
from api.service.service import Of
from chain.paths import CHECKPOINT, FINAL_CHECKPOINT
from chain.tiles import parse_tile_path
from keys.errors import Malformed, Usage

router = APIRouter()
_BYTES = "application/octet-stream"
Rest = Annotated[
    str, Path(description="`<L>/<N>` or `entries/<N>`, each perhaps with `.p/<W>`, as C2SP has it.")
]
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/checkpoint", response_class=PlainTextResponse, summary="The last checkpoint")
def checkpoint(request: Request, of: Of) -> Response:
    """The last checkpoint (C2SP tlog-checkpoint), with the signatures that it has."""
    return _file(request, of, CHECKPOINT, "text/plain", "no-cache")


@router.get(
    "/checkpoint/final", response_class=PlainTextResponse, summary="The last final checkpoint"
)
@router.get("/checkpoint.final", response_class=PlainTextResponse, include_in_schema=False)
def final_checkpoint(request: Request, of: Of) -> Response:
    """The last checkpoint that the quorum has cosigned, with all its cosignatures; 404 before."""
    return _file(request, of, FINAL_CHECKPOINT, "text/plain", "no-cache")


@router.get("/tile/{rest:path}", response_class=Bytes, summary="A tile of the log")
def tile(request: Request, of: Of, rest: Rest) -> Response:
    """A hash tile or an entry bundle (C2SP tlog-tiles)."""
    path = f"tile/{rest}"
    try:
        is_entries = parse_tile_path(path).level is None
    except Malformed:
        raise Usage("route-unknown", path=f"/{path[:80]}") from None
    response = _file(request, of, path, _BYTES, _FOR_EVER)
    if is_entries:
        response.headers["Vary"] = "Accept-Encoding"
        if response.body and "gzip" in request.headers.get("accept-encoding", ""):
            response.body = gzip.compress(response.body)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Length"] = str(len(response.body))
    return response


def _file(request: Request, of: Of, path: str, media_type: str, kept: str) -> Response:
    """A file of the ledger's folder, or 304 if the client has it; raises `Usage`."""
    if not of.store.files.exists(path):
        raise Usage("route-unknown", path=f"/{path}")
    data = of.store.files.read(path)
    # A weak one: it names what the file holds, in whichever content coding.
    tag = f'W/"{sha256(data).hexdigest()}"'
    headers = {"Cache-Control": kept, "ETag": tag}
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, tag.removeprefix("W/"), "*"}:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)
