"""The gateway's work: from the lines in its queue to their results, a step at a time.

A step makes activities, signs a batch, and sends one; it may fail at any point, and is done again
by whoever calls next.  Nothing is asked of the clock but the age of lines and the expiry of
statements.

A batch that the ledger refuses whole:

* has expired, or its key is not in force any more: it can never be recorded, and its lines are
  signed anew;
* its signer is not known there, or has not the right: that is no line's fault, and everything
  waits until it is mended;
* else is cut in two, and again, until the line that is at fault stands alone and is refused.

A line's result is a JSON object:

    id        the line's
    status    "recorded" or "refused"
    leaf, index, position, grams, points
              of what is recorded: the reduction's leaf hash, the log index of its submission and
              its place in it, grams, and the points that the activity earns, null if
              its methodology cannot tell
    code, text
              of what is refused: why, and the same in English and Chinese
    leaf, class, day, met, platform
              and where the ledger refused it alone: what it met (line, start, end, holder) and
              the platform that holds that
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from api.gateway.lines import Line, draft_of, read_line, write_activity
from api.gateway.queue import Batch, Computed, Found, Kept, Queue, Row
from api.identifiers import IDENTIFIERS, Draft, Plain, put_pseudonyms
from api.outcomes import Sent
from api.refusals import refusal_text
from api.service.logs import LOG
from api.values import STATEMENT_SECONDS
from chain.activities import Activity, parse_activity
from chain.admission import methodologies_in_force, reduce_activities, sign_submission
from chain.effects import Refused
from chain.methodologies import Methodology
from chain.reductions import Reduction
from chain.state import State
from keys.catalogue import LANGUAGES
from keys.errors import Busy, NotAllowed, Refusal, TallyError, Usage, VerificationError
from keys.oprf import ObliviousPseudonyms
from keys.pseudonyms import Epoch, Pseudonymiser
from keys.signer import Signer
from keys.statements import Statement, parse_statement
from keys.strict import dump_date
from verifier.bundles import parse_file
from verifier.check import check_file
from verifier.policy import Policy
from verifier.reports import INVALID, Report

MADE_TOGETHER = 1_000
"""Lines whose activities are made in one go."""
IDLE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 10.0
DAY_SECONDS = 86_400
_SIGNED_ANEW = frozenset({"statement-expired", "signature-invalid"})
_NO_LINES_FAULT = frozenset({"participant-unknown", "role-missing", "statement-other-ledger"})


class Ledger(Protocol):
    """What a gateway asks of the ledger's service: `api.client.Client`."""

    def state(self) -> State:
        """What governance has decided as of now."""

    def send(
        self,
        statement: Statement,
        lines: Sequence[bytes],
        reductions: Sequence[Reduction] | None = None,
    ) -> Sent:
        """Send a submission; raises the `Refusal` of the whole of it."""

    def bundle(self, leaf: bytes, *, disclose: bool = False) -> bytes:
        """The bundle of a reduction."""

    def evaluate(self, epoch: Epoch, elements: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        """Blinded elements, evaluated under an epoch's key, and the proof of it."""


@dataclass(frozen=True)
class Settings:
    """What a platform can set of its gateway."""

    batch: int = 1_000
    """Activities in a submission, at most."""
    seconds: float = 1.0
    """How long activities gather before fewer are sent."""
    keep_days: int = 90
    """How long results are kept."""


class Gateway:
    """The gateway of one platform to one ledger.

    before: makes pseudonyms for a ledger, or for days, without a key of its own.  clock: unix
    seconds.
    """

    def __init__(
        self,
        queue: Queue,
        ledger: Ledger,
        policy: Policy,
        *,
        platform: str,
        signer: Signer,
        before: Pseudonymiser | None = None,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.queue = queue
        self.settings = settings or Settings()
        self.problem: str | None = None
        """The code of what stopped the last step; None while all goes well."""
        self._ledger = ledger
        self._policy = policy
        self._platform = platform
        self._signer = signer
        self._before = before
        self._clock = clock
        self._failures = 0
        self._known: dict[tuple[Epoch, bytes], str] = {}
        """Pseudonyms of lines whose activities are not made yet: what was evaluated before the
        service had enough need not be evaluated again."""

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self._clock())

    # --- in ---

    def take(self, lines: Sequence[bytes]) -> list[Found | Refusal]:
        """Take lines; for each what is known of it, or why it is refused.

        When it returns they survive a crash.  Raises `Busy` if there is no room for all of them.
        """
        read: list[Line | Refusal] = []
        for data in lines:
            try:
                read.append(read_line(data))
            except Refusal as refusal:
                read.append(refusal)
        good = [line for line in read if not isinstance(line, Refusal)]
        found = iter(self.queue.take(good, self.now) if good else ())
        return [line if isinstance(line, Refusal) else next(found) for line in read]

    # --- the work ---

    def step(self, *more: Callable[[], bool]) -> float:
        """Do what can be done now; gives the seconds after which to come again.

        more: done as well; like each part it says whether there was anything to do.
        """
        worked = False
        failed: Exception | None = None
        for part in (self._make, self._sign, self._send, *more):
            try:
                worked |= part()
            except (TallyError, SQLAlchemyError, OSError) as error:
                failed = error
        self._tell(failed)
        if failed is None:
            self._failures = 0
            return 0 if worked else IDLE_SECONDS
        self._failures += 1
        if isinstance(failed, Busy):
            return min(failed.retry_after, PAUSE_SECONDS_MAX)
        return min(2.0 ** (self._failures - 1), PAUSE_SECONDS_MAX)

    def _tell(self, failed: Exception | None) -> None:
        """Log when it begins to fail, in another way, and when that ends."""
        problem = None
        if failed is not None:
            problem = failed.code if isinstance(failed, TallyError) else type(failed).__name__
        if problem != self.problem:
            # No text of it: it may name what people did.
            LOG.warning("gateway", extra={"problem": problem})
        self.problem = problem

    def _make(self) -> bool:
        """Make activities of lines."""
        kept = self.queue.taken(MADE_TOGETHER)
        if not kept:
            return False
        state = self._ledger.state()
        drafts: dict[str, Draft] = {}
        refused: list[Row] = []
        for one in kept:
            draft = draft_of(one.data)
            try:
                self._check_epochs(state, draft)
                drafts[one.id] = draft
            except Usage as error:
                refused.append(_refused(one.id, error))
        by = ObliviousPseudonyms(state.epoch_of, self._ledger.evaluate, self._before, self._known)
        put_pseudonyms(list(drafts.values()), state.calendar.day, by)
        nonces = {one.id: one.nonce for one in kept}
        made = {name: write_activity(draft, nonces[name]) for name, draft in drafts.items()}
        self.queue.make(made, refused, self.now)
        self._known.clear()
        return True

    def _check_epochs(self, state: State, draft: Draft) -> None:
        """Raise `Usage` "epoch-missing" where no key makes a pseudonym of the line, `NotAllowed`
        where none makes any."""
        if self._before is not None:
            return
        day = state.calendar.day(draft["start"])
        for name, item in draft.items():
            if isinstance(item, Plain) and state.epoch_of(IDENTIFIERS[name], day) is None:
                if not state.epochs:
                    raise NotAllowed("pseudonyms-missing")
                raise Usage("epoch-missing", name=IDENTIFIERS[name], day=dump_date(day))

    def _sign(self) -> bool:
        """Sign a batch of a scenario's activities, if enough are there or have waited enough."""
        scenario = self.queue.due(self.settings.batch, int(self._clock() - self.settings.seconds))
        if scenario is None:
            return False
        state = self._ledger.state()
        kept = self.queue.made(scenario, self.settings.batch)
        activities = [parse_activity(one.data) for one in kept]
        computed: list[Computed] = []
        refused: list[Row] = []
        in_force = methodologies_in_force(state, self._platform)
        made = reduce_activities(activities, state, self._platform)
        for one, activity, reduction in zip(kept, activities, made, strict=True):
            if isinstance(reduction, Refusal):
                refused.append(_refused(one.id, reduction))
            else:
                points = _points(in_force(reduction.scenario, reduction.day), activity)
                computed.append(Computed(one.id, reduction.data, points))
        statement = self._submission(state, computed) if computed else None
        self.queue.sign(statement, computed, refused, self.now)
        return True

    def _submission(self, state: State, computed: Sequence[Computed]) -> bytes:
        return sign_submission(
            self._signer,
            platform=self._platform,
            ledger=state.genesis.id,
            expires=max(self.now, state.time) + STATEMENT_SECONDS,
            reductions=[Reduction.parse(one.reduction) for one in computed],
        ).data

    def _send(self) -> bool:
        """Send a batch; the same bytes as before, if it was sent before."""
        batch = self.queue.first()
        if batch is None:
            return False
        reductions = [Reduction.parse(one.reduction or b"") for one in batch.lines]
        lines = [one.data for one in batch.lines]
        try:
            sent = self._ledger.send(parse_statement(batch.statement), lines, reductions)
        except Refusal as refusal:
            self._refused_whole(batch, refusal)
            return True
        if sent.answer is None:
            return False
        self.queue.end(batch, self._results(batch, sent, reductions), self.now)
        return True

    # --- what became of a batch ---

    def _refused_whole(self, batch: Batch, refusal: Refusal) -> None:
        if refusal.code in _NO_LINES_FAULT:
            raise refusal
        if refusal.code in _SIGNED_ANEW:
            self.queue.undo(batch)
            # With the wrong key, or a clock that runs behind, it would be signed again and again.
            if parse_statement(batch.statement).expires > self.now:
                raise refusal
        elif len(batch.lines) == 1:
            self.queue.end(batch, [_refused(batch.lines[0].id, refusal)], self.now)
        else:
            state, middle = self._ledger.state(), len(batch.lines) // 2
            halves = _computed(batch.lines[:middle]), _computed(batch.lines[middle:])
            self.queue.split(batch, [(self._submission(state, half), half) for half in halves])

    def _results(self, batch: Batch, sent: Sent, reductions: Sequence[Reduction]) -> list[Row]:
        answer = sent.answer
        if answer is None:
            return []
        results: list[Row] = []
        for position, (one, reduction) in enumerate(zip(batch.lines, reductions, strict=True)):
            why = answer.refusals.get(position)
            if why is None:
                results.append(_recorded(one, reduction, answer.index, position))
            elif why.met is not None and why.met.holder == reduction.holder:
                # What it met is itself: an earlier statement of ours is in the log after all.
                results.append(_recorded(one, reduction, *self._place(reduction)))
            else:
                platform = answer.platforms.get(why.met.holder) if why.met else None
                results.append(self._refused_alone(one, reduction, why, platform))
        return results

    def _place(self, reduction: Reduction) -> tuple[int, int]:
        """Where a recorded reduction stands: the log index of its submission, and its position."""
        bundle, report = self.proof(reduction.leaf)
        return report.facts["index"], parse_file(bundle)["reduction"]["position"]

    def _refused_alone(
        self, one: Kept, reduction: Reduction, why: Refused, platform: str | None
    ) -> Row:
        state = self._ledger.state()
        of = state.classes.by_number[reduction.claims[why.claim].line[2]]
        return {
            "id": one.id,
            "status": "refused",
            "code": why.code,
            "text": {
                lang: refusal_text(why, of, platform, state.calendar, lang) for lang in LANGUAGES
            },
            "leaf": reduction.leaf.hex(),
            "class": of.name,
            "day": dump_date(why.day),
            "met": why.met.as_json() if why.met else None,
            "platform": platform,
        }

    # --- out ---

    def proof(self, leaf: bytes, *, disclose: bool = False) -> tuple[bytes, Report]:
        """The bundle of a recorded reduction, checked, and what the check found.

        Raises `VerificationError` if it does not hold, or is another reduction's.
        """
        bundle = self._ledger.bundle(leaf, disclose=disclose)
        report = check_file(bundle, self._policy)
        if report.verdict == INVALID or report.facts.get("leaf") != leaf.hex():
            raise VerificationError("proof-invalid", leaf=leaf.hex())
        return bundle, report

    def forget(self) -> None:
        """Drop results that were kept long enough."""
        self.queue.forget(self.now - self.settings.keep_days * DAY_SECONDS)


def _points(methodology: Methodology, activity: Activity) -> int | None:
    try:
        return methodology.points_of(activity)
    except Refusal:
        return None


def _computed(lines: Sequence[Kept]) -> list[Computed]:
    return [Computed(one.id, one.reduction or b"", one.points) for one in lines]


def _recorded(one: Kept, reduction: Reduction, index: int, position: int) -> Row:
    return {
        "id": one.id,
        "status": "recorded",
        "leaf": reduction.leaf.hex(),
        "index": index,
        "position": position,
        "grams": reduction.grams,
        "points": one.points,
    }


def _refused(name: str, error: TallyError) -> Row:
    return {"id": name, "status": "refused", **refusal_row(error)}


def refusal_row(error: TallyError) -> dict[str, Any]:
    """Why a line is refused: the code, and the text in both languages."""
    return {"code": error.code, "text": {lang: error.text(lang) for lang in LANGUAGES}}
