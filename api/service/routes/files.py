"""Files of the ledger's folder under the same paths, so that an audit reads a URL as a directory.

    /submissions/<aa>/<root>          the reductions of a submission: members, and its platform
    /lots/<aa>/<root>                 the reductions of a lot: members, and its platform
    /activities/<aa>/<root>.ndjson    the activities behind a submission: its platform, and a
                                      verifier whom its access token names; where that lets it see
                                      some alone, a line of any other is empty

The first two never change, and may be kept for ever, by the reader alone.  Activities are erased
one day, and are not kept.
"""

from fastapi import APIRouter, Response

from api.service.access import Bearer, Insider, discloses
from api.service.parameters import Folder, Root
from api.service.responses import Bytes, Lines
from api.service.service import Of, Service
from chain.paths import activities_path, lot_path, reductions_path
from chain.reductions import Reduction
from keys.errors import Usage

router = APIRouter(tags=["files"])
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
_NOT_KEPT = {"Cache-Control": "no-store"}


@router.get(
    "/submissions/{folder}/{root}", response_class=Bytes, summary="The reductions of a submission"
)
def submission(of: Of, reader: Insider, folder: Folder, root: Root) -> Response:
    """The file of reductions that a submission signs, by its root."""
    path = reductions_path(bytes.fromhex(root))
    if not reader.may_see(_reductions(of, path, folder)[0].platform):
        raise _unknown(path)
    return Bytes(of.store.files.read(path), headers=_KEPT)


@router.get("/lots/{folder}/{root}", response_class=Bytes, summary="The reductions of a lot")
def lot(of: Of, reader: Insider, folder: Folder, root: Root) -> Response:
    """The file of a lot's leaf hashes and grams, by its root."""
    path = lot_path(bytes.fromhex(root))
    with of.reading() as (snapshot, _):
        platform = snapshot.lot_platform(bytes.fromhex(root))
    if platform is None or not reader.may_see(platform) or folder != root[:2]:
        raise _unknown(path)
    return Bytes(of.store.files.read(path), headers=_KEPT)


@router.get(
    "/activities/{folder}/{root}.ndjson",
    response_class=Lines,
    summary="The activities of a submission",
)
def activities(of: Of, reader: Insider, access: Bearer, folder: Folder, root: Root) -> Response:
    """The activities behind a submission, verbatim, a line each; one that was erased is empty."""
    path = activities_path(bytes.fromhex(root))
    reductions = _reductions(of, reductions_path(bytes.fromhex(root)), folder)
    opened = discloses(reader, access, reductions[0].platform)
    if opened is None:
        raise _unknown(path)
    lines = of.store.activities(bytes.fromhex(root))
    shown = [
        line if opened.covers(reduction.scenario, reduction.day) else b""
        for reduction, line in zip(reductions, lines, strict=True)
    ]
    return Lines(b"".join(line + b"\n" for line in shown), headers=_NOT_KEPT)


def _reductions(of: Service, path: str, folder: str) -> list[Reduction]:
    """The reductions of a file; all are of one platform.  Raises `Usage`."""
    root = path[-64:]
    if folder != root[:2] or not of.store.files.exists(path):
        raise _unknown(path)
    return of.store.reductions(bytes.fromhex(root))


def _unknown(path: str) -> Usage:
    return Usage("route-unknown", path=f"/{path}")
