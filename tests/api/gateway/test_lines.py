"""Lines: an activity with plain identifiers and no nonce, read strictly."""

import json
from typing import Any

import pytest
from support.gateway import ZEROS, ride

from api.gateway.lines import draft_of, read_line, write_activity
from api.identifiers import IDENTIFIERS, Plain
from chain.activities import ACTIVITY_BYTES_MAX, parse_activity
from keys.errors import Malformed

GIVEN: dict[str, Any] = {
    "subject": "ID 1101 01",
    "vehicle": "京a·12345",
    "meter": "M-1",
    "ticket": {"issuer": "city-bus", "number": "T 1"},
    "order": {"issuer": "canteen", "number": "O 1"},
    "parcel": {"carrier": "post", "number": "P 1"},
    "bill": {"issuer": "grid", "account": "A 1", "month": "2026-02"},
}


def test_every_identifier_is_plain_and_in_its_one_spelling() -> None:
    draft = draft_of(read_line(ride("a", "x", **GIVEN)).content)
    plain = {name: str(item) for name, item in draft.items() if isinstance(item, Plain)}
    assert plain == {
        "subject": "ID110101",
        "vehicle": "京A12345",
        "meter": "M-1",
        "ticket.number": "T1",
        "order.number": "O1",
        "parcel.number": "P1",
        "bill.account": "A1",
    }
    assert plain.keys() == IDENTIFIERS.keys()


def test_with_its_pseudonyms_and_nonce_it_is_an_activity() -> None:
    line = read_line(ride("a", "x", **GIVEN))
    draft = draft_of(line.content)
    activity = parse_activity(write_activity(draft, bytes(16)))
    assert activity.fields.keys() == {*json.loads(line.content), "nonce"}
    assert activity.fields["bill"] == {"issuer": "grid", "account": "A1", "month": "2026-02"}


def test_however_it_is_written_it_says_the_same() -> None:
    given = json.loads(ride("a", "x"))
    loose = json.dumps(dict(reversed(given.items())), indent=None, separators=(" , ", " : "))
    assert read_line(loose.encode() + b"\r") == read_line(ride("a", "x"))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"nonce": "0" * 32}, "field-unknown"),
        ({"ticket.number": "1"}, "field-unknown"),
        ({"person": "ann"}, "field-unknown"),
        ({"subject": " - "}, "identifier-empty"),
        ({"subject": 7}, "field-type"),
        ({"ticket": {}}, "field-type"),
        ({"ticket": "T 1"}, "field-type"),
        ({"ticket": {"number": "T 1"}}, "field-type"),
        ({"ticket": {"issuer": "city-bus", "number": ["T 1"]}}, "field-type"),
        ({"evidence": {"tier": "photo"}}, "field-type"),
        ({"authorisation": ZEROS[1:]}, "field-type"),
        ({"id": ""}, "field-type"),
        ({"format": 2}, "format-unknown"),
        ({"start": NotImplemented}, "field-missing"),
        ({"quantities": {"metres": 1.5}}, "json-float"),
        ({"attributes": {"a": {"b": {"c": {}}}}}, "json-depth"),
        ({"attributes": {"a": "x" * ACTIVITY_BYTES_MAX}}, "json-size"),
        ({"subject": "e\u0301"}, "text-not-nfc"),
    ],
)
def test_lines_that_are_refused(more: dict[str, Any], code: str) -> None:
    given = json.loads(ride("a", "x")) | more
    given = {name: item for name, item in given.items() if item is not NotImplemented}
    with pytest.raises(Malformed) as caught:
        read_line(json.dumps(given, ensure_ascii=False).encode())
    assert caught.value.code == code


@pytest.mark.parametrize("line", [b"", b"[]", b"7", b"{}{}", b'{"id":"a","id":"b"}', b"\xff"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        read_line(line)
