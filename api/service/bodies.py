"""Reading a request's body within its bounds: how long, how fast, how large when inflated.

Content-Encoding may be gzip (RFC 1952) or zstd (RFC 8878); what comes out is bounded while it
comes, so that a small body cannot fill the memory.  A body that ends early is refused.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard
from fastapi import Request
from starlette.requests import ClientDisconnect

from keys.errors import Malformed

CHUNK_BYTES = 2**18


class _Inflating(Protocol):
    def take(self, data: bytes) -> bytes: ...
    def end(self) -> None: ...


class _Plain:
    def take(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        pass


class _Gzip:
    """One gzip member, inflated in bounded steps."""

    def __init__(self, room: Callable[[], int]) -> None:
        self._object = zlib.decompressobj(wbits=31)
        self._room = room

    def take(self, data: bytes) -> bytes:
        # One byte more than there is room for shows that it is too much.
        made = self._object.decompress(data, self._room() + 1)
        if self._object.unused_data:
            raise zlib.error("data after the end")
        return made

    def end(self) -> None:
        if not self._object.eof:
            raise zlib.error("cut off")


class _Zstd:
    """One zstd frame, with a bound on its window, inflated in bounded steps."""

    WINDOW_BYTES_MAX = 2**23

    def __init__(self, room: Callable[[], int]) -> None:
        self._object = zstandard.ZstdDecompressor(
            max_window_size=self.WINDOW_BYTES_MAX
        ).decompressobj(write_size=CHUNK_BYTES)
        self._room = room

    def take(self, data: bytes) -> bytes:
        made = b""
        # Small pieces: each inflates to a bounded size, and is looked at before the next.
        for at in range(0, len(data), 1_024):
            made += self._object.decompress(data[at : at + 1_024])
            if len(made) > self._room():
                break
        if self._object.unused_data:
            raise zstandard.ZstdError("data after the end")
        return made

    def end(self) -> None:
        if not self._object.eof:
            raise zstandard.ZstdError("cut off")


async def read_body(
    request: Request,
    *,
    most: int,
    inflated: int,
    seconds: float,
    grow: Callable[[int], None] = lambda _: None,
) -> bytes:
    """The body, inflated; ``grow`` is told of every piece.

    most, inflated: bytes, as sent and as inflated.  Raises `Malformed` "body-size",
    "inflated-size", "body-encoding", "body-late" or "body-broken".
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise Malformed("body-size", limit=most)
    made = bytearray()
    inflating = _inflating(request, lambda: inflated - len(made))
    taken = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > most:
                    raise Malformed("body-size", limit=most)
                piece = inflating.take(chunk)
                if len(made) + len(piece) > inflated:
                    raise Malformed("inflated-size", limit=inflated)
                grow(len(piece))
                made += piece
        inflating.end()
    except TimeoutError:
        raise Malformed("body-late", limit=int(seconds)) from None
    except ClientDisconnect:
        raise Malformed("body-broken", reason="cut off") from None
    except (zlib.error, zstandard.ZstdError) as error:
        raise Malformed("body-broken", reason=str(error)) from None
    return bytes(made)


def _inflating(request: Request, room: Callable[[], int]) -> _Inflating:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _Gzip(room)
    if encoding == "zstd":
        return _Zstd(room)
    if encoding == "identity":
        return _Plain()
    raise Malformed("body-encoding", encoding=encoding[:80])
