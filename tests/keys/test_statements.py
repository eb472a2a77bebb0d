"""Signed statements: the structure that the RFCs ask for, one encoding, and no other way in."""

import hashlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import Malformed
from keys.signer import from_seed
from keys.statements import STATEMENT_BYTES_MAX, Statement, parse_statement, sign_statement
from keys.strict import dump_json
from keys.suites import PublicKey

SIGNER = from_seed(b"bus")
LEDGER = hashlib.sha256(b"genesis").digest()
KID = SIGNER.public.kid
GOOD: dict[str, Any] = {
    "kind": "submission",
    "issuer": "bus",
    "subject": "2026-01-31 第一批",
    "audience": LEDGER,
    "expires": 1_800_000_000,
    "payload": {"count": 2, "root": "00"},
}


def sign(**changes: Any) -> Statement:
    return sign_statement(SIGNER, **{**GOOD, **changes})


def claims(**changes: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {1: "bus", 2: "a batch", 3: LEDGER.hex(), 4: 1_800_000_000}
    made.update({int(name[1:]): value for name, value in changes.items()})
    return {label: value for label, value in made.items() if value is not ...}


def header(**changes: Any) -> dict[Any, Any]:
    made = {1: -8, 3: "application/vnd.tally.submission+json", 4: KID, 15: claims()}
    made.update({int(name[1:]): value for name, value in changes.items()})
    return {label: value for label, value in made.items() if value is not ...}


def cbor(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def bstr(data: bytes) -> bytes:
    return cbor(data)


def build(
    protected: bytes | dict[Any, Any] | None = None,
    *,
    unprotected: bytes = b"\xa0",
    payload: bytes = b"{}",
    signature: bytes | None = None,
    start: bytes = b"\xd2\x84",
    end: bytes = b"",
) -> bytes:
    """A statement put together by hand, properly signed, well formed but for what is given."""
    if not isinstance(protected, bytes):
        protected = cbor(header() if protected is None else protected)
    if signature is None:
        signature = SIGNER.sign(cbor(["Signature1", protected, b"", payload]))
    return start + bstr(protected) + unprotected + bstr(payload) + bstr(signature) + end


def test_the_structure_is_that_of_the_rfcs() -> None:
    statement = sign()
    tag = cbor2.loads(statement.data)
    assert tag.tag == 18  # RFC 9052, section 4.2: COSE_Sign1
    protected, unprotected, payload, signature = tag.value
    assert not unprotected
    assert cbor2.loads(protected) == {
        1: -8,
        3: "application/vnd.tally.submission+json",
        4: SIGNER.public.kid,
        15: {1: "bus", 2: GOOD["subject"], 3: LEDGER.hex(), 4: 1_800_000_000},  # RFC 9597
    }
    assert payload == statement.payload == b'{"count":2,"root":"00"}'
    signed = cbor2.dumps(["Signature1", protected, b"", payload])  # section 4.4
    assert signed == statement.signed
    assert signature == statement.signature
    assert SIGNER.public.verify(signature, signed)


def test_a_statement_says_what_was_signed() -> None:
    statement = sign()
    assert parse_statement(statement.data) == statement
    assert (statement.alg, statement.kid) == (-8, KID)
    assert (statement.kind, statement.issuer) == ("submission", "bus")
    assert (statement.subject, statement.audience) == (GOOD["subject"], LEDGER)
    assert (statement.expires, statement.body) == (1_800_000_000, GOOD["payload"])
    assert statement.id == hashlib.sha256(b"tally/statement/v1\n" + statement.signed).digest()


def test_a_genesis_has_no_audience_and_all_else_has_one() -> None:
    assert sign(kind="genesis", audience=None).audience is None
    for wrong in ({"kind": "genesis"}, {"audience": None}):
        with pytest.raises(Malformed):
            sign(**wrong)


def test_a_statement_for_another_audience_shows_it() -> None:
    other = hashlib.sha256(b"another genesis").digest()
    statement = parse_statement(sign(audience=other).data)
    assert statement.audience == other != LEDGER
    assert statement.verify(SIGNER.public)
    assert statement.id != sign().id


def test_the_payload_is_kept_verbatim() -> None:
    payload = b'{ "b": 1,\n "a": 2 }'
    statement = sign(payload=payload)
    assert statement.payload == payload
    assert statement.body == {"a": 2, "b": 1}
    assert statement.id != sign(payload=dump_json({"a": 2, "b": 1})).id


def test_verify_takes_the_named_key_alone() -> None:
    statement = sign()
    assert statement.verify(SIGNER.public)
    assert not statement.verify(from_seed(b"other").public)
    assert not statement.verify(PublicKey(-7, SIGNER.public.raw))
    foreign = parse_statement(build(header(_4=from_seed(b"other").public.kid)))
    assert not foreign.verify(SIGNER.public)
    for changed in (
        build(signature=bytes(64)),
        build(signature=b"x"),
        build(payload=b'{"a":1}', signature=sign().signature),
        build(header(_15=claims(_4=1)), signature=sign().signature),
    ):
        assert not parse_statement(changed).verify(SIGNER.public)


def test_high_s_is_refused_and_would_be_the_same_statement() -> None:
    statement = sign()
    order = 2**252 + 27742317777372353535851937790883648493
    high_s = int.from_bytes(statement.signature[32:], "little") + order
    signature = statement.signature[:32] + high_s.to_bytes(32, "little")
    tag = cbor2.loads(statement.data)
    protected, _, payload, _ = tag.value
    other = parse_statement(build(protected, payload=payload, signature=signature))
    assert not other.verify(SIGNER.public)
    assert other.id == statement.id


def test_what_is_built_by_hand_is_what_is_signed() -> None:
    by_hand = build(header(), payload=b"{}")
    assert by_hand == sign(subject="a batch", payload={}).data
    assert parse_statement(by_hand).verify(SIGNER.public)


BAD_ENCODINGS = {
    "empty": b"",
    "trailing_bytes": build(end=b"\0"),
    "trailing break": build(end=b"\xff"),
    "twice": build() * 2,
    "cut short": build()[:-1],
    "tag left out": build(start=b"\x84"),
    "wrong_tag 98": build(start=b"\xd8\x62\x84"),
    "wrong_tag 17": build(start=b"\xd1\x84"),
    "tag 18 in two bytes": build(start=b"\xd8\x12\x84"),
    "tag twice": build(start=b"\xd2\xd2\x84"),
    "self-described": build(start=b"\xd9\xd9\xf7\xd2\x84"),
    "array of three": build(start=b"\xd2\x83"),
    "array of five": build(start=b"\xd2\x85", end=b"\x40"),
    "indefinite_length array": build(start=b"\xd2\x9f", end=b"\xff"),
    "non_canonical length of array": build(start=b"\xd2\x98\x04"),
    "unprotected not empty": build(unprotected=b"\xa1\x04\x41\x00"),
    "unprotected kid": build(unprotected=cbor({4: KID})),
    "unprotected indefinite_length": build(unprotected=b"\xbf\xff"),
    "unprotected array": build(unprotected=b"\x80"),
    "unprotected bytes": build(unprotected=b"\x40"),
    "unprotected null": build(unprotected=b"\xf6"),
    "unprotected a tag": build(unprotected=b"\xd8\x23\x61a"),
    "signature empty": build(signature=b""),
    "signature text": build(signature=b"")[:-1] + b"\x61x",
    "payload detached": b"\xd2\x84" + bstr(cbor(header())) + b"\xa0\xf6" + bstr(bytes(64)),
    "payload text": b"\xd2\x84" + bstr(cbor(header())) + b"\xa0\x62{}" + bstr(bytes(64)),
    "payload indefinite_length": b"\xd2\x84"
    + bstr(cbor(header()))
    + b"\xa0\x5f\x42{}\xff"
    + bstr(bytes(64)),
    "protected a map": b"\xd2\x84" + cbor(header()) + b"\xa0\x42{}" + bstr(bytes(64)),
    "protected of one more kilobyte": build(header(_15=claims(_2="x" * 1000))),
}


def protected(*pairs: bytes, head: bytes | None = None) -> bytes:
    return (head or bytes([0xA0 + len(pairs)])) + b"".join(pairs)


ALG = b"\x01\x27"
TYPE = b"\x03" + cbor("application/vnd.tally.submission+json")
ID = b"\x04" + bstr(KID)
CLAIMS = b"\x0f" + cbor(claims())
BAD_HEADERS: dict[str, bytes | dict[Any, Any]] = {
    "empty": b"",
    "no map": b"\x80",
    "empty map": b"\xa0",
    "duplicate_label": protected(ALG, ALG, TYPE, ID, CLAIMS),
    "duplicate_label with another value": protected(ALG, b"\x01\x26", TYPE, ID, CLAIMS),
    "duplicate_label in claims": protected(
        ALG, TYPE, ID, b"\x0f\xa5" + b"\x01" + cbor("bus") + cbor(claims())[1:]
    ),
    "labels out of order": protected(TYPE, ALG, ID, CLAIMS),
    "indefinite_length": protected(ALG, TYPE, ID, CLAIMS, head=b"\xbf") + b"\xff",
    "indefinite_length kid": protected(ALG, TYPE, b"\x04\x5f" + bstr(KID) + b"\xff", CLAIMS),
    "non_canonical length of map": protected(ALG, TYPE, ID, CLAIMS, head=b"\xb8\x04"),
    "non_canonical integer alg": protected(b"\x01\x38\x07", TYPE, ID, CLAIMS),
    "non_canonical integer label": protected(b"\x18\x01\x27", TYPE, ID, CLAIMS),
    "non_canonical length of kid": protected(ALG, TYPE, b"\x04\x58\x10" + KID, CLAIMS),
    "label 1 as a float": protected(b"\xf9\x3c\x00\x27", TYPE, ID, CLAIMS),
    "label 1 as true": protected(b"\xf5\x27", TYPE, ID, CLAIMS),
    "trailing_bytes": protected(ALG, TYPE, ID, CLAIMS) + b"\0",
    "claim 1 as true": header(_15={True: "bus", **claims(_1=...)}),
    "critical headers": header(_2=[15]),
    "a further label": header(_16="x"),
    "a text label": {**header(), "x": 1},
    "alg left out": header(_1=...),
    "alg text": header(_1="EdDSA"),
    "alg true": header(_1=True),
    "alg float": header(_1=-8.0),
    "alg huge": header(_1=2**64),
    "alg below 64 bits": header(_1=-(2**63) - 1),
    "content type left out": header(_3=...),
    "content type a number": header(_3=50),
    "content type of another": header(_3="application/json"),
    "content type without a kind": header(_3="application/vnd.tally.+json"),
    "content type in upper case": header(_3="application/vnd.tally.Seal+json"),
    "content type with parameters": header(_3="application/vnd.tally.seal+json; v=1"),
    "content type with a line feed": header(_3="application/vnd.tally.seal+json\n"),
    "kind too long": header(_3=f"application/vnd.tally.{'x' * 33}+json"),
    "kid left out": header(_4=...),
    "kid short": header(_4=KID[:15]),
    "kid long": header(_4=KID + b"\0"),
    "kid text": header(_4="x" * 16),
    "claims left out": header(_15=...),
    "claims a list": header(_15=[]),
    "claims bytes": header(_15=cbor(claims())),
    "claims with iat": header(_15=claims(_6=1)),
    "iss left out": header(_15=claims(_1=...)),
    "iss empty": header(_15=claims(_1="")),
    "iss upper case": header(_15=claims(_1="Bus")),
    "iss with a hyphen at its end": header(_15=claims(_1="bus-")),
    "iss with a line feed": header(_15=claims(_1="bus\n")),
    "iss too long": header(_15=claims(_1="b" * 65)),
    "iss bytes": header(_15=claims(_1=b"bus")),
    "sub left out": header(_15=claims(_2=...)),
    "sub empty": header(_15=claims(_2="")),
    "sub too long": header(_15=claims(_2="x" * 129)),
    "sub with a control character": header(_15=claims(_2="a\x00")),
    "sub with a line feed": header(_15=claims(_2="a\n")),
    "sub with a line separator": header(_15=claims(_2="a\u2028")),
    "sub that turns its direction": header(_15=claims(_2="a\u202eb")),
    "sub not NFC": header(_15=claims(_2="e\u0301")),
    "aud left out": header(_15=claims(_3=...)),
    "aud bytes": header(_15=claims(_3=LEDGER)),
    "aud upper case": header(_15=claims(_3=LEDGER.hex().upper())),
    "aud short": header(_15=claims(_3=LEDGER.hex()[2:])),
    "aud a list": header(_15=claims(_3=[LEDGER.hex()])),
    "aud in a genesis": header(_3="application/vnd.tally.genesis+json"),
    "exp left out": header(_15=claims(_4=...)),
    "exp negative": header(_15=claims(_4=-1)),
    "exp float": header(_15=claims(_4=1.5)),
    "exp whole float": header(_15=claims(_4=1.0)),
    "exp true": header(_15=claims(_4=True)),
    "exp a date": header(_15=claims(_4=cbor2.CBORTag(1, 5))),
    "exp huge": header(_15=claims(_4=2**63)),
    "exp null": header(_15=claims(_4=None)),
}


def refused(data: bytes) -> str:
    with pytest.raises(Malformed) as error:
        parse_statement(data)
    dump_json(error.value.as_json())
    return error.value.code


@pytest.mark.parametrize("data", BAD_ENCODINGS.values(), ids=BAD_ENCODINGS)
def test_encodings_that_are_refused(data: bytes) -> None:
    assert refused(data) in {"statement-malformed", "cbor-not-canonical"}


@pytest.mark.parametrize("wrong", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_headers_that_are_refused(wrong: bytes | dict[Any, Any]) -> None:
    assert refused(build(wrong)) in {
        "statement-malformed",
        "cbor-not-canonical",
        "hex-not-canonical",
        "text-not-nfc",
    }


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "json-invalid"),
        (b"[]", "statement-malformed"),
        (b"1", "statement-malformed"),
        (b'{"a":1,"a":1}', "json-duplicate-key"),
        (b'{"a":1.5}', "json-float"),
        (b'{"a":NaN}', "json-float"),
        (b'{"a":9223372036854775808}', "json-integer-range"),
        (b'{"a":' + b"[" * 16 + b"]" * 16 + b"}", "json-depth"),
        (b'{"a":"e\\u0301"}', "text-not-nfc"),
        (b'{"a":"\xff"}', "text-not-utf8"),
    ],
)
def test_payloads_that_are_refused(payload: bytes, code: str) -> None:
    assert refused(build(payload=payload)) == code
    with pytest.raises(Malformed) as error:
        sign(payload=payload)
    assert error.value.code == code


