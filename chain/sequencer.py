"""The sequencer: the one writer that puts admitted statements in order and seals them in blocks.

`Sequencer.seal` takes what is pending, lets the rules decide on each statement in its order,
settles the register, signs the seal and the checkpoint, and commits the whole block in one
transaction of the database: this is the moment at which it is staged for ever.  Then
`LedgerStore.publish` applies it to the files of the log; start-up calls the same function.

Nothing is kept of a block that did not commit.  After any error the sequencer forgets what it
held in memory and reads the database again, because an error does not say whether the commit
was done.  A second sequencer that took the lead, or commits first, makes this one fail on the
epoch or on the block's height, and begin again from what it finds.
"""

import json
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress

from sqlalchemy.exc import IntegrityError

from chain.admission import Admitted
from chain.batches import Batch
from chain.blocks import make_checkpoint, make_seal
from chain.bulk import no_collection
from chain.effects import Effects, Entry, Refused
from chain.lots import Lot, LotTree
from chain.merkle import Frontier, leaf_hashes
from chain.pages import ROOT_PAGE
from chain.paths import lot_path
from chain.receipts import sign_tree
from chain.reductions import Reduction
from chain.register import PAGES_CACHED_MAX, Register
from chain.rules import NAMED_BY, apply, check_signed
from chain.spans import FOREVER, Span
from chain.state import State
from chain.store import queue
from chain.store.answers import Answer, answer
from chain.store.leading import Lead
from chain.store.ledger import Block, LedgerStore
from chain.store.snapshot import Head, Pending
from keys.errors import Conflict, Fault, NotAllowed, Refusal, Usage
from keys.signer import Signer
from keys.statements import Statement, parse_statement

BLOCK_STATEMENTS_MAX = 1_024
BLOCK_REDUCTIONS_MAX = 65_536
CLOCK_LAG_SECONDS_MAX = 3_600
"""A ledger that was idle for longer first seals an empty block, which sets the rules' clock."""
_REDUCTIONS_REMEMBERED_MAX = 64


class _View:
    """What the rules ask, as of the statement at hand."""

    def __init__(self, store: LedgerStore, register: Register) -> None:
        self._store = store
        self._register = register
        self.known: set[bytes] = set()
        self.gathered: Mapping[Lot, LotTree] = {}

    def seen(self, identity: bytes) -> bool:
        return identity in self.known

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        return self._register.overlapping(wanted, most)

    def root(self) -> bytes:
        return self._register.root()

    def lots(self, first: int, until: int) -> list[Lot]:
        # As of the last block: a close is the first statement of its own.
        self.gathered = self._store.gather(first, until)
        return list(self.gathered)


@dataclass
class _Memory:
    """What the sequencer holds between blocks; all of it can be read again."""

    state: State | None
    register: Register
    frontier: Frontier
    recorded: int
    refused: int
    grams: int
    archived_until: int = 0
    """The days before this one are archived, as far as they can be."""


