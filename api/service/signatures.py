"""Signed requests: HTTP message signatures (RFC 9421) by participants, both sides.

A request that is signed has the fields Signature-Input and Signature with the label ``tally``.
The signature covers these components (RFC 9421, section 2), and others if the signer wants:

    "@method" "@authority" "@path" "@query"
    "content-digest"    where there is a body

Its parameters (section 2.3) are these, each once and no others:

    created    unix seconds
    expires    unix seconds, after created, by at most `SIGNATURE_SECONDS_MAX`
    keyid      the participant's id
    alg        "ed25519" or "ecdsa-p256-sha256": the suite of the participant's key
    tag        "tally/" and the genesis id in hex, so that it is nothing to another ledger
    nonce      of the signer's choice, so that no two signatures are alike

It holds from `created` to `expires`, give or take `CLOCK_SKEW_SECONDS_MAX`, under the key that the
participant has now.  Content-Digest (RFC 9530) is over the body as it is sent, in any content
coding, with sha-256 or sha-512.  The authority is that of the Host field.

What is signed, and how, is the library's to say; what must be, and by whom, is said here.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import http_sf
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)

from chain.state import State
from keys.errors import Malformed, NotAllowed, Usage
from keys.signer import Signer
from keys.suites import ED25519, ES256, PublicKey, by_alg
from verifier.signed_reads import (
    ALGORITHMS,
    COMPONENTS,
    LABEL,
    SIGNATURE_SECONDS_MAX,
    check_window,
    tag_of,
)

_DIGEST = "content-digest"
_PARAMETERS = {
    "created": int,
    "expires": int,
    "keyid": str,
    "alg": str,
    "tag": str,
    "nonce": str,
}
# Put together, host and target are a URL whose authority, path and query are no others.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::[0-9]{1,5})?", re.ASCII)
_TARGET = re.compile(r"/(?:[0-9A-Za-z._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*", re.ASCII)


@dataclass(frozen=True)
class Request:
    """A request as it is sent.

    method: in upper case.  target: path and query, encoded.  headers: its field lines in their
    order, Host among them, names in any case.  body: before any content coding is undone.
    """

    method: str
    target: str
    headers: Iterable[tuple[str, str]]
    body: bytes = b""


def sign(
    request: Request, signer: Signer, *, participant: str, ledger: bytes, now: int
) -> dict[str, str]:
    """The fields that sign ``request``, to be sent with it in the place of any of these names.

    ledger: the genesis id.  now: unix seconds.  Raises `Usage` "suite-not-for-requests",
    `Malformed` for a host or target that cannot be signed.
    """
    algorithm = _ALGORITHMS.get(signer.public.alg)
    if algorithm is None:
        raise Usage("suite-not-for-requests", suite=by_alg(signer.public.alg).name)
    message = _message(request)
    message.headers = {}
    library = HTTPMessageSigner(signature_algorithm=algorithm)
    prepared = library.prepare(
        message,
        key_id=participant,
        created=datetime.fromtimestamp(now, UTC),
        expires=datetime.fromtimestamp(now + SIGNATURE_SECONDS_MAX, UTC),
        nonce=secrets.token_urlsafe(16),
        label=LABEL,
        tag=tag_of(ledger),
        covered_component_ids=COMPONENTS,
        body=request.body or None,
    )
    library.apply(message, prepared, signer.sign(prepared.signature_base))
    return message.headers


def verify(request: Request, state: State, now: int) -> str:
    """The id of the participant who has signed ``request``.

    state: of the ledger now.  now: unix seconds.  Raises `NotAllowed` "request-unsigned",
    "request-signature-time", "request-signature-ledger", "request-signature-invalid"; `Malformed`
    "request-signature-malformed", "request-signature-covers", "request-signature-digest".
    """
    message = _message(request)
    covered, parameters = _signature_input(message.headers)
    check_window(parameters["created"], parameters["expires"], now)
    if parameters["tag"] != tag_of(state.genesis.id):
        raise NotAllowed("request-signature-ledger")
    required = {*COMPONENTS, _DIGEST} if request.body else {*COMPONENTS}
    if not required <= covered:
        lacking = ", ".join(sorted(required - covered))
        raise Malformed("request-signature-covers", components=lacking)
    participant = state.participants.get(parameters["keyid"])
    key = participant.key_at(state.index) if participant else None
    if key is None or not _is_signed(message, key.public, parameters["tag"]):
        raise NotAllowed("request-signature-invalid", participant=parameters["keyid"][:80])
    # Also where there is no body, since somebody may have taken it away.
    if _DIGEST in message.headers:
        try:
            ContentDigest.verify(message.headers[_DIGEST], request.body)
        except InvalidSignature:
            raise Malformed("request-signature-digest") from None
    return str(parameters["keyid"])


def _signature_input(headers: Mapping[str, str]) -> tuple[set[str], dict[str, Any]]:
    """The names that our signature covers, and its parameters, of the right types."""
    if "signature-input" not in headers or "signature" not in headers:
        raise NotAllowed("request-unsigned")
    try:
        # The labels that stand twice are the library's to refuse.
        inputs: Any = http_sf.parse(headers["signature-input"].encode(), tltype="dictionary")
        items, parameters = inputs[LABEL]
        # A component with parameters of its own is another component.
        covered = {name for name, more in items if not more}
    except (ValueError, LookupError, TypeError):
        raise Malformed("request-signature-malformed", reason=LABEL) from None
    if parameters.keys() != _PARAMETERS.keys():
        raise Malformed("request-signature-malformed", reason=", ".join(_PARAMETERS))
    for name, kind in _PARAMETERS.items():
        if type(parameters[name]) is not kind:
            raise Malformed("request-signature-malformed", reason=name)
    return covered, parameters


# --- the library's side ---


@dataclass
class _Message:
    """A request as the library reads it; several lines of one field in one."""

    method: str
    url: str
    headers: dict[str, str]


def _message(request: Request) -> _Message:
    headers: dict[str, str] = {}
    for name, value in request.headers:
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    host = headers.get("host", "")
    for name, value, form in (("host", host, _HOST), ("target", request.target, _TARGET)):
        if not form.fullmatch(value):
            raise Malformed("request-signature-malformed", reason=name)
    # A server behind another cannot know which scheme it was; it is not signed.
    return _Message(request.method, f"https://{host}{request.target}", headers)


class _Suite(HTTPSignatureAlgorithm):
    """A suite of ours as an algorithm of the library's; its public keys are ours."""

    def __init__(self, public_key: PublicKey) -> None:
        self._public = public_key

    def verify(self, signature: bytes, message: bytes) -> None:
        if not self._public.verify(signature, message):
            raise InvalidSignature


class _Ed25519(_Suite):
    algorithm_id = ALGORITHMS[ED25519.alg]


class _Es256(_Suite):
    algorithm_id = ALGORITHMS[ES256.alg]


_ALGORITHMS = {ED25519.alg: _Ed25519, ES256.alg: _Es256}
"""For each suite that signs statements, its algorithm (RFC 9421, section 6.2.2)."""


class _Key(HTTPSignatureKeyResolver):
    """The one key that is in question, whatever it is called."""

    def __init__(self, public: PublicKey) -> None:
        self._public = public

    def resolve_public_key(self, key_id: str) -> PublicKey:
        return self._public


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Nothing: the library would ask the system's clock, and we have asked ours."""


def _is_signed(message: _Message, public: PublicKey, tag: str) -> bool:
    library = _Verifier(signature_algorithm=_ALGORITHMS[public.alg], key_resolver=_Key(public))
    try:
        library.verify(message, max_age=None, expect_tag=tag, expect_label=LABEL)
    except InvalidSignature:
        return False
    return True
