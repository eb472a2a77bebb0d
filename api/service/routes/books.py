"""Books: what a platform had recorded for one person, for whoever bears a token that names them.

The token (`api.access_tokens`) is the platform's word that the bearer may see it, within its
scenario and its days.  Activities are in the file, so nobody else opens it.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.books import Asked, Item, page, write_book
from api.service import models
from api.service.access import Bearer
from api.service.completing import Final, proved
from api.service.parameters import From, Until
from api.service.responses import Json, Paging
from api.service.service import Of
from keys.errors import NotAllowed
from keys.strict import DAY_MAX
from verifier.books import read_days

router = APIRouter(tags=["books"])


async def asked(of: Of, access: Bearer, first: From = None, until: Until = None) -> Asked:
    """The book that a token opens, on those of its days that are asked for; raises `NotAllowed`."""
    if access is None:
        raise NotAllowed("token-missing")
    if access.subjects is None:
        raise NotAllowed("token-without-subjects")
    of.books.take("/".join(access.subjects), of.clock())
    days = read_days(first, until)
    return Asked(
        access.platform,
        access.subjects,
        max(days[0], access.start or 0),
        min(days[1], DAY_MAX + 1 if access.until is None else access.until),
        access.scenario,
    )


Book = Annotated[Asked, Depends(asked)]
"""A route's parameter: which book is asked for."""


@router.get("/v1/book", response_model=models.Book, summary="A person's reductions by a platform")
def book(of: Of, wanted: Book, paging: Paging) -> Response:
    """The reductions by day and holder, and on the first page what they add up to; those that were
    voided are told, and not added.  Whether they stand is told as of now."""
    with of.reading() as (snapshot, state):
        size = paging.size(state.index)
        last = paging.after(int, str)
        after = None if last is None else (last[0], bytes.fromhex(last[1]))
        found = page(of.store, snapshot, wanted, size=size, after=after, limit=paging.limit + 1)
    return paging.of(size, found.items, _name, Item.as_json, totals=found.totals)


def _name(item: Item) -> list[int | str]:
    return [item.row.day, item.row.holder.hex()]


@router.get("/v1/book/file", response_model=models.BookFile, summary="The same with its proof")
async def file(of: Of, wanted: Book, final: Final = False) -> Response:
    """The file `tally-book/1`, that `tally-verify check` takes."""
    return Json(await proved(of, lambda: write_book(of.store, wanted).document, final))
