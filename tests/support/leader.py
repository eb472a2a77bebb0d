"""A process that waits for the lead and then seals when it is told to: `leader.py FOLDER`.

It prints, and flushes, ``lead EPOCH`` once it leads.  For each line on its input it seals all that
waits, and prints ``sealed HEIGHT`` of the last block, or ``error CODE``.
"""

import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(TOP / "tests")]

from support.city import City  # noqa: E402

from keys.errors import Conflict  # noqa: E402


def main(folder: Path) -> None:
    city = City(folder)
    while (lead := city.store.lead()) is None:
        time.sleep(0.05)
    city.sequencer.lead = lead
    assert city.state  # it remembers the ledger as it is now
    print("lead", lead.epoch, flush=True)
    for _ in sys.stdin:
        try:
            city.sequencer.seal_all(city.now)
            print("sealed", city.state.height, flush=True)
        except Conflict as error:
            print("error", error.code, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
