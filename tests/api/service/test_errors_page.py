"""docs/errors.md lists every code that the service may answer with; its types are served."""

import re
from pathlib import Path

from support.city import City
from support.errors_page import PAGE, page, statuses
from support.service import served

from keys.catalogue import TEXTS


def test_the_page_is_complete() -> None:
    # Else: PYTHONPATH=.:tests .venv/bin/python tests/support/errors_page.py
    assert PAGE.read_text("utf-8") == page()


def test_what_is_mapped_to_a_status_of_its_own_is_on_the_page() -> None:
    found = statuses()
    assert found["request-unsigned"] == {401}
    assert found["read-not-allowed"] == {403}
    assert found["request-rate"] == {429}
    assert found["service-fault"] == {500}
    assert {404, 405, 408, 409, 413, 415, 422, 503} <= set().union(*found.values())


def test_each_type_is_served(tmp_path: Path) -> None:
    types = re.findall(r"^\| `(/errors/[a-z0-9-]+)`", PAGE.read_text("utf-8"), re.M)
    assert len(types) == len(set(types)) == len(statuses())
    with served(City.found(tmp_path), sealing=False) as client:
        for kind in types[:: len(types) // 10]:
            code = kind.removeprefix("/errors/")
            english, chinese = TEXTS[code]
            assert client.get(kind).json() == {
                "code": code,
                "text": {"en": english, "zh": chinese},
            }
