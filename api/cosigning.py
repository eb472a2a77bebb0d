"""Collecting cosignatures: what makes the checkpoints of a ledger final (`chain.finality`).

Auditors and ordinary witnesses are asked in the same way, by ``POST <url>/add-checkpoint`` of C2SP
tlog-witness (`verifier.witness`).  A cosigner that knows another size than it is told says so, and
is asked once more.  Nothing that it answers is believed: a cosignature counts if it verifies under
the key that the governed policy names.

The process that seals collects, or `tally cosign` where none serves: whoever has the lead.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx2

from api.proving import Proving
from chain.finality import is_final, next_offer
from chain.policies import WitnessPolicy
from chain.rules import replay_governance
from chain.state import InForce, State
from chain.store.leading import Lead
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Snapshot
from chain.tiles import TileTree
from keys.errors import Conflict, Fault, Malformed, Unreadable, VerificationError
from keys.notes import (
    Note,
    NoteKey,
    NoteSignature,
    format_note,
    parse_checkpoint,
    parse_note,
    signed_by,
)
from keys.suites import PublicKey
from verifier.policies import PASSED_MAX
from verifier.witness import Offer as Offered

ANSWER_BYTES_MAX = 65_536
"""Of what a cosigner answers."""
SIZE_TYPE = "text/x.tlog.size"
_TIMEOUT = httpx2.Timeout(5, read=60, write=10)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class Ahead(Conflict):
    """A cosigner has cosigned a later checkpoint already; ``size`` is that one's."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__("cosigner-ahead", name=name, size=size)
        self.size = size


class Cosigner:
    """An auditor or a witness at a URL, of which ``key`` is known from the policy."""

    def __init__(self, key: NoteKey, url: str) -> None:
        self.key = key
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._size = 0
        self._http = httpx2.Client(timeout=_TIMEOUT)

    def close(self) -> None:
        """Close its connection."""
        self._http.close()

    def ask(self, note: Note, tree: TileTree) -> NoteSignature:
        """Its cosignature of a checkpoint of the log whose tiles are ``tree``.

        Raises `Ahead`, `Conflict` or `VerificationError` if there is none, `Unreadable` if there is
        no answer.
        """
        size = parse_checkpoint(note.text).size
        self._size = min(self._size, size)
        for _ in range(2):
            path = tree.consistency(self._size, size) if self._size else []
            asked = Offered(self._size, tuple(path), format_note(note))
            status, told, body = self._post(asked.dump())
            if status == 200:
                made = self._read(note, body)
                self._size = size
                return made
            if told is None or told == self._size:
                break
            if told > size:
                raise Ahead(self.key.name, told)
            self._size = told
        raise Conflict("cosigner-refused", name=self.key.name, status=status)

    def _post(self, body: bytes) -> tuple[int, int | None, bytes]:
        """The status, the size that it tells, and the body of its answer."""
        answer = bytearray()
        try:
            with self._http.stream("POST", self._url, content=body) as reply:
                for piece in reply.iter_bytes():
                    answer += piece
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise VerificationError("cosigner-answer", name=self.key.name)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise Unreadable("cosigner-unreachable", name=self.key.name, reason=reason) from error
        found = _SIZE.fullmatch(answer)
        is_size = reply.headers.get("content-type", "").split(";")[0].strip() == SIZE_TYPE
        told = int(found[1]) if found and is_size and reply.status_code == 409 else None
        return reply.status_code, told, bytes(answer)

    def _read(self, note: Note, body: bytes) -> NoteSignature:
        try:
            lines = parse_note(note.text.encode() + b"\n" + body).signatures
            mine = [
                line
                for line in lines
                if (line.name, line.key_id) == (self.key.name, self.key.key_id)
            ]
            if mine and signed_by(Note(note.text, (mine[0],)), self.key) is not None:
                return mine[0]
        except (Malformed, VerificationError) as error:
            raise VerificationError("cosigner-answer", name=self.key.name) from error
        raise VerificationError("cosigner-answer", name=self.key.name)


class Use(NamedTuple):
    """The policy that is in use: the log index from which it is in force, the operator's key that
    goes with it, and the height of the first block that it judges.

    ``passed``: the policies that governance has put in force and replaced before there was a link
    to them; the next link needs their quorum too.
    """

    policy: WitnessPolicy
    start: int
    key: PublicKey
    since: int
    passed: tuple[WitnessPolicy, ...] = ()

    @property
    def keys(self) -> Collection[NoteKey]:
        """Those who are asked to cosign."""
        return dict.fromkeys(key for policy in (self.policy, *self.passed) for key in policy.keys)


class Offer(NamedTuple):
    """A block that is offered to a cosigner: its height, and the operator's note."""

    height: int
    note: Note


class Cosigned(NamedTuple):
    """A verified cosignature of the block at a height."""

    height: int
    line: NoteSignature


@dataclass(frozen=True)
class _Draft:
    """A link (`verifier.policies`) that waits for its block to be final."""

    height: int
    link: dict[str, Any]


