"""A second look at a ledger: replay of its published files, and proof of what it acknowledged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.city import ORIGIN, City, key

from chain.activities import parse_activity
from chain.effects import Effects, Entry, Refused
from chain.lots import Lot, LotTree
from chain.paths import CHECKPOINT, activities_path, reductions_path
from chain.proofs import check_held
from chain.receipts import check_receipt
from chain.reductions import Reduction, parse_reductions
from chain.register import Register
from chain.rules import NAMED_BY, apply
from chain.spans import FOREVER, Span, make_holder
from chain.state import State
from chain.store.snapshot import Snapshot, Statistic
from chain.tiles import DirectoryReader, TileTree
from keys.notes import parse_checkpoint, parse_note
from keys.statements import Statement, parse_statement
from keys.strict import DAY_MAX

EVER = (0, DAY_MAX + 1)


@dataclass
class Replayed:
    """What a replay found; it is the rules' view of itself."""

    state: State | None = None
    register: Register = field(default_factory=Register)
    statements: list[Statement] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    outcomes: dict[int, Sequence[Refused | None]] = field(default_factory=dict)
    live: dict[bytes, Reduction] = field(default_factory=dict)
    refused: int = 0

    @property
    def recorded(self) -> int:
        return len(self.live)

    @property
    def grams(self) -> int:
        return sum(reduction.grams for reduction in self.live.values())

    def seen(self, identity: bytes) -> bool:
        return identity in self.ids

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        return self.register.overlapping(wanted, most)

    def root(self) -> bytes:
        return self.register.root()

    def lots(self, first: int, until: int) -> list[Lot]:
        entries: dict[tuple[str, str, int], list[tuple[bytes, int]]] = {}
        for of in self.live.values():
            if first <= of.day < until:
                name = (of.platform, of.scenario, of.day)
                entries.setdefault(name, []).append((of.leaf, of.grams))
        trees = {name: LotTree(entries[name]) for name in sorted(entries)}
        return [Lot(*name, t.count, t.grams, t.root) for name, t in trees.items()]

    def take(self, entry: Entry) -> Effects:
        effects = apply(self.state, entry, self)
        self.register.change(effects.put, effects.drop, effects.rows)
        self.state = effects.state
        self.outcomes[len(self.statements)] = effects.outcomes
        self.statements.append(entry.statement)
        self.ids.add(entry.statement.id)
        if entry.statement.kind == "void":
            for reduction in entry.reductions:
                del self.live[reduction.holder]
        for reduction, why in zip(entry.reductions, effects.outcomes, strict=False):
            if why is None:
                self.live[reduction.holder] = reduction
            self.refused += why is not None
        return effects


def replay(folder: Path) -> Replayed:
    """Replay the log from the tiles and the files of reductions alone.

    That each seal names the register's root is one of the rules, so every block is compared.
    """
    checkpoint = parse_checkpoint(parse_note((folder / CHECKPOINT).read_bytes()).text)
    tree = TileTree(DirectoryReader(folder), checkpoint.size)
    assert tree.root(checkpoint.size) == checkpoint.root
    replayed = Replayed()
    for data in tree.entries(0, checkpoint.size):
        statement = parse_statement(data)
        replayed.take(Entry(statement, _named(folder, replayed, statement)))
    assert len(replayed.statements) == checkpoint.size
    assert replayed.statements[-1].kind == "seal"
    return replayed


def _named(folder: Path, replayed: Replayed, statement: Statement) -> list[Reduction]:
    def submitted(submission: Statement) -> list[Reduction]:
        root = bytes.fromhex(submission.body["root"])
        return parse_reductions((folder / reductions_path(root)).read_bytes())

    if statement.kind == "submission":
        return submitted(statement)
    if statement.kind in NAMED_BY:
        named = NAMED_BY[statement.kind](statement)
        return [submitted(replayed.statements[i])[p] for i, p, _ in named]
    return []


