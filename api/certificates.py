"""Writing certificates (`verifier.certificates`) from a ledger."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from api.proving import Proving
from api.records import Origins, Records
from chain.certifications import exclusion_list, read_lot
from chain.holdings import Holding, Units
from chain.issuances import issued
from chain.lots import Lot, LotEntry
from chain.reductions import Named, Reduction
from chain.spans import Span, make_holder
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Place, Snapshot
from keys.errors import Fault, Usage
from keys.notes import Note, format_note, parse_checkpoint, parse_note
from keys.participants import Role
from keys.statements import Statement
from keys.strict import dump_base64
from verifier.certificates import FORMAT
from verifier.sampling import cosigners, draw, make_seed

SAMPLES = 1_380
"""Draws that find a share of 0.5 % with a certainty of 99.9 %, where nobody chose the seed."""


class Written(NamedTuple):
    """A certificate, and how many reductions it shows."""

    document: dict[str, Any]
    reductions: int


def write_certificate(
    store: LedgerStore,
    units: Units,
    *,
    draws: int = SAMPLES,
    notes: Sequence[Note] = (),
    delegation: bytes | None = None,
    origins: Origins | None = None,
) -> Written:
    """The certificate of a range of units, all of one issuance and one holding.

    notes: the ledger's last checkpoint, and that of the issuance's block, with further signatures.
    delegation: SHA-256 of what lets somebody act for the owner.  origins: what is known already of
    the ledger's records.  Raises `Usage`.
    """
    with store.snapshot() as snapshot:
        return Writing(store, snapshot, units, origins).write(draws, notes, delegation)


class Writing:
    """One certificate in the making."""

    def __init__(
        self,
        store: LedgerStore,
        snapshot: Snapshot,
        units: Units,
        origins: Origins | None = None,
    ) -> None:
        self._store, self._snapshot, self._units = store, snapshot, units
        self._proving = Proving(store, snapshot)
        self._state = self._proving.state
        self._line = self._state.classes.line
        records = Records(snapshot, self._state, origins)
        self._span, self._holding = self._held(records)
        self._index, self._issuance = self._statement(self._holding.origin)
        if self._issuance.kind != "issuance":
            raise Usage("units-not-of-issuance")
        self._record = issued(self._issuance)
        self._certification = records.certification(self._record.certification)
        self._block = snapshot.block(snapshot.height_of(self._index))
        self._before = snapshot.block(self._block.height - 1)

    def _held(self, records: Records) -> tuple[Span, Holding]:
        """The span and the record that stand for the units; raises `Usage`."""
        units = self._units
        found = records.on(units.line(self._state), units.first, units.end)
        if not found:
            raise Usage("units-unknown", series=units.series, serial=units.first)
        span, record = found[0]
        if not isinstance(record, Holding) or not span.start <= units.first < units.end <= span.end:
            raise Usage("units-two-holdings", first=span.start, last=span.end - 1)
        return span, record

    def _statement(self, identity: bytes) -> tuple[int, Statement]:
        found = self._snapshot.find(identity)
        if found is None:
            raise Usage("statement-not-known", id=identity.hex())
        return found[0], self._snapshot.statement(found[0])

    def write(self, draws: int, notes: Sequence[Note], delegation: bytes | None) -> Written:
        """The certificate; see `write_certificate`."""
        proving, units, of = self._proving, self._units, self._record
        parts = [of.platform, of.scenario]
        head, own = self._signed(notes)
        index, certification = self._statement(of.certification)
        certified = proving.covering(self._line("certification", parts), of.since)
        self._check_stands(certified.span)
        lots = [read_lot(self._certification, item) for item in certification.body["lots"]]
        lot_line = self._line("lot", parts)
        spans = [Span(lot_line, lot.day, lot.day + 1, lot.holder) for lot in lots]
        policy = self._state.policy_at(self._index)
        seed = make_seed(self._issuance.id, own, cosigners(own, policy), self._holding.nonce)
        sample, shown = self._sample(seed, lots, exclusion_list(certification), draws)
        document = {
            "format": FORMAT,
            **proving.anchor(self._index),
            "checkpoint": format_note(head).decode(),
            "issuance": proving.logged(self._index, self._issuance),
            "authority": proving.signer(self._issuance.issuer, Role.AUTHORITY, self._index),
            "issued": proving.covering(self._line("issuance", parts), of.since).as_json(),
            "block": self._ending(own),
            **self._definitions(),
            "certification": proving.logged(index, certification),
            "verifier": proving.signer(certification.issuer, Role.VERIFIER, index),
            "certified": certified.as_json(),
            "lots": dump_base64(proving.register.held_many(spans)),
            "units": units._asdict(),
            "holding": self._holding.as_json(),
            "held": proving.register.held(self._span.line, self._span.start).as_json(),
            "delegation": delegation.hex() if delegation else None,
            "sample": sample,
        }
        return Written(document, shown)

    def _check_stands(self, span: Span) -> None:
        """Raise `Usage` unless the span is held for the certification."""
        if span.holder != self._certification.holder:
            raise Usage("certificate-withdrawn")

    def _signed(self, notes: Sequence[Note]) -> tuple[Note, Note]:
        """The ledger's last checkpoint and that of the issuance's block, with what signs them."""
        blocks = (self._proving.head, self._block)
        mine = [parse_note(self._snapshot.note(block)) for block in blocks]
        for note in notes:
            if note.text not in {one.text for one in mine}:
                raise Usage(
                    "checkpoint-not-needed",
                    size=parse_checkpoint(note.text).size,
                    last=self._proving.head.size,
                    own=self._block.size,
                )
        given = {note.text: note for note in notes}
        head, own = (given.get(note.text, note) for note in mine)
        return head, own

    def _ending(self, own: Note) -> dict[str, Any]:
        """The end of the issuance's block, and that of the block before."""
        size, head = self._block.size, self._proving.head
        seals = {
            name: self._proving.logged(last, self._snapshot.statement(last))
            for name, last in (("seal", size - 1), ("previous", self._before.size - 1))
        }
        path = self._proving.tree.consistency(size, head.size)
        return {
            "checkpoint": format_note(own).decode(),
            **seals,
            "consistency": [digest.hex() for digest in path],
        }

    # --- what was in force ---

    def _definitions(self) -> dict[str, Any]:
        """The scenario's definitions on the days, and at the issuance; its methodologies."""
        of, state = self._record, self._state
        versions = state.scenarios[of.scenario]
        today = state.calendar.day(self._before.time)
        on_days = [one for one in versions if one.start < of.until and of.since < one.end]
        by = [one for one in versions if one.start <= today][-1]
        names = sorted({one.document.methodology for one in on_days})
        document = self._proving.document
        return {
            "scenarios": [
                document("scenario", one) for one in versions if one in on_days or one is by
            ],
            "methodologies": [
                document("methodology", one)
                for name in names
                for one in state.methodologies[name]
                if one.start < of.until and of.since < one.end
            ],
        }

    # --- the sample ---

    def _sample(
        self, seed: bytes, lots: Sequence[Lot], exclusions: Sequence[Named], draws: int
    ) -> tuple[dict[str, Any], int]:
        """The sample, and how many reductions it shows."""
        excluded: dict[int, list[LotEntry]] = defaultdict(list)
        for index, position, _ in exclusions:
            root = bytes.fromhex(self._snapshot.statement(index).body["root"])
            reduction = Reduction.parse(self._store.reduction_bytes(root)[position])
            excluded[reduction.day].append((reduction.leaf, reduction.grams))
        offsets = iter(sorted(draw(seed, sum(lot.grams for lot in lots), draws)))
        offset = next(offsets, None)
        drawn: set[bytes] = set()
        shown: list[dict[str, Any] | None] = []
        start = 0
        for lot in lots:
            inside = []
            while offset is not None and offset < start + lot.grams:
                inside.append(offset - start)
                offset = next(offsets, None)
            start += lot.grams
            if not inside and not excluded[lot.day]:
                shown.append(None)
                continue
            tree = self._store.lot_tree(lot)
            left_out = {leaf for leaf, _ in excluded[lot.day]}
            found = {tree.at(one)[0] for one in inside} - left_out
            drawn |= found
            shown.append(
                {
                    "excluded": [[leaf.hex(), grams] for leaf, grams in excluded[lot.day]],
                    "proof": dump_base64(tree.prove(found | left_out)),
                }
            )
        if not drawn:
            raise Usage("sample-empty")
        excerpt = self._proving.excerpt(self._places(drawn, lots), _data)
        sample = {"draws": draws, "lots": shown, "platform": excerpt.pop("signers"), **excerpt}
        return sample, len(drawn)

    def _places(self, leaves: Collection[bytes], lots: Sequence[Lot]) -> list[Place]:
        """Where reductions are recorded, in the order of the log."""
        holders = [make_holder("reduction", leaf) for leaf in leaves]
        live = self._snapshot.live(holders, {lot.day for lot in lots})
        if len(live) != len(leaves):
            raise Fault("lot-not-recorded")
        return sorted(live.values(), key=lambda place: (place.index, place.position))


def _data(root: bytes, datas: Sequence[bytes], positions: Sequence[int]) -> list[str]:
    """Reductions as a sample shows them."""
    return [dump_base64(datas[position]) for position in positions]
