"""The chain of policies: from the trust policy in a checker's hands to the one in use at a file.

Governance changes whose cosignatures make a checkpoint final (`chain.finality`), and the operator's
key changes too.  So that whoever holds an earlier policy can follow, a file of evidence carries the
*links* that there are up to its checkpoint, the earliest first, in the field ``policies``, which is
absent where there are none.  A link shows what is in force at one checkpoint::

    checkpoint  the signed note, with the cosignatures that make it final
    seal        logged, at index size - 1, under that checkpoint
    policy      {"document", "held"}: the witness policy (`chain.policies`)
    operator    {"key", "key_held"}: the operator's key, which has signed note and seal
    path        the consistency path (RFC 9162, section 2.1.4) to the file's checkpoint

The path is what makes one history of the chain: those whom a link brings in begin with the log
anew, and may have been shown another one.

The checker begins with its own policy.  Links that are not final under it are passed over, up to
the first that is; from there on each must be final under the policy that the one before it shows.
What a link shows takes the place of the policy: its cosigners, its quorum, and as the log's only
key the operator's.  A link at the file's own checkpoint shows the key alone: that checkpoint is
still judged by the policy before.

All of it rests on cosignatures: a policy whose quorum is "none" follows nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from chain.calendar import Calendar
from chain.classes import Classes
from chain.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain.policies import Cosigners, WitnessPolicy
from chain.proofs import Held, check_held
from chain.rules import seal_body
from keys.errors import VerificationError
from keys.notes import Checkpoint, NoteKey, parse_checkpoint, signed_by
from keys.participants import key_holder
from keys.statements import Statement
from keys.strict import parse_hex
from keys.suites import PublicKey
from verifier.bundles import Link
from verifier.policy import NONE, Policy, parse_policy
from verifier.reports import demand


def follow(
    policy: Policy,
    links: Sequence[Link],
    head: Checkpoint,
    genesis: Statement,
    registry: bytes,
) -> list[Policy]:
    """The policies that ``links`` lead to from ``policy``, one for each that was followed.

    head, genesis, registry: the file's checkpoint, genesis and registry of classes, of which the
    file's own checks show that they are so.  Raises `Malformed`, `VerificationError`.
    """
    if policy.quorum == NONE:
        return []
    # No line of these links is dated.
    classes = Classes(registry, Calendar(0))
    found: list[Policy] = []
    size = 0
    for link in links:
        trusted = found[-1] if found else policy
        checkpoint = parse_checkpoint(link.checkpoint.text)
        if not trusted.is_reached(trusted.cosigners(link.checkpoint)):
            demand(not found, "link-not-final", size=checkpoint.size)
            continue
        demand(checkpoint.origin == head.origin, "checkpoint-other-log", origin=checkpoint.origin)
        demand(size < checkpoint.size <= head.size, "link-order", size=checkpoint.size)
        size = checkpoint.size
        verify_consistency(size, checkpoint.root, head.size, head.root, link.path)
        log, shown = _shown(link, checkpoint, genesis, classes)
        if size == head.size:
            found.append(replace(trusted, logs=(log,)))
        else:
            found.append(parse_policy(policy_text(head.origin, log.public, shown).encode()))
    return found


def _shown(
    link: Link, checkpoint: Checkpoint, genesis: Statement, classes: Classes
) -> tuple[NoteKey, WitnessPolicy]:
    """The log's key and the witness policy that a link shows."""
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
    root, policy = parse_hex(body["register"], 32), WitnessPolicy(link.policy.data)
    for held, name, parts, holder in (
        (link.policy.held, "policy", [], policy.holder),
        (link.key_held, "key", [operator], key_holder(link.key)),
    ):
        _in_force(root, held, classes, name, parts, holder, last)
    return log, policy


def _in_force(
    root: bytes,
    held: Held,
    classes: Classes,
    name: str,
    parts: Sequence[str],
    holder: bytes,
    index: int,
) -> None:
    demand(held.span.line == classes.line(name, parts), "held-other-line")
    demand(held.span.holder == holder, "held-other-holder")
    check_held(root, held, classes.allows)
    demand(held.span.start <= index < held.span.end, "not-in-force", what=name, point=index)


def policy_text(origin: str, log: PublicKey, policy: WitnessPolicy | None = None) -> str:
    """The trust policy (`verifier.policy`) of a log by its key and the witness policy in force.

    Without one it is a policy to start from: the log's key, no quorum yet.
    """
    lines, quorum = [f"log {NoteKey(origin, log, cosigner=False).vkey}"], NONE
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
