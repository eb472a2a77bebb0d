"""Answers about statements, as the service writes them.

    id, kind        the statement's id (64 hexadecimal digits), its kind
    status          "waiting"; "recorded": it is in the log; "refused": all of it was refused
    index, height, time, receipt
                    its log index, its block and that block's time, its COSE receipt in base64
    final           whether its block is final by now (`chain.finality`)
    credited        of an import: only on a final checkpoint is it credited
    count, recorded, grams, refused
                    of a submission: its reductions; how many of them, and grams, were recorded;
                    and each that was not: position, code, text, class, claim, day, what it met
                    (line, start, end, holder), and the platform that holds it; null to a
                    stranger
    error           of what was refused: problem details

The same statement gets the same answer whenever it is asked for, but that it becomes final.
"""

from collections.abc import Sequence
from typing import Any

from api.refusals import refusal_text
from api.service.metrics import stage
from api.service.problems import problem
from api.service.service import Service
from chain.effects import Refused
from chain.reductions import Reduction, total_grams
from chain.state import State
from chain.store.answers import Answer
from keys.errors import Refusal
from keys.statements import Statement
from keys.strict import dump_base64, dump_date


def waiting(identity: bytes) -> dict[str, Any]:
    """The answer about a statement that waits for a block."""
    return {"id": identity.hex(), "status": "waiting"}


def refused(identity: bytes, refusal: Refusal, lang: str) -> dict[str, Any]:
    """The answer about a statement of which all was refused."""
    return {"id": identity.hex(), "status": "refused", "error": problem(refusal, lang)}


def recorded(
    of: Service,
    statement: Statement,
    answer: Answer,
    lang: str,
    *,
    reductions: Sequence[Reduction] | None = None,
    full: bool = True,
) -> dict[str, Any]:
    """The answer about a statement in the log.

    reductions: of a submission, where they are at hand; else they are read from their file.  full:
    with what was refused, which is for whoever may see the reductions.
    """
    with stage("answer"):
        made: dict[str, Any] = {
            "id": statement.id.hex(),
            "status": "recorded",
            "kind": statement.kind,
            "index": answer.index,
            "height": answer.height,
            "time": answer.time,
            "receipt": dump_base64(answer.receipt),
            "final": answer.is_final,
        }
        if statement.kind == "import":
            made["credited"] = answer.is_final
        if statement.kind == "submission":
            if reductions is None and answer.refusals:
                reductions = of.store.reductions(bytes.fromhex(statement.body["root"]))
            made |= {
                "scenario": statement.body["scenario"],
                "count": statement.body["count"],
                "recorded": statement.body["count"] - len(answer.refusals),
                "grams": statement.body["grams"],
                "refused": [],
            }
            if answer.refusals:
                _refused(made, answer, reductions or [], of.state(), lang)
            if answer.refusals and not full:
                made["refused"] = None
    return made


def _refused(
    made: dict[str, Any],
    answer: Answer,
    reductions: Sequence[Reduction],
    state: State,
    lang: str,
) -> None:
    """Put in what was refused."""
    made["grams"] -= total_grams([reductions[position] for position in answer.refusals])
    made["refused"] = [
        _refusal(position, why, reductions[position], answer, state, lang)
        for position, why in answer.refusals.items()
    ]


def _refusal(
    position: int, why: Refused, reduction: Reduction, answer: Answer, state: State, lang: str
) -> dict[str, Any]:
    of_class = state.classes.by_number[reduction.claims[why.claim].line[2]]
    platform = answer.platforms.get(why.met.holder) if why.met else None
    return {
        "position": position,
        "leaf": reduction.leaf.hex(),
        "code": why.code,
        "text": refusal_text(why, of_class, platform, state.calendar, lang),
        "class": of_class.name,
        "claim": why.claim,
        "day": dump_date(why.day),
        "met": why.met.as_json() if why.met else None,
        "platform": platform,
    }