class Sequencer:
    """Seals blocks of one ledger.

    ``signers`` hold the operator's keys: the one in force, and any that is to follow it, so that
    governance may rotate the key between two statements of a block.  ``lead`` is the right to seal
    (`chain.store.leading`): after another process took it over, nothing is sealed here.  Without it
    only the height of a block keeps two writers apart.  About ``pages_cached`` pages of the
    register are kept in memory, some 4 KB each.
    """

    def __init__(
        self,
        store: LedgerStore,
        *signers: Signer,
        lead: Lead | None = None,
        pages_cached: int = PAGES_CACHED_MAX,
    ) -> None:
        self.store = store
        self.lead = lead
        self._pages_cached = pages_cached
        self._signers = {signer.public.kid: signer for signer in signers}
        self._memory: _Memory | None = None
        # The next block as far as it was drafted, and the pages of the one under way meanwhile.
        self._ahead: _Draft | None = None
        self._under_way: Mapping[int, bytes | None] = {}
        # Reductions that this process admitted itself need not be read again from their file.
        self._reductions: OrderedDict[bytes, Sequence[Reduction]] = OrderedDict()
        store.publish()

    @property
    def state(self) -> State:
        """What the rules know as of the last block; raises `Usage` before the genesis."""
        state = self._recall().state
        if state is None:
            raise Usage("genesis-missing")
        return state

    # --- taking in ---

    def submit(self, submissions: Sequence[Admitted]) -> None:
        """Keep admitted submissions for a block (`chain.store.queue`)."""
        for admitted in submissions:
            self._reductions[admitted.root] = admitted.entry.reductions
        while len(self._reductions) > _REDUCTIONS_REMEMBERED_MAX:
            self._reductions.popitem(last=False)
        queue.submit(self.store, submissions)

    def post(self, statements: Sequence[Statement]) -> None:
        """Keep other statements for a block (`chain.store.queue`)."""
        queue.post(self.store, statements)

    # --- sealing ---

    @no_collection()
    def seal(self, time: int) -> Head | None:
        """Make one block of what is pending; None if there was nothing to seal.

        time: unix seconds; a clock that went back is taken for the last seal's time.
        """
        with self._forgetting():
            return self._seal(time)

    def seal_all(self, time: int) -> list[Head]:
        """Seal until nothing waits; the blocks made."""
        made = []
        while (head := self.seal(time)) is not None:
            made.append(head)
        return made

    def _seal(self, time: int) -> Head | None:
        draft = self._draft(time)
        while draft is not None and not draft.statements:
            self.store.dismiss(draft.done, draft.refused, self.lead)
            draft = self._draft(time)
        return None if draft is None else self._finish(draft, time)

    def _draft(self, time: int) -> "_Draft | None":
        """What the rules make of the next pending statements; None if there are none."""
        memory = self._recall()
        state = memory.state
        lags = state is not None and time - state.time > CLOCK_LAG_SECONDS_MAX
        if lags and self._ahead is not None:
            # What was drafted with that clock is drafted again.
            self._memory = self._ahead = None
            memory = self._recall()
        self.store.publish()
        draft, self._ahead = self._ahead, None
        if draft is None:
            with self.store.snapshot() as snapshot:
                head, is_idle = snapshot.head(), not snapshot.pending(1)
            if is_idle:
                return None
            if head is not None and (state is None or head.height != state.height):
                raise Conflict("sequencer-overtaken")
            if lags:
                # The rules must not judge today's statements by last week's clock.
                self._finish(_Draft(self.store, memory), time)
                memory = self._recall()
            draft = _Draft(self.store, memory)
        self._fill(draft, draft.seen())
        return draft

    def _fill(
        self, draft: "_Draft", seen: Collection[int], *, submissions_only: bool = False
    ) -> None:
        """Take what waits as far as it fits, but for the pending statements ``seen``, by their
        numbers."""
        with self.store.snapshot() as snapshot:
            found = snapshot.pending(BLOCK_STATEMENTS_MAX + len(seen))
            waiting = [item for item in found if item.number not in seen]
            draft.view.known |= snapshot.known([item.id for item in waiting])
        for item in waiting:
            draft.is_full = draft.reduction_count >= BLOCK_REDUCTIONS_MAX
            statement = parse_statement(item.data)
            is_apart = statement.kind == "close" and draft.statements
            if draft.is_full or is_apart or (submissions_only and statement.kind != "submission"):
                break
            draft.take(item, statement, self)

    def _finish(self, draft: "_Draft", time: int) -> Head:
        """Seal the draft, commit it and publish it."""
        state = draft.state
        if state is None:
            raise Fault("genesis-missing")
        signer = self._signer(state)
        seal = make_seal(state, signer, draft.view.root(), max(time, state.time))
        state = draft.accept(Entry(seal), apply(state, Entry(seal), draft.view))
        head = self._commit(draft, state, signer)
        self.store.publish()
        return head

    def _commit(
        self, draft: "_Draft", state: State, signer: Signer, *, is_mine: bool = True
    ) -> Head:
        """Commit the draft, which ends with a seal, after which ``state`` is.

        signer: who signs its checkpoint; and its receipts, if the seal ``is_mine``.
        """
        memory, seal = draft.memory, draft.statements[-1]
        frontier = memory.frontier.append(leaf_hashes([s.data for s in draft.statements]))
        origin, root = state.genesis.origin, draft.view.root()
        moved, until = None, state.closed_until
        if memory.archived_until < until:
            moved = self.store.archive(memory.register, until)
        pages = memory.register.drain()
        head = Head(
            height=state.height,
            size=frontier.size,
            time=state.time,
            seal=seal.id,
            register_root=root,
            frontier=frontier,
            checkpoint=make_checkpoint(origin, frontier, signer),
            receipt_signature=(
                sign_tree(signer, origin, frontier.size, frontier.root()) if is_mine else b""
            ),
            next_page=memory.register.next_page,
            recorded=memory.recorded + len(draft.recorded) - len(draft.voided),
            refused=memory.refused + len(draft.refusals),
            grams=memory.grams + draft.grams,
        )
        # Before the block, which names them; they are named by what is in them.
        self.store.files.write({lot_path(t.root): t.to_bytes() for t in draft.lots.values()})
        block = Block(
            head,
            first=memory.frontier.size,
            statements=draft.statements,
            recorded=draft.recorded,
            voided=draft.voided,
            refusals=draft.refusals,
            days=draft.days,
            statistics=draft.statistics,
            lots=list(draft.lots),
            pages=pages,
            moved=moved,
            done=draft.done,
            refused=draft.refused,
        )
        self._memory = _Memory(
            state,
            memory.register,
            frontier,
            head.recorded,
            head.refused,
            head.grams,
            memory.archived_until if moved and any(moved) else until,
        )
        # Files that no block names yet cannot be read, and the next draft might have to.
        if draft.is_full and not (moved and any(moved)):
            self._commit_and_go_on(block, draft.seen())
        else:
            self.store.commit(block, self.lead)
        return head

    def _commit_and_go_on(self, block: Block, seen: Collection[int]) -> None:
        """Commit a block, and draft the next one meanwhile, of all but what this one has seen."""
        self._under_way = block.pages
        # Whatever happens, this one has ended before anything else is done.
        with ThreadPoolExecutor(1) as committing:
            committed = committing.submit(self.store.commit, block, self.lead)
            self._ahead = _Draft(self.store, self._recall())
            self._fill(self._ahead, seen, submissions_only=True)
        committed.result()
        self._under_way = {}

    def _signer(self, state: State) -> Signer:
        """Who signs the next statement for the operator; raises `NotAllowed`."""
        operator = state.participants[state.genesis.operator]
        key = operator.key_at(state.index)
        signer = self._signers.get(key.public.kid) if key is not None else None
        if signer is None:
            raise NotAllowed("seal-key-missing", participant=operator.id, index=state.index)
        return signer

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """After an error nothing is remembered of the block in the making."""
        try:
            yield
        except BaseException as error:
            self._memory = self._ahead = None
            self._under_way = {}
            if isinstance(error, IntegrityError):
                raise Conflict("sequencer-overtaken") from error
            raise

    # --- taking over ---

    @no_collection()
    def take_over(self, statements: Sequence[Statement], signer: Signer) -> Head:
        """Enter the next block as another operator's log has it; its last statement is its seal.

        The files of its reductions are there.  ``signer``, who is to seal after it, signs its
        checkpoint anew; nobody signs receipts of it (`Snapshot.receipted`).  Nothing is published.
        Raises `Refusal` if the rules refuse any of it.
        """
        with self._forgetting():
            draft = _Draft(self.store, self._recall())
            with self.store.snapshot() as snapshot:
                draft.view.known |= snapshot.known([statement.id for statement in statements])
            for statement in statements:
                entry = self.entry(statement)
                state = draft.accept(entry, apply(draft.state, entry, draft.view))
            return self._commit(draft, state, signer, is_mine=False)

    def succeed(self, time: int) -> Head:
        """Make the first block after those that were taken over, of the statements that wait.

        They put the key in force that seals it, so there is no block before it that could set the
        rules' clock.  Raises `NotAllowed` "seal-key-missing" if they do not.
        """
        with self._forgetting():
            draft = self._draft(self.state.time)
            if draft is None:
                raise NotAllowed("seal-key-missing", participant="–", index=self.state.index)
            return self._finish(draft, time)

    def entry(self, statement: Statement) -> Entry:
        """A statement with the reductions that it names, from their files."""
        if statement.kind == "submission":
            root = bytes.fromhex(statement.body["root"])
            reductions = self._reductions.get(root)
            return Entry(statement, reductions or self.store.batch(root))
        if statement.kind in NAMED_BY:
            return Entry(statement, self._named_by(statement))
        return Entry(statement)

    def _named_by(self, statement: Statement) -> list[Reduction]:
        named = []
        files: dict[int, list[bytes]] = {}
        with self.store.snapshot() as snapshot:
            for index, position, _ in NAMED_BY[statement.kind](statement):
                try:
                    if index not in files:
                        root = bytes.fromhex(snapshot.statement(index).body["root"])
                        files[index] = self.store.reduction_bytes(root)
                    named.append(Reduction.parse(files[index][position]))
                except (KeyError, IndexError, Usage):
                    raise Conflict(f"{statement.kind}-list") from None
        return named

    def _recall(self) -> _Memory:
        if self._memory is None:
            with self.store.snapshot() as snapshot:
                head = snapshot.head()
                state = snapshot.state()
            next_page = head.next_page if head else ROOT_PAGE + 1
            register = Register(self._read_pages, next_page, self._pages_cached)
            if head and register.root() != head.register_root:
                raise Fault("register-differs", height=head.height)
            self._memory = _Memory(
                state,
                register,
                head.frontier if head else Frontier(),
                head.recorded if head else 0,
                head.refused if head else 0,
                head.grams if head else 0,
            )
        return self._memory

    def _read_pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        under_way = {n: data for n in numbers if (data := self._under_way.get(n)) is not None}
        with self.store.snapshot() as snapshot:
            return {**snapshot.pages(numbers), **under_way}

    def answer(self, statement: Statement) -> Answer | None:
        """What became of a statement (`chain.store.answers`)."""
        return answer(self.store, statement)


