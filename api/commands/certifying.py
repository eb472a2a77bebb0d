"""`tally certify`, `withdraw`, `issue`, `correct`: from closed lots to units."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.showing import Place, log_index
from api.options import LedgerFolder, command
from api.records import Records
from api.session import Ledger, Session
from api.values import read_file
from chain.certifications import CERTIFYING
from chain.holdings import own_registry
from chain.issuances import divide, series_name
from chain.reductions import Reduction
from chain.store.snapshot import Snapshot
from keys.statements import Statement
from keys.strict import dump_date, parse_date

Platform = Annotated[str, typer.Argument(metavar="PLATFORM", help="Whose reductions.")]
Scenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="Under which scenario.")]
Authority = Annotated[
    str, typer.Option("--by", metavar="AUTHORITY", help="The scenario's authority, who signs.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Account = Annotated[
    str, typer.Option("--account", metavar="TEXT", help="The owner's account, if it has several.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    command(app, "certify")(certify)
    command(app, "withdraw")(withdraw)
    command(app, "issue")(issue)
    command(app, "correct")(correct)


def certify(
    session: Session,
    folder: LedgerFolder,
    platform: Platform,
    scenario: Scenario,
    first: Annotated[str, typer.Argument(metavar="FROM", help="The first day.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="The last day.")],
    *,
    by: Annotated[str, typer.Option("--by", metavar="VERIFIER", help="The verifier who signs.")],
    opinion: Annotated[
        Literal["unmodified", "modified", "adverse", "disclaimed"],
        typer.Option("--opinion", help="Of the verifier; the last two certify nothing."),
    ],
    criteria: Annotated[
        str, typer.Option("--criteria", metavar="TEXT", help="The standard it goes by.")
    ],
    accreditation: Annotated[
        str, typer.Option("--accreditation", metavar="TEXT", help="By whom, and its number.")
    ],
    report: Annotated[
        Path, typer.Option("--report", metavar="FILE", help="The report; its hash is signed.")
    ],
    sampling_plan: Annotated[
        Path | None,
        typer.Option("--sampling-plan", metavar="FILE", help="By default it is in the report."),
    ] = None,
    scope: Annotated[
        str, typer.Option("--scope", metavar="TEXT", help="What was examined.")
    ] = "all reductions of the period",
    assurance: Annotated[
        Literal["reasonable", "limited"], typer.Option("--assurance", help="Its level.")
    ] = "limited",
    materiality: Annotated[
        str, typer.Option("--materiality", metavar="PERCENT", help="Up to which errors pass.")
    ] = "5",
    declare: Annotated[
        list[str] | None,
        typer.Option(
            "--declare",
            metavar="TEXT",
            help="A declaration, such as that nothing is claimed elsewhere; repeatable.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="HASH", help="A reduction that is not certified; repeatable."
        ),
    ] = None,
) -> None:
    """Certify the closed lots of a platform under a scenario, from one day to another."""
    ledger = session.open(folder)
    since, until = parse_date(first), parse_date(last) + 1
    with ledger.store.snapshot() as snapshot:
        every = snapshot.lots(platform, scenario)
        excluded = [_named(ledger, snapshot, name) for name in exclude or ()]
    lots = [lot for lot in every if since <= lot.day < until]
    count = sum(lot.count for lot in lots) - len(excluded)
    grams = sum(lot.grams for lot in lots) - sum(reduction.grams for _, reduction in excluded)
    if opinion not in CERTIFYING:
        count = grams = 0
    digest = sha256(read_file(report)).hexdigest()
    body = {
        "format": 1,
        "platform": platform,
        "scenario": scenario,
        "from": dump_date(since),
        "until": dump_date(until),
        "lots": [[dump_date(lot.day), lot.count, lot.grams, lot.root.hex()] for lot in lots],
        "exclusions": [place for place, _ in excluded],
        "count": count,
        "grams": grams,
        "opinion": opinion,
        "criteria": criteria,
        "scope": scope,
        "assurance": assurance,
        "materiality": materiality,
        "sampling_plan": sha256(read_file(sampling_plan)).hexdigest() if sampling_plan else digest,
        "report": digest,
        "accreditation": accreditation,
        "declarations": declare or [],
    }
    statement = ledger.sign("certification", by, f"{platform} {scenario}", body)
    index = post(ledger, statement)
    session.say(
        "certified",
        index=index,
        opinion=session.text(f"opinion-{opinion}"),
        lots=len(lots),
        count=count,
        grams=grams,
        excluded=len(excluded),
    )
    session.result(
        {
            "index": index,
            "id": statement.id.hex(),
            "lots": len(lots),
            "count": count,
            "grams": grams,
        }
    )


def _named(ledger: Ledger, snapshot: Snapshot, name: str) -> tuple[dict[str, Any], Reduction]:
    place, reduction = ledger.find(snapshot, name)
    holder = reduction.holder.hex()
    return {"index": place.index, "position": place.position, "holder": holder}, reduction


def post(ledger: Ledger, statement: Statement) -> int:
    """Post a statement and seal; its log index.  Raises its `Refusal`."""
    [answer] = ledger.post([statement])
    return answer.index


def withdraw(
    session: Session,
    folder: LedgerFolder,
    certification: Place,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="ID", help="The verifier who gave it, or a governor.")
    ],
    reason: Reason,
) -> None:
    """Withdraw a certification."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        identity = snapshot.statement(log_index(snapshot, certification)).id
        of = Records(snapshot, ledger.state).certification(identity)
    body = {"format": 1, "certification": of.as_json(), "reason": reason}
    statement = ledger.sign("withdrawal", by, "withdrawal", body)
    index = post(ledger, statement)
    session.say("withdrawn", index=index, since=dump_date(of.since), last=dump_date(of.until - 1))
    session.result({"index": index, "id": statement.id.hex(), "certification": of.as_json()})


