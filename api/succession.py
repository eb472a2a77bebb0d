"""Succession: a ledger goes on under another key, from what an auditor has stored of it.

The *store* is a folder, or a URL, with the ledger's own relative paths: the checkpoint, the log's
tiles, the reductions of all submissions (`chain.paths`, `chain.tiles`).  The operator's database,
its key, and the activities may be gone.

Governance decides who goes on.  Its statements are signed without a ledger, against what the log in
the store says: a proposal that gives the operator another key, and as many approvals as it takes.
They are passed on in one file, a line each, in base64, the proposal first.

The successor replays the log of the store into a database of its own, by the same rules, block by
block, and makes the next block of these statements, sealed with the key that they put in force.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chain import merkle
from chain.paths import CHECKPOINT, activities_path, reductions_path
from chain.policies import WitnessPolicy
from chain.reductions import REDUCTION_BYTES_MAX, SUBMISSION_COUNT_MAX, split_reductions
from chain.rules import GOVERNANCE_KINDS, replay_governance, seal_body
from chain.sequencer import Sequencer
from chain.state import State
from chain.store.ledger import LedgerStore
from keys.errors import Malformed, Unreadable, VerificationError
from keys.notes import NOTE_BYTES_MAX, parse_checkpoint, parse_note
from keys.participants import key_holder
from keys.signer import Signer
from keys.statements import Statement, parse_statement
from keys.strict import dump_base64, parse_base64, parse_hex
from keys.suites import PublicKey
from verifier.bundles import FILE_BYTES_MAX, parse_file, read_anchors
from verifier.check import check_file
from verifier.logs import Log
from verifier.policies import follow, policy_text
from verifier.policy import Policy, Signed, parse_policy
from verifier.reports import demand
from verifier.sources import Source


@dataclass(frozen=True)
class Stored:
    """A store, as of its checkpoint."""

    source: Source
    note: bytes
    signed: Signed
    log: Log
    state: State
    """What governance has decided up to there."""

    @property
    def operator(self) -> str:
        """The participant who seals."""
        return self.state.genesis.operator

    @property
    def key(self) -> PublicKey:
        """The operator's last key, in whose place another one comes."""
        return self.state.participants[self.operator].keys[-1].public


def read_store(source: Source, policy: Policy) -> Stored:
    """Read the log of a store: each entry is proved under its checkpoint.

    Raises `VerificationError` if the checkpoint or the log is not what the policy trusts.
    """
    note = source.read(CHECKPOINT, NOTE_BYTES_MAX)
    signed = policy.check(parse_note(note))
    log = Log(source, signed.checkpoint)
    state = _governed(log)
    key = state.participants[state.genesis.operator].key_at(log.size - 1)
    if key is None or key.public != signed.log.public:
        raise VerificationError("seal-signature")
    return Stored(source, note, signed, log, state)


def _governed(log: Log) -> State:
    """The state that the log's statements of governance and its last seal amount to."""
    state: State | None = None
    last: Statement | None = None
    clock = 0
    for index, data in enumerate(log.entries(0)):
        last = parse_statement(data)
        if last.kind in GOVERNANCE_KINDS:
            state = replay_governance(state, last, index, clock)
            clock = clock or state.time
        if last.kind == "seal":
            clock = seal_body(last)["time"]
    if state is None or last is None or last.kind != "seal":
        raise VerificationError("seal-not-last", index=log.size - 1, size=log.size)
    height = seal_body(last)["height"]
    return replace(state, index=log.size, height=height, time=clock, previous=last.id)


# --- what governors sign ---


def rotation(stored: Stored, public: PublicKey) -> dict[str, object]:
    """What a proposal says: the operator's key is another from the next index on."""
    action = {
        "action": "rotate",
        "participant": stored.operator,
        "key": public.as_json(),
        "consumes": key_holder(stored.key).hex(),
    }
    return {"format": 1, "actions": [action]}


def dump_statements(statements: Sequence[Statement]) -> bytes:
    """Statements as they are passed on."""
    return b"".join(dump_base64(statement.data).encode() + b"\n" for statement in statements)


