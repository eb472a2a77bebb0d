"""Where the time of a reduction goes: the whole way once more, with a watch on each part.

The watches cost a little themselves, so the parts are for comparing with one another; a part that
calls another one is given without it.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import chain.admission
import chain.sequencer
from bench.city import Batch, BenchCity
from chain.files import Files
from chain.methodologies import Methodology
from chain.register import Register
from chain.store.ledger import LedgerStore

#: Part, and where its function is looked up: owner and name.
PARTS: Sequence[tuple[str, Any, str]] = (
    ("read the NDJSON strictly", chain.admission, "parse_activities"),
    ("methodology, line ids, CBOR, hashes", Methodology, "reduce"),
    ("the same, in the compiled kernel", chain.admission, "compute"),
    ("root, count and grams of the submission", chain.admission, "check_submission"),
    ("write and flush the files", Files, "write"),
    ("keep the queue, and whose they are", LedgerStore, "enqueue"),
    ("rules: each reduction against its methodology", chain.sequencer, "apply"),
    ("register: search", Register, "overlapping"),
    ("register: enter", Register, "change"),
    ("register: hash", Register, "root"),
    ("register: encode pages", Register, "drain"),
    ("commit to the database", LedgerStore, "commit"),
    ("publish tiles and checkpoint", LedgerStore, "publish"),
)


def measure_parts(
    city: BenchCity, batches: Sequence[Batch], run: Callable[[BenchCity, Sequence[Batch]], object]
) -> dict[str, float]:
    """Microseconds a reduction in each part, and in all the rest, while ``run`` goes the way."""
    spent: Counter[str] = Counter()
    with contextlib.ExitStack() as watches:
        stack = [0.0]
        for part, owner, name in PARTS:
            watches.enter_context(_watched(owner, name, part, spent, stack))
        began = time.perf_counter()
        run(city, batches)
        total = time.perf_counter() - began
    spent["all the rest"] = total - sum(spent.values())
    count = sum(len(lines) for _, lines in batches)
    return {part: spent[part] / count * 1e6 for part in [*(p for p, _, _ in PARTS), "all the rest"]}


@contextlib.contextmanager
def _watched(
    owner: Any, name: str, part: str, spent: Counter[str], stack: list[float]
) -> Iterator[None]:
    original = getattr(owner, name)

    def watched(*args: Any, **more: Any) -> Any:
        began = time.perf_counter()
        stack.append(0.0)
        try:
            return original(*args, **more)
        finally:
            took = time.perf_counter() - began
            spent[part] += took - stack.pop()
            stack[-1] += took

    setattr(owner, name, watched)
    try:
        yield
    finally:
        setattr(owner, name, original)
