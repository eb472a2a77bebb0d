"""`tally close`, `lots`, `export lot`: the books of past days, and what they hold."""

from pathlib import Path
from typing import Annotated

import typer

from api.exporting import dump_lot, write_lot
from api.options import Final, LedgerFolder, command
from api.proving import FINAL_SECONDS, complete_within
from api.session import Session
from api.values import write_file
from chain.lots import Lot
from keys.strict import dump_date, parse_date

Platform = Annotated[str, typer.Argument(metavar="PLATFORM", help="Whose reductions.")]
Scenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="Under which scenario.")]
Until = Annotated[
    str, typer.Argument(metavar="DATE", help="All days before it are closed; it stays open.")
]
_COLUMNS = ("platform", "scenario", "day", "count", "grams", "root")


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    command(app, "close")(close)
    command(app, "lots")(lots)
    group = typer.Typer(help="Write all that a fact rests on to a file.", no_args_is_help=True)
    app.add_typer(group, name="export")
    command(group, "lot")(lot)


def close(
    session: Session,
    folder: LedgerFolder,
    date: Until,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="ID", help="The operator or governor who signs.")
    ],
) -> None:
    """Close the books of all days before a date; nothing on them is recorded or voided again."""
    ledger = session.open(folder)
    until = parse_date(date)
    ledger.seal()  # what waits may be of these days
    made = list(ledger.store.gather(ledger.state.closed_until, until))
    body = {
        "format": 1,
        "until": date,
        "lots": len(made),
        "count": sum(lot.count for lot in made),
        "grams": sum(lot.grams for lot in made),
    }
    [answer] = ledger.post([ledger.sign("close", by, date, body)])
    session.say("close-done", **body)
    _show(session, made)
    session.result({"index": answer.index, "height": answer.height, **body, "lots": _json(made)})


def lots(
    session: Session,
    folder: LedgerFolder,
    *,
    platform: Annotated[
        str | None, typer.Option("--platform", metavar="ID", help="Of this platform alone.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="ID", help="Of this scenario alone.")
    ] = None,
) -> None:
    """List the lots of closed days: what each platform reduced under each scenario."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        found = snapshot.lots(platform, scenario)
    session.say("lots-until", until=dump_date(ledger.state.closed_until))
    _show(session, found)
    session.result({"until": dump_date(ledger.state.closed_until), "lots": _json(found)})


def lot(
    session: Session,
    folder: LedgerFolder,
    platform: Platform,
    scenario: Scenario,
    day: Annotated[str, typer.Argument(metavar="DATE", help="The day of the lot.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    final: Final = False,
) -> None:
    """Export a lot: every reduction, and the proof that each is held and the total is theirs."""
    ledger = session.open(folder)
    document = write_lot(ledger.store, platform, scenario, parse_date(day))
    if final:
        complete_within(ledger.store, document, FINAL_SECONDS)
    data = dump_lot(document)
    write_file(out, [data])
    session.say("proof-written", path=str(out), size=len(data))
    session.result({"out": str(out), "bytes": len(data)})


def _show(session: Session, found: list[Lot]) -> None:
    rows = [tuple(row.values()) for row in _json(found)]
    session.table([f"column-{name}" for name in _COLUMNS], rows)


def _json(found: list[Lot]) -> list[dict[str, object]]:
    return [lot.as_json() for lot in found]
