"""From the trust policy to the register: the checks that bundles and certificates begin with.

The policy vouches for the checkpoint, the checkpoint for the log's entries, the seal among them for
the register, and the register for everything that is in force and for every span.
"""

import datetime
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from chain.calendar import OFFSET_SECONDS_MAX, Calendar
from chain.classes import Classes
from chain.merkle import leaf_hash, verify_inclusion
from chain.methodologies import Methodology
from chain.proofs import Held, check_held
from chain.reductions import Reduction
from chain.rules import seal_body
from chain.spans import Span, make_holder
from chain.state import RULES_VERSION, rules_holder
from keys.errors import VerificationError
from keys.notes import Note, parse_checkpoint
from keys.participants import Role, key_holder, role_holder
from keys.statements import Statement
from keys.strict import dump_date, parse_hex
from verifier.bundles import Document, Logged, Policies, Signer
from verifier.policies import Followed, check_governed, follow
from verifier.policy import NONE, Policy, Signed
from verifier.reports import UNWITNESSED, Report, demand, step


class InHand(NamedTuple):
    """What a reader has apart from the file: a checkpoint, and the nonce that it gave for an
    offer."""

    newer: Note | None = None
    nonce: bytes | None = None


class Anchored(Protocol):
    """What a file must hold for its anchor (`verifier.bundles`)."""

    @property
    def checkpoint(self) -> Note: ...
    @property
    def genesis(self) -> Logged: ...
    @property
    def seal(self) -> Logged: ...
    @property
    def rules(self) -> Held: ...
    @property
    def classes(self) -> Document: ...
    @property
    def books(self) -> Held | None: ...
    @property
    def policies(self) -> Policies: ...


