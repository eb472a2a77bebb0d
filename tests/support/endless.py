"""A process that submits and seals until it is killed: `endless.py FOLDER GENERATION`.

It prints, and flushes, a line for each thing that the ledger has acknowledged::

    kept ID                       a statement waits, and is to survive
    sealed ID INDEX SIZE ROOT     it stands in the log, in a checkpoint of this size and root
"""

import itertools
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(TOP / "tests")]

from support.city import NOON, City  # noqa: E402

from keys.statements import Statement  # noqa: E402


def main(folder: Path, generation: int) -> None:
    city = City(folder)
    for step in itertools.count(1):
        city.now = NOON + 1_000 * generation + step
        waiting: list[Statement] = []
        for batch in range(1 + step % 3):
            rider = f"{generation}/{step}/{batch}"
            lines = [city.ride(rider, NOON), city.ride(rider, NOON)]
            admitted = city.admit(lines)
            city.sequencer.submit([admitted])
            waiting.append(admitted.entry.statement)
            print("kept", waiting[-1].id.hex(), flush=True)
        city.sequencer.seal_all(city.now)
        for statement in waiting:
            report(city, statement)
        if step % 4 == 0:
            void = city.void(city.answer(waiting[0]), [0], "metro-app")
            city.sequencer.post([void])
            print("kept", void.id.hex(), flush=True)
            city.sequencer.seal_all(city.now)
            report(city, void)


def report(city: City, statement: Statement) -> None:
    answer = city.answer(statement)
    with city.store.snapshot() as snapshot:
        block = snapshot.block(answer.height)
    root = block.frontier.root().hex()
    print("sealed", statement.id.hex(), answer.index, block.size, root, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
