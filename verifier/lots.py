"""Files of lots: all reductions of one closed lot, with everything that shows their total and that
each of their claims is held.

One JSON document, written as a bundle is (`verifier.bundles`).  The fields::

    format       "tally-lot/1"
    checkpoint … books   as in a bundle
    lot          {"record", "held"}: the record (`chain.lots`), and its span on the line "lot"
    scenario     {"document", "held"}, in force on the day
    methodology  {"document", "held"}, in force on the day
    signers      [{"key", "key_held", "role_held"}, …]: the keys with which the platform signed
    submissions  [{"index", "data", "path", "signer", "leaves"}, …]: those that hold a reduction
                 of the lot, logged, with the place of their signer in the list
    seats        the seat of each claim on a cap, in the order of the reductions and their claims
    claims       base64: the multiproof (`chain.proofs`) of all claims of all reductions

*leaves* (base64) is all of a submission in its order: a reduction of the lot as its length (2) and
its bytes, any other as two zero bytes and its leaf hash (32).  So each submission's root follows,
and nobody else's reductions are shown.
"""

from dataclasses import dataclass
from typing import Any

from chain import merkle
from chain.lots import Lot, LotTree
from chain.methodologies import Methodology
from chain.proofs import Held, check_held_many
from chain.reductions import Reduction, total_grams
from chain.scenarios import Scenario
from chain.spans import Span
from keys.errors import Malformed
from keys.notes import Note
from keys.participants import Role
from keys.strict import FieldTypes, fields, parse_base64, parse_hex
from verifier.anchors import Anchor, InHand, claimed_spans, date
from verifier.bundles import (
    ANCHORS,
    Document,
    Logged,
    Policies,
    Signer,
    read_anchors,
    read_document,
    read_logged,
    read_signer,
    read_submission,
)
from verifier.policy import Policy
from verifier.reports import PROVISIONAL, VALID, Report, demand

FORMAT = "tally-lot/1"
_FIELDS: FieldTypes = {
    **ANCHORS,
    "lot": dict,
    "scenario": dict,
    "methodology": dict,
    "signers": list,
    "submissions": list,
    "seats": list,
    "claims": str,
}


@dataclass(frozen=True)
class Submitted:
    """A submission, the place of its signer, all its leaves, and its reductions of the lot."""

    logged: Logged
    signer: int
    leaves: tuple[bytes, ...]
    reductions: tuple[Reduction, ...]


@dataclass(frozen=True)
class LotFile:
    """A file of a lot, read."""

    checkpoint: Note
    genesis: Logged
    seal: Logged
    rules: Held
    classes: Document
    books: Held | None
    policies: Policies
    lot: Lot
    held: Held
    scenario: Document
    methodology: Document
    signers: tuple[Signer, ...]
    submissions: tuple[Submitted, ...]
    seats: tuple[int, ...]
    claims: bytes


def read(value: dict[str, Any]) -> LotFile:
    """Read a file of a lot; raises `Malformed`."""
    given = fields(value, "lot", _FIELDS)
    lot = fields(given["lot"], "lot", {"record": dict, "held": dict})
    if any(type(seat) is not int for seat in given["seats"]):
        raise Malformed("field-type", where="lot", field="seats", expected="integers")
    return LotFile(
        **read_anchors(given),
        lot=Lot.from_json(lot["record"]),
        held=Held.from_json(lot["held"]),
        scenario=read_document(given["scenario"], "scenario"),
        methodology=read_document(given["methodology"], "methodology"),
        signers=tuple(map(read_signer, given["signers"])),
        submissions=tuple(map(_submitted, given["submissions"])),
        seats=tuple(given["seats"]),
        claims=parse_base64(given["claims"]),
    )


def _submitted(value: object) -> Submitted:
    types = {"index": int, "data": str, "path": list, "signer": int, "leaves": str}
    given = dict(fields(value, "submission", types))
    signer, data = given.pop("signer"), parse_base64(given.pop("leaves"))
    leaves: list[bytes] = []
    reductions: list[Reduction] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        item = data[at + 2 : at + 2 + (size or 32)]
        at += 2 + (size or 32)
        if size:
            reductions.append(Reduction.parse(item))
            item = reductions[-1].leaf
        leaves.append(item)
    if at != len(data):
        raise Malformed("reduction-malformed", reason="the leaves of a submission are cut off")
    return Submitted(read_logged(given, "submission"), signer, tuple(leaves), tuple(reductions))


