"""`tally certificate`, and `tally-verify check` of what it writes, with its page."""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.bundles import AUDITORS
from support.certificates import TEXT, IssuedCity, copy
from support.postgres import url_of

from api import cli
from chain.holdings import new_holding
from keys.notes import format_note
from verifier import cli as verify

pytestmark = pytest.mark.usefixtures("database")

SERIES = "city-bus_metro-app_2026"
Run = Callable[..., Any]


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IssuedCity:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C.UTF-8")
    city = copy(tmp_path / "city")
    if (url := url_of(city.folder)) is not None:
        monkeypatch.setenv("TALLY_DATABASE", url)
    Path("audited").write_text(TEXT)
    return city


def run(capsys: pytest.CaptureFixture[str], main: Any, *arguments: object) -> tuple[int, Any]:
    status = main([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_certificate_is_written_and_checked(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("note").write_bytes(format_note(city.note(city.size, *AUDITORS[:3])))
    Path("mandate.pdf").write_bytes(b"the owner lets the broker act")
    status, made = run(
        capsys,
        cli.main,
        *("certificate", "city", SERIES, 1, 2, "--out", "c.json", "--samples", 50),
        *("--checkpoint", "note", "--delegation", "mandate.pdf"),
    )
    assert (status, made["draws"]) == (0, 50)
    assert made["size"] == Path("c.json").stat().st_size
    status, report = run(capsys, verify.main, "check", "c.json", "--policy", "audited")
    assert (status, report["verdict"]) == (0, "valid")
    assert report["facts"]["delegation"] == sha256(b"the owner lets the broker act").hexdigest()
    assert "operator" not in report["text"]["en"]


def test_a_newer_checkpoint_and_a_nonce_are_named_on_the_command_line(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    write = ("certificate", "city", SERIES, 1, 2, "--samples", 9, "--out")
    check = ("--policy", "audited")
    run(capsys, cli.main, *write, "old.json")
    city.offer(b"n" * 16)
    Path("note").write_bytes(format_note(city.note(city.size, *AUDITORS[:3])))
    status, report = run(capsys, verify.main, "check", "old.json", *check, "--newer", "note")
    assert (status, report["verdict"]) == (1, "invalid")
    assert report["checks"][-1]["error"]["code"] == "checkpoint-stale"
    run(capsys, cli.main, *write, "new.json", "--checkpoint", "note")
    more = ("--newer", "note", "--nonce", (b"n" * 16).hex())
    status, report = run(capsys, verify.main, "check", "new.json", *check, *more)
    assert (status, report["verdict"], report["facts"]["status"]) == (0, "valid", "locked")
    status, error = run(capsys, verify.main, "check", "new.json", *check, "--nonce", "12")
    assert (status, error["error"]["code"]) == (3, "hex-not-canonical")


def test_units_that_nobody_holds_have_no_certificate(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = run(capsys, cli.main, "certificate", "city", SERIES, 7, 8, "--out", "c.json")
    assert (status, error["error"]["code"]) == (2, "units-unknown")
    assert not Path("c.json").exists()


# --- the page ---


class Page(HTMLParser):
    """The tags of a page, what they load, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def paged(city: IssuedCity, capsys: pytest.CaptureFixture[str]) -> tuple[Page, str]:
    run(capsys, cli.main, "certificate", "city", SERIES, 1, 2, "--out", "c.json")
    check = ("check", "c.json", "--policy", "audited", "--html", "page.html")
    run(capsys, verify.main, *check)
    source = Path("page.html").read_text("utf-8")
    return Page(source), source


def test_a_page_says_it_in_both_languages_with_a_code_of_the_digest(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    page, source = paged(city, capsys)
    assert sha256(Path("c.json").read_bytes()).hexdigest() in page.text
    for said in ("NOT YET WITNESSED", "尚未见证", SERIES, "holder-1", "a notice", "a body, no. 1"):
        assert said in page.text
    assert {"svg", "path"} <= page.tags
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert page.loaded == []
    assert "url(" not in source and "@import" not in source


def test_what_a_file_says_cannot_write_the_page(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"to": "holder-2", "account": "<script>alert(1)</script>"}
    city.move("transfer", "holder-1", 1, 3, new_holding(city.issuance), **body)
    page, source = paged(city, capsys)
    assert body["account"] in page.text and "script" not in page.tags
    assert body["account"] not in source


def test_only_a_certificate_has_a_page(
    city: IssuedCity, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.json").write_text("{}")
    check = ("check", "c.json", "--policy", "audited", "--html", "page.html")
    status, error = run(capsys, verify.main, *check)
    assert (status, error["error"]["code"]) == (2, "page-of-certificate")


def test_without_segno_the_command_says_what_to_install(
    city: IssuedCity, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    run(capsys, cli.main, "certificate", "city", SERIES, 1, 2, "--out", "c.json")
    check = ("check", "c.json", "--policy", "audited", "--html", "page.html")
    status, error = run(capsys, verify.main, *check)
    assert (status, error["error"]["code"]) == (2, "page-needs-segno")
    assert "carbon-tally[page]" in error["error"]["text"]["zh"]
