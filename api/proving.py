"""Writing bundles (`verifier.bundles`) and other proofs from a ledger."""

from typing import Any

from chain import merkle
from chain.policies import Cosigners, WitnessPolicy
from chain.proofs import Held
from chain.reductions import Reduction
from chain.register import Register
from chain.spans import FOREVER, make_holder
from chain.state import InForce, State
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Head, Place, Snapshot
from chain.tiles import TileTree
from keys.errors import Fault, Usage
from keys.notes import NoteKey
from keys.participants import Role
from keys.statements import Statement
from keys.strict import dump_base64
from keys.suites import PublicKey
from verifier.bundles import FORMAT


def prove_reduction(store: LedgerStore, leaf: bytes, *, disclose: bool = False) -> dict[str, Any]:
    """The bundle of the reduction with this leaf hash; ``disclose`` adds its activity.

    Raises `Usage` if it is not recorded.
    """
    with store.snapshot() as snapshot:
        proving = _Proving(store, snapshot)
        place = proving.locate(make_holder("reduction", leaf))
        statement, reductions = proving.submission(place)
        reduction = reductions[place.position]
        bundle = proving.common("reduction", place.index)
        bundle |= proving.submitted(place, statement)
        scenario = _at(proving.state.scenarios[reduction.scenario], reduction.day)
        methodology = _at(proving.state.methodologies[scenario.document.methodology], reduction.day)
        line = proving.state.classes.line
        held = proving.register.held
        bundle |= {
            "reduction": {
                "position": place.position,
                "data": dump_base64(reduction.data),
                "path": _in_submission(reductions, place.position),
            },
            "scenario": {
                "document": scenario.document.document.decode(),
                "held": held(line("scenario", [scenario.document.id]), scenario.start).as_json(),
            },
            "methodology": {
                "document": methodology.document.document.decode(),
                "held": held(
                    line("methodology", [methodology.document.id]), methodology.start
                ).as_json(),
            },
            "claims": [held.as_json() for held in proving.claims(reduction)],
            "activity": None,
        }
        if disclose:
            lines = store.activities(bytes.fromhex(statement.body["root"]))
            bundle["activity"] = lines[place.position].decode()
    return bundle


def prove_span(store: LedgerStore, line: bytes, start: int) -> dict[str, Any]:
    """The bundle of who holds the span that starts here, without its reduction.

    Raises `Usage` if no reduction holds it.
    """
    with store.snapshot() as snapshot:
        proving = _Proving(store, snapshot)
        held = proving.register.held(line, start)
        place = proving.locate(held.span.holder)
        statement, reductions = proving.submission(place)
        return {
            **proving.common("span", place.index),
            **proving.submitted(place, statement),
            "leaf": {
                "position": place.position,
                "hash": reductions[place.position].leaf.hex(),
                "path": _in_submission(reductions, place.position),
            },
            "held": held.as_json(),
        }


def prove_free(store: LedgerStore, line: bytes, start: int, end: int) -> dict[str, Any]:
    """The bundle of a stretch that no span overlaps; raises `Usage` if one does."""
    with store.snapshot() as snapshot:
        proving = _Proving(store, snapshot)
        return {
            **proving.common("free", proving.head.size - 1),
            "free": proving.register.free(line, start, end).as_json(),
        }


def merkletools_proof(store: LedgerStore, leaf: bytes) -> dict[str, Any]:
    """The reduction's place in its submission as a proof in the form of `merkletools`.

    `MerkleTools.validate_proof(proof, target, root)` accepts it, with ``hash_function`` set so
    that a node is SHA-256 over 0x01 and its children (RFC 9162, section 2.1.1).
    """
    with store.snapshot() as snapshot:
        proving = _Proving(store, snapshot)
        place = proving.locate(make_holder("reduction", leaf))
        statement, reductions = proving.submission(place)
    leaves = [reduction.leaf for reduction in reductions]
    path = merkle.inclusion_path(leaves, place.position)
    return {
        "proof": merkle.merkletools_proof(place.position, len(leaves), path),
        "target": leaf.hex(),
        "root": statement.body["root"],
        "hash_function": "sha256(0x01 || left || right)",
    }


