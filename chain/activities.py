"""Activities: what happened, as a platform reports it.  Private; erasable; never written again.

An activity is one JSON object on one line, read strictly (`keys.strict`), its bytes kept verbatim::

    format         1
    id             the platform's own name for it, up to 128 characters
    scenario       the scenario under which it is reported
    start, end     unix seconds, start <= end; an instant has both the same
    subject        pseudonym of the person, 32 hexadecimal digits; optional
    vehicle, meter pseudonyms, likewise; optional
    ticket, order, parcel, bill
                   objects of the parts that name such a line (`chain.classes`); optional
    attributes     texts that a methodology's tables look up (mode, fuel, region …); optional
    quantities     integers in whole units (metres, grams, minutes, counts); optional
    evidence       {"tier": name, "digest": SHA-256 in hexadecimal}
    authorisation  SHA-256 of the user's authorisation, in hexadecimal
    nonce          16 to 64 random bytes in hexadecimal, so that a digest cannot be guessed

Its digest is ``SHA-256("tally/activity/v1" LF ‖ the line, without its line feed)``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chain.spans import FOREVER
from keys.errors import Malformed
from keys.strict import fields, parse_json

ACTIVITY_BYTES_MAX = 8_192
ACTIVITY_DEPTH_MAX = 4
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_REQUIRED: Mapping[str, type] = {
    "format": int,
    "id": str,
    "scenario": str,
    "start": int,
    "end": int,
    "evidence": dict,
    "authorisation": str,
    "nonce": str,
}
LINE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "ticket": ("issuer", "number"),
    "order": ("issuer", "number"),
    "parcel": ("carrier", "number"),
    "bill": ("issuer", "account", "month"),
}
OPTIONAL: Mapping[str, type] = {
    "subject": str,
    "vehicle": str,
    "meter": str,
    "attributes": dict,
    "quantities": dict,
    **dict.fromkeys(LINE_FIELDS, dict),
}
_SHA256_DIGITS = 64
_SUBJECT_DIGITS = range(32, 33)
_NONCE_DIGITS = range(32, 129)


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity: its bytes, and what they say."""

    data: bytes
    fields: Mapping[str, Any]

    @property
    def digest(self) -> bytes:
        """The 32 bytes by which a reduction names its activity."""
        return sha256(b"tally/activity/v1\n" + self.data).digest()

    @property
    def subject(self) -> bytes | None:
        """The pseudonym of the person, 16 bytes; None if it names none."""
        named = self.fields.get("subject", "")
        return bytes.fromhex(named) if _is_hex(named, _SUBJECT_DIGITS) else None


def _bad(field: str, expected: str) -> Malformed:
    return Malformed("field-type", where="activity", field=field, expected=expected)


def parse_activity(data: bytes) -> Activity:
    """Read one activity; raises `Malformed`."""
    given = fields(
        parse_json(data, bytes_max=ACTIVITY_BYTES_MAX, depth_max=ACTIVITY_DEPTH_MAX),
        "activity",
        _REQUIRED,
        OPTIONAL,
    )
    if b"\n" in data or b"\r" in data:
        raise Malformed("activity-line-feed")
    if given["format"] != 1:
        raise Malformed("format-unknown", where="activity", format=given["format"])
    if not 0 <= given["start"] <= given["end"] <= FOREVER:
        raise _bad("end", "unix seconds, not before start")
    if not 1 <= len(given["id"]) <= 128:
        raise _bad("id", "1 to 128 characters")
    evidence = given["evidence"]
    if (
        evidence.keys() != {"tier", "digest"}
        or not isinstance(evidence["tier"], str)
        or not _is_hex(evidence["digest"], range(_SHA256_DIGITS, _SHA256_DIGITS + 1))
    ):
        raise _bad("evidence", "a tier and a digest of 64 hexadecimal digits")
    if not _is_hex(given["authorisation"], range(_SHA256_DIGITS, _SHA256_DIGITS + 1)):
        raise _bad("authorisation", "64 hexadecimal digits")
    if not _is_hex(given["nonce"], _NONCE_DIGITS):
        raise _bad("nonce", "32 to 128 hexadecimal digits")
    for name, value in given.get("quantities", {}).items():
        if type(value) is not int or value < 0:
            raise _bad(name, "an integer, not negative")
    for name, value in given.get("attributes", {}).items():
        if not isinstance(value, str):
            raise _bad(name, "text")
    for name, parts in LINE_FIELDS.items():
        if name in given:
            named = given[name]
            if named.keys() != set(parts) or not all(isinstance(v, str) for v in named.values()):
                raise _bad(name, "the texts " + ", ".join(parts))
    return Activity(data, given)


def _is_hex(value: object, digits: range) -> bool:
    return isinstance(value, str) and len(value) in digits and _HEX.fullmatch(value) is not None


def split_lines(data: bytes) -> list[bytes]:
    """The lines of an NDJSON file; the last line feed is optional, an empty line is not ours."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return lines


def parse_activities(lines: Sequence[bytes]) -> list[Activity]:
    """Read a batch; raises `Malformed` with the number of the first bad line."""
    activities = []
    for number, line in enumerate(lines, 1):
        try:
            activities.append(parse_activity(line))
        except Malformed as error:
            raise Malformed("activity-invalid", line=number, reason=error.text()) from error
    return activities