class Checker(Anchor):
    """The checks of one file of a lot."""

    def __init__(self, file: LotFile, policy: Policy, report: Report) -> None:
        super().__init__(file, policy, report)
        self.file = file
        self.lot = file.lot
        self.reductions = [r for of in file.submissions for r in of.reductions]

    def run(self, hand: InHand) -> None:
        """All checks, and the verdict."""
        self.facts["kind"] = "lot"
        self.check_anchor(hand, None)
        self._record()
        self._submissions()
        self._claims(self._methodology(self._scenario()))
        self._total()
        with self._step("books") as details:
            is_final = self.lot.day < self._closed(details)
        self.check_witnessed(VALID if is_final else PROVISIONAL)

    def _record(self) -> None:
        lot, held = self.lot, self.file.held
        with self._step("lot") as details:
            details.update(platform=lot.platform, scenario=lot.scenario, day=date(lot.day))
            self._held(held, self.classes.line("lot", [lot.platform, lot.scenario]), lot.holder)
            demand((held.span.start, held.span.end) == (lot.day, lot.day + 1), "held-other-span")
            self.facts |= details

    def _submissions(self) -> None:
        lot, signers = self.lot, self.file.signers
        with self._step("lot-submissions") as details:
            for of in self.file.submissions:
                statement = of.logged.statement
                demand(0 <= of.signer < len(signers), "bundle-incomplete")
                signer = signers[of.signer]
                self._signed_by(of.logged, "submission", signer)
                self._right(lot.platform, Role.PLATFORM, signer, of.logged.index)
                body = read_submission(statement)
                demand(
                    (statement.issuer, body["scenario"]) == (lot.platform, lot.scenario),
                    "submission-mixed",
                    platform=lot.platform,
                    scenario=lot.scenario,
                )
                count, given = body["count"], len(of.leaves)
                demand(given == count, "submission-count", stated=count, given=given)
                root = merkle.root(list(of.leaves))
                demand(root == parse_hex(body["root"], 32), "submission-root")
                grams = total_grams(of.reductions)
                demand(
                    grams <= body["grams"], "submission-grams", stated=body["grams"], given=grams
                )
            details.update(count=len(self.file.submissions), platform=lot.platform)

    def _scenario(self) -> Scenario:
        lot, document = self.lot, self.file.scenario
        with self._step("scenario") as details:
            scenario = Scenario(document.data)
            details.update(scenario=scenario.id, platform=lot.platform)
            demand(
                scenario.id == lot.scenario and lot.platform in scenario.platforms,
                "platform-not-admitted",
                scenario=lot.scenario,
                platform=lot.platform,
            )
            line = self.classes.line("scenario", [scenario.id])
            self._held(document.held, line, scenario.holder)
            self._covers(document.held, lot.day, "scenario")
        return scenario

    def _methodology(self, scenario: Scenario) -> list[Span]:
        """The span of each claim of each reduction, which are those that the methodology allows."""
        lot, document = self.lot, self.file.methodology
        with self._step("lot-methodology") as details:
            rule = Methodology(document.data, self.classes)
            details.update(id=rule.id, version=rule.version)
            demand(rule.id == scenario.methodology, "methodology-differs", id=rule.id)
            line = self.classes.line("methodology", [rule.id])
            self._held(document.held, line, rule.holder)
            self._covers(document.held, lot.day, "methodology")
            seats = iter(self.file.seats)
            spans: list[Span] = []
            for reduction in self.reductions:
                of = (reduction.platform, reduction.scenario, reduction.day)
                demand(of == lot[:3], "lot-mixed", leaf=reduction.leaf.hex())
                spans += claimed_spans(rule, reduction, seats)
            demand(next(seats, None) is None, "claims-incomplete")
        return spans

    def _claims(self, spans: list[Span]) -> None:
        with self._step("lot-claims") as details:
            details["count"] = len(spans)
            check_held_many(self.root, spans, self.file.claims, self.classes.allows)

    def _total(self) -> None:
        with self._step("lot-total") as details:
            tree = LotTree((reduction.leaf, reduction.grams) for reduction in self.reductions)
            demand((tree.count, tree.grams, tree.root) == self.lot[3:], "lot-root-differs")
            details.update(count=tree.count, grams=tree.grams)
            self.facts |= details
