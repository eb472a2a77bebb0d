"""A process that submits, seals and closes days until it is killed: `closing.py FOLDER GENERATION`.

It prints what `endless.py` prints.  Pages are small, so that each block has some to archive.
"""

import itertools
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(TOP / "tests")]

from support.city import City  # noqa: E402
from support.endless import report  # noqa: E402

from chain import register  # noqa: E402
from chain.store import archive  # noqa: E402

DAY = 86_400


def main(folder: Path, generation: int) -> None:
    register.PAGE_ITEMS_MAX, archive.PAGES_AT_ONCE, archive.PLACES_AT_ONCE = 3, 4, 5
    city = City(folder)
    for step in itertools.count(1):
        city.now = city.state.time + DAY // 4
        people = [f"{generation}/{step}/{n}" for n in range(5)]
        admitted = city.admit([city.ride(person, city.now) for person in people])
        city.sequencer.submit([admitted])
        made = [admitted.entry.statement]
        if city.state.today > city.state.closed_until:
            made.append(city.close(city.state.today))
            city.sequencer.post(made[1:])
        for statement in made:
            print("kept", statement.id.hex(), flush=True)
        city.sequencer.seal_all(city.now)
        for statement in made:
            report(city, statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