def issue(
    session: Session,
    folder: LedgerFolder,
    certification: Place,
    *,
    by: Authority,
    owner: Annotated[str, typer.Option("--owner", metavar="ID", help="Whose the units are.")],
    notice: Annotated[
        str, typer.Option("--notice", metavar="TEXT", help="Where the public notice is found.")
    ],
    notice_from: Annotated[
        str, typer.Option("--notice-from", metavar="DATE", help="Its first day.")
    ],
    notice_to: Annotated[str, typer.Option("--notice-to", metavar="DATE", help="Its last day.")],
    account: Account = "",
) -> None:
    """Issue the units of a certification, once its public notice has ended."""
    ledger = session.open(folder)
    state = ledger.state
    with ledger.store.snapshot() as snapshot:
        records = Records(snapshot, state)
        identity = snapshot.statement(log_index(snapshot, certification)).id
        of = records.certification(identity)
        carry = records.carry(of.platform, of.scenario)
        vintage = int(dump_date(of.since)[:4])
        registry = own_registry(state)
        series = series_name(of.scenario, of.platform, vintage)
        first = records.next_serial(registry, series)
    carried_in = carry.grams if carry else 0
    units, left = divide(of.grams + carried_in, state.genesis.unit_grams)
    body = {
        "format": 1,
        "certification": of.as_json(),
        "notice": {
            "reference": notice,
            "from": dump_date(parse_date(notice_from)),
            "until": dump_date(parse_date(notice_to) + 1),
        },
        "registry": registry,
        "series": series,
        "vintage": vintage,
        "first": first,
        "units": units,
        "carry": carry.as_json() if carry else None,
        "carried_out": left,
        "owner": owner,
        "account": account,
    }
    statement = ledger.sign("issuance", by, series, body)
    index = post(ledger, statement)
    if units:
        session.say(
            "issued",
            index=index,
            units=units,
            series=series,
            first=first,
            last=first + units - 1,
            owner=owner,
            left=left,
        )
    else:
        session.say("issued-none", index=index, left=left)
    session.result(
        {
            "index": index,
            "id": statement.id.hex(),
            "registry": registry,
            "series": series,
            "first": first,
            "end": first + units,
            "units": units,
            "certified": of.grams,
            "carried_in": carried_in,
            "carried_out": left,
        }
    )


def correct(
    session: Session,
    folder: LedgerFolder,
    issuance: Place,
    grams: Annotated[int, typer.Argument(metavar="GRAMS", min=1, help="Certified in error.")],
    *,
    by: Authority,
    reason: Reason,
) -> None:
    """Take grams that were certified in error off what is carried."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        records = Records(snapshot, ledger.state)
        of = records.issuance(snapshot.statement(log_index(snapshot, issuance)).id)
        carry = records.carry(of.platform, of.scenario)
    body = {
        "format": 1,
        "issuance": of.as_json(),
        "carry": carry.as_json() if carry else None,
        "grams": grams,
        "reason": reason,
    }
    statement = ledger.sign("correction", by, of.series, body)
    index = post(ledger, statement)
    left = (carry.grams if carry else 0) - grams
    session.say("corrected", index=index, grams=grams, left=left)
    session.result({"index": index, "id": statement.id.hex(), "carried_out": left})
