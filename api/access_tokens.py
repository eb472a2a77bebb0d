"""Access tokens: what a platform lets somebody read of its own, for some hours.

A token is a signed statement (`keys.statements`) of the kind ``access``, by the platform, for the
ledger that is its ``aud``.  It is never in the log: the rules do not know its kind.  It is shown
to a service as the base64url of its bytes, without padding (RFC 4648, section 5), in the field
``Authorization: Bearer TOKEN`` (RFC 6750, section 2.1).  Its ``exp`` is at most
`TOKEN_SECONDS_MAX` ahead.  Its payload is an object with the fields

    format      1
    reader      a participant, who must then sign the request; or null: whoever bears the token
    subjects    1 to `TOKEN_SUBJECTS_MAX` pseudonyms in order, whose books it opens; or null
    scenario    only this one; or null
    from        only these days, ``[from, until)``; either may be null
    until

A token without a reader and without subjects would open all to everybody, and is refused.
"""

import base64
from dataclasses import dataclass
from typing import Any

from chain.state import State
from keys.errors import Malformed, NotAllowed
from keys.participants import PARTICIPANT_ID, Role
from keys.pseudonyms import PSEUDONYM_BYTES
from keys.signer import Signer
from keys.statements import Statement, parse_statement, sign_statement
from keys.strict import dump_date, fields, parse_date, parse_hex

KIND = "access"
TOKEN_SECONDS_MAX = 86_400
TOKEN_SUBJECTS_MAX = 64


@dataclass(frozen=True)
class Access:
    """What a platform lets somebody read; see the module's text.  Days are day numbers."""

    platform: str
    reader: str | None = None
    subjects: tuple[str, ...] | None = None
    scenario: str | None = None
    start: int | None = None
    until: int | None = None

    def covers(self, scenario: str, day: int) -> bool:
        """Whether it opens what lies in a scenario, on a day."""
        return (
            self.scenario in (None, scenario)
            and (self.start is None or self.start <= day)
            and (self.until is None or day < self.until)
        )


def make_token(signer: Signer, access: Access, *, ledger: bytes, expires: int) -> str:
    """The token of ``access``, signed by its platform; ``ledger`` is the genesis id.

    Raises `Malformed` for what `check_token` would not read.
    """
    body = {
        "format": 1,
        "reader": access.reader,
        "subjects": access.subjects and list(access.subjects),
        "scenario": access.scenario,
        "from": None if access.start is None else dump_date(access.start),
        "until": None if access.until is None else dump_date(access.until),
    }
    statement = sign_statement(
        signer,
        kind=KIND,
        issuer=access.platform,
        subject=KIND,
        audience=ledger,
        expires=expires,
        payload=body,
    )
    _parse_access(statement)
    return _dump_base64url(statement.data)


def check_token(state: State, token: str, *, reader: str | None, time: float) -> Access:
    """What a token opens now to ``reader``: who has signed the request, if anybody has.

    state: of the ledger now.  time: unix seconds.

    Raises `Malformed` for what is no token; `NotAllowed` "statement-other-ledger",
    "token-expired", "token-too-long", "participant-unknown", "signature-invalid", "role-missing",
    "token-other-reader".
    """
    statement = parse_statement(_parse_base64url(token))
    if statement.kind != KIND:
        raise Malformed("kind-unknown", kind=statement.kind)
    access = _parse_access(statement)
    if statement.audience != state.genesis.id:
        raise NotAllowed("statement-other-ledger")
    if statement.expires <= time:
        raise NotAllowed("token-expired", expires=statement.expires, time=int(time))
    if statement.expires > time + TOKEN_SECONDS_MAX:
        raise NotAllowed("token-too-long", expires=statement.expires, limit=TOKEN_SECONDS_MAX)
    platform = state.participants.get(access.platform)
    if platform is None:
        raise NotAllowed("participant-unknown", participant=access.platform)
    key = platform.key_at(state.index)
    if key is None or not statement.verify(key.public):
        raise NotAllowed("signature-invalid", participant=platform.id, index=state.index)
    if not platform.has_role(Role.PLATFORM, state.index):
        raise NotAllowed("role-missing", participant=platform.id, kind=KIND)
    if access.reader not in (None, reader):
        raise NotAllowed("token-other-reader", reader=access.reader)
    return access


def _parse_access(statement: Statement) -> Access:
    text, texts = (str, type(None)), (list, type(None))
    body = fields(
        statement.body,
        KIND,
        {
            "format": int,
            "reader": text,
            "subjects": texts,
            "scenario": text,
            "from": text,
            "until": text,
        },
    )
    if body["format"] != 1:
        raise Malformed("format-unknown", where=KIND, format=body["format"])
    for name in ("reader", "scenario"):
        if body[name] is not None and not PARTICIPANT_ID.fullmatch(body[name]):
            raise Malformed("token-malformed", reason=name)
    if body["reader"] is None and body["subjects"] is None:
        raise Malformed("token-malformed", reason="reader, subjects")
    start, until = (
        None if body[name] is None else parse_date(body[name]) for name in ("from", "until")
    )
    if start is not None and until is not None and start >= until:
        raise Malformed("token-malformed", reason="from, until")
    return Access(
        statement.issuer,
        body["reader"],
        _subjects(body["subjects"]),
        body["scenario"],
        start,
        until,
    )


def _subjects(given: list[Any] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    subjects = [parse_hex(one, PSEUDONYM_BYTES).hex() for one in given]
    if not 1 <= len(subjects) <= TOKEN_SUBJECTS_MAX or subjects != sorted(set(subjects)):
        raise Malformed("token-malformed", reason="subjects")
    return tuple(subjects)


def _dump_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _parse_base64url(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if not data or _dump_base64url(data) != text:
        raise Malformed("token-malformed", reason="base64url")
    return data
