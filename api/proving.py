"""Writing bundles (`verifier.bundles`), excerpts and other proofs from a ledger."""

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from chain import merkle
from chain.proofs import Held
from chain.reductions import Reduction
from chain.register import Register
from chain.spans import FOREVER, Span, make_holder
from chain.state import InForce, State
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Head, Place, Snapshot
from chain.tiles import TileTree
from keys.errors import Busy, Conflict, Fault, Usage
from keys.notes import parse_checkpoint, parse_note
from keys.participants import Role
from keys.statements import Statement
from keys.strict import dump_base64
from verifier.bundles import FORMAT

FINAL_SECONDS = 10.0
"""How long a command waits until a proof is final."""
_LOOK_SECONDS = 0.1


def prove_reduction(
    store: LedgerStore,
    leaf: bytes,
    *,
    disclose: bool = False,
    allow: Callable[[str, Reduction], None] = lambda platform, reduction: None,
) -> dict[str, Any]:
    """The bundle of the reduction with this leaf hash; ``disclose`` adds its activity.

    allow: raises if it is not to be shown, by who submitted it and what it is.  Raises `Usage` if
    it is not recorded, or if the activity is to be disclosed and is erased.
    """
    with store.snapshot() as snapshot:
        proving = Proving(store, snapshot)
        place = proving.locate(make_holder("reduction", leaf))
        statement = snapshot.statement(place.index)
        root = bytes.fromhex(statement.body["root"])
        reduction = Reduction.parse(store.trees.reduction_bytes(root, place.position))
        allow(statement.issuer, reduction)
        bundle = proving.common("reduction", place.index)
        bundle |= proving.submitted(place, statement)
        scenario = in_force(proving.state.scenarios[reduction.scenario], reduction.day)
        methodology = in_force(
            proving.state.methodologies[scenario.document.methodology], reduction.day
        )
        bundle |= {
            "reduction": {
                "position": place.position,
                "data": dump_base64(reduction.data),
                "path": _path(store, root, place.position),
            },
            "scenario": proving.document("scenario", scenario),
            "methodology": proving.document("methodology", methodology),
            "claims": [held.as_json() for held in proving.claims(reduction)],
            "activity": None,
        }
        if disclose:
            line = store.activities(root)[place.position]
            if not line:
                raise Usage("activity-erased")
            bundle["activity"] = line.decode()
    return bundle


def prove_span(store: LedgerStore, line: bytes, start: int) -> dict[str, Any]:
    """The bundle of who holds the span that starts here, without its reduction.

    Raises `Usage` if no reduction holds it.
    """
    with store.snapshot() as snapshot:
        proving = Proving(store, snapshot)
        held = proving.register.held(line, start)
        place = proving.locate(held.span.holder)
        statement = snapshot.statement(place.index)
        root = bytes.fromhex(statement.body["root"])
        return {
            **proving.common("span", place.index),
            **proving.submitted(place, statement),
            "leaf": {
                "position": place.position,
                "hash": store.trees.tree(root).leaf(place.position).hex(),
                "path": _path(store, root, place.position),
            },
            "held": held.as_json(),
        }


def prove_free(store: LedgerStore, line: bytes, start: int, end: int) -> dict[str, Any]:
    """The bundle of a stretch that no span overlaps; raises `Usage` if one does."""
    with store.snapshot() as snapshot:
        proving = Proving(store, snapshot)
        return {
            **proving.common("free", proving.head.size - 1),
            "free": proving.register.free(line, start, end).as_json(),
        }


def links_to(store: LedgerStore, snapshot: Snapshot, block: Head) -> list[dict[str, Any]]:
    """The links between policies (`verifier.policies`) of a file as of a block."""
    tree, links = store.tree(block.size), snapshot.links(block.height)
    for link in links:
        size = parse_checkpoint(parse_note(link["checkpoint"].encode()).text).size
        link["path"] = [digest.hex() for digest in tree.consistency(size, block.size)]
    return links


def complete(store: LedgerStore, document: dict[str, Any]) -> bool:
    """Put the cosignatures that there are by now under the checkpoint of a file of evidence, and
    the links that they rest on; whether they make it final.

    Raises `Conflict` "final-without-policy" if nobody is to cosign it.
    """
    size = parse_checkpoint(parse_note(document["checkpoint"].encode()).text).size
    with store.snapshot() as snapshot:
        state, block = snapshot.state(), snapshot.first_block_after(size - 1)
        if state is None or block is None:
            raise Usage("genesis-missing")
        if state.policy is None:
            raise Conflict("final-without-policy")
        document["checkpoint"] = snapshot.note(block).decode()
        document["policies"]["links"] = links_to(store, snapshot, block)
        return snapshot.has_quorum(block.height)


