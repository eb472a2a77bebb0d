"""A cosigner that signs whatever it is asked to, as a process: `lying.py NAME`.

It prints where it listens, as an auditor does, and ends with its standard input.
"""

import json
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(TOP / "tests")]

from support.auditors import cosigning  # noqa: E402

if __name__ == "__main__":
    with cosigning(sys.argv[1]) as witness:
        witness.lies = True
        print(json.dumps({"url": witness.url}), flush=True)
        sys.stdin.read()