def check_replay(city: City) -> Replayed:
    """Replay a ledger, and compare all that its database says with what the replay found."""
    replayed = replay(city.folder)
    state = replayed.state
    assert state is not None
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        assert head.size == len(replayed.statements)
        assert head.register_root == replayed.register.root() == snapshot.register().root()
        assert (head.recorded, head.refused, head.grams) == (
            replayed.recorded,
            replayed.refused,
            replayed.grams,
        )
        assert list(snapshot.register().spans()) == list(replayed.register.spans())
        for index, statement in enumerate(replayed.statements):
            assert snapshot.statement(index) == statement
            refusals = {p: why for p, why in enumerate(replayed.outcomes[index]) if why}
            assert snapshot.refusals(index) == refusals
        known = snapshot.state()
        lots = snapshot.lots()
        _check_statistics(replayed, snapshot)
        _check_books(city.folder, replayed, snapshot)
    assert known is not None
    for one in (known, city.state):
        for name in (
            *("index", "height", "time", "previous", "closed_until", "participants", "proposals"),
            *("threshold", "rules", "rules_since", "classes_since", "epochs"),
        ):
            assert getattr(one, name) == getattr(state, name), name
        policies = [
            [(of.start, of.end, of.document.document) for of in held.policies]
            for held in (one, state)
        ]
        assert policies[0] == policies[1]
        assert one.classes.document == state.classes.document
        for given, expected in (
            (one.methodologies, state.methodologies),
            (one.scenarios, state.scenarios),
        ):
            assert {
                name: [(v.start, v.end, v.document.document) for v in versions]
                for name, versions in given.items()
            } == {
                name: [(v.start, v.end, v.document.document) for v in versions]
                for name, versions in expected.items()
            }
    lines = [state.classes.line("lot", [lot.platform, lot.scenario]) for lot in lots]
    on_line = {span for line in set(lines) for span in replayed.register.spans(line)}
    given = zip(lines, lots, strict=True)
    assert on_line == {Span(line, lot.day, lot.day + 1, lot.holder) for line, lot in given}
    for lot in lots:
        tree = city.store.lot_tree(lot)
        assert all(make_holder("reduction", key) in replayed.live for key in tree.keys)
    return replayed


def _check_statistics(replayed: Replayed, snapshot: Snapshot) -> None:
    """The statistics are those of what is live."""
    for by in ("day", "platform", "scenario"):
        expected: dict[Any, list[int]] = defaultdict(list)
        for reduction in replayed.live.values():
            expected[getattr(reduction, by)].append(reduction.grams)
        found = snapshot.statistics(by, EVER)
        assert found == [Statistic(of, len(g), sum(g)) for of, g in sorted(expected.items())]


def _check_books(folder: Path, replayed: Replayed, snapshot: Snapshot) -> None:
    """The books are those of the activities that are not erased, as far as they were recorded."""
    expected: dict[tuple[bytes, str], set[tuple[int, bytes]]] = defaultdict(set)
    for statement in replayed.statements:
        path = folder / activities_path(bytes.fromhex(statement.body.get("root", "")))
        if statement.kind == "submission" and path.exists():
            lines = path.read_bytes().split(b"\n")
            for line, of in zip(lines, _named(folder, replayed, statement), strict=False):
                whose = parse_activity(line).subject if line else None
                if whose is not None and snapshot.locate(of.holder):
                    expected[whose, statement.issuer].add((of.day, of.holder))
    for (whose, platform), rows in expected.items():
        found = snapshot.book([whose], platform, EVER, limit=len(rows) + 1)
        assert [(row.day, row.holder) for row in found] == sorted(rows)


def check_held_by(city: City, reduction: Reduction) -> None:
    """Every claim of a reduction is held by it, with a proof under the last register root."""
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        register = snapshot.register()
        assert head is not None
        for claim in reduction.claims:
            wanted = (claim.line, claim.start or 0, claim.end or FOREVER)
            (mine,) = [s for s in register.overlapping([wanted])[0] if s.holder == reduction.holder]
            if claim.start is not None:
                assert (mine.start, mine.end) == (claim.start, claim.end)
            proof = register.held(mine.line, mine.start)
            assert proof.span == mine
            check_held(head.register_root, proof, city.state.classes.allows)


def check_provable(city: City, statement: Statement) -> None:
    """An acknowledged statement has a receipt that verifies, and what it recorded is held."""
    answer = city.answer(statement)
    with city.store.snapshot() as snapshot:
        entry = snapshot.statement(answer.index)
        assert entry.id == statement.id
        checked = check_receipt(answer.receipt, entry.data, key("operator").public, ORIGIN)
        size, index, root = checked
        block = snapshot.block(answer.height)
        assert (size, index) == (block.size, answer.index)
        assert root == block.frontier.root()
        if statement.kind != "submission":
            return
        reductions = city.store.reductions(bytes.fromhex(statement.body["root"]))
        places = [snapshot.locate(reduction.holder) for reduction in reductions]
    for position, (reduction, place) in enumerate(zip(reductions, places, strict=True)):
        if position not in answer.refusals and place is not None and place.voided is None:
            check_held_by(city, reduction)