def policy_text(origin: str, log: PublicKey, policy: WitnessPolicy | None = None) -> str:
    """The trust policy (`verifier.policy`) of a log by its key and the witness policy in force.

    Without one it is a policy to start from: the log's key, no quorum yet.
    """
    lines, quorum = [f"log {NoteKey(origin, log, cosigner=False).vkey}"], "none"
    if policy is not None:
        lines += _group("auditors", policy.auditors)
        lines += _group("witnesses", policy.witnesses)
        quorum = "auditors"
        if policy.witnesses.quorum:
            lines.append("group both all auditors witnesses")
            quorum = "both"
    return "\n".join([*lines, f"quorum {quorum}", ""])


def _group(name: str, cosigners: Cosigners) -> list[str]:
    """The lines of cosigners, and of their group where any of them are needed."""
    lines = [f"witness {key.name} {key.vkey}" for key in cosigners.keys]
    if cosigners.quorum:
        members = " ".join(key.name for key in cosigners.keys)
        lines.append(f"group {name} {cosigners.quorum} {members}")
    return lines


class _Proving:
    """One snapshot of a ledger, opened for proofs."""

    def __init__(self, store: LedgerStore, snapshot: Snapshot) -> None:
        self._store, self._snapshot = store, snapshot
        head, state = snapshot.head(), snapshot.state()
        if head is None or state is None:
            raise Usage("genesis-missing")
        self.head: Head = head
        self.state: State = state
        self.register: Register = snapshot.register()
        self._tree: TileTree = store.tree(head.size)

    def locate(self, holder: bytes) -> Place:
        place = self._snapshot.locate(holder)
        if place is None or place.voided is not None:
            raise Usage("reduction-unknown")
        return place

    def submission(self, place: Place) -> tuple[Statement, list[Reduction]]:
        statement = self._snapshot.statement(place.index)
        return statement, self._store.reductions(bytes.fromhex(statement.body["root"]))

    def logged(self, index: int, statement: Statement) -> dict[str, Any]:
        path = self._tree.inclusion(index, self.head.size)
        return {
            "index": index,
            "data": dump_base64(statement.data),
            "path": [h.hex() for h in path],
        }

    def common(self, kind: str, index: int) -> dict[str, Any]:
        """What every bundle has; ``index``: the log index in question."""
        classes = self.state.classes
        last = self.head.size - 1
        return {
            "format": FORMAT,
            "kind": kind,
            "checkpoint": self.head.checkpoint.decode(),
            "genesis": self.logged(0, self._snapshot.statement(0)),
            "seal": self.logged(last, self._snapshot.statement(last)),
            "rules": self._covering(classes.line("rules", []), index).as_json(),
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
        }

    def submitted(self, place: Place, statement: Statement) -> dict[str, Any]:
        """The submission, and the right of who signed it."""
        participant = self.state.participants[statement.issuer]
        key = participant.key_at(place.index)
        if key is None:
            raise Fault("span-not-there", key=statement.issuer)
        line = self.state.classes.line
        role_line = line("role", [participant.id, Role.PLATFORM.value])
        return {
            "submission": self.logged(place.index, statement),
            "signer": {
                "key": key.public.as_json(),
                "key_held": self.register.held(line("key", [participant.id]), key.start).as_json(),
                "role_held": self._covering(role_line, place.index).as_json(),
            },
        }

    def claims(self, reduction: Reduction) -> list[Held]:
        """The spans that a recorded reduction holds, in the order of its claims."""
        proofs = []
        for claim in reduction.claims:
            start = claim.start
            if start is None:
                spans = self.register.overlapping([(claim.line, 0, FOREVER)])[0]
                start = next(s.start for s in spans if s.holder == reduction.holder)
            proofs.append(self.register.held(claim.line, start))
        return proofs

    def _covering(self, line: bytes, point: int) -> Held:
        span = self.register.overlapping([(line, point, point + 1)])[0][0]
        return self.register.held(line, span.start)


def _at(versions: tuple[InForce[Any], ...], day: int) -> InForce[Any]:
    return next(version for version in versions if version.start <= day < version.end)


def _in_submission(reductions: list[Reduction], position: int) -> list[str]:
    leaves = [reduction.leaf for reduction in reductions]
    return [h.hex() for h in merkle.inclusion_path(leaves, position)]
