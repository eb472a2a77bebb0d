"""`tally book`: the file that proves what a platform recorded for a person."""

from pathlib import Path
from typing import Annotated

import typer

from api.books import Asked, write_book
from api.commands.founding import POLICY
from api.options import Final, LedgerFolder, command
from api.proving import FINAL_SECONDS, complete_within
from api.session import Session
from api.values import write_file
from keys.pseudonyms import PSEUDONYM_BYTES
from keys.strict import dump_json, parse_hex
from verifier.books import read_days


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "book")(book)


def book(
    session: Session,
    folder: LedgerFolder,
    *,
    platform: Annotated[
        str, typer.Option("--as", metavar="ID", help="The platform that submitted it.")
    ],
    subject: Annotated[
        list[str],
        typer.Option(
            "--subject", metavar="HEX", help="A pseudonym of the person; repeatable: one an epoch."
        ),
    ],
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Only from this day on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Only before this day.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    final: Final = False,
) -> None:
    """Write a person's book: what a platform recorded for them, each reduction proved."""
    ledger = session.open(folder)
    subjects = sorted({parse_hex(one, PSEUDONYM_BYTES).hex() for one in subject})
    written = write_book(ledger.store, Asked(platform, subjects, *read_days(since, until)))
    if final:
        complete_within(ledger.store, written.document, FINAL_SECONDS)
    data = dump_json(written.document) + b"\n"
    write_file(out, [data], private=True)
    about = {"count": written.reductions, "size": len(data)}
    session.say("book-written", path=str(out), **about)
    session.say(
        "proof-check", command=f"tally-verify check {out} --policy {ledger.folder / POLICY}"
    )
    session.result({"out": str(out), **about})