def test_statement_size() -> None:
    empty = len(sign(payload={"x": "x" * 60_000}).data)
    largest = sign(payload={"x": "x" * (60_000 + STATEMENT_BYTES_MAX - empty)})
    assert len(largest.data) == STATEMENT_BYTES_MAX
    assert parse_statement(largest.data) == largest
    assert (
        refused(build(payload=b'{"x":"' + b"x" * STATEMENT_BYTES_MAX + b'"}')) == "statement-size"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Seal"},
        {"kind": "seal-"},
        {"kind": ""},
        {"issuer": "Bus"},
        {"subject": ""},
        {"subject": "\ud800"},
        {"subject": "e\u0301"},
        {"audience": LEDGER[:31]},
        {"expires": -1},
        {"expires": 2**63},
        {"expires": True},
    ],
)
def test_what_could_not_be_read_is_not_signed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        sign(**wrong)


@given(st.data())
def test_nothing_but_malformed_comes_out(data: st.DataObject) -> None:
    changed = bytearray(sign().data)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        cut = data.draw(st.integers(0, 3))
        changed[at : at + cut] = data.draw(st.binary(max_size=3))
    try:
        statement = parse_statement(bytes(changed))
    except Malformed:
        return
    # What still reads is another statement or another signature, and has one encoding.
    assert statement.data == changed
    assert statement == sign() or not statement.verify(SIGNER.public)


@given(st.binary(max_size=200))
def test_any_bytes_are_malformed(data: bytes) -> None:
    refused(data)
    refused(b"\xd2\x84" + data)
