"""Excerpts: the submissions of one platform, of each of them some reductions, each proved recorded.

Certificates (`verifier.certificates`) show so what their sample draws, books (`verifier.books`)
what is a subject's.  The parts::

    signers      [signer, …]: the keys of the platform, with its role
    submissions  [{"index", "data", "reductions", "cover"}, …]: by their index.  ``data``: base64.
                 ``reductions``: [[position, data, [seat, …]], …], a seat for each claim on a cap.
                 ``cover`` (base64 of hashes side by side): of these positions in the tree of the
                 submission (`chain.merkle`)
    log          the cover (base64) of the submissions in the log, under ``checkpoint``
    claims       multiproof (base64) of the spans that the reductions hold

The *data* of a reduction is its bytes in base64, or in a book the activity that gives it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from chain.merkle import leaf_hash, split_hashes, verify_cover
from chain.methodologies import Methodology
from chain.proofs import Held, check_held_many
from chain.reductions import Reduction, total_grams
from chain.scenarios import Scenario
from chain.spans import FOREVER, HASH_SIZE, Span
from keys.errors import Malformed, VerificationError
from keys.participants import Role
from keys.statements import Statement, parse_statement
from keys.strict import fields, parse_base64, parse_hex
from verifier.anchors import Anchor, Anchored, claimed_spans
from verifier.bundles import Document, Signer, read_submission
from verifier.policy import Policy
from verifier.reports import Report, demand


class Placed(NamedTuple):
    """A reduction in its submission, and the seats that it holds on caps."""

    position: int
    data: bytes
    seats: Sequence[int]


@dataclass(frozen=True)
class Submission:
    """A submission with those of its reductions that are shown."""

    index: int
    statement: Statement
    reductions: Sequence[Placed]
    cover: tuple[bytes, ...]


@dataclass(frozen=True)
class Excerpt:
    """An excerpt, read."""

    signers: Sequence[Signer]
    submissions: Sequence[Submission]
    log: tuple[bytes, ...]
    claims: bytes


def read_shown(value: object, decode: Callable[[str], bytes]) -> Submission:
    """A submission with what is shown of it; ``decode`` reads the data of a reduction.

    Raises `Malformed`.
    """
    given = fields(
        value, "submission", {"index": int, "data": str, "reductions": list, "cover": str}
    )
    return Submission(
        given["index"],
        parse_statement(parse_base64(given["data"])),
        [_read_placed(item, decode) for item in given["reductions"]],
        read_hashes(given["cover"]),
    )


def _read_placed(item: object, decode: Callable[[str], bytes]) -> Placed:
    match item:
        case [int(position), str(data), list(seats)] if are_numbers(position, *seats):
            return Placed(position, decode(data), seats)
    raise Malformed(
        "field-type", where="submission", field="reductions", expected="[position, data, [seat, …]]"
    )


def are_numbers(*values: object) -> bool:
    """Whether these are integers as files have them."""
    return all(type(value) is int and 0 <= value < FOREVER for value in values)


def read_hashes(text: str) -> tuple[bytes, ...]:
    """Hashes side by side, in base64.  Raises `Malformed`."""
    return split_hashes(parse_base64(text))


class ExcerptChecker(Anchor):
    """The checks of a file that has an excerpt, up to its own."""

    def __init__(self, file: Anchored, policy: Policy, report: Report) -> None:
        super().__init__(file, policy, report)
        self.scenarios: list[tuple[Held, Scenario]] = []
        self.methodologies: list[tuple[Held, Methodology]] = []
        self._rules: dict[tuple[str, str, int], Methodology] = {}

    def _define(self, scenarios: Sequence[Document], methodologies: Sequence[Document]) -> None:
        """Versions of scenarios and methodologies were in force when they say."""
        line = self.classes.line
        for document in scenarios:
            scenario = Scenario(document.data)
            self._held(document.held, line("scenario", [scenario.id]), scenario.holder)
            self.scenarios.append((document.held, scenario))
        for document in methodologies:
            rule = Methodology(document.data, self.classes)
            self._held(document.held, line("methodology", [rule.id]), rule.holder)
            self.methodologies.append((document.held, rule))

    def _rule(self, platform: str, scenario: str, day: int) -> Methodology:
        """By what the platform could report under the scenario on a day."""
        name = (platform, scenario, day)
        if name not in self._rules:
            of = _covering(self.scenarios, scenario, day, "scenario")
            demand(
                platform in of.platforms,
                "platform-not-admitted",
                scenario=of.id,
                platform=platform,
            )
            self._rules[name] = _covering(self.methodologies, of.methodology, day, "methodology")
        return self._rules[name]

    def _submissions(self, excerpt: Excerpt, platform: str) -> list[dict[str, Any]]:
        """The submissions are in the log, and the platform, which could, signed each; what they
        say."""
        head = self.signed.checkpoint
        for signer in excerpt.signers:
            self._right(platform, Role.PLATFORM, signer)
        entries = {one.index: leaf_hash(one.statement.data) for one in excerpt.submissions}
        demand(len(entries) == len(excerpt.submissions), "sample-twice")
        verify_cover(entries, head.size, excerpt.log, head.root)
        bodies = []
        for submission in excerpt.submissions:
            statement = submission.statement
            demand(
                statement.kind == "submission" and statement.issuer == platform,
                "submission-mixed",
                platform=platform,
                scenario=statement.subject,
            )
            self._signature(statement, _signer(excerpt.signers, submission.index))
            bodies.append(read_submission(statement))
        return bodies

    def _placed(
        self, submission: Submission, body: dict[str, Any], reductions: Sequence[Reduction]
    ) -> None:
        """The reductions shown of a submission stand in it, and are of its platform and scenario.

        reductions: those of ``submission.reductions``, in their order.
        """
        leaves = {
            placed.position: reduction.leaf
            for placed, reduction in zip(submission.reductions, reductions, strict=True)
        }
        demand(len(leaves) == len(reductions), "sample-twice")
        verify_cover(leaves, body["count"], submission.cover, parse_hex(body["root"], HASH_SIZE))
        of = (submission.statement.issuer, body["scenario"])
        demand(
            all((reduction.platform, reduction.scenario) == of for reduction in reductions),
            "submission-mixed",
            platform=of[0],
            scenario=of[1],
        )
        grams = total_grams(reductions)
        demand(grams <= body["grams"], "submission-grams", stated=body["grams"], given=grams)

    def _claims(self, excerpt: Excerpt, reductions: Sequence[Reduction]) -> int:
        """Each reduction is one that its methodology can give, and holds all its claims, which
        are no other's; how many claims these are.

        reductions: all that the excerpt shows, in their order.
        """
        spans: list[Span] = []
        shown = [placed for submission in excerpt.submissions for placed in submission.reductions]
        for placed, of in zip(shown, reductions, strict=True):
            seats = iter(placed.seats)
            spans += claimed_spans(self._rule(of.platform, of.scenario, of.day), of, seats)
            demand(next(seats, None) is None, "claims-incomplete")
        check_held_many(self.root, spans, excerpt.claims, self.classes.allows)
        return len(spans)


def _signer(signers: Sequence[Signer], index: int) -> Signer:
    """The one whose key and role cover a log index."""
    for signer in signers:
        if all(of.span.start <= index < of.span.end for of in (signer.key_held, signer.role_held)):
            return signer
    raise VerificationError("not-in-force", what="key", point=index)


_Document = TypeVar("_Document", Scenario, Methodology)


def _covering(
    versions: Sequence[tuple[Held, _Document]], name: str, day: int, what: str
) -> _Document:
    """The version of this name that was in force on a day."""
    for held, document in versions:
        if document.id == name and held.span.start <= day < held.span.end:
            return document
    raise VerificationError("not-in-force", what=what, point=day)