class _Draft:
    """A block in the making."""

    def __init__(self, store: LedgerStore, memory: _Memory) -> None:
        self.memory = memory
        self.view = _View(store, memory.register)
        self.is_full = False
        """Whether more waits than fits."""
        self.state = memory.state
        self.statements: list[Statement] = []
        self.recorded: list[tuple[int, bytes, int, int]] = []
        self.voided: list[tuple[int, bytes, int]] = []
        self.refusals: list[tuple[int, int, Refused]] = []
        self.days: list[tuple[int, int]] = []
        self.statistics: dict[tuple[int, str, str], tuple[int, int]] = {}
        self.lots: Mapping[Lot, LotTree] = {}
        self.done: list[int] = []
        self.refused: list[tuple[int, str]] = []
        self.grams = 0
        self.reduction_count = 0

    def seen(self) -> set[int]:
        """The numbers of the pending statements that it has decided on."""
        return {*self.done, *(number for number, _ in self.refused)}

    def take(self, item: Pending, statement: Statement, sequencer: Sequencer) -> None:
        """Let the rules decide on a pending statement."""
        try:
            if statement.kind in NAMED_BY and self.state is not None:
                # Before the files that it names are read: no stranger may ask for that work.
                check_signed(self.state, statement)
            entry = sequencer.entry(statement)
            effects = apply(self.state, entry, self.view)
        except Refusal as refusal:
            if statement.id in self.view.known:
                self.done.append(item.number)
            else:
                self.refused.append((item.number, json.dumps(refusal.as_json())))
            return
        self.done.append(item.number)
        self.accept(entry, effects)

    def accept(self, entry: Entry, effects: Effects) -> State:
        """Enter a statement with its effects; the state after it."""
        index = effects.state.index - 1
        self.memory.register.change(effects.put, effects.drop, effects.rows)
        self.state = effects.state
        self.statements.append(entry.statement)
        self.view.known.add(entry.statement.id)
        self.reduction_count += len(entry.reductions)
        if entry.statement.kind == "submission":
            self._enter_submission(index, entry, effects)
        if entry.statement.kind == "close":
            self.lots = self.view.gathered
        if entry.statement.kind == "void":
            self.voided += [(of.day, of.holder, index) for of in entry.reductions]
            for of in entry.reductions:
                self._count((of.day, of.platform, of.scenario), -1, -of.grams)
        return effects.state

    def _enter_submission(self, index: int, entry: Entry, effects: Effects) -> None:
        batch, statement = Batch.of(entry.reductions), entry.statement
        days, holders = batch.days(), batch.holders()
        self.days += [(day, index) for day in set(days)]
        marked = [why is None for why in effects.outcomes]
        recorded = compress(range(len(marked)), marked)
        self.recorded += [(days[n], holders[n], index, n) for n in recorded]
        self.refusals += [
            (index, place, why) for place, why in enumerate(effects.outcomes) if why is not None
        ]
        for day, of in batch.by_day(marked).items():
            self._count((day, statement.issuer, statement.body["scenario"]), of.size, of.grams)

    def _count(self, name: tuple[int, str, str], count: int, grams: int) -> None:
        """Add reductions of a (day, platform, scenario) to the statistics, or take them off."""
        self.grams += grams
        counted, weighed = self.statistics.get(name, (0, 0))
        self.statistics[name] = counted + count, weighed + grams
