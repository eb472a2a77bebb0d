"""Reads that a participant signs: HTTP message signatures (RFC 9421), in one form.

A ledger shows reductions to its members alone, and so does an auditor.  A read has two fields::

    Signature-Input: tally=("@method" "@authority" "@path" "@query");created=…;expires=…;
                     keyid="<participant>";alg="<algorithm>";tag="tally/<genesis id>";nonce="…"
    Signature: tally=:<base64>:

The signature is over the lines of RFC 9421, section 2.5, for these components.  Parameters may
stand in any order; a read has no body.  What the service takes beyond this form, a library of its
own reads (`docs/spec.md`, Signed requests); nothing of that is needed here.
"""

import functools
import re
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from chain.paths import ACTIVITIES, CHECKPOINT, SUBMISSIONS
from chain.state import State
from chain.tiles import TILE_WIDTH, read_entries
from keys.errors import Malformed, NotAllowed, Unreadable, Usage
from keys.notes import NOTE_BYTES_MAX, parse_checkpoint, parse_note
from keys.participants import MEMBERS
from keys.signer import Signer
from keys.statements import parse_statement
from keys.strict import dump_base64, parse_base64
from keys.suites import ED25519, ES256, by_alg
from verifier.logs import TILE_BYTES_MAX
from verifier.sources import SourceTiles, UrlSource

LABEL = "tally"
COMPONENTS = ("@method", "@authority", "@path", "@query")
ALGORITHMS = {ED25519.alg: "ed25519", ES256.alg: "ecdsa-p256-sha256"}
"""For each suite that signs requests, its name there (RFC 9421, section 6.2.2)."""
SIGNATURE_SECONDS_MAX = 300
CLOCK_SKEW_SECONDS_MAX = 60
_COVERED = "({})".format(" ".join(f'"{name}"' for name in COMPONENTS))
_VALUE = r"([0-9]{1,15}|\"[ !#-\[\]-~]*\")"
_INPUT = re.compile(rf"{LABEL}=({re.escape(_COVERED)}((?:;[a-z]+={_VALUE})+))", re.ASCII)
_PARAMETER = re.compile(rf";([a-z]+)={_VALUE}", re.ASCII)
_SIGNATURE = re.compile(rf"{LABEL}=:([A-Za-z0-9+/=]+):", re.ASCII)
_NUMBERS, _WORDS = {"created", "expires"}, {"alg", "keyid", "nonce", "tag"}


def sign_read(
    method: str,
    host: str,
    target: str,
    signer: Signer,
    *,
    participant: str,
    ledger: bytes,
    now: int,
) -> dict[str, str]:
    """The fields that sign a read.

    host: the Host field.  target: path and query.  ledger: the genesis id.  now: unix seconds.
    Raises `Usage` "suite-not-for-requests".
    """
    algorithm = ALGORITHMS.get(signer.public.alg)
    if algorithm is None:
        raise Usage("suite-not-for-requests", suite=by_alg(signer.public.alg).name)
    parameters = (
        f'{_COVERED};created={now};expires={now + SIGNATURE_SECONDS_MAX};keyid="{participant}"'
        f';alg="{algorithm}";tag="{tag_of(ledger)}";nonce="{secrets.token_urlsafe(16)}"'
    )
    signature = signer.sign(_base(method, host, target, parameters))
    return {
        "Signature-Input": f"{LABEL}={parameters}",
        "Signature": f"{LABEL}=:{dump_base64(signature)}:",
    }


def check_read(
    method: str, host: str, target: str, headers: Mapping[str, str], state: State, now: int
) -> str:
    """The id of the member who has signed a read.

    host, target: as above.  headers: the two fields, by their names in small letters.  Raises
    `NotAllowed` as a ledger's service does, or `Malformed`.
    """
    if "signature-input" not in headers or "signature" not in headers:
        raise NotAllowed("request-unsigned")
    match = _INPUT.fullmatch(headers["signature-input"])
    signature = _SIGNATURE.fullmatch(headers["signature"])
    if match is None or signature is None:
        raise Malformed("request-signature-malformed", reason=LABEL)
    found = _PARAMETER.findall(match[2])
    numbers = {name: int(value) for name, value in found if value[0] != '"'}
    words = {name: value[1:-1] for name, value in found if value[0] == '"'}
    if (set(numbers), set(words), len(found)) != (_NUMBERS, _WORDS, 6):
        raise Malformed("request-signature-malformed", reason=", ".join(sorted(_NUMBERS | _WORDS)))
    check_window(numbers["created"], numbers["expires"], now)
    if words["tag"] != tag_of(state.genesis.id):
        raise NotAllowed("request-signature-ledger")
    participant = state.participants.get(words["keyid"])
    key = participant.key_at(state.index) if participant else None
    base = _base(method, host, target, match[1])
    if (
        participant is None
        or key is None
        or words["alg"] != ALGORITHMS.get(key.public.alg)
        or not key.public.verify(parse_base64(signature[1]), base)
    ):
        raise NotAllowed("request-signature-invalid", participant=words["keyid"][:80])
    if not any(participant.has_role(role, state.index) for role in MEMBERS):
        raise NotAllowed("read-not-allowed", participant=participant.id)
    return participant.id


def check_window(created: int, expires: int, now: int) -> None:
    """Raise `NotAllowed` unless a signature holds at ``now``, and for no longer than it may."""
    is_now = created - CLOCK_SKEW_SECONDS_MAX <= now < expires + CLOCK_SKEW_SECONDS_MAX
    if not is_now or not 0 < expires - created <= SIGNATURE_SECONDS_MAX:
        raise NotAllowed(
            "request-signature-time",
            created=created,
            expires=expires,
            time=now,
            limit=SIGNATURE_SECONDS_MAX,
        )


def tag_of(ledger: bytes) -> str:
    """The tag of signatures for a ledger, by its genesis id."""
    return f"tally/{ledger.hex()}"


def _base(method: str, host: str, target: str, parameters: str) -> bytes:
    """What is signed (RFC 9421, section 2.5).  The scheme is not; so 443 is the port left out."""
    path, _, query = target.partition("?")
    values = (method, host.lower().removesuffix(":443"), path, f"?{query}")
    lines = [f'"{name}": {value}' for name, value in zip(COMPONENTS, values, strict=True)]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def signing_source(
    url: str, participant: str, signer: Signer, clock: Callable[[], float] = time.time
) -> UrlSource:
    """The source at ``url``, where a participant signs what is not for everybody.

    clock: unix seconds.  Raises `Usage` as `UrlSource` does.
    """
    plain = UrlSource(url)

    @functools.cache
    def ledger() -> bytes:
        # A false one signs for nothing here: the authority is signed as well.
        try:
            note = parse_note(plain.read(CHECKPOINT, NOTE_BYTES_MAX))
            width = min(parse_checkpoint(note.text).size, TILE_WIDTH)
            return parse_statement(read_entries(SourceTiles(plain, TILE_BYTES_MAX), 0, width)[0]).id
        except (Malformed, IndexError) as error:
            raise Unreadable("source-unreachable", path=CHECKPOINT, reason=str(error)) from error

    def headers(method: str, path: str) -> dict[str, str]:
        if not any(f"/{folder}" in path for folder in (SUBMISSIONS, ACTIVITIES)):
            return {}
        of, now = ledger(), int(clock())
        host = urlsplit(url).netloc
        return sign_read(method, host, path, signer, participant=participant, ledger=of, now=now)

    return UrlSource(url, headers)
