"""Checking a file: every step in plain words, and a verdict (`verifier.reports`).

`check_file` never raises: whatever is wrong with a file ends as the check that failed, and the
verdict "invalid".  The checks stand in the order in which trust is built: those of
`verifier.anchors`, then here those of a bundle; `verifier.certificate_checks` has a certificate's,
`verifier.lots` those of a lot, `verifier.books` those of a book, `verifier.evidence` those of
evidence.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from chain.activities import parse_activity
from chain.merkle import verify_inclusion
from chain.methodologies import Methodology
from chain.proofs import Held, check_free
from chain.reductions import Claim, Reduction
from chain.scenarios import Scenario
from chain.spans import make_holder
from keys.errors import Malformed, TallyError, VerificationError
from keys.participants import Role
from keys.strict import parse_hex
from verifier import books, certificate_checks, certificates, evidence, lots
from verifier.anchors import Anchor, InHand, date, days_of
from verifier.bundles import (
    BUNDLE_BYTES_MAX,
    FILE_BYTES_MAX,
    FORMAT,
    Bundle,
    Logged,
    Placed,
    Signer,
    parse_file,
    read_bundle,
    read_submission,
)
from verifier.policy import Policy
from verifier.reports import PROVISIONAL, VALID, Report, demand, step

NOTHING = InHand()


def check_file(data: bytes, policy: Policy, hand: InHand = NOTHING) -> Report:
    """Check a bundle, a certificate, a lot, a book or evidence against a trust policy; see the
    module's text."""
    report = Report()
    # Whatever fails is in the report, as the step that failed.
    with suppress(TallyError):
        with step(report, "form"):
            value = parse_file(data)
            of = _FORMATS.get(str(value.get("format")), _FORMATS[FORMAT])
            if len(data) > of.bytes_max:
                raise Malformed("json-size", limit=of.bytes_max)
            checker = of.checker(of.read(value), policy, report)
        checker.run(hand)
    return report