def complete_within(store: LedgerStore, document: dict[str, Any], seconds: float) -> None:
    """Complete a file of evidence as soon as it is final; raises `Busy` after so many seconds."""
    until = time.monotonic() + seconds
    while not complete(store, document):
        if time.monotonic() >= until:
            raise Busy("final-not-yet", retry_after=1)
        time.sleep(_LOOK_SECONDS)


def merkletools_proof(store: LedgerStore, leaf: bytes) -> dict[str, Any]:
    """The reduction's place in its submission as a proof in the form of `merkletools`.

    `MerkleTools.validate_proof(proof, target, root)` accepts it, with ``hash_function`` set so
    that a node is SHA-256 over 0x01 and its children (RFC 9162, section 2.1.1).
    """
    with store.snapshot() as snapshot:
        proving = Proving(store, snapshot)
        place = proving.locate(make_holder("reduction", leaf))
        statement = snapshot.statement(place.index)
    tree = store.trees.tree(bytes.fromhex(statement.body["root"]))
    path = tree.path(place.position)
    return {
        "proof": merkle.merkletools_proof(place.position, len(tree), path),
        "target": leaf.hex(),
        "root": statement.body["root"],
        "hash_function": "sha256(0x01 || left || right)",
    }


Show = Callable[[bytes, Sequence[bytes], Sequence[int]], Sequence[str]]
"""How an excerpt (`verifier.excerpts`) shows reductions of a submission: from its root, the bytes
of all of them, and the positions that are wanted, the data of each."""


