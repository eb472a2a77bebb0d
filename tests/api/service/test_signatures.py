"""Requests that participants sign (RFC 9421): what holds, and every way in which it is refused."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import HTTPMessageSigner
from hypothesis import given
from hypothesis import strategies as st
from support.city import NOON, City, key
from support.suites import es256, high_s, ml_dsa

from api.service.signatures import (
    SIGNATURE_SECONDS_MAX,
    Request,
    _Ed25519,
    sign,
    verify,
)
from chain.genesis import enrol
from chain.state import State
from keys.errors import Malformed, NotAllowed, TallyError, Usage
from keys.participants import Role, key_holder
from keys.signer import KeySigner
from keys.suites import ED25519, ES256, PublicKey
from verifier.signed_reads import CLOCK_SKEW_SECONDS_MAX

PHONE = es256("phone-app")
SIGNERS = {"metro-app": key("metro-app"), "phone-app": PHONE}
NOW = NOON + 1000
HOST = "ledger.example:8443"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    city = City.found(tmp_path_factory.mktemp("city") / "ledger")
    city.govern(enrol("phone-app", "Phone", [Role.PLATFORM], PHONE.public))
    yield city
    city.store.engine.dispose()


@pytest.fixture(scope="module")
def state(city: City) -> State:
    return city.state


def plain(
    method: str = "GET", target: str = "/v1/reductions?limit=5", body: bytes = b""
) -> Request:
    return Request(method, target, (("Host", HOST), ("Accept", "*/*")), body)


def signed(state: State, request: Request, participant: str = "metro-app", **more: Any) -> Request:
    """The request with the fields that sign it."""
    made = sign(
        request,
        more.get("signer", SIGNERS.get(participant)),
        participant=participant,
        ledger=more.get("ledger", state.genesis.id),
        now=NOW,
    )
    return replace(request, headers=(*request.headers, *made.items()))


def changed(request: Request, name: str, value: str | Callable[[str], str] | None) -> Request:
    """With another value of a field, or without it."""
    headers = []
    for known, old in request.headers:
        if known.lower() != name.lower():
            headers.append((known, old))
        elif value is not None:
            headers.append((known, value if isinstance(value, str) else value(old)))
    return replace(request, headers=tuple(headers))


def code_of(request: Request, state: State, now: int = NOW) -> str:
    with pytest.raises(TallyError) as caught:
        verify(request, state, now)
    assert isinstance(caught.value, Malformed | NotAllowed)
    return caught.value.code


# --- what holds ---


@pytest.mark.parametrize("participant", SIGNERS)
@pytest.mark.parametrize(
    "request_",
    [
        plain(),
        plain(target="/"),
        plain(target="/v1/lines/00ff/spans?start=1&end=2&x=%E5%85%AC%20a+b"),
        plain("POST", "/v1/claims/check", b'{"class":"ticket"}'),
        plain("POST", "/v1/claims/check", bytes(range(256)) * 1000),
    ],
    ids=["query", "root", "encoded", "body", "long body"],
)
def test_a_signed_request_is_its_participants(
    state: State, participant: str, request_: Request
) -> None:
    assert verify(signed(state, request_, participant), state, NOW) == participant


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.text("abcXYZ019-._~!$&'()*+,;=:@/?", max_size=60),
    st.binary(max_size=200),
)
def test_any_request_that_is_signed_verifies(
    state: State, method: str, target: str, body: bytes
) -> None:
    assert verify(signed(state, plain(method, f"/{target}", body)), state, NOW) == "metro-app"


def test_no_two_signatures_are_alike(state: State) -> None:
    assert signed(state, plain()) != signed(state, plain())


def test_the_library_makes_the_base_of_the_rfc_and_our_signer_its_signature() -> None:
    # RFC 9421, sections B.1.4, B.2 and B.2.6.
    secret = base64.urlsafe_b64decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU=")
    signer = KeySigner(ED25519, Ed25519PrivateKey.from_private_bytes(secret))
    assert signer.public.raw == base64.urlsafe_b64decode(
        "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs="
    )

    @dataclass
    class Message:
        method: str
        url: str
        headers: dict[str, str]

    message = Message(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        {
            "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "Content-Type": "application/json",
            "Content-Length": "18",
        },
    )
    library = HTTPMessageSigner(signature_algorithm=_Ed25519)
    prepared = library.prepare(
        message,
        key_id="test-key-ed25519",
        created=datetime.fromtimestamp(1618884473, UTC),
        label="sig-b26",
        include_alg=False,
        covered_component_ids=(
            "date",
            "@method",
            "@path",
            "@authority",
            "content-type",
            "content-length",
        ),
    )
    assert prepared.signature_base.decode() == (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@method": POST\n'
        '"@path": /foo\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n'
        '"content-length": 18\n'
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" '
        '"content-length");created=1618884473;keyid="test-key-ed25519"'
    )
    signature = signer.sign(prepared.signature_base)
    assert base64.b64encode(signature) == (
        b"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )


def test_our_suite_takes_the_ecdsa_signature_of_the_rfc() -> None:
    # RFC 9421, sections B.1.3 and B.2.4.
    pem = (
        b"-----BEGIN PUBLIC KEY-----\n"
        b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n"
        b"w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n"
        b"-----END PUBLIC KEY-----\n"
    )
    point = load_pem_public_key(pem).public_numbers()
    public = PublicKey(ES256.alg, b"\x04" + point.x.to_bytes(32) + point.y.to_bytes(32)).check()
    base = (
        b'"@status": 200\n'
        b'"content-type": application/json\n'
        b'"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX6'
        b"9wWdXymyU0rjJuahq4l5aGgfLQ==:\n"
        b'"content-length": 23\n'
        b'"@signature-params": ("@status" "content-type" "content-digest" "content-length")'
        b';created=1618884473;keyid="test-key-ecc-p256"'
    )
    signature = base64.b64decode(
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
    )
    low = signature if public.verify(signature, base) else high_s(signature)
    assert public.verify(low, base)


# --- made by hand, from the text of the RFC alone ---


def by_hand(
    state: State,
    participant: str = "metro-app",
    *,
    body: bytes = b"",
    digest: str | None = None,
    components: str | None = None,
    label: str = "tally",
    extra: dict[str, str] | None = None,
    **parameters: object,
) -> Request:
    """A signed request of which every part can be another."""
    target = "/v1/holdings?owner=a"
    fields = {"Host": HOST, **(extra or {})}
    if body and digest is None:
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    if digest:
        fields["content-digest"] = digest
    values = {
        "@method": "POST",
        "@authority": HOST,
        "@path": "/v1/holdings",
        "@query": "?owner=a",
        **fields,
    }
    names = components or "@method @authority @path @query" + (" content-digest" if digest else "")
    algorithm = "ecdsa-p256-sha256" if participant == "phone-app" else "ed25519"
    given = {
        "created": NOW,
        "expires": NOW + 60,
        "keyid": participant,
        "alg": algorithm,
        "tag": f"tally/{state.genesis.id.hex()}",
        "nonce": "n",
        **parameters,
    }
    covered = " ".join(f'"{name}"' for name in names.split())
    listed = "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"'
        for name, value in given.items()
        if value is not None
    )
    params = f"({covered}){listed}"
    lines = [f'"{name}": {values[name]}' for name in names.split()]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    signature = base64.b64encode(SIGNERS[participant].sign(base.encode())).decode()
    headers = {
        **fields,
        "Signature-Input": f"{label}={params}",
        "Signature": f"{label}=:{signature}:",
    }
    return Request("POST", target, tuple(headers.items()), body)


@pytest.mark.parametrize("participant", SIGNERS)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_signature_by_the_text_of_the_rfc_verifies(
    state: State, participant: str, body: bytes
) -> None:
    assert verify(by_hand(state, participant, body=body), state, NOW) == participant


def test_the_order_of_components_is_free_and_more_may_be_covered(state: State) -> None:
    request = by_hand(
        state,
        components="date @query @path @authority @method",
        extra={"date": "Tue, 20 Apr 2021 02:07:55 GMT"},
    )
    assert verify(request, state, NOW) == "metro-app"
    assert code_of(changed(request, "date", "Wed, 21 Apr 2021 02:07:55 GMT"), state) == INVALID


def test_a_digest_of_sha_512_is_taken_as_well(state: State) -> None:
    body = b"{}"
    long = base64.b64encode(hashlib.sha512(body).digest()).decode()
    short = base64.b64encode(hashlib.sha256(body).digest()).decode()
    for digest in (f"sha-512=:{long}:", f"sha-256=:{short}:, sha-512=:{long}:"):
        assert verify(by_hand(state, body=body, digest=digest), state, NOW) == "metro-app"


def test_other_signatures_beside_ours_are_nothing_to_us(state: State) -> None:
    request = signed(state, plain())
    request = changed(request, "Signature-Input", lambda old: f'proxy=("@method");created=1, {old}')
    request = changed(request, "Signature", lambda old: f"proxy=:AAAA:, {old}")
    assert verify(request, state, NOW) == "metro-app"


def test_a_field_in_several_lines_is_one(state: State) -> None:
    request = signed(state, plain())
    apart = (("Signature-Input", 'proxy=("@method")'), ("Signature", "proxy=:AAAA:"))
    assert verify(replace(request, headers=(*apart, *request.headers)), state, NOW) == "metro-app"


# --- what is refused ---

INVALID = "request-signature-invalid"
MALFORMED = "request-signature-malformed"
COVERS = "request-signature-covers"
TIME = "request-signature-time"
DIGEST = "request-signature-digest"


@pytest.mark.parametrize("participant", SIGNERS)
def test_a_request_in_which_anything_changed_is_refused(state: State, participant: str) -> None:
    good = signed(state, plain("POST", "/v1/claims/check?a=b", b'{"a":1}'), participant)
    assert verify(good, state, NOW) == participant
    assert code_of(replace(good, method="PUT"), state) == INVALID
    assert code_of(replace(good, target="/v1/claims/Check?a=b"), state) == INVALID
    assert code_of(replace(good, target="/v1/claims/check/?a=b"), state) == INVALID
    assert code_of(replace(good, target="/v1/claims/check?a=c"), state) == INVALID
    assert code_of(replace(good, target="/v1/claims/check"), state) == INVALID
    assert code_of(changed(good, "Host", "ledger.example"), state) == INVALID
    assert code_of(changed(good, "Host", "other.example:8443"), state) == INVALID
    assert code_of(replace(good, body=b'{"a":2}'), state) == DIGEST
    assert code_of(replace(good, body=b""), state) == DIGEST
    assert code_of(changed(good, "Content-Digest", None), state) == INVALID
    without = replace(changed(good, "Content-Digest", None), body=b"")
    assert code_of(without, state) == INVALID
    other = base64.b64encode(hashlib.sha256(b'{"a":2}').digest()).decode()
    swapped = changed(good, "Content-Digest", f"sha-256=:{other}:")
    assert code_of(swapped, state) == INVALID
    assert code_of(replace(swapped, body=b'{"a":2}'), state) == INVALID


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (f"created={NOW}", f"created={NOW + 1}", INVALID),
        (f"expires={NOW + SIGNATURE_SECONDS_MAX}", f"expires={NOW + 9}", INVALID),
        ('keyid="metro-app"', 'keyid="pay-app"', INVALID),
        ('alg="ed25519"', 'alg="ecdsa-p256-sha256"', INVALID),
        ('nonce="', 'nonce="x', INVALID),
        ('"@method" "@authority"', '"@authority" "@method"', INVALID),
        ('("@method" ', '("@method" "accept" ', INVALID),
        ('("@method" ', "(", COVERS),
        (' "@authority"', "", COVERS),
        (' "@path"', "", COVERS),
        (' "@query"', "", COVERS),
        (' "content-digest"', "", COVERS),
        ('"content-digest"', '"content-digest";key="sha-256"', COVERS),
        ('"@method"', '"@method";req', COVERS),
        ('"@path"', '"@path" "@path"', INVALID),
    ],
)
def test_parameters_that_changed_are_refused(state: State, old: str, new: str, code: str) -> None:
    good = signed(state, plain("POST", "/v1/claims/check", b"{}"))
    request = changed(good, "Signature-Input", lambda value: value.replace(old, new, 1))
    assert request != good
    assert code_of(request, state) == code


@pytest.mark.parametrize("participant", SIGNERS)
def test_a_signature_that_changed_is_refused(state: State, participant: str) -> None:
    good = signed(state, plain(), participant)
    raw = base64.b64decode(dict(good.headers)["Signature"].removeprefix("tally=:")[:-1])
    for altered in (
        raw[:-1] + bytes([raw[-1] ^ 1]),
        bytes([raw[0] ^ 1]) + raw[1:],
        raw[:-1],
        b"\0",
    ):
        field = f"tally=:{base64.b64encode(altered).decode()}:"
        assert code_of(changed(good, "Signature", field), state) == INVALID


def test_of_two_es256_signatures_that_fit_the_lower_one_is_valid(state: State) -> None:
    good = signed(state, plain(), "phone-app")
    raw = base64.b64decode(dict(good.headers)["Signature"].removeprefix("tally=:")[:-1])
    field = f"tally=:{base64.b64encode(high_s(raw)).decode()}:"
    assert code_of(changed(good, "Signature", field), state) == INVALID


@pytest.mark.parametrize(
    ("components", "lacking"),
    [
        ("@method @path @query", "@authority"),
        ("@authority @path @query", "@method"),
        ("@method @authority @query", "@path"),
        ("@method @authority @path", "@query"),
        ("@method @authority @path @query", "content-digest"),
    ],
)
def test_every_component_must_be_covered(state: State, components: str, lacking: str) -> None:
    request = by_hand(state, body=b"{}", components=components + " content-digest")
    if lacking == "content-digest":
        request = by_hand(state, body=b"{}", components=components)
    with pytest.raises(Malformed) as caught:
        verify(request, state, NOW)
    assert caught.value.code == COVERS
    assert caught.value.details == {"components": lacking}


@pytest.mark.parametrize(
    "digest",
    [
        "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:",
        "sha-256=:AAAA:",
        "sha-256=RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=",
        "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:",
        "nonsense",
    ],
)
def test_a_digest_that_is_not_the_bodys_is_refused(state: State, digest: str) -> None:
    assert code_of(by_hand(state, body=b"[]", digest=digest), state) == DIGEST


def test_of_several_digests_all_must_be_the_bodys(state: State) -> None:
    body = b"{}"
    good = base64.b64encode(hashlib.sha256(body).digest()).decode()
    wrong = base64.b64encode(hashlib.sha512(b"[]").digest()).decode()
    digest = f"sha-256=:{good}:, sha-512=:{wrong}:"
    assert code_of(by_hand(state, body=body, digest=digest), state) == DIGEST


# --- when ---


def test_a_signature_holds_for_its_time_and_the_skew(state: State) -> None:
    request = signed(state, plain())
    first = NOW - CLOCK_SKEW_SECONDS_MAX
    last = NOW + SIGNATURE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX - 1
    for now in (first, NOW, last):
        assert verify(request, state, now) == "metro-app"
    for now in (first - 1, last + 1, 0, 2**40):
        assert code_of(request, state, now) == TIME


@pytest.mark.parametrize(
    ("created", "expires"),
    [
        (NOW, NOW + SIGNATURE_SECONDS_MAX + 1),
        (NOW, NOW),
        (NOW, NOW - 1),
        (NOW - 10, NOW - 70),
        (0, NOW + 10),
        (NOW, 999_999_999_999_999),
    ],
)
def test_a_signature_with_another_window_is_refused(
    state: State, created: int, expires: int
) -> None:
    assert code_of(by_hand(state, created=created, expires=expires), state) == TIME


def test_the_longest_window_holds(state: State) -> None:
    request = by_hand(state, created=NOW, expires=NOW + SIGNATURE_SECONDS_MAX)
    assert verify(request, state, NOW) == "metro-app"


# --- whose ---


def test_a_signature_for_another_ledger_is_refused(state: State) -> None:
    request = signed(state, plain(), ledger=bytes(32))
    assert code_of(request, state) == "request-signature-ledger"
    assert code_of(by_hand(state, tag="tally"), state) == "request-signature-ledger"


def test_a_stranger_is_refused(state: State) -> None:
    request = signed(state, plain(), "nobody", signer=key("metro-app"))
    assert code_of(request, state) == INVALID


def test_another_participants_key_is_refused(state: State) -> None:
    for name, signer in (("pay-app", key("metro-app")), ("metro-app", PHONE)):
        assert code_of(signed(state, plain(), name, signer=signer), state) == INVALID


def test_the_algorithm_is_that_of_the_participants_key(state: State) -> None:
    assert code_of(by_hand(state, alg="ecdsa-p256-sha256"), state) == INVALID
    assert code_of(by_hand(state, "phone-app", alg="ed25519"), state) == INVALID
    assert code_of(by_hand(state, alg="hmac-sha256"), state) == INVALID


def test_a_revoked_key_signs_no_request_and_a_new_one_does(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    new = key("metro-app, again")
    old = signed(city.state, plain())
    assert verify(old, city.state, NOW) == "metro-app"
    consumes = key_holder(key("metro-app").public).hex()
    city.govern({"action": "revoke", "participant": "metro-app", "consumes": consumes})
    assert code_of(old, city.state) == INVALID
    city.govern(
        {
            "action": "rotate",
            "participant": "metro-app",
            "key": new.public.as_json(),
            "consumes": consumes,
        }
    )
    assert code_of(old, city.state) == INVALID
    assert verify(signed(city.state, plain(), signer=new), city.state, NOW) == "metro-app"
    city.store.engine.dispose()


def test_other_suites_sign_no_requests(state: State) -> None:
    with pytest.raises(Usage) as caught:
        signed(state, plain(), signer=ml_dsa("metro-app"))
    assert caught.value.code == "suite-not-for-requests"


# --- what cannot be read ---


@pytest.mark.parametrize("name", ["Signature-Input", "Signature"])
def test_a_request_without_a_signature_is_unsigned(state: State, name: str) -> None:
    assert code_of(plain(), state) == "request-unsigned"
    assert code_of(changed(signed(state, plain()), name, None), state) == "request-unsigned"


@pytest.mark.parametrize("name", ["Signature-Input", "Signature"])
def test_a_label_that_stands_twice_is_refused(state: State, name: str) -> None:
    good = signed(state, plain())
    for request in (
        changed(good, name, lambda old: f"{old}, {old}"),
        replace(good, headers=(*good.headers, (name, dict(good.headers)[name]))),
    ):
        assert code_of(request, state) == INVALID


def test_a_label_that_is_in_one_field_alone_is_refused(state: State) -> None:
    good = signed(state, plain())
    for name, more in (("Signature", "other=:AAAA:"), ("Signature-Input", 'other=("@method")')):
        assert (
            code_of(changed(good, name, lambda old, more=more: f"{old}, {more}"), state) == INVALID
        )


def test_another_label_is_not_ours(state: State) -> None:
    assert code_of(by_hand(state, label="sig1"), state) == MALFORMED


@pytest.mark.parametrize("name", ["created", "expires", "keyid", "alg", "tag", "nonce"])
def test_every_parameter_must_be_there_and_of_its_type(state: State, name: str) -> None:
    assert code_of(by_hand(state, **{name: None}), state) == MALFORMED
    other = "1" if name in ("created", "expires") else 1
    assert code_of(by_hand(state, **{name: other}), state) == MALFORMED


def test_no_further_parameter_is_taken(state: State) -> None:
    assert code_of(by_hand(state, more="x"), state) == MALFORMED


@pytest.mark.parametrize(
    "field",
    [
        "",
        "tally",
        "tally=1",
        'tally="x"',
        "tally=(1 2);created=1",
        "tally=((",
        "tally=:AAAA:",
        "账本=()",
        "tally=" + "(" * 10_000,
    ],
)
def test_fields_that_are_no_signature_are_refused(state: State, field: str) -> None:
    good = signed(state, plain())
    assert code_of(changed(good, "Signature-Input", field), state) == MALFORMED
    assert code_of(changed(good, "Signature", field), state) == INVALID


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_stands_in_the_fields_nothing_else_is_raised(
    state: State, given_input: str, given_signature: str
) -> None:
    headers = (("Host", HOST), ("Signature-Input", given_input), ("Signature", given_signature))
    with pytest.raises((Malformed, NotAllowed)):
        verify(Request("GET", "/", headers), state, NOW)


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a/b", "a?b", "a#b", "user@a", "a:b", "a, b", "账本", "a:123456", "[::1"],
)
def test_a_host_that_is_none_is_refused(state: State, host: str) -> None:
    assert code_of(changed(signed(state, plain()), "Host", host), state) == MALFORMED
    with pytest.raises(Malformed):
        signed(state, changed(plain(), "Host", host))


def test_one_host_and_no_more(state: State) -> None:
    good = signed(state, plain())
    assert code_of(changed(good, "Host", None), state) == MALFORMED
    twice = replace(good, headers=(*good.headers, ("host", "other.example")))
    assert code_of(twice, state) == MALFORMED


@pytest.mark.parametrize(
    "target",
    ["", "*", "v1", "http://ledger.example/", "/a b", "/a#b", "/a%2", "/a\n", "/公交", "@b/"],
)
def test_a_target_that_is_none_is_refused(state: State, target: str) -> None:
    assert code_of(replace(signed(state, plain()), target=target), state) == MALFORMED
    with pytest.raises(Malformed):
        signed(state, plain(target=target))


@pytest.mark.parametrize(
    "host", ["Ledger.Example:8443", "127.0.0.1:80", "[::1]:8080", "[2001:DB8::1]"]
)
def test_hosts_are_compared_without_regard_to_case(state: State, host: str) -> None:
    request = signed(state, changed(plain(), "Host", host))
    assert verify(changed(request, "Host", host.lower()), state, NOW) == "metro-app"
