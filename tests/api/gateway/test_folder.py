"""Files in, files out: results complete or not there, whatever happens in between."""

from pathlib import Path
from typing import Any

import pytest
from support.city import City
from support.gateway import Direct, Opened, ride

from api.gateway.folder import Folder
from api.gateway.gateway import Gateway
from keys.strict import parse_json


@pytest.fixture
def ledger(tmp_path: Path) -> Direct:
    return Direct(City.found(tmp_path / "city"))


def put(folder: Path, name: str, *lines: bytes) -> None:
    """Write a file elsewhere, then rename it."""
    (folder / "new").write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "new").rename(folder / "in" / name)


def work(gateway: Gateway, files: Folder) -> None:
    while gateway.step(files.step) == 0:
        pass


def results(folder: Path, name: str) -> list[Any]:
    return [parse_json(line) for line in (folder / "out" / name).read_bytes().splitlines()]


def test_a_file_gets_its_results_in_the_order_of_its_lines(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway, folder = gateway_of(ledger, tmp_path / "queue"), tmp_path / "folder"
    files = Folder(folder, gateway)
    lines = [ride("r-1", "ann"), b"{", ride("r-2", "bob"), ride("r-1", "carl"), ride("r-1", "ann")]
    put(folder, "day.ndjson", *lines)
    put(folder, "day.txt", b"nobody's")
    work(gateway, files)
    found = [
        (row["line"], row["id"], row["status"], row.get("code"))
        for row in results(folder, "day.results.ndjson")
    ]
    assert found == [
        (1, "r-1", "recorded", None),
        (2, None, "refused", "json-invalid"),
        (3, "r-2", "recorded", None),
        (4, "r-1", "refused", "line-id-taken"),
        (5, "r-1", "recorded", None),
    ]
    assert (folder / "in" / "done" / "day.ndjson").is_file()
    assert [path.name for path in (folder / "in").iterdir() if path.is_file()] == ["day.txt"]
    assert not files.is_open


def test_nothing_is_written_before_all_is_known(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway, folder = gateway_of(ledger, tmp_path / "queue"), tmp_path / "folder"
    files = Folder(folder, gateway)
    ledger.away = True
    put(folder, "a.ndjson", *(ride(f"r-{n}", f"person {n}") for n in range(7)))
    for _ in range(3):
        gateway.step(files.step)
    assert files.is_open
    assert list((folder / "out").iterdir()) == []
    # Another start, of which the folder knows nothing but its files.
    gateway.queue.close()
    gateway = gateway_of(ledger, tmp_path / "queue")
    ledger.away = False
    work(gateway, Folder(folder, gateway))
    rows = results(folder, "a.results.ndjson")
    assert [(row["id"], row["status"]) for row in rows] == [
        (f"r-{n}", "recorded") for n in range(7)
    ]


def test_ended_before_the_input_was_moved_it_writes_the_same_again(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway, folder = gateway_of(ledger, tmp_path / "queue"), tmp_path / "folder"
    put_into = Folder(folder, gateway)
    put(folder, "a.ndjson", ride("r-1", "ann"))
    work(gateway, put_into)
    written = (folder / "out" / "a.results.ndjson").read_bytes()
    (folder / "in" / "done" / "a.ndjson").rename(folder / "in" / "a.ndjson")
    work(gateway, Folder(folder, gateway))
    assert (folder / "out" / "a.results.ndjson").read_bytes() == written
    assert len(ledger.came) == 1


def test_a_full_queue_takes_the_rest_later(
    ledger: Direct, gateway_of: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.gateway.folder.CHUNK_LINES", 4)
    gateway, folder = gateway_of(ledger, tmp_path / "queue", open_max=5), tmp_path / "folder"
    files = Folder(folder, gateway)
    put(folder, "a.ndjson", *(ride(f"r-{n}", f"person {n}") for n in range(11)))
    while not (folder / "out" / "a.results.ndjson").exists():
        assert gateway.step(files.step) < 60
    assert len(results(folder, "a.results.ndjson")) == 11
    assert gateway.queue.counts()["done"] == 11


def test_a_folder_that_cannot_be_read_stops_nothing_else(
    ledger: Direct, gateway_of: Opened, tmp_path: Path
) -> None:
    gateway, folder = gateway_of(ledger, tmp_path / "queue"), tmp_path / "folder"
    files = Folder(folder, gateway)
    (folder / "in" / "a.ndjson").mkdir()
    gateway.take([ride("r-1", "ann")])
    for _ in range(6):
        gateway.step(files.step)
    assert gateway.problem == "IsADirectoryError"
    assert gateway.queue.counts()["done"] == 1
