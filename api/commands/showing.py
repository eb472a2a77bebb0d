"""`tally show …` and `tally status`: what a ledger holds."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.proving import DayOption, Line, Secret
from api.lines import LineParts, read_line
from api.options import LedgerFolder, command
from api.session import SHOWN_MAX, Ledger, Session
from api.values import show_offset, show_span, show_time
from chain import kernel
from chain.reductions import Claim
from chain.spans import FOREVER, Span
from chain.state import State
from chain.store.snapshot import Head, Snapshot
from keys.errors import Usage
from keys.strict import dump_base64, dump_date
from verifier.policies import policy_text

Place = Annotated[str, typer.Argument(metavar="INDEX|ID", help="Its log index, or its id.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Show what the ledger holds.", no_args_is_help=True)
    app.add_typer(group, name="show")
    command(group, "block")(block)
    command(group, "statement")(statement)
    command(group, "reduction")(reduction)
    command(group, "line")(line)
    command(group, "policy")(policy)
    command(app, "status")(status)


def _head(snapshot: Snapshot) -> Head:
    head = snapshot.head()
    if head is None:
        raise Usage("genesis-missing")
    return head


def block(
    session: Session,
    folder: LedgerFolder,
    height: Annotated[
        int | None, typer.Argument(metavar="[HEIGHT]", help="By default, the last.")
    ] = None,
) -> None:
    """Show a block: its seal, its register, its statements."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        head = _head(snapshot) if height is None else snapshot.block(height)
        statements = snapshot.block_statements(head.height)
    session.facts(
        {
            "label-height": head.height,
            "label-size": head.size,
            "label-time": show_time(head.time, ledger.state.calendar),
            "label-seal": head.seal.hex(),
            "label-register": head.register_root.hex(),
            "label-root": head.frontier.root().hex(),
        }
    )
    session.table(("column-index", "column-kind", "column-issuer"), statements)
    session.result(
        {
            "height": head.height,
            "size": head.size,
            "time": head.time,
            "seal": head.seal.hex(),
            "register": head.register_root.hex(),
            "root": head.frontier.root().hex(),
            "checkpoint": head.checkpoint.decode(),
            "statements": [
                {"index": index, "kind": kind, "issuer": issuer}
                for index, kind, issuer in statements
            ],
        }
    )


def statement(session: Session, folder: LedgerFolder, place: Place) -> None:
    """Show a statement of the log; of a submission, what became of each reduction."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        index = log_index(snapshot, place)
        found = snapshot.statement(index)
        height = snapshot.height_of(index)
        refusals = snapshot.refusals(index)
        reductions = []
        if found.kind == "submission":
            reductions = ledger.store.reductions(bytes.fromhex(found.body["root"]))
    session.facts(
        {
            "label-index": index,
            "label-height": height,
            "label-kind": found.kind,
            "label-issuer": found.issuer,
            "label-subject": found.subject,
            "label-expires": show_time(found.expires, ledger.state.calendar),
            "label-id": found.id.hex(),
        }
    )
    if not reductions:
        session.print(found.payload.decode())
    rows = [
        {
            "position": position,
            "leaf": reduction.leaf.hex(),
            "day": dump_date(reduction.day),
            "grams": reduction.grams,
            "outcome": refusals[position].code if position in refusals else "recorded",
        }
        for position, reduction in enumerate(reductions)
    ]
    if rows:
        columns = ("column-position", "column-leaf", "column-day", "column-grams", "column-outcome")
        session.table(columns, [tuple(row.values()) for row in rows[:SHOWN_MAX]])
        if len(rows) > SHOWN_MAX:
            session.say("more-lines", count=len(rows) - SHOWN_MAX)
    session.result(
        {
            "index": index,
            "height": height,
            "id": found.id.hex(),
            "kind": found.kind,
            "issuer": found.issuer,
            "subject": found.subject,
            "expires": found.expires,
            "body": found.body,
            "data": dump_base64(found.data),
            "reductions": rows,
        }
    )


def log_index(snapshot: Snapshot, place: str) -> int:
    """The log index of a statement that is named by it, or by its id; raises `Usage`."""
    if place.isascii() and place.isdigit() and len(place) < 20:
        return int(place)
    try:
        found = snapshot.find(bytes.fromhex(place))
    except ValueError:
        found = None
    if found is None:
        raise Usage("statement-not-known", id=place[:80])
    return found[0]


def reduction(
    session: Session,
    folder: LedgerFolder,
    name: Annotated[str, typer.Argument(metavar="HASH", help="Its leaf hash, or its holder.")],
) -> None:
    """Show a reduction, and what it claims."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        place, found = ledger.find(snapshot, name)
    session.facts(
        {
            "label-platform": found.platform,
            "label-scenario": found.scenario,
            "label-version": found.version,
            "label-day": dump_date(found.day),
            "label-grams": found.grams,
            "label-index": f"{place.index} / {place.position}",
            "label-leaf": found.leaf.hex(),
            "label-holder": found.holder.hex(),
            **({} if place.voided is None else {"label-voided": place.voided}),
        }
    )
    session.table(
        ("column-class", "column-span", "column-line-id"),
        [_claim(ledger, claim) for claim in found.claims],
    )
    session.result(
        {
            "platform": found.platform,
            "scenario": found.scenario,
            "version": found.version,
            "day": dump_date(found.day),
            "grams": found.grams,
            "index": place.index,
            "position": place.position,
            "voided": place.voided,
            "leaf": found.leaf.hex(),
            "holder": found.holder.hex(),
            "digest": found.digest.hex(),
            "data": dump_base64(found.data),
            "claims": [
                {"line": claim.line.hex(), "start": claim.start, "end": claim.end}
                for claim in found.claims
            ],
        }
    )


