"""`tally holdings`, and what becomes of units: `deposit`, `transfer`, `offer`, `import`, `release`,
`retire`, `cancel`.

Serial numbers are given as registries write them: the first and the last, both included.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.certifying import Account, Reason, post
from api.options import As, LedgerFolder, command
from api.records import Held, Records
from api.session import SHOWN_MAX, Ledger, Session
from api.values import show_time
from chain.calendar import DAY_SECONDS
from chain.holdings import Units, moved, own_registry

Series = Annotated[str, typer.Argument(metavar="SERIES", help="The series of the units.")]
First = Annotated[int, typer.Argument(metavar="FIRST", min=0, help="The first serial number.")]
Last = Annotated[int, typer.Argument(metavar="LAST", min=0, help="The last serial number.")]
Registry = Annotated[
    str | None,
    typer.Option("--registry", metavar="NAME", help="By default this ledger's own."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    command(app, "deposit")(deposit)
    command(app, "transfer")(transfer)
    command(app, "offer")(offer)
    command(app, "import")(import_units)
    command(app, "release")(release)
    command(app, "retire")(retire)
    command(app, "cancel")(cancel)
    command(app, "holdings")(holdings)


def deposit(
    session: Session,
    folder: LedgerFolder,
    registry: Annotated[str, typer.Argument(metavar="REGISTRY", help="Where they come from.")],
    series: Series,
    first: First,
    last: Last,
    *,
    by: Annotated[str, typer.Option("--by", metavar="AUTHORITY", help="Who answers for them.")],
    owner: Annotated[str, typer.Option("--owner", metavar="ID", help="Whose the units are.")],
    reference: Annotated[
        str,
        typer.Option(
            "--reference", metavar="TEXT", help="What took them out of circulation there."
        ),
    ],
    account: Account = "",
) -> None:
    """Bring in units of another registry."""
    ledger = session.open(folder)
    units = Units(registry, series, first, last + 1)
    body = {
        "format": 1,
        "units": units._asdict(),
        "owner": owner,
        "account": account,
        "reference": reference,
    }
    statement = ledger.sign("deposit", by, series, body)
    index = post(ledger, statement)
    session.say("deposited", index=index, owner=owner, **_named(units))
    session.result({"index": index, "id": statement.id.hex(), **units._asdict()})


def transfer(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    participant: As,
    to: Annotated[str, typer.Option("--to", metavar="ID", help="The new owner.")],
    account: Account = "",
    registry: Registry = None,
) -> None:
    """Transfer units to another owner."""
    given = {"to": to, "account": account}
    _move(session, folder, "transfer", participant, registry, series, first, last, given)


def offer(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    participant: As,
    exchange: Annotated[
        str, typer.Option("--exchange", metavar="ID", help="The exchange that may import them.")
    ],
    nonce: Annotated[
        str,
        typer.Option(
            "--nonce",
            metavar="HEX",
            help="16 random bytes that the exchange has given for this offer: a certificate's "
            "sample is drawn by them.",
        ),
    ],
    days: Annotated[int, typer.Option("--days", min=1, help="For how long the offer stands.")] = 7,
    registry: Registry = None,
) -> None:
    """Offer units to an exchange, which locks them."""
    expires = session.now + days * DAY_SECONDS
    given = {"exchange": exchange, "nonce": nonce, "expires": expires}
    _move(session, folder, "offer", participant, registry, series, first, last, given)


def import_units(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    participant: As,
    account: Account = "",
    registry: Registry = None,
) -> None:
    """Import units that are offered, all of them, as the exchange that they are offered to."""
    given = {"account": account}
    _move(session, folder, "import", participant, registry, series, first, last, given)


def release(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    participant: As,
    registry: Registry = None,
) -> None:
    """Release units that are offered: as the exchange, or as the owner after the offer's end."""
    _move(session, folder, "release", participant, registry, series, first, last, {})


def retire(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    participant: As,
    beneficiary: Annotated[
        str, typer.Option("--beneficiary", metavar="TEXT", help="For whose sake.")
    ],
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="For what.")],
    registry: Registry = None,
) -> None:
    """Retire units for good."""
    given = {"beneficiary": beneficiary, "purpose": purpose}
    _move(session, folder, "retirement", participant, registry, series, first, last, given)


def cancel(
    session: Session,
    folder: LedgerFolder,
    series: Series,
    first: First,
    last: Last,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="AUTHORITY", help="Who issued them, or deposited them.")
    ],
    reason: Reason,
    registry: Registry = None,
) -> None:
    """Cancel units for good."""
    _move(session, folder, "cancellation", by, registry, series, first, last, {"reason": reason})


def _move(
    session: Session,
    folder: Path,
    kind: str,
    by: str,
    registry: str | None,
    series: str,
    first: int,
    last: int,
    given: dict[str, Any],
) -> None:
    """Sign what moves units, with the record that stands for them, and say what they are then."""
    ledger = session.open(folder)
    units = Units(registry or own_registry(ledger.state), series, first, last + 1)
    with ledger.store.snapshot() as snapshot:
        old = Records(snapshot, ledger.state).holding(units)
    body = {"format": 1, "units": units._asdict(), "holding": old.as_json(), **given}
    statement = ledger.sign(kind, by, series, body)
    [answer] = ledger.post([statement])
    new = moved(statement)
    session.say(
        f"moved-{kind}",
        index=answer.index,
        owner=new.owner,
        exchange=new.exchange,
        expires=show_time(new.expires, ledger.state.calendar),
        **_named(units),
    )
    result = {"index": answer.index, "id": statement.id.hex(), **_held(Held(units, new))}
    if kind == "import":
        result["credited"] = answer.is_final
        session.say("import-credited" if answer.is_final else "import-not-credited")
    session.result(result)


def _named(units: Units) -> dict[str, object]:
    """Units as a text names them."""
    return {
        "units": units.end - units.first,
        "series": units.series,
        "first": units.first,
        "last": units.end - 1,
    }


def _held(held: Held) -> dict[str, Any]:
    return {**held.units._asdict(), "holding": held.holding.as_json()}


def holdings(
    session: Session,
    folder: LedgerFolder,
    owner: Annotated[
        str | None, typer.Argument(metavar="[OWNER]", help="By default, of everybody.")
    ] = None,
) -> None:
    """Show who holds which units, and in which status."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        every = list(Records(snapshot, ledger.state).holdings())
    found = [held for held in every if owner is None or held.holding.owner == owner]
    totals: Counter[str] = Counter()
    for units, holding in found:
        totals[holding.status] += units.end - units.first
    if found:
        columns = ("registry", "series", "first", "last", "units", "status", "owner", "account")
        rows = [_row(ledger, held) for held in found[:SHOWN_MAX]]
        session.table([f"column-{name}" for name in columns], rows)
    else:
        session.say("holdings-none")
    if len(found) > SHOWN_MAX:
        session.say("more-lines", count=len(found) - SHOWN_MAX)
    for status, count in totals.items():
        session.say("holdings-total", status=session.text(f"status-{status}"), count=count)
    session.result({"holdings": [_held(held) for held in found], "totals": dict(totals)})


def _row(ledger: Ledger, held: Held) -> tuple[object, ...]:
    units, holding = held
    session = ledger.session
    status = session.text(f"status-{holding.status}")
    if holding.exchange:
        status = session.text(
            "status-offered",
            exchange=holding.exchange,
            expires=show_time(holding.expires, ledger.state.calendar),
        )
    numbers = (units.first, units.end - 1, units.end - units.first)
    return (units.registry, units.series, *numbers, status, holding.owner, holding.account or "–")
