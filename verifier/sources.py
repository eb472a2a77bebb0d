"""Where a ledger is read from: its folder as published, or a URL that serves the same files.

A source gives the file at a relative path (`chain.paths`, `chain.tiles`), never more of it than
the caller allows.  Nothing that it gives is trusted: whoever reads it proves it against a signed
checkpoint.  A hostile source can refuse, delay within bounds, or give bytes that prove nothing.

* *Directory*: plain files alone, below the folder also once links are followed.
* *URL*: GET over http or https, no redirects followed, each file within a time.  What may pass by
  itself (no connection, 408, 429, 5xx) is tried again, a few times.  404 and 410 mean that there is
  no such file.  ``headers`` gives what a request carries beside: members sign what they read.
"""

import http.client
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from keys.errors import Unreadable, Usage

TRIES_MAX = 4
WAIT_SECONDS_MAX = 30
READ_SECONDS_MAX = 300
_PIECE_BYTES = 65_536
_MISSING = (404, 410)
_REFUSED = (401, 403)
_PASSING = (408, 429, 500, 502, 503, 504)

Headers = Callable[[str, str], Mapping[str, str]]
"""(method, path of the URL) → what else the request carries."""


class Source(Protocol):
    """The published files of one ledger."""

    def read(self, path: str, bytes_max: int) -> bytes:
        """The file at a relative path, whole.

        Raises `Unreadable`: "source-missing" if there is no such file, "source-too-long" if it has
        more than ``bytes_max`` bytes; other codes do not tell whether there is one.
        """
        ...


class DirectorySource:
    """The files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, path: str, bytes_max: int) -> bytes:
        """See `Source.read`."""
        try:
            file = (self._folder / path).resolve(strict=True)
            if not file.is_relative_to(self._folder) or not stat.S_ISREG(file.stat().st_mode):
                raise Unreadable("source-not-a-file", path=path)
            with file.open("rb") as opened:
                return _bounded(opened.read(bytes_max + 1), path, bytes_max)
        except (FileNotFoundError, NotADirectoryError):
            raise Unreadable("source-missing", path=path) from None
        except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
            raise Unreadable("source-unreachable", path=path, reason=str(error)) from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A signed request is for the host that it was made for."""

    def redirect_request(self, *args: Any) -> None:
        return None


class UrlSource:
    """The files below a URL."""

    def __init__(
        self,
        url: str,
        headers: Headers | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `Usage` "source-url" unless the URL is one of http or https."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise Usage("source-url", url=url)
        self._base = url.rstrip("/") + "/"
        self._headers: Headers = headers or (lambda method, path: {})
        self._sleep = sleep
        self._clock = clock
        self._opener = urllib.request.build_opener(_NoRedirects)

    def read(self, path: str, bytes_max: int) -> bytes:
        """See `Source.read`."""
        url = self._base + path
        for left in reversed(range(TRIES_MAX)):
            try:
                return self._get(url, path, bytes_max)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in _MISSING:
                    raise Unreadable("source-missing", path=path) from None
                if error.code in _REFUSED:
                    raise Unreadable("source-refused", path=path, status=error.code) from None
                reason, again = f"HTTP {error.code}", error.code in _PASSING
            except (OSError, http.client.HTTPException) as error:
                reason, again = str(error), True
            if not (left and again):
                break
            self._sleep(2.0 ** (TRIES_MAX - 1 - left))
        raise Unreadable("source-unreachable", path=path, reason=reason)

    def _get(self, url: str, path: str, bytes_max: int) -> bytes:
        request = urllib.request.Request(url)  # noqa: S310  # the scheme was looked at
        for name, value in self._headers("GET", urllib.parse.urlsplit(url).path).items():
            request.add_header(name, value)
        until = self._clock() + READ_SECONDS_MAX
        with self._opener.open(request, timeout=WAIT_SECONDS_MAX) as response:
            return _bounded(self._drain(response, bytes_max, until), path, bytes_max)

    def _drain(self, response: http.client.HTTPResponse, bytes_max: int, until: float) -> bytes:
        """Up to one byte more than is allowed; raises TimeoutError from ``until`` on."""
        pieces = []
        left = bytes_max + 1
        while left and (piece := response.read1(min(left, _PIECE_BYTES))):
            pieces.append(piece)
            left -= len(piece)
            if self._clock() >= until:
                raise TimeoutError(f"it takes more than {READ_SECONDS_MAX} s")
        if left and response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(pieces)


def _bounded(data: bytes, path: str, bytes_max: int) -> bytes:
    if len(data) > bytes_max:
        raise Unreadable("source-too-long", path=path, limit=bytes_max)
    return data


def open_source(place: str, headers: Headers | None = None) -> Source:
    """The source at a URL or in a folder; raises `Usage`, or `Unreadable` without such a folder."""
    if "://" in place:
        return UrlSource(place, headers)
    folder = Path(place)
    if not folder.is_dir():
        raise Unreadable("source-unreachable", path=place, reason="it is not a folder")
    return DirectorySource(folder)


class SourceTiles:
    """The tiles of a source, as `chain.tiles` reads them."""

    def __init__(self, source: Source, bytes_max: int) -> None:
        self._source = source
        self._bytes_max = bytes_max

    def read(self, path: str) -> bytes:
        """The tile at ``path``; raises `Unreadable`."""
        return self._source.read(path, self._bytes_max)
