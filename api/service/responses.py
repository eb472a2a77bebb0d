"""Answers in JSON, and pages of lists over a log of one size.

A page is ``{"size", "items", "next"}``: the log's size as of which the list is told, at most
``limit`` items, and the cursor of the next page, null on the last.  Whoever goes on with a cursor
is told the same list to its end, whatever blocks are added meanwhile.  To a client a cursor is
opaque: the deterministic CBOR of ``[size, …]`` in hexadecimal, where what follows says where the
list goes on.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Response

from api.service.service import Of
from keys.errors import Malformed
from keys.strict import INTEGER_MAX, dump_cbor, parse_cbor

CURSOR_CHARS_MAX = 512
_Item = TypeVar("_Item")


class Json(Response):
    """JSON in UTF-8, that nobody keeps unless it says so."""

    media_type = "application/json"

    def __init__(
        self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        super().__init__(body, status, {"Cache-Control": "no-store", **(headers or {})})


class Bytes(Response):
    """A file of a format of its own."""

    media_type = "application/octet-stream"


class Lines(Response):
    """JSON, a line each."""

    media_type = "application/x-ndjson"


class Cbor(Response):
    """CBOR (RFC 8949)."""

    media_type = "application/cbor"


class Cose(Response):
    """A COSE message (RFC 9052)."""

    media_type = "application/cose"


class Page:
    """The page of a list that a request asks for: at most ``limit`` items."""

    def __init__(self, limit: int, cursor: str | None) -> None:
        self.limit = limit
        self._size: int | None = None
        self._after: list[Any] = []
        if cursor:
            self._size, self._after = _read_cursor(cursor)

    def size(self, now: int) -> int:
        """The log's size as of which the list is told, where it is ``now`` on the first page."""
        if self._size is None:
            return now
        if self._size > now:
            raise Malformed("cursor-invalid")
        return self._size

    def after(self, *types: type) -> list[Any] | None:
        """Where the list goes on, in values of these types; None on the first page."""
        if self._size is None:
            return None
        if [type(value) for value in self._after] != list(types):
            raise Malformed("cursor-invalid")
        return self._after

    def of(
        self,
        size: int,
        found: Sequence[_Item],
        name: Callable[[_Item], Sequence[int | str]],
        show: Callable[[_Item], Any],
        **more: Any,
    ) -> Json:
        """The page of what was found, which is one item more if there is a next page.

        name: what names an item in a cursor; show: the item as JSON; more: other fields.
        """
        shown = found[: self.limit]
        last = name(shown[-1]) if len(found) > self.limit else None
        return self.answer(size, list(map(show, shown)), last, **more)

    def answer(
        self,
        size: int,
        items: Sequence[Any],
        last: Sequence[int | str] | None,
        **more: Any,
    ) -> Json:
        """The page; ``last``: where the next one goes on, if there is one."""
        following = None if last is None else dump_cbor([size, *last]).hex()
        return Json({"size": size, **more, "items": items, "next": following})


def _read_cursor(cursor: str) -> tuple[int, list[Any]]:
    try:
        size, *after = given = parse_cbor(bytes.fromhex(cursor))
    except (ValueError, TypeError):
        raise Malformed("cursor-invalid") from None
    if not isinstance(given, list) or not all(map(_is_named, given)) or type(size) is not int:
        raise Malformed("cursor-invalid")
    return size, after


def _is_named(value: object) -> bool:
    """Whether a database can compare with it."""
    if isinstance(value, str):
        return value.isprintable()
    return type(value) is int and 0 <= value <= INTEGER_MAX


async def limit_of(
    of: Of, limit: Annotated[int | None, Query(ge=1, description="So many items at most.")] = None
) -> int:
    """How many items a request asks for; raises `Malformed`."""
    most = of.settings.page_items_max
    if limit is not None and limit > most:
        raise Malformed("page-limit", limit=most)
    return limit or min(of.settings.page_items, most)


Limit = Annotated[int, Depends(limit_of)]
"""A route's parameter: how many items are asked for at most."""


async def page_of(
    limit: Limit,
    cursor: Annotated[
        str | None,
        Query(
            pattern="^(?:[0-9a-f]{2})+$",
            max_length=CURSOR_CHARS_MAX,
            description="Where to go on: `next` of the page before.",
        ),
    ] = None,
) -> Page:
    """The page that a request asks for; raises `Malformed`."""
    return Page(limit, cursor)


Paging = Annotated[Page, Depends(page_of)]
"""A route's parameter: which page of its list is asked for."""
