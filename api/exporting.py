"""Writing files of lots (`verifier.lots`) from a ledger."""

from typing import Any

from api.proving import Proving, in_force
from chain.reductions import Reduction
from chain.spans import make_holder
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Place
from keys.errors import Usage
from keys.strict import dump_base64, dump_json
from verifier.bundles import FILE_BYTES_MAX
from verifier.lots import FORMAT


def export_lot(store: LedgerStore, platform: str, scenario: str, day: int) -> bytes:
    """The file of a closed lot; raises `Usage` if there is none, or if it would be too long."""
    return dump_lot(write_lot(store, platform, scenario, day))


def write_lot(store: LedgerStore, platform: str, scenario: str, day: int) -> dict[str, Any]:
    """What is in the file of a closed lot; raises `Usage` if there is none."""
    with store.snapshot() as snapshot:
        lot = snapshot.lot(platform, scenario, day)
        keys = store.lot_tree(lot).keys
        proving = Proving(store, snapshot)
        line, held = proving.state.classes.line, proving.register.held
        places = snapshot.live([make_holder("reduction", key) for key in keys], [day])
        signers: dict[bytes, dict[str, Any]] = {}
        submissions: list[dict[str, Any]] = []
        reductions: list[Reduction] = []
        for index in sorted({place.index for place in places.values()}):
            place = Place(index, 0, None)
            statement, submitted = proving.submission(place)
            here = [places.get(r.holder) == Place(index, p, None) for p, r in enumerate(submitted)]
            shown = proving.submitted(place, statement)
            signer = shown["signer"]
            signers.setdefault(dump_json(signer), signer)
            submissions.append(
                {
                    **shown["submission"],
                    "signer": list(signers).index(dump_json(signer)),
                    "leaves": dump_base64(b"".join(map(_leaf, submitted, here))),
                }
            )
            reductions += [r for r, is_here in zip(submitted, here, strict=True) if is_here]
        claims = [claim for reduction in reductions for claim in reduction.claims]
        spans = [span for held_by in proving.spans(reductions) for span in held_by]
        of = in_force(proving.state.scenarios[scenario], day)
        rule = in_force(proving.state.methodologies[of.document.methodology], day)
        return {
            "format": FORMAT,
            **proving.anchor(proving.head.size - 1),
            "lot": {
                "record": lot.as_json(),
                "held": held(line("lot", [platform, scenario]), day).as_json(),
            },
            "scenario": proving.document("scenario", of),
            "methodology": proving.document("methodology", rule),
            "signers": list(signers.values()),
            "submissions": submissions,
            "seats": [s.start for s, c in zip(spans, claims, strict=True) if c.start is None],
            "claims": dump_base64(proving.register.held_many(spans)),
        }


def dump_lot(document: dict[str, Any]) -> bytes:
    """The file of a lot; raises `Usage` if it would be too long."""
    data = dump_json(document) + b"\n"
    if len(data) > FILE_BYTES_MAX:
        raise Usage("lot-too-large", size=len(data), limit=FILE_BYTES_MAX)
    return data


def _leaf(reduction: Reduction, is_shown: bool) -> bytes:
    if is_shown:
        return len(reduction.data).to_bytes(2) + reduction.data
    return bytes(2) + reduction.leaf
