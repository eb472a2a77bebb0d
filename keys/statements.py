"""Signed statements: everything that stands in the log is one.

A statement is a COSE_Sign1 (RFC 9052, section 4.2) with CWT claims in its protected header (RFC
9597), which makes it a SCITT signed statement (RFC 9943).  It is CBOR tag 18 on an array of four:

    protected    bytes: the deterministic CBOR map
                     1: algorithm (COSE number, integer)
                     3: content type, "application/vnd.tally.KIND+json"
                     4: kid, 16 bytes (`keys.suites`)
                    15: claims, a map
                         1: iss, the id of the participant who signs
                         2: sub, what it is about, 1 to 128 characters
                         3: aud, the ledger: the genesis id, 64 lower-case hexadecimal digits;
                            absent in the genesis itself, and only there
                         4: exp, unix seconds; from then on it is no longer accepted
    unprotected  the empty map
    payload      bytes: one JSON object in the strict form of `keys.strict`
    signature    bytes, in the suite of the algorithm

What is signed is the Sig_structure (RFC 9052, section 4.4): the CBOR array of "Signature1", the
protected bytes, no bytes (there is no external data) and the payload.

All of it is deterministic CBOR, at most 65,535 bytes, the protected header at most 1,024.  The
parser writes again what it has read and compares: a statement has one encoding.  Its id is
SHA-256 over ``tally/statement/v1``, a newline and the Sig_structure: it does not depend on the
signature, so that a statement signed twice is one statement.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeGuard

import cbor2

from keys.errors import Malformed
from keys.participants import PARTICIPANT_ID
from keys.signer import Signer
from keys.strict import (
    INTEGER_MAX,
    INTEGER_MIN,
    dump_cbor,
    dump_json,
    parse_cbor,
    parse_hex,
    parse_json,
    parse_text,
)
from keys.suites import KID_BYTES, PublicKey

STATEMENT_BYTES_MAX = 65_535
PROTECTED_BYTES_MAX = 1_024
AUDIENCE_BYTES = 32
KIND_CHARS_MAX = 32
GENESIS: Final = "genesis"

_COSE_SIGN1 = 18
_ALG, _CONTENT_TYPE, _KID, _CLAIMS = 1, 3, 4, 15
_ISS, _SUB, _AUD, _EXP = 1, 2, 3, 4
_STATEMENT_TAG = b"tally/statement/v1\n"
_KIND = re.compile(r"[a-z]+(-[a-z]+)*", re.ASCII)
_MEDIA_TYPE = re.compile(r"application/vnd\.tally\.(?P<kind>[^+]*)\+json", re.ASCII)
# What could hide or reorder text is named here, and not left to the Unicode tables of one Python:
# every replay must draw the same line.  Controls, line separators, directional overrides.
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,128}")


@dataclass(frozen=True)
class Statement:
    """A statement that has been read, or made; its form is right, its signature not yet checked."""

    data: bytes
    """The whole encoding, verbatim."""
    alg: int
    kid: bytes
    kind: str
    issuer: str
    subject: str
    audience: bytes | None
    """The genesis id of the ledger that it is for; None in a genesis."""
    expires: int
    """Unix seconds."""
    payload: bytes
    """The JSON, verbatim."""
    signature: bytes
    signed: bytes
    """The Sig_structure: what the signature is over."""

    @cached_property
    def id(self) -> bytes:
        """32 bytes that name what is signed, whoever's signature stands beside it."""
        return hashlib.sha256(_STATEMENT_TAG + self.signed).digest()

    @cached_property
    def body(self) -> dict[str, Any]:
        """The payload as a JSON object; raises `Malformed`."""
        value = parse_json(self.payload)
        if not isinstance(value, dict):
            raise _malformed("payload")
        return value

    def verify(self, public: PublicKey) -> bool:
        """Whether ``public`` is the key that it names, and has signed it."""
        return (
            self.alg == public.alg
            and self.kid == public.kid
            and public.verify(self.signature, self.signed)
        )


