"""`tally erase`: take activities out of the ledger, once their days are certified."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import typer

from api.commands.submitting import VOID_REDUCTIONS_MAX
from api.options import LedgerFolder, command
from api.records import Records
from api.session import Ledger, Session
from chain.activities import parse_activity
from chain.certifications import CERTIFYING, Certification
from chain.reductions import Named, Reduction
from chain.store.snapshot import Snapshot
from keys.errors import Usage
from keys.pseudonyms import PSEUDONYM_BYTES
from keys.statements import Statement
from keys.strict import dump_date, parse_hex


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "erase")(erase)


def erase(
    session: Session,
    folder: LedgerFolder,
    reductions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REDUCTION...]", help="Leaf hashes of reductions."),
    ] = None,
    *,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="HEX", help="All activities of this pseudonym."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; it is public, so name nobody."),
    ] = None,
) -> None:
    """Erase the activities behind reductions of certified days; without any named, those that
    were erased before and have come back, as with a copy that was restored."""
    ledger = session.open(folder)
    if not reductions and subject is None and reason is None:
        count = ledger.store.erase_again()
        session.say("erased-again", count=count)
        session.result({"erased": count, "left": 0, "indexes": []})
        return
    if reason is None or (subject is None) == (not reductions):
        raise Usage("erased-what")
    with ledger.store.snapshot() as snapshot:
        if subject is None:
            found = _by_name(ledger, snapshot, reductions or [])
        else:
            found = _of_subject(ledger, snapshot, subject)
        certified, left = _certified(ledger, snapshot, found)
    if left and subject is None:
        raise Usage("erase-too-early", holder=left[0].holder.hex(), day=dump_date(left[0].day))
    answers = ledger.post(_erasures(ledger, certified, reason)) if certified else []
    count = sum(map(len, certified.values()))
    session.say("erased", count=count)
    if left:
        session.say("erased-later", count=len(left))
    indexes = [answer.index for answer in answers]
    session.result({"erased": count, "left": len(left), "indexes": indexes})


def _by_name(
    ledger: Ledger, snapshot: Snapshot, names: Iterable[str]
) -> Iterator[tuple[Named, Reduction]]:
    """The reductions with these hashes."""
    for name in names:
        place, reduction = ledger.find(snapshot, name)
        yield (place.index, place.position, reduction.holder), reduction


def _of_subject(
    ledger: Ledger, snapshot: Snapshot, subject: str
) -> Iterator[tuple[Named, Reduction]]:
    """The reductions whose activities name this subject, recorded or refused."""
    written = parse_hex(subject, PSEUDONYM_BYTES).hex()
    for logged in snapshot.logged(["submission"]):
        root = bytes.fromhex(logged.statement.body["root"])
        positions = [
            position
            for position, line in enumerate(ledger.store.activities(root))
            if written.encode() in line and parse_activity(line).fields.get("subject") == written
        ]
        items = ledger.store.reduction_bytes(root) if positions else []
        for position in positions:
            reduction = Reduction.parse(items[position])
            yield (logged.index, position, reduction.holder), reduction


def _certified(
    ledger: Ledger, snapshot: Snapshot, found: Iterable[tuple[Named, Reduction]]
) -> tuple[dict[Certification, dict[bytes, Named]], list[Reduction]]:
    """Reductions by the certification of their day and by their holder; those that have none."""
    records = Records(snapshot, ledger.state)
    certified: dict[Certification, dict[bytes, Named]] = {}
    left = []
    for named, of in found:
        line = ledger.state.classes.line("certification", [of.platform, of.scenario])
        standing = [record for _, record in records.on(line, of.day, of.day + 1)]
        match standing:
            case [Certification(opinion=opinion) as record] if opinion in CERTIFYING:
                certified.setdefault(record, {})[of.holder] = named
            case _:
                left.append(of)
    return certified, left


def _erasures(
    ledger: Ledger, certified: Mapping[Certification, Mapping[bytes, Named]], reason: str
) -> list[Statement]:
    """The statements that erase these, signed with the operator's key."""
    made = []
    for of, named in certified.items():
        items = [
            {"index": index, "position": position, "holder": holder.hex()}
            for index, position, holder in named.values()
        ]
        for at in range(0, len(items), VOID_REDUCTIONS_MAX):
            some = items[at : at + VOID_REDUCTIONS_MAX]
            body = {
                "format": 1,
                "certification": of.as_json(),
                "reductions": some,
                "reason": reason,
            }
            made.append(ledger.sign("erasure", ledger.operator, "erasure", body))
    return made
