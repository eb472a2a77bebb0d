"""`tally payout`: how the revenue of an issuance is shared among subjects."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from api.commands.showing import Place, log_index
from api.evidence import behind, certified_entries
from api.options import LedgerFolder, command
from api.payouts import (
    RESERVE,
    Step,
    parse_amount,
    share,
    show_amount,
    stretches,
    within,
)
from api.records import Records
from api.session import Ledger, Session
from api.values import write_file
from chain.activities import Activity
from chain.classes import GRAMMARS
from chain.issuances import Issuance, issued
from chain.store.snapshot import Snapshot
from keys.errors import Usage
from keys.strict import dump_json, parse_date


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "payout")(payout)


def payout(
    session: Session,
    folder: LedgerFolder,
    issuance: Place,
    *,
    amount: Annotated[
        str, typer.Option("--amount", metavar="DECIMAL", help="The revenue that is shared.")
    ],
    currency: Annotated[
        str, typer.Option("--currency", metavar="CODE", help="Its currency, such as CNY.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The shares to write: .csv, or .json. Private."),
    ],
) -> None:
    """Share a revenue among subjects by their grams in an issuance, to the smallest unit."""
    if out.suffix not in (".csv", ".json"):
        raise Usage("payout-suffix", path=str(out))
    total = parse_amount(amount, currency)
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        identity = snapshot.statement(log_index(snapshot, issuance)).id
        records = Records(snapshot, ledger.state)
        of = records.issuance(identity)
        if not of.units:
            raise Usage("payout-nothing", id=identity.hex())
        grams = _grams(ledger, snapshot, records, of)
    shares = share(total, grams)
    rows = [
        {"subject": name, "grams": grams[name], "amount": show_amount(part, currency)}
        for name, part in shares.items()
    ]
    about = {
        "issuance": identity.hex(),
        "platform": of.platform,
        "scenario": of.scenario,
        "units": of.units,
        "grams": sum(grams.values()),
        "currency": currency,
        "amount": show_amount(total, currency),
        "reserve": {
            "grams": grams.get(RESERVE, 0),
            "amount": show_amount(shares.get(RESERVE, 0), currency),
        },
    }
    if out.suffix == ".json":
        write_file(out, [dump_json({**about, "shares": rows}), b"\n"], private=True)
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, ["subject", "grams", "amount"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_file(out, [table.getvalue().encode()], private=True)
    session.say(
        "payout-done",
        amount=about["amount"],
        currency=currency,
        subjects=len(shares.keys() - {RESERVE}),
        units=of.units,
        reserve=show_amount(shares.get(RESERVE, 0), currency),
        path=str(out),
    )
    session.result({**about, "subjects": len(shares.keys() - {RESERVE}), "out": str(out)})


def _grams(ledger: Ledger, snapshot: Snapshot, records: Records, of: Issuance) -> Mapping[str, int]:
    """The grams of each subject in what an issuance used."""
    grams: Counter[str] = Counter()
    every = (logged.statement for logged in snapshot.logged(["certification"]))
    certifications = {statement.id: statement for statement in every}
    for stretch in stretches(_steps(ledger, snapshot, of))[of.statement]:
        certification = certifications[records.issuance(stretch.issuance).certification]
        used = dict(within(certified_entries(ledger.store, certification), stretch))
        days = [parse_date(day) for day, *_ in certification.body["lots"]]
        for one in behind(ledger.store, snapshot, used, days):
            grams[_subject(one.activity)] += used[one.reduction.leaf]
    return grams


def _steps(ledger: Ledger, snapshot: Snapshot, of: Issuance) -> Iterator[Step]:
    """What happened to the certified grams of a platform and a scenario."""
    unit = ledger.state.genesis.unit_grams
    for logged in snapshot.logged(["issuance", "correction"]):
        statement = logged.statement
        if statement.kind == "issuance":
            made = issued(statement)
            step = Step(statement.id, made.certified, 0, made.units * unit)
        else:
            made = Issuance.read(statement.body["issuance"])
            step = Step(statement.id, 0, statement.body["grams"], 0)
        if (made.platform, made.scenario) == (of.platform, of.scenario):
            yield step


def _subject(activity: Activity | None) -> str:
    """The pseudonym of an activity's subject, or the reserve."""
    name = activity.fields.get("subject") if activity is not None else None
    return name if isinstance(name, str) and GRAMMARS["pseudonym"](name) else RESERVE
