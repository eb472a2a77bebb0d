"""The chain of policies: from the trust policy in a checker's hands to the one in force at a file.

Governance changes whose cosignatures make a checkpoint final (`chain.finality`), and the operator's
key changes too.  A file of evidence shows, in the field ``policies``, every witness policy that
there ever was, and how one led to the next::

    governed    [{"document", "held"}, …]: the witness policies (`chain.policies`), in their order,
                each held on the line "policy" from where the one before it ends; the last has no
                end
    free        free: that line, where there is none; otherwise null
    links       [link, …]: what was in force at earlier checkpoints, the earliest first

and a link, of one checkpoint::

    checkpoint  the signed note, with the cosignatures that make it final
    seal        logged, at index size - 1, under that checkpoint
    policy      held: the witness policy in force, one of those governed
    operator    {"key", "key_held"}: the operator's key, which has signed note and seal
    path        the consistency path (RFC 9162, section 2.1.4) to the file's checkpoint

The path is what makes one history of the chain: those whom a link brings in begin with the log
anew, and may have been shown another one.

A checker begins with its own policy, at the first of those governed that asks for the same
cosignatures.  It follows a link if its checkpoint is final under that policy, and under each one
that comes between it and the one that the link shows, a few at most: nobody is passed over.  Then
the shown policy takes its place, and the operator's key that of the log.  Other links are left
aside.  In the end the file is witnessed if the policy that this has led to is the last of those
governed, and has the quorum at the file's checkpoint.

So no two checkers that hold the same policy are told that two files are final which contradict each
other: where the two histories part, one policy is in force in both, and both files need its quorum
beyond that point.  Cosigners that were replaced, and go on, are of no use to anyone.

A policy in hand that asks for other cosignatures than any of those governed was chosen by its
holder, and no governance can replace it: links show the operator's key alone.  One whose quorum is
"none" follows nothing.
"""

from dataclasses import dataclass, replace

from chain.calendar import Calendar
from chain.classes import Classes
from chain.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain.policies import Cosigners, WitnessPolicy
from chain.proofs import check_free, check_held
from chain.rules import seal_body
from chain.spans import FOREVER
from keys.errors import VerificationError
from keys.notes import Checkpoint, NoteKey, parse_checkpoint, signed_by
from keys.participants import key_holder
from keys.statements import Statement
from keys.strict import parse_hex
from keys.suites import PublicKey
from verifier.bundles import Link, Policies
from verifier.policy import NONE, Policy, parse_policy
from verifier.reports import demand

PASSED_MAX = 8
"""The policies that may come between one and that of the link to it."""


@dataclass
class Followed:
    """Where the links have led to, and by whom.

    ``policies``: those that were trusted on the way, the one in hand first and the one that judges
    the file last.  ``count``: the links that were followed.  ``is_last``: whether no later policy
    is in force.
    """

    policies: list[Policy]
    count: int = 0
    is_last: bool = True

    @property
    def policy(self) -> Policy:
        """Whose log signs the file's checkpoint, and whose quorum makes it final."""
        return self.policies[-1]


def follow(
    policy: Policy, shown: Policies, head: Checkpoint, genesis: Statement, registry: bytes
) -> Followed:
    """Where the links lead to from ``policy``.

    head, genesis, registry: the file's checkpoint, genesis and registry of classes, of which the
    file's own checks show that they are so, as `check_governed` shows it of the policies.
    Raises `Malformed`, `VerificationError`.
    """
    followed = Followed([policy])
    # Cosigners serve many logs: what they agree to is of use in the one that is trusted only.
    if policy.quorum == NONE or head.origin not in {log.name for log in policy.logs}:
        return followed
    # No line of these links is dated.
    classes = Classes(registry, Calendar(0))
    stages: list[Policy] = []  # policies that follow each other and ask for the same are one
    in_force: dict[int, tuple[int, bytes]] = {}
    for document in shown.governed:
        read = WitnessPolicy(document.data)
        trusted = parse_policy("\n".join(_quorum_lines(read)).encode())
        if not stages or stages[-1].requirement() != trusted.requirement():
            stages.append(trusted)
        in_force[document.held.span.start] = len(stages) - 1, read.holder
    mine = policy.requirement()
    at = next((n for n, stage in enumerate(stages) if stage.requirement() == mine), None)
    size = 0
    for link in shown.links:
        checkpoint = parse_checkpoint(link.checkpoint.text)
        # Before any signature is looked at: a note is not to cost its time again and again.
        demand(size < checkpoint.size <= head.size, "link-order", size=checkpoint.size)
        size = checkpoint.size
        demand(link.policy.span.start in in_force, "link-policy", size=checkpoint.size)
        to, holder = in_force[link.policy.span.start]
        if at is not None and not at <= to <= at + 1 + PASSED_MAX:
            continue
        passed = [] if at is None else stages[at + 1 : to + 1]
        asked = [followed.policy, *passed[:-1]]
        if not all(each.is_reached(each.cosigners(link.checkpoint)) for each in asked):
            continue
        demand(checkpoint.origin == head.origin, "checkpoint-other-log", origin=checkpoint.origin)
        verify_consistency(size, checkpoint.root, head.size, head.root, link.path)
        log = _check_link(link, checkpoint, genesis, classes, holder)
        followed.policies += [replace(each, logs=(log,)) for each in passed or [followed.policy]]
        followed.count += 1
        at = None if at is None else to
    followed.is_last = at is None or at == len(stages) - 1
    return followed


