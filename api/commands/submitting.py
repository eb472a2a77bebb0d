"""`tally submit`, `seal` and `void`."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.options import LedgerFolder, command
from api.outcomes import Item, Known, Outcome, RefusedItem, Sent, Tally
from api.refusals import refusal_text
from api.session import SHOWN_MAX, Ledger, Session
from api.submitting import Submitting
from api.values import read_file, write_file
from chain.classes import LineClass
from chain.reductions import SUBMISSION_COUNT_MAX
from chain.rules import void_list
from chain.state import State
from chain.store.snapshot import Head
from keys.catalogue import LANGUAGES
from keys.errors import Malformed, Unreadable, Usage
from keys.statements import Statement, parse_statement
from keys.strict import dump_base64, dump_date, dump_json
from verifier.policy import parse_policy

if TYPE_CHECKING:
    from api.remote import RemoteSubmitting

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
    ledger: Annotated[
        str, typer.Argument(metavar="LEDGER", help="The ledger's folder, or its service's URL.")
    ],
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
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="At a URL: the trust policy by which receipts are checked.",
        ),
    ] = None,
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience",
            min=0,
            metavar="SECONDS",
            help="At a URL: for how long a submission is tried, and waited for; by default 60.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", help="Write what became of each line, as NDJSON."
        ),
    ] = None,
) -> int:
    """Submit activities, and say what was recorded and what was refused."""
    submitting = _submitting(session, ledger, policy, patience, is_sealing=not no_seal)
    tally = Tally()
    submissions: list[dict[str, Any]] = []
    refused: list[RefusedItem] = []

    def outcomes(lines: Iterator[bytes]) -> Iterator[Outcome]:
        if platform is not None and statement is None:
            return submitting.run(lines, platform, batch)
        if platform is None and statement is not None:
            return submitting.hand_over(lines, read_file(statement))
        raise Usage("signed-by-whom")

    def rows(lines: Iterator[bytes]) -> Iterator[bytes]:
        for one in outcomes(lines):
            tally.add(one)
            if isinstance(one, Sent):
                submissions.append(_submission(one))
                refused.extend(one.refused())
            if answers is not None:
                yield from _answers(submitting.state, one)

    with session.progress("doing-submit", _size(path)) as advance:
        made = rows(_lines(path, tally, advance))
        if answers is None:
            for _ in made:
                pass
        else:
            write_file(answers, made, private=True)
    refused.sort(key=lambda found: found.item.number)
    _report(session, submitting.state, tally, len(submissions), refused)
    if isinstance(submitting, Submitting):
        _say_what_proves(session, ledger, refused)
    session.result(
        {
            "lines": tally.lines,
            "recorded": tally.recorded,
            "refused": tally.refused,
            "grams": tally.grams,
            "known": tally.known,
            "waiting": tally.waiting,
            "left_out": [
                {"line": left.number, "error": left.why.as_json()} for left in tally.left_out
            ],
            "submissions": submissions,
            "refusals": [_refusal(submitting.state, item) for item in refused],
        }
    )
    return 0 if submissions or tally.known else 1


def _submitting(
    session: Session,
    ledger: str,
    policy: Path | None,
    patience: float | None,
    *,
    is_sealing: bool,
) -> "Submitting | RemoteSubmitting":
    """The way into a ledger in a folder, or behind a URL."""
    if not ledger.startswith(("http://", "https://")):
        for option, given in (("--policy", policy), ("--patience", patience)):
            if given is not None:
                raise Usage("folder-option", option=option)
        return Submitting(session.open(Path(ledger)), is_sealing=is_sealing)
    # Only this needs what the client stands on.
    from api.remote import RemoteSubmitting

    if not is_sealing:
        raise Usage("url-option", option="--no-seal")
    if policy is None:
        raise Usage("url-without-policy")
    trusted = parse_policy(read_file(policy))
    return RemoteSubmitting(session, ledger, trusted, 60 if patience is None else patience)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error


def _lines(path: Path, tally: Tally, advance: Any) -> Iterator[bytes]:
    """The lines of a file, one by one, counted; ``advance`` is told the bytes read."""
    try:
        with path.open("rb") as file:
            for line in file:
                advance(len(line))
                tally.lines += 1
                yield line.removesuffix(b"\n")
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error


def _report(
    session: Session, state: State, tally: Tally, count: int, refused: list[RefusedItem]
) -> None:
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
        left_out = [(left.number, left.why) for left in tally.left_out]
        session.refusals(("column-line", "column-why"), left_out)
    if refused:
        columns = ("column-line", "column-id", "column-class", "column-why")
        rows = [_row(state, item, session.lang) for item in refused[:SHOWN_MAX]]
        session.table(columns, rows)
        if len(refused) > SHOWN_MAX:
            session.say("more-lines", count=len(refused) - SHOWN_MAX)


def _say_what_proves(session: Session, ledger: str, refused: list[RefusedItem]) -> None:
    """How to prove who holds the first stretch that was met."""
    met = next((item.why.met for item in refused if item.why.met and item.platform), None)
    if met is not None:
        where = f"--line {met.line.hex()} --start {met.start}"
        command = f"tally prove span {shlex.quote(ledger)} {where}"
        session.say("submit-prove", command=command)


def _row(state: State, refused: RefusedItem, lang: str) -> tuple[object, ...]:
    item = refused.item
    return (
        item.number,
        item.activity.fields["id"],
        _class(state, refused).name,
        _why(state, refused, lang),
    )


def _class(state: State, refused: RefusedItem) -> LineClass:
    line = refused.item.reduction.claims[refused.why.claim].line
    return state.classes.by_number[line[2]]


def _why(state: State, refused: RefusedItem, lang: str) -> str:
    of = _class(state, refused)
    return refusal_text(refused.why, of, refused.platform, state.calendar, lang)


def _submission(one: Sent) -> dict[str, Any]:
    return {
        "id": one.statement.id.hex(),
        "scenario": one.statement.body["scenario"],
        "count": len(one.items),
        "index": one.answer.index if one.answer else None,
        "height": one.answer.height if one.answer else None,
        "final": one.answer is not None and one.answer.is_final,
        "receipt": dump_base64(one.answer.receipt) if one.answer else None,
    }


def _refusal(state: State, refused: RefusedItem) -> dict[str, Any]:
    item, why = refused.item, refused.why
    return {
        "line": item.number,
        "id": item.activity.fields["id"],
        "leaf": item.reduction.leaf.hex(),
        "index": refused.place.index,
        "position": refused.place.position,
        "code": why.code,
        "text": {lang: _why(state, refused, lang) for lang in LANGUAGES},
        "class": _class(state, refused).name,
        "day": dump_date(why.day),
        "met": why.met.as_json() if why.met else None,
        "platform": refused.platform,
    }


def _answers(state: State, one: Outcome) -> Iterator[bytes]:
    """What became of each reduction, a JSON object a line."""
    if isinstance(one, Known):
        outcome = {"outcome": "waiting" if one.is_waiting else "recorded before"}
        for item, place in one.items:
            index, position = (place.index, place.position) if place else (None, None)
            yield _answer(item, index, position, outcome)
    elif isinstance(one, Sent):
        index = one.answer.index if one.answer else None
        refused = {found.place.position: found for found in one.refused()}
        for position, item in enumerate(one.items):
            if position in one.known:
                yield _answer(item, None, None, {"outcome": "recorded before"})
                continue
            if position in refused:
                more = {"outcome": "refused", **_refusal(state, refused[position])}
            else:
                more = {"outcome": "recorded" if one.answer else "waiting"}
            yield _answer(item, index, position, more)


def _answer(item: Item, index: int | None, position: int | None, more: dict[str, Any]) -> bytes:
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
    made = ledger.seal()
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