def sign_statement(
    signer: Signer,
    *,
    kind: str,
    issuer: str,
    subject: str,
    audience: bytes | None,
    expires: int,
    payload: bytes | dict[str, Any],
) -> Statement:
    """Make and sign a statement; raises `Malformed` for what `parse_statement` would refuse.

    audience: the 32-byte genesis id, None for a genesis.  expires: unix seconds.  payload: JSON
    bytes that stand as they are, or an object to be written.
    """
    claims: dict[int, object] = {_ISS: issuer, _SUB: subject, _EXP: expires}
    if audience is not None:
        claims[_AUD] = audience.hex()
    header = {
        _ALG: signer.public.alg,
        _CONTENT_TYPE: f"application/vnd.tally.{kind}+json",
        _KID: signer.public.kid,
        _CLAIMS: claims,
    }
    _check_header(header)
    protected = dump_cbor(header)
    body = dump_json(payload) if isinstance(payload, dict) else payload
    signature = signer.sign(_sig_structure(protected, body))
    array = [protected, {}, body, signature]
    return parse_statement(dump_cbor(cbor2.CBORTag(_COSE_SIGN1, array)))


def parse_statement(data: bytes) -> Statement:
    """Read a statement in its one encoding; raises `Malformed`, and nothing else, for any bytes."""
    if len(data) > STATEMENT_BYTES_MAX:
        raise Malformed("statement-size", limit=STATEMENT_BYTES_MAX)
    # The depths are those of the format, so that no tag inside is ever looked at.
    outer = parse_cbor(data, depth_max=2)
    if not isinstance(outer, cbor2.CBORTag) or outer.tag != _COSE_SIGN1:
        raise _malformed("tag")
    array = outer.value
    if not isinstance(array, (list, tuple)) or len(array) != 4:
        raise _malformed("array")
    protected, unprotected, payload, signature = array
    if not isinstance(protected, bytes) or len(protected) > PROTECTED_BYTES_MAX:
        raise _malformed("protected")
    if not isinstance(unprotected, Mapping) or unprotected:
        raise _malformed("unprotected")
    if not isinstance(payload, bytes):
        raise _malformed("payload")
    if not isinstance(signature, bytes) or not signature:
        raise _malformed("signature")
    header = parse_cbor(protected, depth_max=2)
    kind, audience = _check_header(header)
    claims = header[_CLAIMS]
    statement = Statement(
        data=data,
        alg=header[_ALG],
        kid=header[_KID],
        kind=kind,
        issuer=claims[_ISS],
        subject=claims[_SUB],
        audience=audience,
        expires=claims[_EXP],
        payload=payload,
        signature=signature,
        signed=_sig_structure(protected, payload),
    )
    _ = statement.body
    return statement


def _check_header(header: object) -> tuple[str, bytes | None]:
    """The kind and the audience of a protected header, if all of it is right."""
    if not _has_keys(header, {_ALG, _CONTENT_TYPE, _KID, _CLAIMS}):
        raise _malformed("protected")
    if not _is_integer(header[_ALG]):
        raise _malformed("alg")
    media_type = header[_CONTENT_TYPE]
    match = _MEDIA_TYPE.fullmatch(media_type) if isinstance(media_type, str) else None
    kind = match["kind"] if match else ""
    if not _KIND.fullmatch(kind) or len(kind) > KIND_CHARS_MAX:
        raise _malformed("content type")
    if not isinstance(header[_KID], bytes) or len(header[_KID]) != KID_BYTES:
        raise _malformed("kid")
    claims = header[_CLAIMS]
    expected = {_ISS, _SUB, _EXP} if kind == GENESIS else {_ISS, _SUB, _AUD, _EXP}
    if not _has_keys(claims, expected):
        raise _malformed("claims")
    if not isinstance(claims[_ISS], str) or not PARTICIPANT_ID.fullmatch(claims[_ISS]):
        raise _malformed("iss")
    if not isinstance(claims[_SUB], str) or not _SUBJECT.fullmatch(claims[_SUB]):
        raise _malformed("sub")
    parse_text(claims[_SUB])
    if not _is_integer(claims[_EXP]) or claims[_EXP] < 0:
        raise _malformed("exp")
    return kind, parse_hex(claims[_AUD], AUDIENCE_BYTES) if _AUD in claims else None


def _sig_structure(protected: bytes, payload: bytes) -> bytes:
    return dump_cbor(["Signature1", protected, b"", payload])


def _has_keys(value: object, keys: set[int]) -> TypeGuard[dict[int, Any]]:
    # 1, 1.0 and True are one key to Python; the encodings differ, so the types are looked at.
    return (
        isinstance(value, dict) and value.keys() == keys and all(type(key) is int for key in value)
    )


def _is_integer(value: object) -> TypeGuard[int]:
    return type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX


def _malformed(reason: str) -> Malformed:
    return Malformed("statement-malformed", reason=reason)
