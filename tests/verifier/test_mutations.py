"""Mutated bundles: nothing but a report comes out, and what it vouches for is true.

Every bundle of the pool is good under its checkpoint.  A mutated one is invalid, unless it says the
same, or less, or something else that is true as well.  That is, all parts are those of one bundle
of the pool but for these, which may differ:

* the signature lines of the checkpoint: strangers' lines mean nothing, a cosigner's less leaves it
  unwitnessed at worst;
* ``books``: without it, what is final is provisional;
* ``activity``: it may be disclosed or not;
* ``held`` of a span: any span of the same reduction;
* ``start`` and ``end`` of a free stretch: any that its neighbours leave free;
* ``line`` where there is no span: any other that leads to the same place in the tree.

Whatever the verdict vouches for is held against the ledger itself.

An operator can sign anything: a second run mutates what stands behind signatures and in the
register, signs it anew, and asks only that nothing but a report comes out, and that a second
checker, written from the specification alone, comes to the same verdict.
"""

from collections import Counter
from functools import cache
from random import Random
from typing import Any

import independent_checker
import pytest
from support.bundles import (
    ENOUGH,
    PLAIN,
    PLAIN_TEXT,
    QUORUM,
    Json,
    Sealed,
    check,
    cosigned,
    dump,
    honest,
    ledger,
    samples,
    world,
)
from support.city import TODAY
from support.mutations import mutate, signed

from chain.methodologies import Methodology
from chain.proofs import Absent
from chain.reductions import Reduction
from keys.errors import TallyError
from keys.strict import dump_date, parse_date
from verifier.bundles import Bundle, parse_file, read_bundle
from verifier.check import check_file
from verifier.reports import INVALID, PROVISIONAL, UNWITNESSED, VALID, Report

SECOND_PLAIN = independent_checker.Policy(PLAIN_TEXT.encode())


@cache
def later() -> Sealed:
    """The small ledger after its books were closed, and a submission more."""
    grown = world().copy()
    grown.close(TODAY + 1)
    grown.submit([world().batches[ledger().second.index][0]], hold=False, platform="pay-app")
    return grown.sealed()


@cache
def pool() -> list[Json]:
    """Good bundles: of each kind, under two checkpoints, cosigned or not."""
    small = ledger()
    closed = [
        later().reduction(small.rides.index, 0),
        later().reduction(small.trips.index, 3),
        later().reduction(small.meals.index, 1),
        later().span(small.trips.index, 3),
        later().span(small.meals.index, 0, 1),
    ]
    # The longest is tried less often than its many hashes would have it.
    bundles = [bundle for name, bundle in samples().items() if name != "trip of 19 days"]
    bundles += closed
    return (
        bundles + [cosigned(bundle, *ENOUGH) for bundle in bundles] + [samples()["trip of 19 days"]]
    )


def parts(bundle: Bundle) -> tuple[Any, ...]:
    """All that a bundle says, but for what may differ."""
    free = bundle.free
    return (
        bundle.kind,
        bundle.checkpoint.text,
        bundle.genesis,
        bundle.seal,
        bundle.rules,
        bundle.classes,
        bundle.submission,
        bundle.signer,
        bundle.reduction,
        bundle.scenario,
        bundle.methodology,
        bundle.claims,
        bundle.leaf,
        free and (None if isinstance(free.evidence, Absent) else free.line, free.evidence),
    )


@cache
def known() -> set[tuple[Any, ...]]:
    return {parts(read_bundle(parse_file(dump(bundle)))) for bundle in pool()}


# --- what is true ---


def assert_true(report: Report) -> None:
    """Everything that a report vouches for is so in the ledger."""
    facts = report.facts
    sealed = {(s.size, s.root.hex()): s for s in (honest(), later())}[facts["size"], facts["root"]]
    seal = sealed.statements[-1].body
    assert facts["origin"] == world().origin
    assert facts["ledger"] == world().genesis_id.hex()
    assert facts["height"] == seal["height"]
    assert facts["register_root"] == seal["register"]
    assert set(facts["cosigned_by"]) <= set(ENOUGH)
    closed_until = _closed_until(sealed)
    assert facts["closed_until"] in (dump_date(0), dump_date(closed_until))
    days = {"reduction": _reduction, "span": _span, "free": _free}[facts["kind"]](facts, sealed)
    if report.verdict == VALID:
        assert days and max(days) < closed_until


def _closed_until(sealed: Sealed) -> int:
    (books,) = sealed.register.spans(sealed.world.line("books"))
    return books.end


def _leaf(facts: dict[str, Any], sealed: Sealed) -> Reduction:
    """The reduction of the facts: it is in the submission, which is of that platform."""
    statement = sealed.statements[facts["index"]]
    assert (statement.kind, statement.issuer) == ("submission", facts["platform"])
    batch = sealed.world.batches[facts["index"]]
    return next(r for r in batch if r.leaf.hex() == facts["leaf"])


