"""Checking a bundle: every step in plain words, and a verdict.

`check_bundle` never raises: whatever is wrong with a file ends as the check that failed, and the
verdict "invalid".  The checks stand in the order in which trust is built: the policy vouches for
the checkpoint, the checkpoint for the log's entries, the seal among them for the register, and the
register for everything that is in force and for every span.

Verdicts:

* ``valid``: all checks passed, and the books of the reduction's days are closed: it is final;
* ``provisional``: all checks passed, as of the checkpoint; a void may still come before the close;
* ``unwitnessed``: all checks passed, but the policy's quorum has not cosigned the checkpoint;
* ``invalid``: a check failed.
"""

import datetime
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chain.activities import parse_activity
from chain.calendar import OFFSET_SECONDS_MAX, Calendar
from chain.classes import Classes
from chain.merkle import leaf_hash, verify_inclusion
from chain.methodologies import Methodology
from chain.proofs import Held, check_free, check_held
from chain.reductions import SUBMISSION_COUNT_MAX, Claim, Reduction
from chain.rules import seal_body
from chain.scenarios import Scenario
from chain.spans import make_holder
from chain.state import RULES_VERSION, rules_holder
from keys.catalogue import text
from keys.errors import Malformed, TallyError, VerificationError
from keys.participants import Role, key_holder, role_holder
from keys.statements import Statement
from keys.strict import dump_date, fields, parse_hex
from verifier.bundles import Bundle, Logged, Placed, Signer, parse_bundle
from verifier.policy import Policy, Signed

VALID, PROVISIONAL, UNWITNESSED, INVALID = "valid", "provisional", "unwitnessed", "invalid"
_NAMES = re.compile(r"\{(\w+)\}", re.ASCII)


@dataclass(frozen=True)
class Check:
    """One step: its code in the catalogue, what it found, and why it failed if it did."""

    code: str
    details: dict[str, object]
    error: TallyError | None = None

    def text(self, lang: str) -> str:
        """What was checked, and what it proves or why it fails."""
        code = f"check-{self.code}"
        if self.error is None:
            return text(code, lang, **self.details)
        # What was not found by then stays open.
        unknown = dict.fromkeys(_NAMES.findall(text(code, lang)), "?")
        said = text(code, lang, **{**unknown, **self.details})
        return text("check-failed", lang, said=said, reason=self.error.text(lang))


@dataclass
class Report:
    """The checks that were made, in order, the facts found, and the verdict."""

    verdict: str = INVALID
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The report as programs read it."""
        return {
            "verdict": self.verdict,
            "text": {
                lang: text(f"verdict-{self.verdict}", lang, **self.facts) for lang in ("en", "zh")
            },
            "facts": self.facts,
            "checks": [
                {
                    "check": check.code,
                    "ok": check.error is None,
                    "error": None if check.error is None else check.error.as_json(),
                }
                for check in self.checks
            ],
        }


def check_bundle(data: bytes, policy: Policy) -> Report:
    """Check a bundle file against a trust policy; see the module's text."""
    report = Report()
    try:
        with _step(report, "form"):
            bundle = parse_bundle(data)
        report.facts["kind"] = bundle.kind
        _Checker(bundle, policy, report).run()
    except TallyError:
        pass  # the step that failed is in the report
    return report


@contextmanager
def _step(report: Report, code: str) -> Iterator[dict[str, object]]:
    """One check: what is put into the mapping given completes its text."""
    details: dict[str, object] = {}
    try:
        yield details
    except TallyError as error:
        report.checks.append(Check(code, details, error))
        raise
    report.checks.append(Check(code, details))


def _demand(condition: bool, code: str, **details: object) -> None:
    if not condition:
        raise VerificationError(code, **details)


