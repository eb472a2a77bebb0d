"""Who asks, and what they may see.

A member signs a read (`api.service.signatures`); what a member may see follows from the roles
that governance has given, as of the newest block.  A platform's access token
(`api.access_tokens`) opens what is the platform's to show.

    anyone          the log, lots, certificates, units, statistics
    MEMBERS         reductions with their claims, and the proofs of them
    a platform      its own submissions, with their activities
    a token         what it names

Whoever may not see a thing is told nothing of it.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.access_tokens import Access, check_token
from api.service import signatures
from api.service.bodies import read_body
from api.service.service import Of
from chain.state import State
from keys.errors import Malformed, NotAllowed
from keys.participants import MEMBERS, Role


@dataclass(frozen=True)
class Reader:
    """A participant who signed a request, and its roles now."""

    participant: str
    roles: frozenset[Role]

    @property
    def is_member(self) -> bool:
        """Whether it may see all reductions."""
        return bool(self.roles & MEMBERS)

    def may_see(self, platform: str) -> bool:
        """Whether it may see the reductions that a platform submitted."""
        return self.is_member or self.is_platform(platform)

    def is_platform(self, platform: str) -> bool:
        """Whether it is that platform."""
        return self.participant == platform and Role.PLATFORM in self.roles


def reader_at(state: State, participant: str) -> Reader:
    """A participant as a reader."""
    of = state.participants[participant]
    return Reader(participant, frozenset(r for r in Role if of.has_role(r, state.index)))


async def signed_by(request: Request, of: Of) -> Reader | None:
    """Who signed the request, or None if nobody did; raises if the signature does not hold."""
    if "signature-input" not in request.headers and "signature" not in request.headers:
        return None
    host = request.headers.get("host", "").lower()
    if of.settings.hosts and host not in of.settings.hosts:
        raise NotAllowed("request-other-host", host=host[:80])
    body = await small_body(request, of)
    state = of.state()
    signed = signatures.Request(
        request.method,
        _target(request),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
        body,
    )
    participant = signatures.verify(signed, state, int(of.clock()))
    of.reads.take(participant, of.clock())
    return reader_at(state, participant)


def _target(request: Request) -> str:
    """Path and query as they were sent."""
    path = request.scope["raw_path"].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


async def small_body(request: Request, of: Of) -> bytes:
    """The body of a request that is no submission, read once."""
    if not hasattr(request.state, "body"):
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            # What a signature covers is the body as it was sent.
            raise Malformed("body-encoding", encoding=encoding[:80])
        settings = of.settings
        request.state.body = await read_body(
            request,
            most=settings.query_body_bytes,
            inflated=settings.query_body_bytes,
            seconds=settings.body_seconds,
        )
    body: bytes = request.state.body
    return body


Signed = Annotated[Reader | None, Depends(signed_by)]
"""A route's parameter: who signed the request, if anyone did."""
SmallBody = Annotated[bytes, Depends(small_body)]


async def participant(reader: Signed) -> Reader:
    """A participant of the ledger; raises `NotAllowed` if the request is not signed."""
    if reader is None:
        raise NotAllowed("request-unsigned")
    return reader


Participant = Annotated[Reader, Depends(participant)]
"""A route's parameter: a participant who signed the request."""


async def member(reader: Participant) -> Reader:
    """One who may see all reductions; raises `NotAllowed`."""
    if not reader.is_member:
        raise NotAllowed("read-not-allowed", participant=reader.participant)
    return reader


Member = Annotated[Reader, Depends(member)]
"""A route's parameter: one who may see all reductions."""


async def insider(reader: Participant) -> Reader:
    """One who may see all reductions, or those of a platform; raises `NotAllowed`."""
    if not reader.is_member and not reader.is_platform(reader.participant):
        raise NotAllowed("read-not-allowed", participant=reader.participant)
    return reader


Insider = Annotated[Reader, Depends(insider)]
"""A route's parameter: one who may see all reductions, or those that it has submitted."""


async def platform(reader: Participant) -> Reader:
    """A platform; raises `NotAllowed`."""
    if Role.PLATFORM not in reader.roles:
        raise NotAllowed("read-not-allowed", participant=reader.participant)
    return reader


Platform = Annotated[Reader, Depends(platform)]
"""A route's parameter: a platform who signed the request."""


async def bearer(request: Request, of: Of, reader: Signed) -> Access | None:
    """What the request's access token opens to who signed it, or None without a token.

    Raises `Malformed`, `NotAllowed`.
    """
    field = request.headers.get("authorization")
    if field is None:
        return None
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "bearer":
        raise Malformed("token-malformed", reason="Bearer")
    signer = reader.participant if reader else None
    return check_token(of.state(), token, reader=signer, time=of.clock())


Bearer = Annotated[Access | None, Depends(bearer)]
"""A route's parameter: what an access token opens, if there is one."""


def discloses(reader: Reader, access: Access | None, platform: str) -> Access | None:
    """What a reader may see of a platform's activities: None if nothing.

    The platform sees all of its own; a verifier what a token opens that names it.
    """
    if reader.is_platform(platform):
        return Access(platform)
    if (
        access is not None
        and (access.platform, access.reader) == (platform, reader.participant)
        and access.subjects is None
        and Role.VERIFIER in reader.roles
    ):
        return access
    return None
