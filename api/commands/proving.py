"""`tally prove …`: bundles and other proofs, to be checked elsewhere."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.founding import POLICY
from api.lines import LineParts, read_line, read_stretch
from api.options import Final, LedgerFolder, Out, command
from api.proving import (
    FINAL_SECONDS,
    complete_within,
    merkletools_proof,
    prove_free,
    prove_reduction,
    prove_span,
)
from api.session import Ledger, Session
from api.values import write_file
from chain.spans import Span
from keys.errors import Conflict, Usage, VerificationError

Hash = Annotated[str, typer.Argument(metavar="HASH", help="The reduction's leaf hash.")]
Line = Annotated[str | None, typer.Option("--line", metavar="HEX", help="The line, as 24 bytes.")]
DayOption = Annotated[str | None, typer.Option("--day", metavar="DATE", help="The line's day.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME|N", help="A second, a seat, a number: where the stretch begins."
    ),
]
End = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME|N", help="Where it ends, not included; by default next."),
]
Secret = Annotated[
    Path | None,
    typer.Option(
        "--secret-file", metavar="FILE", help="The parts are identifiers: make pseudonyms of them."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Prove what the ledger holds.", no_args_is_help=True)
    app.add_typer(group, name="prove")
    command(group, "reduction")(reduction)
    command(group, "span")(span)
    command(group, "free")(free)


def reduction(
    session: Session,
    folder: LedgerFolder,
    name: Hash,
    *,
    disclose: Annotated[
        bool, typer.Option("--disclose", help="Put the activity into the bundle.")
    ] = False,
    form: Annotated[
        Literal["bundle", "merkletools"],
        typer.Option("--format", help="A bundle, or its path in its submission for merkletools."),
    ] = "bundle",
    final: Final = False,
    out: Out = None,
) -> None:
    """Prove that a reduction is recorded, by whom, under what, and counted once."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        _, found = ledger.find(snapshot, name)
    if form == "merkletools":
        _write(ledger, merkletools_proof(ledger.store, found.leaf), out)
    else:
        _write(ledger, prove_reduction(ledger.store, found.leaf, disclose=disclose), out, final)


def span(
    session: Session,
    folder: LedgerFolder,
    parts: LineParts = None,
    *,
    line: Line = None,
    day: DayOption = None,
    start: Start = None,
    secret_file: Secret = None,
    final: Final = False,
    out: Out = None,
) -> None:
    """Prove who holds a span, without showing what it is of."""
    ledger = session.open(folder)
    of, name = read_line(ledger, parts, line, day, secret_file, start)
    first, _ = read_stretch(ledger, of, start)
    found = _overlapping(ledger, name, first, first + 1)
    if not found:
        raise Usage("span-free", name=of.name)
    _write(ledger, prove_span(ledger.store, name, found[0].start), out, final)


def free(
    session: Session,
    folder: LedgerFolder,
    parts: LineParts = None,
    *,
    line: Line = None,
    day: DayOption = None,
    start: Start = None,
    end: End = None,
    secret_file: Secret = None,
    final: Final = False,
    out: Out = None,
) -> None:
    """Prove that nobody holds any of a stretch."""
    ledger = session.open(folder)
    of, name = read_line(ledger, parts, line, day, secret_file, start)
    first, last = read_stretch(ledger, of, start, end)
    try:
        ledger.state.classes.allows(name, first, last)
    except VerificationError as error:
        raise Usage("span-not-possible", reason=error.text(session.lang)) from error
    found = _overlapping(ledger, name, first, last)
    if found:
        raise Conflict("span-not-free", name=of.name, start=found[-1].start, end=found[-1].end)
    _write(ledger, prove_free(ledger.store, name, first, last), out, final)


def _overlapping(ledger: Ledger, line: bytes, start: int, end: int) -> list[Span]:
    with ledger.store.snapshot() as snapshot:
        return snapshot.register().overlapping([(line, start, end)])[0]


def _write(ledger: Ledger, document: dict[str, Any], out: Path | None, final: bool = False) -> None:
    """A proof goes to a file, or to standard output, where nothing stands beside it."""
    session = ledger.session
    if final:
        complete_within(ledger.store, document, FINAL_SECONDS)
    data = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        typer.echo(data, nl=False)
        return
    write_file(out, [data.encode()])
    session.say("proof-written", path=str(out), size=len(data.encode()))
    if "checkpoint" in document:
        policy = ledger.folder / POLICY
        session.say("proof-check", command=f"tally-verify check {out} --policy {policy}")
    session.result({"out": str(out), "bytes": len(data.encode())})
