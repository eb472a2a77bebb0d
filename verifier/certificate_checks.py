"""Checking a certificate (`verifier.certificates`): what was issued, from what, and a sample of it.

After the checks of `verifier.anchors`: the issuance and the right of who signed it; the scenario's
definitions; the certification, that it stands, and the verifier's right; the books; the lots, with
what they and the exclusions add up to; the units; the block from whose checkpoint the seed comes;
the seed; the sample; and that the checkpoint is witnessed.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from chain.certifications import CERTIFYING, Certification, certified, exclusion_list, read_lot
from chain.issuances import Issuance, issued
from chain.lots import Lot, LotEntry, check_lot
from chain.merkle import verify_consistency
from chain.policies import WitnessPolicy
from chain.proofs import Held, check_held_many
from chain.reductions import Reduction
from chain.rules import seal_body
from chain.spans import FOREVER, Span, make_holder
from keys.errors import VerificationError
from keys.notes import parse_checkpoint
from keys.participants import Role
from keys.strict import dump_date
from verifier.anchors import InHand, utc
from verifier.certificates import Certificate
from verifier.excerpts import ExcerptChecker
from verifier.policy import NONE, Policy
from verifier.reports import VALID, Report, demand
from verifier.sampling import TRIES, cosigners, draw, found_share, make_seed, percent


class Checker(ExcerptChecker):
    """The checks of one certificate; each step may rely on those before it."""

    record: Issuance
    lots: Sequence[Lot]
    seed: bytes
    is_open: bool

    def __init__(self, certificate: Certificate, policy: Policy, report: Report) -> None:
        super().__init__(certificate, policy, report)
        self.file = certificate

    def run(self, hand: InHand) -> None:
        """All checks, and the verdict."""
        self.facts["kind"] = "certificate"
        self.check_anchor(hand, self.file.issuance.index)
        self._issuance()
        self._definitions()
        self._certification()
        self._books()
        self._lots()
        self._units()
        self._block()
        self._seed(hand.nonce)
        self._sample()
        self.check_witnessed(VALID)
        self.report.said = "certificate-valid" if self.is_open else "certificate-valid-unseeded"

    def _spans(self, held: Held, line: bytes, start: int, end: int, holder: bytes) -> None:
        """Exactly this span is held."""
        self._held(held, line, holder)
        demand((held.span.start, held.span.end) == (start, end), "held-other-span")

    def _of(self, name: str) -> bytes:
        """The line of a class for the platform and the scenario."""
        return self.classes.line(name, [self.record.platform, self.record.scenario])

    # --- what was issued, from what ---

    def _issuance(self) -> None:
        file = self.file
        statement = file.issuance.statement
        with self._step("issuance") as details:
            self._signed_by(file.issuance, "issuance", file.authority)
            self._right(statement.issuer, Role.AUTHORITY, file.authority, file.issuance.index)
            of = self.record = issued(statement)
            self._spans(file.issued, self._of("issuance"), of.since, of.until, of.holder)
            unit: Any = file.genesis.statement.body.get("unit_grams")
            demand(
                type(unit) is int
                and of.units * unit + of.carried_out == of.carried_in + of.certified,
                "issuance-sum",
                grams=of.carried_in + of.certified,
                units=of.units,
                left=of.carried_out,
            )
            details.update(
                {
                    "authority": statement.issuer,
                    "issued": of.units,
                    "series": of.series,
                    "grams": of.certified,
                    "carried_in": of.carried_in,
                    "carried_out": of.carried_out,
                }
            )
            self.facts |= details
            self.facts |= {
                "issuance": statement.id.hex(),
                "registry": of.registry,
                "vintage": statement.body["vintage"],
                "unit_grams": unit,
                "platform": of.platform,
                "scenario": of.scenario,
                "from": dump_date(of.since),
                "until": dump_date(of.until),
                "count": of.count,
                "notice": statement.body["notice"],
                "delegation": file.delegation.hex() if file.delegation else None,
            }

    def _definitions(self) -> None:
        """The scenario's definitions and its methodologies were in force when they say."""
        with self._step("definitions") as details:
            self._define(self.file.scenarios, self.file.methodologies)
            for _, scenario in self.scenarios:
                demand(
                    scenario.id == self.record.scenario,
                    "platform-not-admitted",
                    scenario=scenario.id,
                    platform=self.record.platform,
                )
            issuer = self.file.issuance.statement.issuer
            named = any(scenario.authority == issuer for _, scenario in self.scenarios)
            demand(named, "authority-not-named", authority=issuer, scenario=self.record.scenario)
            versions = [f"{rule.id} {rule.version}" for _, rule in self.methodologies]
            details.update({"scenario": self.record.scenario, "versions": ", ".join(versions)})
            self.facts["methodologies"] = [
                {
                    "id": rule.id,
                    "version": rule.version,
                    "title": dict(rule.title),
                    "source": dict(rule.source),
                    "from": dump_date(held.span.start),
                }
                for held, rule in self.methodologies
            ]

    def _certification(self) -> None:
        """The verifier's statement stands, and is the one that the issuance is from."""
        file = self.file
        statement = file.certification.statement
        with self._step("certification") as details:
            self._signed_by(file.certification, "certification", file.verifier)
            self._right(statement.issuer, Role.VERIFIER, file.verifier, file.certification.index)
            of = Certification.read(file.issuance.statement.body["certification"])
            demand(certified(statement, of.day) == of, "certificate-other-certification")
            demand(of.opinion in CERTIFYING, "certification-certifies-nothing", opinion=of.opinion)
            line = self._of("certification")
            demand(file.certified.span.holder == of.holder, "certification-withdrawn")
            self._spans(file.certified, line, of.since, of.until, of.holder)
            body = statement.body
            details.update(
                {
                    "verifier": statement.issuer,
                    "opinion": body["opinion"],
                    "assurance": body["assurance"],
                }
            )
            self.facts["certification"] = {
                "statement": statement.id.hex(),
                "verifier": statement.issuer,
                **{
                    name: body[name]
                    for name in (
                        "opinion",
                        "assurance",
                        "criteria",
                        "scope",
                        "materiality",
                        "sampling_plan",
                        "report",
                        "accreditation",
                        "declarations",
                    )
                },
                "exclusions": len(body["exclusions"]),
            }

    def _books(self) -> None:
        with self._step("books") as details:
            until = self._closed(details)
            demand(self.record.until <= until, "certificate-open", until=dump_date(until))

    def _lots(self) -> None:
        """The lots that the certification lists are closed, and give what it certifies."""
        statement = self.file.certification.statement
        with self._step("lots") as details:
            of = Certification.read(self.file.issuance.statement.body["certification"])
            self.lots = lots = [read_lot(of, item) for item in statement.body["lots"]]
            days = [of.since - 1, *(lot.day for lot in lots), of.until]
            is_ordered = all(one < other for one, other in pairwise(days))
            demand(lots != [] and is_ordered, "certificate-lots")
            demand(all(1 <= lot.count <= lot.grams for lot in lots), "lot-bounds")
            line = self._of("lot")
            spans = [Span(line, lot.day, lot.day + 1, lot.holder) for lot in lots]
            check_held_many(self.root, spans, self.file.lots, self.classes.allows)
            excluded = [entry for lot in self.file.sample.lots if lot for entry in lot.excluded]
            named = {holder for _, _, holder in exclusion_list(statement)}
            demand(
                {make_holder("reduction", leaf) for leaf, _ in excluded} == named,
                "certificate-lots",
            )
            self.total = sum(lot.grams for lot in lots)
            sums = {
                "count": sum(lot.count for lot in lots) - len(excluded),
                "grams": self.total - sum(grams for _, grams in excluded),
            }
            demand(
                sums == {"count": of.count, "grams": of.grams} and self.total <= FOREVER,
                "certification-sum",
                **sums,
            )
            details.update({"lots": len(lots), **sums, "excluded": len(excluded)})
            self.facts["lots"] = [
                [dump_date(lot.day), lot.count, lot.grams, lot.root.hex()] for lot in lots
            ]

    def _units(self) -> None:
        """Who has the units at the checkpoint, and in which status."""
        units, holding, of = self.file.units, self.file.holding, self.record
        with self._step("units") as details:
            demand(
                units[:2] == (of.registry, of.series)
                and of.first <= units.first < units.end <= of.first + of.units,
                "units-not-issued",
                series=of.series,
                first=of.first,
                last=of.first + of.units - 1,
            )
            demand(holding.origin == of.statement, "units-other-origin")
            line = self.classes.line("serial", [units.registry, units.series])
            self._held(self.file.held, line, holding.holder)
            self._covers(self.file.held, units.first, "units")
            self._covers(self.file.held, units.end - 1, "units")
            details.update(
                {
                    "units": units.end - units.first,
                    "series": units.series,
                    "first": units.first,
                    "last": units.end - 1,
                    "owner": holding.owner,
                    "status": holding.status,
                }
            )
            self.facts |= details
            self.facts |= {
                "account": holding.account,
                "exchange": holding.exchange,
                "nonce": holding.nonce.hex(),
                "expires": utc(holding.expires) if holding.expires else "",
            }

    # --- the sample ---

    def _block(self) -> None:
        """The checkpoint from which the seed is drawn ends the issuance's own block."""
        block, head = self.file.block, self.signed.checkpoint
        with self._step("block") as details:
            own = parse_checkpoint(block.checkpoint.text)
            demand(own.origin == head.origin, "checkpoint-other-log", origin=own.origin)
            verify_consistency(own.size, own.root, head.size, head.root, block.consistency)
            body = seal_body(block.seal.statement)
            seal_body(block.previous.statement)
            for seal in (block.seal, block.previous):
                self._logged(seal)
            demand(
                block.seal.index == own.size - 1
                and block.previous.statement.id.hex() == body["previous"]
                and block.previous.index < self.file.issuance.index < own.size,
                "block-not-own",
                size=own.size,
            )
            details.update({"height": body["height"], "size": own.size})

    def _seed(self, mine: bytes | None) -> None:
        """What the sample is drawn from, and whether somebody could have chosen it.

        mine: the nonce that the reader gave.
        """
        note, nonce = self.file.block.checkpoint, self.file.holding.nonce
        keys = cosigners(note, self._policy_at(self.file.issuance.index))
        # The policy in use then may be any of those that were followed.
        named = [
            [name for name, key in policy.witnesses.items() if key in keys]
            for policy in self.followed.policies
        ]
        names = max(named, key=len)
        is_witnessed = self.own.quorum != NONE and any(
            policy.is_reached(of) for policy, of in zip(self.followed.policies, named, strict=True)
        )
        self.is_open = is_witnessed or mine is not None
        with self._step("seed" if self.is_open else "unseeded") as details:
            demand(mine in (None, nonce), "nonce-differs")
            self.seed = make_seed(self.file.issuance.statement.id, note, keys, nonce)
            details.update({"names": ", ".join(names) or "–", "nonce": nonce.hex() or "–"})
            self.facts["sample"] = {"seed": self.seed.hex(), "cosigned_by": names}

    def _policy_at(self, index: int) -> WitnessPolicy | None:
        """The witness policy in force at a log index, if there was one."""
        for document in self.file.policies.governed:
            if document.held.span.start <= index < document.held.span.end:
                return WitnessPolicy(document.data)
        return None

    def _sample(self) -> None:
        """Each draw falls on a reduction that is shown, recorded, and holds its claims alone."""
        sample = self.file.sample
        with self._step("sample") as details:
            drawn = self._recorded()
            starts = self._in_lots(drawn)
            counted = self._check_draws(starts)
            share = found_share(counted)
            details.update(
                {
                    "draws": sample.draws,
                    "counted": counted,
                    "reductions": len(drawn),
                    "share": percent(share),
                    "tries": TRIES,
                }
            )
            self.facts["sample"] |= details
            self.facts |= {"share": details["share"], "tries": TRIES, "draws": sample.draws}

    def _recorded(self) -> list[Reduction]:
        """The reductions shown: each in a submission of the platform, and holding its claims."""
        sample, of = self.file.sample, self.record
        found: list[Reduction] = []
        bodies = self._submissions(sample, of.platform)
        for submission, body in zip(sample.submissions, bodies, strict=True):
            demand(
                body["scenario"] == of.scenario,
                "submission-mixed",
                platform=of.platform,
                scenario=of.scenario,
            )
            reductions = [Reduction.parse(placed.data) for placed in submission.reductions]
            self._placed(submission, body, reductions)
            found += reductions
        self._claims(sample, found)
        return found

    def _in_lots(self, drawn: Sequence[Reduction]) -> list[Sequence[tuple[int, LotEntry]]]:
        """For each lot, what is shown of it: where its grams begin, and its entry, in order."""
        by_day: dict[int, list[LotEntry]] = defaultdict(list)
        for reduction in drawn:
            by_day[reduction.day].append((reduction.leaf, reduction.grams))
        sample = self.file.sample
        demand(len(sample.lots) == len(self.lots), "certificate-lots")
        starts: list[Sequence[tuple[int, LotEntry]]] = []
        for lot, shown in zip(self.lots, sample.lots, strict=True):
            entries = sorted([*by_day.pop(lot.day, ()), *(shown.excluded if shown else ())])
            demand(bool(entries) == (shown is not None), "certificate-lots")
            begin = check_lot(lot, entries, shown.proof) if shown else ()
            starts.append(list(zip(begin, entries, strict=True)))
        demand(not by_day, "sample-not-drawn")
        return starts

    def _check_draws(self, starts: Sequence[Sequence[tuple[int, LotEntry]]]) -> int:
        """Every draw falls on what is shown, and on all of it; how many of the draws count."""
        sample = self.file.sample
        ends = list(accumulate(lot.grams for lot in self.lots))
        hits: set[bytes] = set()
        excluded = {leaf for lot in sample.lots if lot for leaf, _ in lot.excluded}
        counted = 0
        for offset in draw(self.seed, self.total, sample.draws):
            number = bisect_right(ends, offset)
            inside = offset - (ends[number] - self.lots[number].grams)
            place = bisect_right(starts[number], inside, key=_start) - 1
            if place < 0:
                raise VerificationError("sample-missing", offset=inside)
            start, (leaf, grams) = starts[number][place]
            demand(inside < start + grams, "sample-missing", offset=inside)
            hits.add(leaf)
            counted += leaf not in excluded
        shown = {leaf for lot in starts for _, (leaf, _) in lot}
        demand(hits | excluded == shown, "sample-not-drawn")
        demand(counted > 0, "sample-empty")
        return counted


def _start(shown: tuple[int, LotEntry]) -> int:
    return shown[0]
