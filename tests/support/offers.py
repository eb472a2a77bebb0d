"""Offers of checkpoints to witnesses and auditors, as a ledger makes them of its files."""

import json
from collections.abc import Mapping
from contextlib import suppress

from support.dishonest import MemorySource

from chain.paths import CHECKPOINT
from chain.rules import seal_body
from keys.errors import TallyError
from keys.notes import Checkpoint, parse_checkpoint, parse_note
from keys.statements import parse_statement
from verifier.logs import Log
from verifier.witness import Answer, Offer


def checkpoint_of(files: Mapping[str, bytes]) -> Checkpoint:
    """The checkpoint that is published."""
    return parse_checkpoint(parse_note(files[CHECKPOINT]).text)


def offer(files: Mapping[str, bytes], old: int = 0) -> Offer:
    """What a ledger with these files offers to whoever has cosigned ``old`` entries."""
    proof: tuple[bytes, ...] = ()
    if old:
        with suppress(TallyError):
            proof = tuple(Log(MemorySource(files), checkpoint_of(files)).consistency(old))
    return Offer(old, proof, files[CHECKPOINT])


def sealed_at(files: Mapping[str, bytes]) -> float:
    """The time of the last seal; of a log that has none at its end, what the rules would take."""
    *_, last = Log(MemorySource(files), checkpoint_of(files)).entries(0)
    statement = parse_statement(last)
    return float(seal_body(statement)["time"]) if statement.kind == "seal" else 0.0


def code(answer: Answer) -> str | None:
    """Why an offer was refused; None of an answer that does not say."""
    return json.loads(answer.body)["error"]["code"] if answer.kind == "application/json" else None
