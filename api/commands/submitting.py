"""`tally submit`, `seal` and `void`."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.options import LedgerFolder, command
from api.session import SHOWN_MAX, Ledger, Session
from api.submitting import Item, Known, RefusedItem, Sent, Submitting, Tally
from api.values import read_file, show_time, write_file
from chain.classes import LineClass
from chain.reductions import SUBMISSION_COUNT_MAX
from chain.rules import void_list
from chain.store.snapshot import Head
from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, Unreadable, Usage
from keys.statements import Statement, parse_statement
from keys.strict import dump_base64, dump_date, dump_json

VOID_REDUCTIONS_MAX = 256
"""So many fit in a statement."""
SignedElsewhere = Annotated[
    Path | None,
    typer.Option(
        "--statement", metavar="FILE", help="The statement, signed elsewhere, instead of --as."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    command(app, "submit")(submit)
    command(app, "seal")(seal)
    command(app, "void")(void)


def submit(
    session: Session,
    folder: LedgerFolder,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The NDJSON file of activities.")],
    *,
    platform: Annotated[
        str | None, typer.Option("--as", metavar="ID", help="The platform who signs, with its key.")
    ] = None,
    statement: SignedElsewhere = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", min=1, max=SUBMISSION_COUNT_MAX, help="Reductions in a submission, at most."
        ),
    ] = 1_000,
    no_seal: Annotated[
        bool, typer.Option("--no-seal", help="Leave it waiting for a block.")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", help="Write what became of each line, as NDJSON."
        ),
    ] = None,
) -> int:
    """Submit activities, and say what was recorded and what was refused."""
    ledger = session.open(folder)
    submitting = Submitting(ledger, is_sealing=not no_seal)
    submissions: list[dict[str, Any]] = []
    refused: list[RefusedItem] = []

    def sent(lines: Iterator[bytes]) -> Iterator[Sent | Known]:
        if platform is not None and statement is None:
            return submitting.run(lines, platform, batch)
        if platform is None and statement is not None:
            return submitting.hand_over(lines, read_file(statement))
        raise Usage("signed-by-whom")

    def rows(lines: Iterator[bytes]) -> Iterator[bytes]:
        for one in sent(lines):
            if isinstance(one, Sent):
                submissions.append(_submission(one))
                refused.extend(one.refused())
            if answers is not None:
                yield from _answers(ledger, one)

    with session.progress("doing-submit", _size(path)) as advance:
        made = rows(_lines(path, advance))
        if answers is None:
            for _ in made:
                pass
        else:
            write_file(answers, made, private=True)
    tally = submitting.tally
    refused.sort(key=lambda found: found.item.number)
    _report(ledger, tally, len(submissions), refused)
    session.result(
        {
            "lines": tally.lines,
            "recorded": tally.recorded,
            "refused": tally.refused,
            "grams": tally.grams,
            "known": tally.known,
            "waiting": tally.waiting,
            "left_out": [
                {"line": number, "error": refusal.as_json()} for number, refusal in tally.left_out
            ],
            "submissions": submissions,
            "refusals": [_refusal(ledger, item) for item in refused],
        }
    )
    return 0 if submissions or tally.known else 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error


def _lines(path: Path, advance: Any) -> Iterator[bytes]:
    """The lines of a file, one by one; ``advance`` is told the bytes read."""
    try:
        with path.open("rb") as file:
            for line in file:
                advance(len(line))
                yield line.removesuffix(b"\n")
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error


def _report(ledger: Ledger, tally: Tally, count: int, refused: list[RefusedItem]) -> None:
    session = ledger.session
    if tally.waiting:
        session.say("submit-waits", count=tally.waiting, submissions=count)
    elif count:
        session.say(
            "submit-done",
            recorded=tally.recorded,
            refused=tally.refused,
            grams=tally.grams,
            submissions=count,
        )
    if tally.known:
        session.say("submit-known", count=tally.known)
    if tally.left_out:
        session.say("submit-left-out", count=len(tally.left_out))
        session.refusals(("column-line", "column-why"), tally.left_out)
    if refused:
        columns = ("column-line", "column-id", "column-class", "column-why")
        session.table(columns, [_row(ledger, item) for item in refused[:SHOWN_MAX]])
        if len(refused) > SHOWN_MAX:
            session.say("more-lines", count=len(refused) - SHOWN_MAX)
        met = next((item.why.met for item in refused if item.why.met and item.platform), None)
        if met is not None:
            where = f"--line {met.line.hex()} --start {met.start}"
            session.say("submit-prove", command=f"tally prove span {_quoted(ledger)} {where}")


def _quoted(ledger: Ledger) -> str:
    return shlex.quote(str(ledger.folder))


def _row(ledger: Ledger, refused: RefusedItem) -> tuple[object, ...]:
    item = refused.item
    return (
        item.number,
        item.activity.fields["id"],
        _class(ledger, refused).name,
        _why(ledger, refused, ledger.session.lang),
    )


def _class(ledger: Ledger, refused: RefusedItem) -> LineClass:
    line = refused.item.reduction.claims[refused.why.claim].line
    return ledger.state.classes.by_number[line[2]]


def _why(ledger: Ledger, refused: RefusedItem, lang: str) -> str:
    """Why a reduction was refused, with local times and the platform that holds the stretch."""
    why, of = refused.why, _class(ledger, refused)
    platform = refused.platform or "–"
    if why.code == "span-taken" and of.axis == "whole":
        return text("line-taken", lang, name=of.name, platform=platform)
    details: dict[str, object] = {"day": dump_date(why.day), "platform": platform}
    if why.met is not None:
        calendar = ledger.state.calendar
        start, end = (show_time(time, calendar) for time in (why.met.start, why.met.end))
        details |= {"start": start[11:19], "end": end[11:19]}
    return text(why.code, lang, **details)


def _submission(one: Sent) -> dict[str, Any]:
    return {
        "id": one.statement.hex(),
        "scenario": one.scenario,
        "count": len(one.items),
        "index": one.answer.index if one.answer else None,
        "height": one.answer.height if one.answer else None,
        "receipt": dump_base64(one.answer.receipt) if one.answer else None,
    }


def _refusal(ledger: Ledger, refused: RefusedItem) -> dict[str, Any]:
    item, why = refused.item, refused.why
    return {
        "line": item.number,
        "id": item.activity.fields["id"],
        "leaf": item.reduction.leaf.hex(),
        "index": refused.place.index,
        "position": refused.place.position,
        "code": why.code,
        "text": {lang: _why(ledger, refused, lang) for lang in LANGUAGES},
        "class": _class(ledger, refused).name,
        "day": dump_date(why.day),
        "met": why.met.as_json() if why.met else None,
        "platform": refused.platform,
    }


def _answers(ledger: Ledger, one: Sent | Known) -> Iterator[bytes]:
    """What became of each reduction, a JSON object a line."""
    if isinstance(one, Known):
        for item, place in one.items:
            yield _answer(item, place.index, place.position, {"outcome": "recorded before"})
        return
    index = one.answer.index if one.answer else None
    refused = {found.place.position: found for found in one.refused()}
    for position, item in enumerate(one.items):
        if position in refused:
            more = {"outcome": "refused", **_refusal(ledger, refused[position])}
        else:
            more = {"outcome": "recorded" if one.answer else "waiting"}
        yield _answer(item, index, position, more)


def _answer(item: Item, index: int | None, position: int, more: dict[str, Any]) -> bytes:
    row = {
        "line": item.number,
        "id": item.activity.fields["id"],
        "leaf": item.reduction.leaf.hex(),
        "index": index,
        "position": position,
        "grams": item.reduction.grams,
    }
    return dump_json({**row, **more}) + b"\n"


def seal(session: Session, folder: LedgerFolder) -> None:
    """Seal what waits in blocks."""
    ledger = session.open(folder)
    made = ledger.seal(ledger.sequencer())
    for head in made:
        session.say("sealed", height=head.height, size=head.size)
    if not made:
        session.say("nothing-to-seal")
    session.result({"blocks": [_block(head) for head in made]})


def _block(head: Head) -> dict[str, Any]:
    return {"height": head.height, "size": head.size, "register": head.register_root.hex()}


def void(
    session: Session,
    folder: LedgerFolder,
    reductions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REDUCTION...]", help="Leaf hashes of reductions."),
    ] = None,
    *,
    participant: Annotated[
        str | None, typer.Option("--as", metavar="ID", help="The participant who signs.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")] = None,
    statement: SignedElsewhere = None,
) -> None:
    """Take the claims of recorded reductions away; anyone may claim the stretch anew."""
    ledger = session.open(folder)
    if statement is None and reductions and participant is not None and reason is not None:
        statements = _voids(ledger, reductions, participant, reason)
    elif statement is not None and not reductions and participant is None and reason is None:
        statements = [parse_statement(read_file(statement))]
    else:
        raise Usage("voided-by-whom")
    for one in statements:
        if one.kind != "void":
            raise Malformed("kind-unknown", kind=one.kind)
    count = sum(len(void_list(one)) for one in statements)
    answers = ledger.post(statements)
    session.say("voided", count=count, index=answers[0].index)
    session.result({"voided": count, "indexes": [answer.index for answer in answers]})


def _voids(ledger: Ledger, reductions: list[str], participant: str, reason: str) -> list[Statement]:
    """The statements that void reductions, signed with the participant's key here."""
    named = []
    with ledger.store.snapshot() as snapshot:
        for name in reductions:
            place, reduction = ledger.find(snapshot, name)
            named.append(
                {
                    "index": place.index,
                    "position": place.position,
                    "holder": reduction.holder.hex(),
                }
            )
    return [
        ledger.sign(
            "void",
            participant,
            "void",
            {"format": 1, "reason": reason, "reductions": named[at : at + VOID_REDUCTIONS_MAX]},
        )
        for at in range(0, len(named), VOID_REDUCTIONS_MAX)
    ]