def _reduction(facts: dict[str, Any], sealed: Sealed) -> list[int]:
    reduction = _leaf(facts, sealed)
    assert facts["platform"] == reduction.platform
    assert facts["scenario"] == reduction.scenario
    assert facts["grams"] == reduction.grams
    assert facts["version"] == reduction.version
    assert parse_date(facts["day"]) == reduction.day
    assert facts["count"] == len(reduction.claims)
    state = ledger().city.state
    rule: Methodology = state.methodologies[facts["methodology"]][0].document
    assert facts["points"] == rule.points and facts["source"] == rule.source
    held = [s for s in sealed.world.spans.values() if s.holder == reduction.holder]
    assert sorted(s.line for s in held) == sorted(claim.line for claim in reduction.claims)
    for claim in reduction.claims:
        (span,) = (span for span in held if span.line == claim.line)
        assert claim.start in (None, span.start) and claim.end in (None, span.end)
    return [reduction.day, *(s.day for s in held if s.class_number < 4)]


def _span(facts: dict[str, Any], sealed: Sealed) -> list[int]:
    line = bytes.fromhex(facts["line"])
    span = sealed.world.spans[line + facts["start"].to_bytes(8)]
    assert (span.end, span.holder) == (facts["end"], _leaf(facts, sealed).holder)
    assert facts["class"] == world().classes.by_number[span.class_number].name
    return [span.day] if span.day else []


def _free(facts: dict[str, Any], sealed: Sealed) -> list[int]:
    line = bytes.fromhex(facts["line"])
    assert facts["start"] < facts["end"]
    for span in sealed.world.spans.values():
        if span.line == line:
            assert span.end <= facts["start"] or facts["end"] <= span.start
    day = int.from_bytes(line[:2])
    return [day] if day else []


# --- the run ---


def judge(data: bytes, policy_is_strict: bool) -> str:
    """Check a mutated file and hold the report to its word; what became of it."""
    report = check_file(data, QUORUM if policy_is_strict else PLAIN)
    told = report.as_json()
    assert told["verdict"] == report.verdict
    *passed, last = report.checks
    assert all(step.error is None for step in passed)
    assert isinstance(last.error, TallyError | None)
    for lang in ("en", "zh"):
        assert last.text(lang)
    if report.verdict == INVALID:
        assert last.error is not None
        return f"invalid: {last.code}"
    assert (last.error is not None) == (report.verdict == UNWITNESSED)
    assert_true(report)
    bundle = read_bundle(parse_file(data))
    assert parts(bundle) in known()
    if report.verdict in (VALID, PROVISIONAL) and policy_is_strict:
        assert QUORUM.is_reached(report.facts["cosigned_by"])
    return f"not invalid: {report.verdict}"


def run(seed: int, count: int) -> Counter[str]:
    """``count`` mutated files, and how many ended how."""
    random = Random(seed)
    made = pool()
    return Counter(judge(mutate(random, made), random.random() < 0.5) for _ in range(count))


# --- what an operator signs ---


def run_signed(seed: int, count: int) -> Counter[str]:
    """``count`` bundles of mutated ledgers, and how many ended how."""
    random = Random(seed)
    ended: Counter[str] = Counter()
    while ended.total() < count:
        try:
            data = dump(signed(random, world().copy()))
        except (TallyError, ValueError, IndexError, TypeError, OverflowError, KeyError):
            continue  # what not even an operator could write
        report = check_file(data, PLAIN)
        assert report.as_json()
        assert independent_checker.check(data, SECOND_PLAIN) == report.verdict
        *passed, last = report.checks
        assert all(step.error is None for step in passed)
        assert (last.error is not None) == (report.verdict == INVALID)
        ended[f"{report.verdict}: {last.code}"] += 1
    return ended


# --- the tests ---


def test_the_pool_is_good_and_what_is_held_against_the_ledger_is_seen() -> None:
    verdicts = set()
    for bundle in pool():
        for policy in (PLAIN, QUORUM):
            report = check(bundle, policy)
            assert_true(report)
            verdicts.add(report.verdict)
    assert verdicts == {VALID, PROVISIONAL, UNWITNESSED}
    report = check(pool()[0])
    for name, value in (("grams", 81), ("day", "2026-03-01"), ("platform", "pay-app"), ("size", 1)):
        report.facts, kept = {**report.facts, name: value}, report.facts
        with pytest.raises((AssertionError, KeyError)):
            assert_true(report)
        report.facts = kept


@pytest.mark.parametrize("seed", range(6))
def test_mutated_bundles(seed: int) -> None:
    ended = run(seed, 500)
    assert ended.total() == 500
    # They reach every step, and few of them change nothing.
    assert len([name for name in ended if name.startswith("invalid")]) > 8
    assert sum(n for name, n in ended.items() if name.startswith("not")) < 100


@pytest.mark.parametrize("seed", range(2))
def test_mutated_and_signed(seed: int) -> None:
    ended = run_signed(seed, 150)
    assert ended.total() == 150
    assert len(ended) > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_mutated_and_signed(seed: int) -> None:
    assert run_signed(seed, 500).total() == 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_a_hundred_thousand_mutated_bundles(seed: int) -> None:
    assert run(seed, 2_500).total() == 2_500