class Collecting:
    """What cosignatures there are of one ledger, and what they amount to.

    ``lead``: nothing is entered once another process has it.  ``height`` is that of the last block
    that was looked at.
    """

    def __init__(self, store: LedgerStore, lead: Lead | None = None) -> None:
        self._store = store
        self._lead = lead
        self._draft: _Draft | None = None
        self.height = -1
        self._use: Use | None = None
        self.look()
        with store.snapshot() as snapshot:
            unsettled = snapshot.cosigned_after(snapshot.final_height())
        self._settle(unsettled)
        store.publish_cosigned()

    @property
    def use(self) -> Use | None:
        """The policy in use; None where governance has not put one in force."""
        return self._use

    def look(self) -> None:
        """Take note of new blocks, and of what governance has decided in them."""
        with self._store.snapshot() as snapshot:
            head, state = snapshot.head(), snapshot.state()
            if head is None or state is None or head.height == self.height:
                return
            if self._store.published_size() < head.size:
                return  # nobody could be shown how it follows
            self.height = head.height
            if state.policy is None:
                return
            if self._use is None:
                self._use = _in_use(snapshot)
            start, newest = self._use.start, state.policies[-1].start
            wanted = newest, _operator_key(state, head.size - 1)
            if self._draft is not None or wanted == (start, self._use.key):
                return
            passed = tuple(of.document for of in state.policies if start < of.start < newest)
            self._use = self._use._replace(passed=passed)
            self._draft = _Draft(head.height, Proving(self._store, snapshot).link())
        self._settle({head.height})

    def last_cosigned(self, key: NoteKey) -> int:
        """The height up to which a cosigner of the policy in use need not be asked."""
        since = self._use.since if self._use else 0
        with self._store.snapshot() as snapshot:
            # What another operator has sealed is its to offer.
            return max(snapshot.last_cosigned(key), since - 1, snapshot.taken_over())

    def offer(self, last: int) -> Offer | None:
        """What to offer to a cosigner that has come to the height ``last``."""
        height = next_offer(last, self.height, self._draft.height if self._draft else None)
        if height is None:
            return None
        with self._store.snapshot() as snapshot:
            return Offer(height, parse_note(snapshot.block(height).checkpoint))

    def newest(self) -> Offer | None:
        """The last block."""
        return self.offer(self.height - 1) if self.height >= 0 else None

    def height_of(self, size: int) -> int | None:
        """The height of the first block that the log of a size does not go beyond."""
        with self._store.snapshot() as snapshot:
            block = snapshot.first_block_after(size - 1)
        return None if block is None else block.height

    def take(self, arrived: Sequence[Cosigned]) -> None:
        """Enter verified cosignatures, and what is final with them."""
        if arrived:
            self._store.enter_cosignatures(arrived, lead=self._lead)
            self._settle({one.height for one in arrived})
            self._store.publish_cosigned()

    def _settle(self, heights: Iterable[int]) -> None:
        """Enter which of these blocks are final, and the link if its block may be one."""
        use, draft = self._use, self._draft
        if use is None:
            return
        with self._store.snapshot() as snapshot:
            signed = {
                height
                for height in heights
                if height >= use.since and _has_quorum(snapshot, height, use.policy)
            }
            end = _version(snapshot, use.start).end
            sizes = {height: snapshot.block(height).size for height in signed}
            final = {
                height
                for height, size in sizes.items()
                if size <= end and _operator_key(_state(snapshot), size - 1) == use.key
            }
            links, later = {}, False
            if draft is not None:
                agreed = {
                    height
                    for height in signed
                    if all(_has_quorum(snapshot, height, policy) for policy in use.passed)
                }
                later = max(agreed, default=-1) > draft.height
                note = snapshot.note(snapshot.block(draft.height), use.keys)
                if draft.height in agreed and _is_followed(use, note):
                    links[draft.height] = {**draft.link, "checkpoint": note.decode()}
        if final or links:
            self._store.enter_cosignatures([], final, links, lead=self._lead)
        if draft is not None and links:
            self._draft, self.height = None, -1  # there may be a later policy by now
            with self._store.snapshot() as snapshot:
                self._use = _in_use(snapshot)
                # The link's own block is for the policy that it brings.
                beyond = snapshot.cosigned_after(draft.height - 1)
            self._settle(beyond)
        elif later:
            # The cosigners have gone past its block: the last one is to be the link.
            self._draft, self.height = None, -1


def _is_followed(use: Use, note: bytes) -> bool:
    """Whether checkers follow a link with this note: it may pass over a few policies only, and has
    room for so many lines."""
    lines = parse_note(note).signatures
    every = (use.policy, *use.passed)
    return len(use.passed) <= PASSED_MAX and all(_agree(policy, lines) for policy in every)


def _has_quorum(snapshot: Snapshot, height: int, policy: WitnessPolicy) -> bool:
    return _agree(policy, snapshot.cosignatures(height))


def _agree(policy: WitnessPolicy, lines: Iterable[NoteSignature]) -> bool:
    found = {(line.name, line.key_id) for line in lines}
    return is_final(policy, [key for key in policy.keys if (key.name, key.key_id) in found])


def _state(snapshot: Snapshot) -> State:
    state = snapshot.state()
    if state is None:
        raise Fault("genesis-missing")
    return state


def _version(snapshot: Snapshot, start: int) -> InForce[WitnessPolicy]:
    """The policy that is in force from an index on."""
    found = [of for of in _state(snapshot).policies if of.start == start]
    if not found:
        raise Fault("policy-missing")
    return found[0]


def _in_use(snapshot: Snapshot) -> Use:
    """What the chain of policies has come to, where a policy is in force."""
    links = snapshot.links()
    if links:
        link = links[-1]
        size = parse_checkpoint(parse_note(link["checkpoint"].encode()).text).size
        start = int(link["policy"]["start"])
        key = PublicKey.from_json(link["operator"]["key"])
        return Use(_version(snapshot, start).document, start, key, snapshot.height_of(size - 1))
    state: State | None = None
    for row in snapshot.governance():
        state = replay_governance(state, row.statement, row.index, row.clock)
        if state.policies:
            first = state.policies[0]
            key = _operator_key(state, first.start)
            return Use(first.document, first.start, key, snapshot.height_of(first.start))
    raise Fault("policy-missing")


def _operator_key(state: State, index: int) -> PublicKey:
    key = state.participants[state.genesis.operator].key_at(index)
    if key is None:
        raise Fault("span-not-there", key=state.genesis.operator)
    return key.public