class Proving:
    """One snapshot of a ledger, opened for proofs."""

    def __init__(self, store: LedgerStore, snapshot: Snapshot) -> None:
        self._store, self._snapshot = store, snapshot
        head, state = snapshot.head(), snapshot.state()
        if head is None or state is None:
            raise Usage("genesis-missing")
        self.head: Head = head
        self.state: State = state
        self.register: Register = snapshot.register()
        self.tree: TileTree = store.tree(head.size)

    def locate(self, holder: bytes) -> Place:
        place = self._snapshot.locate(holder)
        if place is None or place.voided is not None:
            raise Usage("reduction-unknown")
        return place

    def submission(self, place: Place) -> tuple[Statement, list[Reduction]]:
        statement = self._snapshot.statement(place.index)
        return statement, self._store.reductions(bytes.fromhex(statement.body["root"]))

    def logged(self, index: int, statement: Statement) -> dict[str, Any]:
        """A statement of the log, and its inclusion path."""
        path = self.tree.inclusion(index, self.head.size)
        data = dump_base64(statement.data)
        return {"index": index, "data": data, "path": [h.hex() for h in path]}

    def _entry(self, index: int) -> dict[str, Any]:
        return self.logged(index, self._snapshot.statement(index))

    def common(self, kind: str, index: int) -> dict[str, Any]:
        """What every bundle has; ``index``: the log index in question."""
        return {"format": FORMAT, "kind": kind, **self.anchor(index)}

    def anchor(self, index: int) -> dict[str, Any]:
        """From the checkpoint to the register (`verifier.anchors`)."""
        classes = self.state.classes
        last = self.head.size - 1
        return {
            "checkpoint": self._snapshot.note(self.head).decode(),
            "genesis": self._entry(0),
            "seal": self._entry(last),
            "rules": self.covering(classes.line("rules", []), index).as_json(),
            "classes": {
                "document": classes.document.decode(),
                "held": self.register.held(
                    classes.line("classes", []), self.state.classes_since
                ).as_json(),
            },
            "books": (
                self.register.held(classes.line("books", []), 0).as_json()
                if self.state.closed_until
                else None
            ),
            "policies": self._policies(),
        }

    def _policies(self) -> dict[str, Any]:
        line, governed = self.state.classes.line("policy", []), self.state.policies
        free = None if governed else self.register.free(line, 0, FOREVER).as_json()
        return {
            "governed": [
                {
                    "document": version.document.document.decode(),
                    "held": self.register.held(line, version.start).as_json(),
                }
                for version in governed
            ],
            "free": free,
            "links": links_to(self._store, self._snapshot, self.head),
        }

    def link(self) -> dict[str, Any]:
        """The link between policies (`verifier.policies`) at this block, without its note."""
        last, operator = self.head.size - 1, self.state.genesis.operator
        key = self.state.participants[operator].key_at(last)
        if key is None:
            raise Fault("span-not-there", key=operator)
        line = self.state.classes.line
        return {
            "seal": self._entry(last),
            "policy": self.covering(line("policy", []), last).as_json(),
            "operator": {
                "key": key.public.as_json(),
                "key_held": self.covering(line("key", [operator]), last).as_json(),
            },
        }

    def submitted(self, place: Place, statement: Statement) -> dict[str, Any]:
        """The submission, and the right of who signed it."""
        return {
            "submission": self.logged(place.index, statement),
            "signer": self.signer(statement.issuer, Role.PLATFORM, place.index),
        }

    def signer(self, issuer: str, role: Role, index: int) -> dict[str, Any]:
        """The key and the role that a participant had at a log index."""
        key = self.state.participants[issuer].key_at(index)
        if key is None:
            raise Fault("span-not-there", key=issuer)
        line = self.state.classes.line
        return {
            "key": key.public.as_json(),
            "key_held": self.register.held(line("key", [issuer]), key.start).as_json(),
            "role_held": self.covering(line("role", [issuer, role.value]), index).as_json(),
        }

    def document(self, name: str, version: InForce[Any]) -> dict[str, Any]:
        """A version of a scenario or a methodology, and the span that shows it in force."""
        line = self.state.classes.line(name, [version.document.id])
        return {
            "document": version.document.document.decode(),
            "held": self.register.held(line, version.start).as_json(),
        }

    def claims(self, reduction: Reduction) -> list[Held]:
        """The proofs of what a recorded reduction holds, in the order of its claims."""
        [spans] = self.spans([reduction])
        return [self.register.held(span.line, span.start) for span in spans]

    def spans(self, reductions: Sequence[Reduction]) -> list[list[Span]]:
        """For each recorded reduction the spans that it holds, in the order of its claims."""
        claims = [claim for reduction in reductions for claim in reduction.claims]
        wanted = [(claim.line, claim.start or 0, claim.end or FOREVER) for claim in claims]
        found = iter(self.register.overlapping(wanted))
        return [
            [next(s for s in next(found) if s.holder == of.holder) for _ in of.claims]
            for of in reductions
        ]

    def excerpt(self, places: Sequence[Place], show: Show) -> dict[str, Any]:
        """Reductions that are recorded, in the order of the log, as an excerpt."""
        signers: list[dict[str, Any]] = []
        submissions: list[dict[str, Any]] = []
        reductions: list[Reduction] = []
        statements = self._snapshot.statements({place.index for place in places})
        for index, group in groupby(places, key=lambda place: place.index):
            statement = statements[index]
            root = bytes.fromhex(statement.body["root"])
            if not any(_covers(signer, index) for signer in signers):
                signers.append(self.signer(statement.issuer, Role.PLATFORM, index))
            datas = self._store.reduction_bytes(root)
            positions = [place.position for place in group]
            reductions += [Reduction.parse(datas[position]) for position in positions]
            shown = show(root, datas, positions)
            submissions.append(
                {
                    "index": index,
                    "data": dump_base64(statement.data),
                    "reductions": [[*row] for row in zip(positions, shown, strict=True)],
                    "cover": _hashes(merkle.cover(merkle.leaf_hashes(datas), positions)),
                }
            )
        spans = self.spans(reductions)
        rows = (row for submission in submissions for row in submission["reductions"])
        for row, of, held in zip(rows, reductions, spans, strict=True):
            row.append(
                [s.start for s, claim in zip(held, of.claims, strict=True) if claim.start is None]
            )
        indices = [submission["index"] for submission in submissions]
        every = [span for held in spans for span in held]
        return {
            "signers": signers,
            "submissions": submissions,
            "log": _hashes(self.tree.cover(indices, self.head.size)),
            "claims": dump_base64(self.register.held_many(every)),
        }

    def covering(self, line: bytes, point: int) -> Held:
        """The proof of the span on a line that covers ``point``."""
        span = self.register.overlapping([(line, point, point + 1)])[0][0]
        return self.register.held(line, span.start)


def _covers(signer: dict[str, Any], index: int) -> bool:
    return all(
        signer[held]["start"] <= index < signer[held]["end"] for held in ("key_held", "role_held")
    )


def _hashes(hashes: Sequence[bytes]) -> str:
    return dump_base64(b"".join(hashes))


def in_force(versions: tuple[InForce[Any], ...], day: int) -> InForce[Any]:
    """The version in force on a day."""
    return next(version for version in versions if version.start <= day < version.end)


def _path(store: LedgerStore, root: bytes, position: int) -> list[str]:
    return [h.hex() for h in store.trees.tree(root).path(position)]
