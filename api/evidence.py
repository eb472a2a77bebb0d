"""What stands behind the reductions of lots: where each is recorded, and its activity.

Activities are private; what is made of them here is for the platform, its users, and the verifier
who is named.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from chain.activities import Activity, parse_activity
from chain.certifications import exclusion_list
from chain.lots import Lot, LotEntry
from chain.reductions import Reduction
from chain.spans import make_holder
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Place, Snapshot
from keys.errors import Fault
from keys.statements import Statement
from keys.strict import dump_base64, parse_date, parse_hex
from verifier.samples import FORMAT, drawn


class Behind(NamedTuple):
    """A recorded reduction, its place in the log, and its activity unless that is erased."""

    place: Place
    reduction: Reduction
    activity: Activity | None


def behind(
    store: LedgerStore, snapshot: Snapshot, leaves: Iterable[bytes], days: Collection[int]
) -> Iterator[Behind]:
    """What stands behind recorded reductions of some days, by their leaf hashes; in the order of
    the log.

    Raises `Fault` if an activity is not the one that was submitted.
    """
    holders = [make_holder("reduction", leaf) for leaf in leaves]
    live = snapshot.live(holders, days)
    places = sorted((live[holder] for holder in holders), key=lambda at: (at.index, at.position))
    for index, group in groupby(places, key=lambda place: place.index):
        root = bytes.fromhex(snapshot.statement(index).body["root"])
        items, lines = store.reduction_bytes(root), store.activities(root)
        for place in group:
            reduction = Reduction.parse(items[place.position])
            line = lines[place.position]
            activity = parse_activity(line) if line else None
            if activity is not None and activity.digest != reduction.digest:
                raise Fault("activities-differ", index=index, position=place.position)
            yield Behind(place, reduction, activity)


def certified_entries(store: LedgerStore, certification: Statement) -> Iterator[LotEntry]:
    """The reductions that a certification certifies: by day, then by leaf hash."""
    body = certification.body
    excluded = {holder for _, _, holder in exclusion_list(certification)}
    for day, count, grams, root in body["lots"]:
        of = (body["platform"], body["scenario"], parse_date(day))
        lot = Lot(*of, count, grams, parse_hex(root, 32))
        for entry in store.lot_tree(lot).entries():
            if make_holder("reduction", entry[0]) not in excluded:
                yield entry


def sample(
    store: LedgerStore, snapshot: Snapshot, lots: list[Lot], verifier: str, nonce: bytes, draws: int
) -> dict[str, Any]:
    """The sample (`verifier.samples`) of these lots for a verifier."""
    trees = [store.lot_tree(lot) for lot in lots]
    keys: list[set[bytes]] = [set() for _ in lots]
    for place, offset in drawn(lots, nonce, draws):
        keys[place].add(trees[place].at(offset)[0])
    all_of_them = behind(store, snapshot, set().union(*keys), {lot.day for lot in lots})
    found = {one.reduction.leaf: one for one in all_of_them}
    return {
        "format": FORMAT,
        "ledger": snapshot.statement(0).id.hex(),
        "verifier": verifier,
        "nonce": nonce.hex(),
        "draws": draws,
        "lots": [
            {
                "lot": lot.as_json(),
                "proof": dump_base64(tree.prove(shown)) if shown else None,
                "reductions": [_item(found[key]) for key in sorted(shown)],
            }
            for lot, tree, shown in zip(lots, trees, keys, strict=True)
        ],
    }


def _item(one: Behind) -> dict[str, Any]:
    return {
        "index": one.place.index,
        "position": one.place.position,
        "data": dump_base64(one.reduction.data),
        "activity": one.activity.data.decode() if one.activity else None,
    }