class _Checker(Anchor):
    """The checks of one bundle."""

    def __init__(self, bundle: Bundle, policy: Policy, report: Report) -> None:
        super().__init__(bundle, policy, report)
        self.bundle = bundle

    def run(self, hand: InHand) -> None:
        """All checks of the bundle's kind, and the verdict."""
        self.facts["kind"] = self.bundle.kind
        submission = self.bundle.submission
        self.check_anchor(hand, None if submission is None else submission.index)
        kinds: dict[str, Callable[[], None]] = {
            "reduction": self._reduction,
            "span": self._span,
            "free": self._free,
        }
        kinds[self.bundle.kind]()
        is_final = self._books()
        self.check_witnessed(VALID if is_final else PROVISIONAL)

    def _books(self) -> bool:
        """Whether the books of all days in question are closed."""
        with self._step("books") as details:
            until = self._closed(details)
            return bool(self.days) and max(self.days) < until

    days: Sequence[int] = ()

    # --- a submission ---

    def _submission(self, submission: Logged | None, signer: Signer | None) -> dict[str, Any]:
        """The submission is in the log, signed by who had the right; its payload."""
        if submission is None or signer is None:
            raise VerificationError("bundle-incomplete")
        statement = submission.statement
        with self._step("submission") as details:
            self._signed_by(submission, "submission", signer)
            body = read_submission(statement)
            details.update({"index": submission.index, "platform": statement.issuer})
            self.facts |= details
        with self._step("right") as details:
            details["platform"] = statement.issuer
            self._right(statement.issuer, Role.PLATFORM, signer, submission.index)
        return body

    def _in_tree(self, placed: Placed, leaf: bytes, body: dict[str, Any]) -> None:
        """A leaf stands at its position in the submission's tree."""
        root = parse_hex(body["root"], 32)
        demand(0 <= placed.position < body["count"], "inclusion-invalid")
        verify_inclusion(leaf, placed.position, body["count"], list(placed.path), root)

    def _span(self) -> None:
        bundle = self.bundle
        body = self._submission(bundle.submission, bundle.signer)
        leaf, held = bundle.leaf, bundle.held
        if leaf is None or held is None:
            raise VerificationError("bundle-incomplete")
        with self._step("holder") as details:
            self._in_tree(leaf, leaf.data, body)
            self._held(held, held.span.line, make_holder("reduction", leaf.data))
            details.update(self._span_facts(held.span.line, held.span.start, held.span.end))
            details["leaf"] = leaf.data.hex()
            self.facts |= details
        self.days = (held.span.day,) if held.span.day else ()

    def _free(self) -> None:
        free = self.bundle.free
        if free is None:
            raise VerificationError("bundle-incomplete")
        with self._step("free") as details:
            check_free(self.root, free, self.classes.allows)
            details.update(self._span_facts(free.line, free.start, free.end))
            self.facts |= details
        day = int.from_bytes(free.line[:2])
        self.days = (day,) if day else ()

    def _span_facts(self, line: bytes, start: int, end: int) -> dict[str, object]:
        of = self.classes.by_number[line[2]]
        return {"class": of.name, "line": line.hex(), "start": start, "end": end}

    # --- a reduction ---

    def _reduction(self) -> None:
        bundle = self.bundle
        body = self._submission(bundle.submission, bundle.signer)
        placed, scenario, methodology = bundle.reduction, bundle.scenario, bundle.methodology
        if placed is None or scenario is None or methodology is None or bundle.submission is None:
            raise VerificationError("bundle-incomplete")
        platform = bundle.submission.statement.issuer
        with self._step("reduction") as details:
            reduction = Reduction.parse(placed.data)
            self._in_tree(placed, reduction.leaf, body)
            demand(
                reduction.platform == platform and reduction.scenario == body["scenario"],
                "submission-mixed",
                platform=platform,
                scenario=body["scenario"],
            )
            demand(
                reduction.grams <= body["grams"],
                "submission-grams",
                stated=body["grams"],
                given=reduction.grams,
            )
            details.update(
                {
                    "leaf": reduction.leaf.hex(),
                    "grams": reduction.grams,
                    "day": date(reduction.day),
                    "scenario": reduction.scenario,
                }
            )
            self.facts |= details
        with self._step("scenario") as details:
            admitted = Scenario(scenario.data)
            details.update({"scenario": admitted.id, "platform": platform})
            demand(
                admitted.id == reduction.scenario and platform in admitted.platforms,
                "platform-not-admitted",
                scenario=reduction.scenario,
                platform=platform,
            )
            self._held(scenario.held, self.classes.line("scenario", [admitted.id]), admitted.holder)
            self._covers(scenario.held, reduction.day, "scenario")
        with self._step("methodology") as details:
            rule = Methodology(methodology.data, self.classes)
            details.update({"id": rule.id, "version": rule.version})
            demand(rule.id == admitted.methodology, "methodology-differs", id=rule.id)
            self._held(methodology.held, self.classes.line("methodology", [rule.id]), rule.holder)
            self._covers(methodology.held, reduction.day, "methodology")
            limits = rule.check(reduction)
            self.facts |= {
                "methodology": rule.id,
                "version": rule.version,
                "points": rule.points,
                "source": dict(rule.source),
            }
        with self._step("claims") as details:
            names = [self.classes.by_number[c.line[2]].name for c in reduction.claims]
            details.update({"count": len(names), "classes": ", ".join(dict.fromkeys(names))})
            demand(len(bundle.claims) == len(reduction.claims), "claims-incomplete")
            for claim, limit, held in zip(reduction.claims, limits, bundle.claims, strict=True):
                self._claim(claim, limit, held, reduction.holder)
            self.facts |= details
        self._activity(rule, reduction)
        self.days = days_of(reduction, self.classes)

    def _claim(self, claim: Claim, limit: int | None, held: Held, holder: bytes) -> None:
        self._held(held, claim.line, holder)
        if limit is not None:
            demand(held.span.start < limit, "seat-beyond-cap", seat=held.span.start, seats=limit)
        else:
            demand((held.span.start, held.span.end) == (claim.start, claim.end), "held-other-span")

    def _activity(self, rule: Methodology, reduction: Reduction) -> None:
        """If the activity is disclosed, it gives this very reduction."""
        data = self.bundle.activity
        if data is None:
            return
        with self._step("activity") as details:
            activity = parse_activity(data)
            details["id"] = activity.fields["id"]
            demand(activity.digest == reduction.digest, "activity-differs")
            again = rule.reduce(activity, reduction.platform)
            demand(again.data == reduction.data, "activity-differs")


class _Format(NamedTuple):
    """A format of files: how long they are at most, how they are read, and who checks them."""

    bytes_max: int
    read: Callable[[dict[str, Any]], Any]
    checker: Callable[
        [Any, Policy, Report],
        _Checker | certificate_checks.Checker | lots.Checker | books.Checker | evidence.Checker,
    ]


_FORMATS = {
    FORMAT: _Format(BUNDLE_BYTES_MAX, read_bundle, _Checker),
    certificates.FORMAT: _Format(BUNDLE_BYTES_MAX, certificates.read, certificate_checks.Checker),
    lots.FORMAT: _Format(FILE_BYTES_MAX, lots.read, lots.Checker),
    books.FORMAT: _Format(FILE_BYTES_MAX, books.read, books.Checker),
    evidence.FORMAT: _Format(evidence.EVIDENCE_BYTES_MAX, evidence.read, evidence.Checker),
}
