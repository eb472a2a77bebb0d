"""`tally token`: let somebody read, for some hours, what is a platform's to show."""

from typing import Annotated

import typer

from api.access_tokens import TOKEN_SECONDS_MAX, Access, check_token, make_token
from api.options import As, LedgerFolder, command
from api.session import Session
from keys.strict import parse_date

HOUR_SECONDS = 3_600


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "token")(token)


def token(
    session: Session,
    folder: LedgerFolder,
    *,
    platform: As,
    reader: Annotated[
        str | None,
        typer.Option("--reader", metavar="ID", help="The participant who must sign the requests."),
    ] = None,
    subjects: Annotated[
        list[str] | None,
        typer.Option(
            "--subject",
            metavar="PSEUDONYM",
            help="Whose book it opens; may be given several times.",
        ),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="ID", help="Only of this scenario.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Only from this day on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Only before this day.")
    ] = None,
    hours: Annotated[
        int,
        typer.Option(
            "--hours", min=1, max=TOKEN_SECONDS_MAX // HOUR_SECONDS, help="For how long it holds."
        ),
    ] = 1,
) -> None:
    """Print an access token: with it somebody reads a subject's book, or, as the reader that it
    names, the activities of the platform."""
    ledger = session.open(folder)
    if reader is not None:
        ledger.public_key(reader)
    access = Access(
        platform,
        reader,
        tuple(sorted(set(subjects))) if subjects else None,
        scenario,
        None if start is None else parse_date(start),
        None if until is None else parse_date(until),
    )
    expires = ledger.now + hours * HOUR_SECONDS
    made = make_token(
        ledger.signer(platform), access, ledger=ledger.state.genesis.id, expires=expires
    )
    check_token(ledger.state, made, reader=reader, time=ledger.now)
    session.print(made)
    session.result({"token": made, "expires": expires})