class _Checker:
    """The checks of one bundle; each step may rely on those before it."""

    signed: Signed
    genesis_id: bytes
    operator: str
    root: bytes
    classes: Classes

    def __init__(self, bundle: Bundle, policy: Policy, report: Report) -> None:
        self.bundle = bundle
        self.policy = policy
        self.report = report
        self.facts = report.facts

    def run(self) -> None:
        """All checks of the bundle's kind, and the verdict."""
        self._checkpoint()
        self._genesis()
        self._seal()
        self._in_force()
        kinds: dict[str, Callable[[], None]] = {
            "reduction": self._reduction,
            "span": self._span,
            "free": self._free,
        }
        kinds[self.bundle.kind]()
        is_final = self._books()
        with self._step("witnessed") as details:
            details["names"] = ", ".join(self.signed.cosigned_by) or "–"
            details["quorum"] = self.policy.quorum
            self.facts["cosigned_by"] = list(self.signed.cosigned_by)
            if not self.signed.is_witnessed:
                self.report.verdict = UNWITNESSED
                _demand(False, "checkpoint-unwitnessed")
        self.report.verdict = VALID if is_final else PROVISIONAL

    def _step(self, code: str) -> Any:
        return _step(self.report, code)

    # --- the log ---

    def _checkpoint(self) -> None:
        with self._step("checkpoint") as details:
            self.signed = self.policy.check(self.bundle.checkpoint)
            details.update(
                {
                    "origin": self.signed.checkpoint.origin,
                    "size": self.signed.checkpoint.size,
                }
            )
            self.facts |= details
            self.facts["root"] = self.signed.checkpoint.root.hex()

    def _logged(self, logged: Logged) -> None:
        """A statement stands in the log, at its index, under the checkpoint."""
        checkpoint = self.signed.checkpoint
        verify_inclusion(
            leaf_hash(logged.statement.data),
            logged.index,
            checkpoint.size,
            list(logged.path),
            checkpoint.root,
        )

    def _genesis(self) -> None:
        genesis = self.bundle.genesis
        with self._step("genesis") as details:
            statement = genesis.statement
            _demand(statement.kind == "genesis" and genesis.index == 0, "bundle-genesis")
            self._logged(genesis)
            body = statement.body
            offset: Any = body.get("utc_offset")
            _demand(
                body.get("format") == 1
                and body.get("origin") == self.signed.checkpoint.origin
                and type(offset) is int
                and abs(offset) <= OFFSET_SECONDS_MAX,
                "bundle-genesis",
            )
            self.genesis_id = statement.id
            self.operator = statement.issuer
            self.calendar = Calendar(offset)
            details["id"] = self.facts["ledger"] = statement.id.hex()

    def _seal(self) -> None:
        seal = self.bundle.seal
        with self._step("seal") as details:
            size = self.signed.checkpoint.size
            body = seal_body(seal.statement)
            _demand(seal.index == size - 1, "seal-not-last", index=seal.index, size=size)
            self._logged(seal)
            _demand(
                seal.statement.issuer == self.operator
                and seal.statement.audience == self.genesis_id
                and seal.statement.verify(self.signed.log.public),
                "seal-signature",
            )
            self.root = parse_hex(body["register"], 32)
            details.update({"height": body["height"], "time": _utc(body["time"])})
            self.facts |= details
            self.facts["register_root"] = self.root.hex()

    # --- what is in force ---

    def _held(self, held: Held, line: bytes, holder: bytes) -> None:
        """A span is held in the register, on this line and by this holder."""
        _demand(held.span.line == line, "held-other-line")
        _demand(held.span.holder == holder, "held-other-holder")
        check_held(self.root, held, self.classes.allows)

    def _covers(self, held: Held, point: int, what: str) -> None:
        _demand(held.span.start <= point < held.span.end, "not-in-force", what=what, point=point)

    @property
    def _index(self) -> int:
        """The log index at which what is in force matters: the submission's, or the last."""
        submission = self.bundle.submission
        return self.signed.checkpoint.size - 1 if submission is None else submission.index

    def _in_force(self) -> None:
        with self._step("rules") as details:
            documents = self.bundle.classes
            self.classes = Classes(documents.data, self.calendar)
            self._held(
                documents.held,
                self.classes.line("classes", []),
                make_holder("classes", documents.data),
            )
            # A line, once it is claimed, keeps its class: what is in force last tells of all.
            self._covers(documents.held, self.signed.checkpoint.size - 1, "classes")
            held, known = self.bundle.rules, range(1, RULES_VERSION + 1)
            version = next((v for v in known if rules_holder(v) == held.span.holder), RULES_VERSION)
            self._held(held, self.classes.line("rules", []), rules_holder(version))
            self._covers(held, self._index, "rules")
            details["version"] = version

    def _books(self) -> bool:
        """Whether the books of all days in question are closed."""
        held, days = self.bundle.books, self.days
        with self._step("books") as details:
            until = 0
            if held is not None:
                self._held(held, self.classes.line("books", []), make_holder("books", b""))
                _demand(held.span.start == 0, "held-other-line")
                until = held.span.end
            details["date"] = self.facts["closed_until"] = _date(until)
            return bool(days) and max(days) < until

    days: tuple[int, ...] = ()

    # --- a submission ---

    def _submission(self, submission: Logged | None, signer: Signer | None) -> dict[str, Any]:
        """The submission is in the log, signed by who had the right; its payload."""
        if submission is None or signer is None:
            raise VerificationError("bundle-incomplete")
        statement = submission.statement
        with self._step("submission") as details:
            _demand(statement.kind == "submission", "bundle-incomplete")
            self._logged(submission)
            _demand(statement.audience == self.genesis_id, "statement-other-ledger")
            _demand(statement.verify(signer.public), "statement-signature")
            body = _submission_body(statement)
            details.update({"index": submission.index, "platform": statement.issuer})
            self.facts |= details
        with self._step("right") as details:
            details["platform"] = statement.issuer
            line = self.classes.line("key", [statement.issuer])
            self._held(signer.key_held, line, key_holder(signer.public))
            self._covers(signer.key_held, submission.index, "key")
            line = self.classes.line("role", [statement.issuer, Role.PLATFORM.value])
            holder = role_holder(statement.issuer, Role.PLATFORM)
            self._held(signer.role_held, line, holder)
            self._covers(signer.role_held, submission.index, "role")
        return body

    def _in_tree(self, placed: Placed, leaf: bytes, body: dict[str, Any]) -> None:
        """A leaf stands at its position in the submission's tree."""
        root = parse_hex(body["root"], 32)
        _demand(0 <= placed.position < body["count"], "inclusion-invalid")
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
            _demand(
                reduction.platform == platform and reduction.scenario == body["scenario"],
                "submission-mixed",
                platform=platform,
                scenario=body["scenario"],
            )
            _demand(
                reduction.grams <= body["grams"],
                "submission-grams",
                stated=body["grams"],
                given=reduction.grams,
            )
            details.update(
                {
                    "leaf": reduction.leaf.hex(),
                    "grams": reduction.grams,
                    "day": _date(reduction.day),
                    "scenario": reduction.scenario,
                }
            )
            self.facts |= details
        with self._step("scenario") as details:
            admitted = Scenario(scenario.data)
            details.update({"scenario": admitted.id, "platform": platform})
            _demand(
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
            _demand(rule.id == admitted.methodology, "methodology-differs", id=rule.id)
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
            _demand(len(bundle.claims) == len(reduction.claims), "claims-incomplete")
            for claim, limit, held in zip(reduction.claims, limits, bundle.claims, strict=True):
                self._claim(claim, limit, held, reduction.holder)
            self.facts |= details
        self._activity(rule, reduction)
        self.days = (
            reduction.day,
            *(
                c.day
                for c in reduction.claims
                if self.classes.by_number[c.line[2]].axis == "seconds"
            ),
        )

    def _claim(self, claim: Claim, limit: int | None, held: Held, holder: bytes) -> None:
        self._held(held, claim.line, holder)
        if limit is not None:
            _demand(held.span.start < limit, "seat-beyond-cap", seat=held.span.start, seats=limit)
        else:
            _demand((held.span.start, held.span.end) == (claim.start, claim.end), "held-other-span")

    def _activity(self, rule: Methodology, reduction: Reduction) -> None:
        """If the activity is disclosed, it gives this very reduction."""
        data = self.bundle.activity
        if data is None:
            return
        with self._step("activity") as details:
            activity = parse_activity(data)
            details["id"] = activity.fields["id"]
            _demand(activity.digest == reduction.digest, "activity-differs")
            again = rule.reduce(activity, reduction.platform)
            _demand(again.data == reduction.data, "activity-differs")


def _submission_body(statement: Statement) -> dict[str, Any]:
    body = fields(
        statement.body,
        "submission",
        {"format": int, "scenario": str, "root": str, "count": int, "grams": int},
    )
    if body["format"] != 1:
        raise Malformed("format-unknown", where="submission", format=body["format"])
    count = body["count"]
    if not 1 <= count <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=count, given=count)
    return body


def _date(day: int) -> str:
    return dump_date(min(day, 65_535))


def _utc(time: int) -> str:
    try:
        return (
            datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat().replace("+00:00", "Z")
        )
    except (OverflowError, OSError, ValueError):
        return str(time)
