"""What a gateway is given: a line for each activity, its identifiers plain.

A line is an activity (`chain.activities`), one JSON object read strictly, with the same fields but
for two differences:

* ``subject``, ``vehicle``, ``meter``, the ``number`` of a ticket, an order or a parcel, and the
  ``account`` of a bill hold the identifier as the platform knows it: a card's number, a plate;
* there is no ``nonce``.

``id`` is the platform's own name for the event.  A line with an ``id`` that is known is the same
line if it says the same, however it is written, and is refused if it does not.
"""

from dataclasses import dataclass
from typing import Any

from api.identifiers import IDENTIFIERS, Draft, Plain, nested, plain
from chain.activities import ACTIVITY_BYTES_MAX, ACTIVITY_DEPTH_MAX, LINE_FIELDS, parse_activity
from keys.errors import Malformed
from keys.pseudonyms import PSEUDONYM_BYTES
from keys.strict import dump_json, parse_json

NONCE_BYTES = 16


@dataclass(frozen=True)
class Line:
    """A line that has been read.

    content: what it says, written in one way; with the identifiers.
    """

    id: str
    scenario: str
    content: bytes


def read_line(data: bytes) -> Line:
    """Read a line; raises `Malformed` for what no pseudonyms could make an activity of."""
    value = parse_json(data, bytes_max=ACTIVITY_BYTES_MAX, depth_max=ACTIVITY_DEPTH_MAX)
    if not isinstance(value, dict):
        raise Malformed("field-type", where="activity", field=".", expected="an object")
    for name in value:
        if name == "nonce" or "." in name:
            raise Malformed("field-unknown", where="activity", field=name[:80])
    draft = _draft(value)
    for name, item in draft.items():
        if isinstance(item, Plain):
            if not item:
                raise Malformed("identifier-empty", name=IDENTIFIERS[name])
            draft[name] = "0" * (2 * PSEUDONYM_BYTES)
    # Whatever stands there in the end is as long as this.
    activity = parse_activity(write_activity(draft, bytes(NONCE_BYTES)))
    return Line(activity.fields["id"], activity.fields["scenario"], dump_json(value))


def draft_of(content: bytes) -> Draft:
    """The draft of an activity from what its line says."""
    return _draft(parse_json(content))


def write_activity(draft: Draft, nonce: bytes) -> bytes:
    """The bytes of an activity."""
    return dump_json({**nested(draft), "nonce": nonce.hex()})


def _draft(value: dict[str, Any]) -> Draft:
    draft: Draft = {}
    for name, item in value.items():
        # An empty one stays, to be refused as what it is.
        if name in LINE_FIELDS and isinstance(item, dict) and item:
            draft |= {f"{name}.{part}": of for part, of in item.items()}
        else:
            draft[name] = item
    for name in IDENTIFIERS.keys() & draft.keys():
        if isinstance(draft[name], str):
            draft[name] = plain(name, draft[name])
    return draft