def _claim(ledger: Ledger, claim: Claim) -> tuple[str, str, str]:
    of = ledger.state.classes.by_number[claim.line[2]]
    if claim.start is None or claim.end is None:
        where = ledger.session.text("span-a-seat", day=dump_date(claim.day))
    else:
        span = Span(claim.line, claim.start, claim.end, b"")
        where = show_span(of, span, ledger.state.calendar, ledger.session.lang)
    return of.name, where, claim.line.hex()


def line(
    session: Session,
    folder: LedgerFolder,
    parts: LineParts = None,
    *,
    data: Line = None,
    day: DayOption = None,
    secret_file: Secret = None,
) -> None:
    """Show the live spans on a line, and who holds them."""
    ledger = session.open(folder)
    of, name = read_line(ledger, parts, data, day, secret_file)
    with ledger.store.snapshot() as snapshot:
        spans = snapshot.register().overlapping([(name, 0, FOREVER)])[0][::-1]
        rows: list[tuple[Span, str | None]] = []
        for span in spans:
            place = snapshot.locate(span.holder)
            issuer = snapshot.statement(place.index).issuer if place else None
            rows.append((span, issuer))
    session.print(f"{of.name}  {name.hex()}")
    if rows:
        calendar = ledger.state.calendar
        shown = [
            (show_span(of, span, calendar, session.lang), issuer or "–", span.holder.hex())
            for span, issuer in rows
        ]
        session.table(("column-span", "column-platform", "column-holder"), shown)
    else:
        session.say("line-free")
    session.result(
        {
            "class": of.name,
            "line": name.hex(),
            "spans": [{**span.as_json(), "platform": issuer} for span, issuer in rows],
        }
    )


def policy(session: Session, folder: LedgerFolder) -> None:
    """Show the trust policy in force, as tally-verify reads it: the log's key, and the quorum."""
    ledger = session.open(folder)
    made = policy_text(ledger.state.genesis.origin, ledger.log_key, ledger.state.policy)
    session.print(made.rstrip("\n"))
    session.result({"policy": made})


def status(
    session: Session,
    folder: Annotated[Path | None, typer.Argument(metavar="[LEDGER]", help="Its folder.")] = None,
) -> None:
    """Show where a ledger stands, and which kernel does the hashing; without one, that alone."""
    if folder is None:
        session.facts({"label-kernel": kernel.name()})
        session.result({"kernel": kernel.name()})
        return
    ledger = session.open(folder)
    state = ledger.state
    with ledger.store.snapshot() as snapshot:
        head = _head(snapshot)
        waiting, final = snapshot.pending_count(), snapshot.final_height()
    published = ledger.store.published_size()
    open_from = dump_date(state.closed_until)
    session.facts(
        {
            "label-origin": state.genesis.origin,
            "label-ledger-id": state.genesis.id.hex(),
            "label-height": head.height,
            "label-final": _finality(session, state, head, final),
            "label-size": head.size,
            "label-published": published,
            "label-time": show_time(head.time, state.calendar),
            "label-open-from": f"{open_from} ({show_offset(state.calendar.offset)})",
            "label-recorded": f"{head.recorded} ({head.grams} g)",
            "label-refused": head.refused,
            "label-waiting": waiting,
            "label-proposals": len(state.waiting),
            "label-register": head.register_root.hex(),
            "label-root": head.frontier.root().hex(),
            "label-participants": ", ".join(sorted(state.participants)),
            "label-methodologies": ", ".join(sorted(state.methodologies)),
            "label-scenarios": ", ".join(sorted(state.scenarios)),
            **({"label-epochs": _epochs(state)} if state.epochs else {}),
            "label-kernel": kernel.name(),
        }
    )
    session.result(
        {
            "origin": state.genesis.origin,
            "genesis": state.genesis.id.hex(),
            "height": head.height,
            "final": final == head.height,
            "final_height": final if final >= 0 else None,
            "size": head.size,
            "published": published,
            "time": head.time,
            "utc_offset": state.calendar.offset,
            "open_from": open_from,
            "recorded": head.recorded,
            "refused": head.refused,
            "grams": head.grams,
            "waiting": waiting,
            "proposals": [identity.hex() for identity in state.waiting],
            "register": head.register_root.hex(),
            "root": head.frontier.root().hex(),
            "participants": {
                name: sorted(
                    role
                    for role, (start, end) in participant.roles.items()
                    if start <= state.index < end
                )
                for name, participant in sorted(state.participants.items())
            },
            "methodologies": sorted(state.methodologies),
            "scenarios": sorted(state.scenarios),
            "rules": state.rules,
            "epochs": [
                {"from": dump_date(epoch.start), "key": epoch.public.hex()}
                for epoch in state.epochs
            ],
            "kernel": kernel.name(),
        }
    )


def _finality(session: Session, state: State, head: Head, final: int) -> str:
    """How far the log is final."""
    if state.policy is None:
        return session.text("final-no-policy")
    if final < 0:
        return session.text("final-none")
    return session.text("final-up-to" if final < head.height else "final-all", height=final)


def _epochs(state: State) -> str:
    return ", ".join(f"{dump_date(e.start)} – {e.public.hex()}" for e in state.epochs)