class Anchor:
    """The checks of one file, up to its own; each step may rely on those before it."""

    signed: Signed
    genesis_id: bytes
    operator: str
    calendar: Calendar
    root: bytes
    classes: Classes

    def __init__(self, file: Anchored, policy: Policy, report: Report) -> None:
        self.anchored = file
        self.own = policy
        self.followed = Followed([policy])
        self.report = report
        self.facts = report.facts

    def check_anchor(self, hand: InHand, index: int | None) -> None:
        """Check everything that stands before the file's own subject.

        index: the log index at which what is in force matters; the last, if it is None.
        """
        if self.own.quorum != NONE:
            self._policies()
        self._checkpoint()
        if hand.newer is not None:
            self._newer(hand.newer)
        self._genesis()
        self._seal()
        self._in_force(self.last if index is None else index)
        self._governed()

    @property
    def policy(self) -> Policy:
        """The policy that judges the file: the reader's, or the one that the links have led to."""
        return self.followed.policy

    def check_witnessed(self, verdict: str) -> None:
        """The last check: whether the quorum has cosigned, and so what the verdict is."""
        with self._step("witnessed") as details:
            details["names"] = ", ".join(self.signed.cosigned_by) or "–"
            details["quorum"] = self.policy.quorum
            self.facts["cosigned_by"] = list(self.signed.cosigned_by)
            if not (self.signed.is_witnessed and self.followed.is_last):
                self.report.verdict = UNWITNESSED
            demand(self.followed.is_last, "policy-later")
            demand(self.signed.is_witnessed, "checkpoint-unwitnessed")
        self.report.verdict = verdict

    def _step(self, code: str) -> AbstractContextManager[dict[str, object]]:
        return step(self.report, code)

    # --- the log ---

    def _policies(self) -> None:
        """From the policy in the reader's hands to the one in use at the file's checkpoint."""
        file = self.anchored
        with self._step("policies") as details:
            head = parse_checkpoint(file.checkpoint.text)
            genesis, registry = file.genesis.statement, file.classes.data
            self.followed = follow(self.own, file.policies, head, genesis, registry)
            details["count"] = self.followed.count

    def _checkpoint(self) -> None:
        with self._step("checkpoint") as details:
            self.signed = self.policy.check(self.anchored.checkpoint)
            details.update(
                {
                    "origin": self.signed.checkpoint.origin,
                    "size": self.signed.checkpoint.size,
                }
            )
            self.facts |= details
            self.facts["root"] = self.signed.checkpoint.root.hex()

    def _newer(self, note: Note) -> None:
        """A checkpoint in hand does not go beyond the file's, and is of the same log."""
        with self._step("newer") as details:
            either = replace(self.policy, logs=(*self.policy.logs, *self.own.logs))
            mine, other = self.signed.checkpoint, either.check(note).checkpoint
            details["size"] = other.size
            demand(other.origin == mine.origin, "checkpoint-other-log", origin=other.origin)
            demand(other.size <= mine.size, "checkpoint-stale", size=mine.size, newer=other.size)
            demand(other.size < mine.size or other.root == mine.root, "checkpoint-forked")

    @property
    def last(self) -> int:
        """The index of the log's last entry."""
        return self.signed.checkpoint.size - 1

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
        genesis = self.anchored.genesis
        with self._step("genesis") as details:
            statement = genesis.statement
            demand(statement.kind == "genesis" and genesis.index == 0, "bundle-genesis")
            self._logged(genesis)
            body = statement.body
            offset: Any = body.get("utc_offset")
            demand(
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
        seal = self.anchored.seal
        with self._step("seal") as details:
            body = seal_body(seal.statement)
            demand(seal.index == self.last, "seal-not-last", index=seal.index, size=self.last + 1)
            self._logged(seal)
            demand(
                seal.statement.issuer == self.operator
                and seal.statement.audience == self.genesis_id
                and seal.statement.verify(self.signed.log.public),
                "seal-signature",
            )
            self.root = parse_hex(body["register"], 32)
            details.update({"height": body["height"], "time": utc(body["time"])})
            self.facts |= details
            self.facts["register_root"] = self.root.hex()

    # --- what is in force ---

    def _held(self, held: Held, line: bytes, holder: bytes) -> None:
        """A span is held in the register, on this line and by this holder."""
        demand(held.span.line == line, "held-other-line")
        demand(held.span.holder == holder, "held-other-holder")
        check_held(self.root, held, self.classes.allows)

    def _covers(self, held: Held, point: int, what: str) -> None:
        demand(held.span.start <= point < held.span.end, "not-in-force", what=what, point=point)

    def _in_force(self, index: int) -> None:
        with self._step("rules") as details:
            documents = self.anchored.classes
            self.classes = Classes(documents.data, self.calendar)
            self._held(
                documents.held,
                self.classes.line("classes", []),
                make_holder("classes", documents.data),
            )
            # A line, once it is claimed, keeps its class: what is in force last tells of all.
            self._covers(documents.held, self.last, "classes")
            held, known = self.anchored.rules, range(1, RULES_VERSION + 1)
            version = next((v for v in known if rules_holder(v) == held.span.holder), RULES_VERSION)
            self._held(held, self.classes.line("rules", []), rules_holder(version))
            self._covers(held, index, "rules")
            details["version"] = version

    def _governed(self) -> None:
        """These are all witness policies that governance ever put in force."""
        with self._step("governed") as details:
            details["count"] = len(self.anchored.policies.governed)
            check_governed(self.anchored.policies, self.root, self.classes)

    def _closed(self, details: dict[str, object]) -> int:
        """The day before which the books are closed."""
        held, until = self.anchored.books, 0
        if held is not None:
            self._held(held, self.classes.line("books", []), make_holder("books", b""))
            demand(held.span.start == 0, "held-other-line")
            until = held.span.end
        details["date"] = self.facts["closed_until"] = date(until)
        return until

    def _signed_by(self, logged: Logged, kind: str, signer: Signer) -> None:
        """A statement of this ledger is in the log, and its issuer's key has signed it."""
        statement = logged.statement
        demand(statement.kind == kind, "bundle-incomplete")
        self._logged(logged)
        self._signature(statement, signer)

    def _signature(self, statement: Statement, signer: Signer) -> None:
        demand(statement.audience == self.genesis_id, "statement-other-ledger")
        demand(statement.verify(signer.public), "statement-signature")

    def _right(self, issuer: str, role: Role, signer: Signer, *indices: int) -> None:
        """The key was the issuer's, and the role too, at these log indices."""
        for name, parts, holder, held in (
            ("key", [issuer], key_holder(signer.public), signer.key_held),
            ("role", [issuer, role.value], role_holder(issuer, role), signer.role_held),
        ):
            self._held(held, self.classes.line(name, parts), holder)
            for index in indices:
                self._covers(held, index, name)


def claimed_spans(
    methodology: Methodology, reduction: Reduction, seats: Iterator[int]
) -> Iterator[Span]:
    """The spans that a reduction must hold, which are those that its methodology asks for.

    seats: those that its claims on caps hold, taken from here in their order.
    """
    limits = methodology.check(reduction)
    for claim, limit in zip(reduction.claims, limits, strict=True):
        if claim.start is not None and claim.end is not None:
            yield Span(claim.line, claim.start, claim.end, reduction.holder)
            continue
        seat = next(seats, None)
        if seat is None or limit is None:
            raise VerificationError("claims-incomplete")
        demand(seat < limit, "seat-beyond-cap", seat=seat, seats=limit)
        yield Span(claim.line, seat, seat + 1, reduction.holder)


def days_of(reduction: Reduction, classes: Classes) -> list[int]:
    """The days on which a reduction lies: it is final when their books are closed."""
    of = classes.by_number
    spans = [claim.day for claim in reduction.claims if of[claim.line[2]].axis == "seconds"]
    return [reduction.day, *spans]


def date(day: int) -> str:
    """A day, or the last that has a date."""
    return dump_date(min(day, 65_535))


def utc(time: int) -> str:
    """A unix second as people read it."""
    try:
        return (
            datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat().replace("+00:00", "Z")
        )
    except (OverflowError, OSError, ValueError):
        return str(time)
