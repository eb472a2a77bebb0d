"""The log over HTTP as C2SP tlog-tiles has it, read by a reader written from that text alone."""

import gzip
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from support.city import NOON, ORIGIN, City, key
from support.service import Served, served
from support.tlog_reader import Log, ReadError

from chain import merkle
from chain.blocks import log_key

VKEY = log_key(ORIGIN, key("operator").public).vkey
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A ledger whose log has a full tile, and partial ones on two levels."""
    city = City.found(tmp_path_factory.mktemp("city") / "ledger")
    rides = [city.ride(f"rider-{number}", NOON - 3600) for number in range(300)]
    for first in range(0, 300, 100):
        city.sequencer.submit([city.admit([ride]) for ride in rides[first : first + 100]])
        city.sequencer.seal_all(city.now)
    yield city
    city.store.engine.dispose()


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[Served]:
    with served(city, sealing=False) as client:
        yield client


class ServedPath:
    """A path below a service, as far as the reader uses paths of a folder."""

    def __init__(self, client: Served, path: str = "/") -> None:
        self._client, self._path = client, PurePosixPath(path)
        self.name = self._path.name

    def __truediv__(self, name: str) -> "ServedPath":
        return ServedPath(self._client, f"{self._path / name}")

    def with_name(self, name: str) -> "ServedPath":
        return ServedPath(self._client, f"{self._path.with_name(name)}")

    def is_file(self) -> bool:
        return self._client.get(str(self._path)).status_code == 200

    def read_bytes(self) -> bytes:
        response = self._client.get(str(self._path))
        assert response.status_code == 200, self._path
        return response.content


def test_a_foreign_reader_reads_the_log(city: City, client: Served) -> None:
    log = Log(ServedPath(client), VKEY)
    with city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index).data for index in range(city.state.index)]
    assert log.size == len(statements) == 305
    assert list(log.entries()) == statements
    assert log.check() == merkle.leaf_hashes(statements)


def test_it_finds_what_was_altered_on_the_way(city: City, client: Served) -> None:
    class Altered(ServedPath):
        def __truediv__(self, name: str) -> "ServedPath":
            return Altered(self._client, f"{self._path / name}")

        def read_bytes(self) -> bytes:
            data = super().read_bytes()
            return data[:-1] + bytes([data[-1] ^ 1]) if self._path.match("/tile/0/*") else data

    with pytest.raises(ReadError):
        Log(Altered(client), VKEY).check()


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/000",
        "/tile/0/001.p/49",
        "/tile/1/000.p/1",
        "/tile/entries/000",
        "/tile/entries/001.p/49",
    ],
)
def test_a_tile_is_the_file_and_may_be_kept_for_ever(city: City, client: Served, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.content == (city.folder / path[1:]).read_bytes()
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["cache-control"] == FOR_EVER


def test_the_checkpoint_is_the_file_and_is_asked_for_anew(city: City, client: Served) -> None:
    response = client.get("/checkpoint")
    assert response.content == (city.folder / "checkpoint").read_bytes()
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


def test_entries_are_compressed_for_whoever_takes_that(city: City, client: Served) -> None:
    plain = client.get("/tile/entries/000", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/tile/entries/000", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(raw) < len(plain.content)
    assert gzip.decompress(raw) == plain.content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] == packed.headers["etag"]
    hashes = client.get("/tile/0/000", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in hashes.headers


@pytest.mark.parametrize("path", ["/checkpoint", "/tile/0/000", "/tile/entries/001.p/49"])
def test_who_has_it_is_told_so(client: Served, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        response = client.get(path, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == first.headers["cache-control"]
    for other in ('"other"', "", tag[:-2] + '"'):
        assert client.get(path, headers={"If-None-Match": other}).content == first.content


def test_a_checkpoint_that_moved_on_is_given_again(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    with served(city, sealing=False) as client:
        tag = client.get("/checkpoint").headers["etag"]
        city.submit([city.ride("ann", NOON)])
        response = client.get("/checkpoint", headers={"If-None-Match": tag})
        assert response.status_code == 200
        assert response.content == (city.folder / "checkpoint").read_bytes()
    city.store.engine.dispose()


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001",
        "/tile/0/002",
        "/tile/0/000.p/256",
        "/tile/0/001.p/50",
        "/tile/0/001.p/049",
        "/tile/00/000",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/64/000",
        "/tile/-1/000",
        "/tile/entries/002",
        "/tile/entries",
        "/tile/",
        "/tile",
        "/tile/0/000/",
        "/tile/0//000",
        "/tile/0/000%00",
        "/tile/%2e%2e/ledger.db",
        "/tile/..%2fledger.db",
        "/tile/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/tile/entries/..%2f..%2fcheckpoint",
        "/tile/%2fetc%2fpasswd",
        "/tile/0/" + "x000/" * 100 + "000",
        "/ledger.db",
        "/checkpoint/",
        "/.publishing",
    ],
)
def test_there_is_nothing_else(client: Served, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404, path
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "route-unknown"
    assert "immutable" not in response.headers.get("cache-control", "")


def test_before_its_genesis_a_ledger_has_no_checkpoint(tmp_path: Path) -> None:
    with served(City(tmp_path / "ledger"), sealing=False) as client:
        assert client.get("/checkpoint").status_code == 404
        client.city.store.engine.dispose()