def read_statements(data: bytes) -> list[Statement]:
    """Read what `dump_statements` wrote, a proposal and approvals of it; raises `Malformed`."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("text-not-utf8") from None
    read = [parse_statement(parse_base64(line)) for line in lines[:-1]]
    kinds = [statement.kind for statement in read]
    if lines[-1] or not read or kinds != ["proposal", *["approval"] * (len(read) - 1)]:
        raise Malformed("succession-file")
    return read


def proposed(proposal: Statement, stored: Stored) -> PublicKey:
    """The key that a proposal gives to the operator; raises `Malformed` if it does more or less."""
    actions = proposal.body.get("actions")
    of = actions[0] if isinstance(actions, list) and len(actions) == 1 else None
    if not isinstance(of, dict) or (of.get("action"), of.get("participant")) != (
        "rotate",
        stored.operator,
    ):
        raise Malformed("succession-file")
    public = PublicKey.from_json(of.get("key"))
    if proposal.body != rotation(stored, public):
        raise Malformed("succession-file")
    return public


def decided(stored: Stored, statements: Sequence[Statement]) -> State:
    """The state once these statements stand in the log; raises `Refusal` if one of them cannot."""
    state = stored.state
    for statement in statements:
        state = replay_governance(state, statement, state.index, stored.state.time)
    return state


# --- taking over ---


def take_over(
    stored: Stored,
    store: LedgerStore,
    sequencer: Sequencer,
    signer: Signer,
    advance: Callable[[int], None] = lambda count: None,
) -> int:
    """Replay the log of a store into an empty ledger; the number of activities that are missing.

    Raises `Refusal` or `VerificationError` where the log is not as the rules say.
    """
    missing = 0
    block: list[Statement] = []
    for data in stored.log.entries(0):
        block.append(parse_statement(data))
        if block[-1].kind != "seal":
            continue
        files: dict[str, bytes] = {}
        for statement in block:
            if statement.kind == "submission":
                root, count = _named(statement)
                files[reductions_path(root)] = _reductions(stored.source, root, count)
                # An empty line is an activity that is not here, as of one that was erased.
                files[activities_path(root)] = b"\n" * count
                missing += count
        store.files.write(files)
        sequencer.take_over(block, signer)
        advance(len(block))
        block = []
    return missing


# --- the chain of policies ---


def links_in(data: bytes, policy: Policy, stored: Stored) -> list[dict[str, Any]]:
    """The chain of policies in a file of evidence, which is that of the store.

    Raises `VerificationError` or `Malformed` if a check of the file fails, a link is not of the
    store's log, or shows what was not in force there.
    """
    report = check_file(data, policy)
    for failed in (one.error for one in report.checks if one.error is not None):
        raise failed
    value = parse_file(data)
    anchors = read_anchors(value)
    for link in anchors["policies"].links:
        at = parse_checkpoint(link.checkpoint.text)
        if at.size > stored.log.size or not stored.log.begins_with(at.size, at.root):
            raise VerificationError("link-order", size=at.size)
    # Where the policy is a later one, the file's checks have passed links over: from the first
    # policy of all, each of them is to be followed.
    shown, head = anchors["policies"], parse_checkpoint(anchors["checkpoint"].text)
    links: list[dict[str, Any]] = value["policies"]["links"]
    if links:
        demand(bool(shown.governed), "link-policy", size=0)
        first = WitnessPolicy(shown.governed[0].data)
        start = parse_policy(policy_text(head.origin, policy.logs[0].public, first).encode())
        genesis, registry = anchors["genesis"].statement, anchors["classes"].data
        followed = follow(start, shown, head, genesis, registry)
        demand(followed.is_last and followed.count == len(links), "policy-later")
    return links


def bring_links(store: LedgerStore, links: Sequence[dict[str, Any]]) -> None:
    """Enter the chain of policies.

    No store has it: its notes are cosigned by those whose policy was in use then.  Their blocks are
    not final here, whose checkpoints the successor has signed anew.
    """
    made = {}
    with store.snapshot() as snapshot:
        for link in links:
            shown = parse_checkpoint(parse_note(link["checkpoint"].encode()).text)
            # Where it leads to is another for each file.
            kept = {name: part for name, part in link.items() if name != "path"}
            made[snapshot.height_of(shown.size - 1)] = kept
    store.enter_cosignatures([], links=made)


def _named(submission: Statement) -> tuple[bytes, int]:
    """The root and the count of a submission's reductions; raises `Malformed`."""
    count = submission.body.get("count")
    if type(count) is not int or not 1 <= count <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=count, given=0)
    return parse_hex(submission.body.get("root"), 32), count


def _reductions(source: Source, root: bytes, count: int) -> bytes:
    """The file of a submission's reductions; raises `VerificationError` if it is not there."""
    bytes_max = min(count * (2 + REDUCTION_BYTES_MAX), FILE_BYTES_MAX)
    try:
        data = source.read(reductions_path(root), bytes_max)
        if merkle.root(merkle.leaf_hashes(split_reductions(data))) == root:
            return data
    except Malformed:
        pass
    except Unreadable as error:
        if error.code not in ("source-missing", "source-too-long"):
            raise
    raise VerificationError("reductions-withheld", root=root.hex())
