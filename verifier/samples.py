"""Samples: which reductions of closed lots a verifier looks at, with the activities behind them.

The verifier draws a nonce at random once the lots are closed, and then asks for the sample: so
neither the platform nor the operator could know what would be looked at.  *Seed*: SHA-256 over
``tally/lots-sample/v1``, a newline and the deterministic CBOR ``[[holder of a lot, …], nonce]``.
The grams of the lots, in their order, are one axis; offsets on it are drawn as `verifier.sampling`
says, and each finds the reduction whose stretch of grams holds it (`chain.lots`).

A sample is a JSON object with the fields::

    format    "tally-sample/1"
    ledger    the genesis id
    verifier  for whom it was made
    nonce     16 to 64 bytes in hexadecimal
    draws     how many offsets were drawn
    lots      for each lot {lot, proof, reductions}: its record, the multiproof of the reductions in
              base64 (null if none was drawn), and these in the order of their leaf hashes

and a reduction is ``{index, position, data, activity}``: its submission's log index and its place
in it, its bytes in base64, and its activity's line, or null if the activity is erased.  The digest
of the evidence stands in the activity.  The file is as private as the activities are.

`read_sample` accepts a file that holds what was drawn, all of it and nothing else.  That the lots
are those of the ledger, the lots themselves must show: a verifier signs their roots.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import Any

from chain.activities import Activity, parse_activity
from chain.lots import Lot, check_lot
from chain.reductions import Reduction
from keys.errors import Malformed, VerificationError
from keys.strict import (
    FieldTypes,
    dump_cbor,
    dump_date,
    fields,
    parse_base64,
    parse_hex,
    parse_json,
)
from verifier.sampling import SAMPLES_MAX, draw

FORMAT = "tally-sample/1"
SAMPLE_BYTES_MAX = 268_435_456
SAMPLE_DEPTH_MAX = 8
NONCE_BYTES_MIN = 16
NONCE_BYTES_MAX = 64
_REDUCTION: FieldTypes = {
    "index": int,
    "position": int,
    "data": str,
    "activity": (str, type(None)),
}


@dataclass(frozen=True)
class Sampled:
    """A reduction that was drawn, how often, and its activity unless that is erased."""

    reduction: Reduction
    activity: Activity | None
    times: int

    def as_json(self) -> dict[str, Any]:
        """What a verifier asks the platform about."""
        of = self.activity.fields if self.activity else None
        return {
            "leaf": self.reduction.leaf.hex(),
            "platform": self.reduction.platform,
            "day": dump_date(self.reduction.day),
            "grams": self.reduction.grams,
            "times": self.times,
            "id": of["id"] if of else None,
            "tier": of["evidence"]["tier"] if of else None,
            "evidence": of["evidence"]["digest"] if of else None,
        }


def drawn(lots: Sequence[Lot], nonce: bytes, draws: int) -> Iterator[tuple[int, int]]:
    """For each draw the place of its lot, and the offset in it, in grams."""
    drawn_from = dump_cbor([[lot.holder for lot in lots], nonce])
    seed = sha256(b"tally/lots-sample/v1\n" + drawn_from).digest()
    starts = list(accumulate((lot.grams for lot in lots), initial=0))
    for offset in draw(seed, starts[-1], draws):
        place = bisect_right(starts, offset) - 1
        yield place, offset - starts[place]


def parse_nonce(value: str) -> bytes:
    """A nonce in hexadecimal; raises `Malformed`."""
    size = len(value) // 2
    if not NONCE_BYTES_MIN <= size <= NONCE_BYTES_MAX:
        raise Malformed("nonce-length", least=NONCE_BYTES_MIN, most=NONCE_BYTES_MAX)
    return parse_hex(value, size)


def read_sample(data: bytes) -> list[Sampled]:
    """What was drawn, in the order of the lots; raises `Malformed`, `VerificationError`."""
    value = parse_json(data, bytes_max=SAMPLE_BYTES_MAX, depth_max=SAMPLE_DEPTH_MAX)
    texts = dict.fromkeys(("format", "ledger", "verifier", "nonce"), str)
    given = fields(value, "sample", {**texts, "draws": int, "lots": list})
    if given["format"] != FORMAT:
        raise Malformed("format-unknown", where="sample", format=given["format"])
    if not 1 <= given["draws"] <= SAMPLES_MAX:
        raise Malformed("sample-draws", most=SAMPLES_MAX)
    parts = [_read_lot(item) for item in given["lots"]]
    lots = [part.lot for part in parts]
    if not lots or any(first >= second for first, second in pairwise(lots)):
        raise Malformed("sample-lots")
    offsets: list[list[int]] = [[] for _ in lots]
    for place, offset in drawn(lots, parse_nonce(given["nonce"]), given["draws"]):
        offsets[place].append(offset)
    return [one for part, these in zip(parts, offsets, strict=True) for one in part.drawn(these)]


@dataclass(frozen=True)
class _Part:
    """A lot of a sample, and what it shows of it."""

    lot: Lot
    proof: bytes | None
    reductions: Sequence[Reduction]
    activities: Sequence[Activity | None]

    def drawn(self, offsets: Sequence[int]) -> Iterator[Sampled]:
        """The reductions that these offsets find; raises `VerificationError` unless all are."""
        starts: list[int] = []
        if self.proof is not None:
            starts = check_lot(self.lot, [(r.leaf, r.grams) for r in self.reductions], self.proof)
        times: Counter[int] = Counter()
        for offset in offsets:
            place = bisect_right(starts, offset) - 1
            if place < 0 or offset >= starts[place] + self.reductions[place].grams:
                raise VerificationError("sample-missing", offset=offset)
            times[place] += 1
        if len(times) != len(self.reductions):
            raise VerificationError("sample-not-drawn")
        for place, (of, activity) in enumerate(zip(self.reductions, self.activities, strict=True)):
            if activity is not None and activity.digest != of.digest:
                raise VerificationError("activity-differs")
            yield Sampled(of, activity, times[place])


def _read_lot(item: object) -> _Part:
    given = fields(item, "sample", {"lot": dict, "proof": (str, type(None)), "reductions": list})
    reductions, activities = [], []
    for one in given["reductions"]:
        shown = fields(one, "sample", _REDUCTION)
        reductions.append(Reduction.parse(parse_base64(shown["data"])))
        line = shown["activity"]
        activities.append(None if line is None else parse_activity(line.encode()))
    proof = None if given["proof"] is None else parse_base64(given["proof"])
    return _Part(Lot.from_json(given["lot"]), proof, reductions, activities)