def check_governed(shown: Policies, root: bytes, classes: Classes) -> None:
    """Check that these are all witness policies that stand in the register with this root.

    Raises `VerificationError`, or `Malformed` if one of them is no policy.
    """
    line, start = classes.line("policy", []), 0
    if shown.free is not None:
        free = shown.free
        demand(not shown.governed, "policies-gap", index=0)
        demand((free.line, free.start, free.end) == (line, 0, FOREVER), "held-other-line")
        check_free(root, free, classes.allows)
        return
    for place, document in enumerate(shown.governed):
        span = document.held.span
        demand(span.line == line, "held-other-line")
        demand(span.holder == WitnessPolicy(document.data).holder, "held-other-holder")
        # A proof without a neighbour before shows that there is none on the line.
        is_next = span.start == start if place else document.held.before is None
        demand(is_next, "policies-gap", index=span.start)
        check_held(root, document.held, classes.allows)
        start = span.end
    demand(start == FOREVER, "policies-gap", index=start)


def _check_link(
    link: Link, checkpoint: Checkpoint, genesis: Statement, classes: Classes, holder: bytes
) -> NoteKey:
    """Check that the policy of ``holder`` was in force at a link; the log's key there."""
    log = NoteKey(checkpoint.origin, link.key, cosigner=False)
    if signed_by(link.checkpoint, log) is None:
        raise VerificationError("checkpoint-log-unknown", origin=checkpoint.origin)
    seal, last = link.seal, checkpoint.size - 1
    body = seal_body(seal.statement)
    demand(seal.index == last, "seal-not-last", index=seal.index, size=checkpoint.size)
    leaf = leaf_hash(seal.statement.data)
    verify_inclusion(leaf, last, checkpoint.size, list(seal.path), checkpoint.root)
    operator = genesis.issuer
    demand(
        seal.statement.issuer == operator
        and seal.statement.audience == genesis.id
        and seal.statement.verify(link.key),
        "seal-signature",
    )
    root = parse_hex(body["register"], 32)
    for held, name, parts, of in (
        (link.policy, "policy", [], holder),
        (link.key_held, "key", [operator], key_holder(link.key)),
    ):
        demand(held.span.line == classes.line(name, parts), "held-other-line")
        demand(held.span.holder == of, "held-other-holder")
        check_held(root, held, classes.allows)
        demand(held.span.start <= last < held.span.end, "not-in-force", what=name, point=last)
    return log


def policy_text(origin: str, log: PublicKey, policy: WitnessPolicy | None = None) -> str:
    """The trust policy (`verifier.policy`) of a log by its key and the witness policy in force.

    Without one it is a policy to start from: the log's key, no quorum yet.
    """
    lines = [f"quorum {NONE}"] if policy is None else _quorum_lines(policy)
    return "\n".join([f"log {NoteKey(origin, log, cosigner=False).vkey}", *lines, ""])


def _quorum_lines(policy: WitnessPolicy) -> list[str]:
    lines = _group("auditors", policy.auditors) + _group("witnesses", policy.witnesses)
    if policy.witnesses.quorum:
        return [*lines, "group both all auditors witnesses", "quorum both"]
    return [*lines, "quorum auditors"]


def _group(name: str, cosigners: Cosigners) -> list[str]:
    """The lines of cosigners, and of their group where any of them are needed."""
    lines = [f"witness {key.name} {key.vkey}" for key in cosigners.keys]
    if cosigners.quorum:
        members = " ".join(key.name for key in cosigners.keys)
        lines.append(f"group {name} {cosigners.quorum} {members}")
    return lines
