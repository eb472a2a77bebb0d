"""Certificates: one file that proves a range of units, and samples what stands behind them.

It is what an exchange imports.  Offline, and by a trust policy alone, it shows the issuance and its
serial numbers; who has the units, and in which status, at the checkpoint; the verifier's statement
on the closed lots, that it stands, and the verifier's right to it; the lots with their totals; and
a sample of their reductions, drawn by grams (`verifier.sampling`), each of them recorded, in its
lot, and holding its claims alone.

A JSON document like a bundle (`verifier.bundles`), of which it has ``checkpoint``, ``genesis``,
``seal``, ``rules`` (at the issuance), ``classes``, ``books``, ``policies``, and the forms *logged*,
*document*, *signer* and *held*.  The other fields::

    format         "tally-certificate/1"
    issuance       logged
    authority      signer, with the role authority: who signed the issuance
    issued         held: the issuance's days
    block          {"checkpoint", "seal", "previous", "consistency"}: the checkpoint that ends the
                   issuance's block, with its cosignatures; its seal, and the one before, both
                   logged; the consistency path from it to ``checkpoint``
    scenarios      [document, …]: the scenario's definitions
    methodologies  [document, …]: the versions of its methodologies
    certification  logged
    verifier       signer, with the role verifier
    certified      held: the certification's days
    lots           multiproof (base64) of the spans of the certification's lots
    units          {"registry", "series", "first", "end"}
    holding        the record that stands for them (`chain.holdings`)
    held           held: the span on the serial line that holds them
    delegation     SHA-256 of what lets somebody act for the owner, null if nothing is shown; it is
                   the word of whoever hands over the file
    sample         as follows

    draws          how many offsets are drawn, over the certification's lots in their order
    platform, submissions, log, claims
                   an excerpt (`verifier.excerpts`): the keys of the platform, and the reductions
                   that were drawn
    lots           for each lot of the certification null, if nothing of it is shown, or
                   {"excluded", "proof"}: [[leaf hash, grams], …] of the certification's exclusions
                   in it, and the multiproof (base64) of these and of the reductions drawn

Draws that fall on an exclusion do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chain.holdings import Holding, Units
from chain.lots import LotEntry
from chain.proofs import Held
from chain.spans import HASH_SIZE
from keys.errors import Malformed
from keys.notes import Note, parse_note
from keys.strict import FieldTypes, fields, parse_base64, parse_hex
from verifier.bundles import (
    ANCHORS,
    Document,
    Logged,
    Policies,
    Signer,
    read_anchors,
    read_document,
    read_logged,
    read_path,
    read_signer,
)
from verifier.excerpts import Excerpt, are_numbers, read_hashes, read_shown
from verifier.sampling import SAMPLES_MAX

FORMAT = "tally-certificate/1"

FIELDS: FieldTypes = {
    **ANCHORS,
    "books": dict,
    "issuance": dict,
    "authority": dict,
    "issued": dict,
    "block": dict,
    "scenarios": list,
    "methodologies": list,
    "certification": dict,
    "verifier": dict,
    "certified": dict,
    "lots": str,
    "units": dict,
    "holding": dict,
    "held": dict,
    "delegation": (str, type(None)),
    "sample": dict,
}
SAMPLE_FIELDS: FieldTypes = {
    "draws": int,
    "platform": list,
    "submissions": list,
    "log": str,
    "lots": list,
    "claims": str,
}


@dataclass(frozen=True)
class Block:
    """The end of the issuance's block: checkpoint, seal, the seal before, consistency path."""

    checkpoint: Note
    seal: Logged
    previous: Logged
    consistency: tuple[bytes, ...]


class LotProof(NamedTuple):
    """What is shown of a lot: exclusions in it, and the proof of these and of what was drawn."""

    excluded: Sequence[LotEntry]
    proof: bytes


@dataclass(frozen=True)
class Sample(Excerpt):
    """The sample, read."""

    draws: int
    lots: Sequence[LotProof | None]


@dataclass(frozen=True)
class Certificate:
    """A certificate, read."""

    checkpoint: Note
    genesis: Logged
    seal: Logged
    rules: Held
    classes: Document
    books: Held | None
    policies: Policies
    issuance: Logged
    authority: Signer
    issued: Held
    block: Block
    scenarios: Sequence[Document]
    methodologies: Sequence[Document]
    certification: Logged
    verifier: Signer
    certified: Held
    lots: bytes
    units: Units
    holding: Holding
    held: Held
    delegation: bytes | None
    sample: Sample


def read(value: dict[str, Any]) -> Certificate:
    """Read a certificate; raises `Malformed`."""
    given = fields(value, "certificate", FIELDS)
    delegation = given["delegation"]
    return Certificate(
        **read_anchors(given),
        issuance=read_logged(given["issuance"], "issuance"),
        authority=read_signer(given["authority"]),
        issued=Held.from_json(given["issued"]),
        block=_read_block(given["block"]),
        scenarios=[read_document(item, "scenario") for item in given["scenarios"]],
        methodologies=[read_document(item, "methodology") for item in given["methodologies"]],
        certification=read_logged(given["certification"], "certification"),
        verifier=read_signer(given["verifier"]),
        certified=Held.from_json(given["certified"]),
        lots=parse_base64(given["lots"]),
        units=Units.read(given["units"]),
        holding=Holding.read(given["holding"]),
        held=Held.from_json(given["held"]),
        delegation=None if delegation is None else parse_hex(delegation, HASH_SIZE),
        sample=_read_sample(given["sample"]),
    )


def _read_block(value: object) -> Block:
    given = fields(
        value, "block", {"checkpoint": str, "seal": dict, "previous": dict, "consistency": list}
    )
    return Block(
        parse_note(given["checkpoint"].encode()),
        read_logged(given["seal"], "seal"),
        read_logged(given["previous"], "seal"),
        read_path(given["consistency"]),
    )


def _read_sample(value: object) -> Sample:
    given = fields(value, "sample", SAMPLE_FIELDS)
    if not 1 <= given["draws"] <= SAMPLES_MAX:
        raise Malformed("sample-draws", most=SAMPLES_MAX)
    return Sample(
        signers=[read_signer(item) for item in given["platform"]],
        submissions=[read_shown(item, parse_base64) for item in given["submissions"]],
        log=read_hashes(given["log"]),
        claims=parse_base64(given["claims"]),
        draws=given["draws"],
        lots=[None if item is None else _read_lot(item) for item in given["lots"]],
    )


def _read_lot(value: object) -> LotProof:
    given = fields(value, "lot", {"excluded": list, "proof": str})
    return LotProof([_read_entry(item) for item in given["excluded"]], parse_base64(given["proof"]))


def _read_entry(item: object) -> LotEntry:
    match item:
        case [str(leaf), int(grams)] if are_numbers(grams):
            return parse_hex(leaf, HASH_SIZE), grams
    raise Malformed("field-type", where="lot", field="excluded", expected="[leaf hash, grams]")
