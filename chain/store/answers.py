"""What became of statements: each one's place, its receipt, the reductions that were refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chain.effects import Refused
from chain.receipts import make_receipt
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Head, Snapshot
from keys.errors import Fault, Refusal, Usage
from keys.statements import Statement
from keys.strict import parse_json
from keys.suites import PublicKey


@dataclass(frozen=True)
class Answer:
    """What became of a statement: its place, its receipt, and each reduction that was refused."""

    index: int
    height: int
    time: int
    receipt: bytes
    refusals: Mapping[int, Refused]
    platforms: Mapping[bytes, str]
    """For each holder that a refusal met, the platform that submitted its reduction."""
    is_final: bool = False
    """Whether its block is final by now (`chain.finality`)."""


def answer(store: LedgerStore, statement: Statement) -> Answer | None:
    """What became of a statement; None while it waits.

    Raises the `Refusal` with which the rules refused it, or `Usage` if it is not known here.
    """
    made = answers(store, [statement.id])
    if statement.id not in made:
        raise Usage("statement-not-known", id=statement.id.hex())
    found = made[statement.id]
    if isinstance(found, Refusal):
        raise found
    return found


def answers(
    store: LedgerStore, identities: Sequence[bytes]
) -> dict[bytes, Answer | Refusal | None]:
    """What became of the statements with these ids: None of those that wait for a block, a
    `Refusal` of those that the rules refused; those that are not known here are left out."""
    made: dict[bytes, Answer | Refusal | None] = {}
    with store.snapshot() as snapshot:
        found = snapshot.found(identities)
        made.update(_waiting(snapshot, [of for of in identities if of not in found]))
        if not found:
            return made
        blocks = {height: snapshot.block(height) for height in {h for _, h in found.values()}}
        signed = {
            height: block if block.receipt_signature else snapshot.receipted(height)
            for height, block in blocks.items()
        }
        keys = {height: _key_of(snapshot, block) for height, block in signed.items()}
        refusals = snapshot.refusals_of([index for index, _ in found.values()])
        platforms = _platforms(snapshot, [r for of in refusals.values() for r in of.values()])
        origin, final = snapshot.origin(), snapshot.final_height()
    tree = store.tree(max(block.size for block in signed.values()))
    for identity, (index, height) in found.items():
        block = signed[height]
        path = tree.inclusion(index, block.size)
        made[identity] = Answer(
            index,
            height,
            blocks[height].time,
            make_receipt(keys[height], origin, block.size, index, path, block.receipt_signature),
            refusals[index],
            {
                refused.met.holder: platforms[refused.met.holder]
                for refused in refusals[index].values()
                if refused.met and refused.met.holder in platforms
            },
            height <= final,
        )
    return made


def receipts(store: LedgerStore, indices: Sequence[int]) -> list[bytes]:
    """Receipts of the entries at these log indices as of the last block, by the key that signs
    now."""
    with store.snapshot() as snapshot:
        last = snapshot.block(snapshot.height())
        key, origin = _key_of(snapshot, last), snapshot.origin()
    tree = store.tree(last.size)
    return [
        make_receipt(
            key, origin, last.size, index, tree.inclusion(index, last.size), last.receipt_signature
        )
        for index in indices
    ]


def _waiting(
    snapshot: Snapshot, identities: Sequence[bytes]
) -> Iterable[tuple[bytes, Refusal | None]]:
    for identity, refusal in snapshot.waiting(identities).items():
        kept = parse_json(refusal.encode()) if refusal else None
        yield identity, Refusal(kept["code"], **kept["details"]) if kept else None


def _platforms(snapshot: Snapshot, refusals: Iterable[Refused]) -> dict[bytes, str]:
    """The platforms that submitted what the refusals met, by its holder."""
    met = [(refused.met, refused.day) for refused in refusals if refused.met]
    places = snapshot.holding([span for span, _ in met], {day for _, day in met})
    issuers = snapshot.issuers({place.index for place in places.values()})
    return {holder: issuers[place.index] for holder, place in places.items()}


def _key_of(snapshot: Snapshot, block: Head) -> PublicKey:
    """The key that signed a block's seal, which the operator may have had long ago."""
    seal: Statement = snapshot.statement(block.size - 1)
    state = snapshot.state()
    if state is None:
        raise Fault("genesis-missing")
    keys = state.participants[seal.issuer].keys
    return next(key.public for key in keys if key.public.kid == seal.kid)
