"""What the ledger is: its facts, its policy, its governance, its blocks; open to anyone."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse

from api.service import models
from api.service.responses import Json, Limit, Paging
from api.service.service import Of
from chain.rules import GOVERNANCE_KINDS
from chain.store.answers import receipts
from chain.store.snapshot import Head
from keys.strict import INTEGER_MAX, dump_base64, dump_date
from verifier.policies import policy_text

router = APIRouter(tags=["ledger"])
BlockHeight = Annotated[int, Path(ge=0, le=INTEGER_MAX, description="The height of a block.")]


@router.get("/v1/ledger", response_model=models.Ledger, summary="The ledger's facts")
def facts(of: Of) -> Response:
    """The ledger's identity, its constants, and where it stands."""
    with of.reading() as (snapshot, state):
        head, final = snapshot.head(), snapshot.final_height()
        log = state.participants[state.genesis.operator].key_at(state.index)
    genesis = state.genesis
    return Json(
        {
            "id": genesis.id.hex(),
            "origin": genesis.origin,
            "operator": genesis.operator,
            "log_key": log.public.as_json() if log else None,
            "utc_offset": genesis.offset,
            "first_day": dump_date(genesis.first_day),
            "acceptance_days": genesis.acceptance_days,
            "unit_grams": genesis.unit_grams,
            "rules": state.rules,
            "closed_until": dump_date(state.closed_until),
            "size": state.index,
            "height": state.height,
            "time": state.time,
            "register": head.register_root.hex() if head else None,
            "recorded": head.recorded if head else 0,
            "refused": head.refused if head else 0,
            "grams": head.grams if head else 0,
            "final": final == state.height,
            "final_height": final if final >= 0 else None,
        }
    )


@router.get(
    "/v1/policy", response_class=PlainTextResponse, summary="The trust policy to start from"
)
def policy(of: Of) -> Response:
    """The trust policy by the witness policy in force, as text; compare it with another source."""
    with of.reading() as (_, state):
        log = state.participants[state.genesis.operator].key_at(state.index)
        made = policy_text(state.genesis.origin, log.public, state.policy) if log else ""
    return PlainTextResponse(made)


@router.get(
    "/v1/governance", response_model=models.Governance, summary="The statements of governance"
)
def governance(
    of: Of,
    limit: Limit,
    first: Annotated[
        int, Query(alias="from", ge=0, le=INTEGER_MAX, description="The least log index.")
    ] = 0,
) -> Response:
    """The statements of governance in the order of the log, each with a receipt as of the last
    block: what the rules know follows from them alone.  ``next`` is the index to go on from; the
    log only grows."""
    with of.reading() as (snapshot, state):
        found = list(snapshot.logged(GOVERNANCE_KINDS, first, limit + 1))
    shown = found[:limit]
    made = receipts(of.store, [logged.index for logged in shown])
    items = [
        {
            "index": logged.index,
            "clock": logged.clock,
            "statement": dump_base64(logged.statement.data),
            "receipt": dump_base64(receipt),
        }
        for logged, receipt in zip(shown, made, strict=True)
    ]
    following = found[limit].index if len(found) > limit else None
    return Json({"size": state.index, "items": items, "next": following})


@router.get("/v1/blocks", response_model=models.Blocks, summary="The blocks")
def blocks(of: Of, page: Paging) -> Response:
    """The blocks, from the first."""
    with of.reading() as (snapshot, state):
        size = page.size(state.index)
        after = page.after(int) or [-1]
        found = snapshot.blocks(size, after[0], page.limit + 1)
        final = snapshot.final_height()
    return page.of(size, found, lambda block: [block.height], lambda block: _block(block, final))


@router.get("/v1/blocks/{height}", response_model=models.WholeBlock, summary="One block")
def block(
    of: Of,
    height: BlockHeight,
) -> Response:
    """A block, its checkpoint with the cosignatures that it has so far, and its statements."""
    with of.reading() as (snapshot, _):
        found = snapshot.block(height)
        note, final = snapshot.note(found), snapshot.final_height()
        statements = snapshot.block_statements(height)
    return Json(
        {
            **_block(found, final),
            "checkpoint": note.decode(),
            "statements": [
                {"index": index, "kind": kind, "issuer": issuer}
                for index, kind, issuer in statements
            ],
        }
    )


@router.get(
    "/v1/blocks/{height}/checkpoint",
    response_class=PlainTextResponse,
    summary="The checkpoint of a block",
)
def checkpoint(
    of: Of,
    height: BlockHeight,
) -> Response:
    """The signed note of a block with the cosignatures that it has so far: it may take the place of
    the note in any file that was written as of this block."""
    with of.reading() as (snapshot, _):
        note = snapshot.note(snapshot.block(height))
    return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})


def _block(head: Head, final: int) -> dict[str, Any]:
    return {
        "height": head.height,
        "size": head.size,
        "time": head.time,
        "seal": head.seal.hex(),
        "register": head.register_root.hex(),
        "root": head.frontier.root().hex(),
        "recorded": head.recorded,
        "refused": head.refused,
        "grams": head.grams,
        "final": head.height <= final,
    }
