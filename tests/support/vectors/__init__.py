"""The test vectors of docs/vectors: what goes in, what must come out, what must be refused.

    PYTHONPATH=.:tests .venv/bin/python -m support.vectors

writes docs/vectors again, all but its README, which says what stands in each file.  Whether a case
is valid, and with which code it is refused, is said here by hand; what comes of a valid one is
computed.  Keys come from seeds, times are fixed.
"""

import json
from collections.abc import Callable
from pathlib import Path

from support.vectors.bundles import bundle_files, bundle_vectors
from support.vectors.common import Vectors
from support.vectors.forms import cbor_vectors, json_vectors
from support.vectors.ledgers import log_vectors
from support.vectors.lines import line_vectors
from support.vectors.lots import lot_vectors
from support.vectors.reducing import activity_vectors
from support.vectors.register import register_vectors
from support.vectors.signing import key_vectors, note_vectors, policy_vectors, receipt_vectors
from support.vectors.submissions import submission_vectors
from support.vectors.trees import tree_vectors

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "vectors"
README = "README.md"
MADE: dict[str, Callable[[], Vectors]] = {
    "json.json": json_vectors,
    "cbor.json": cbor_vectors,
    "keys.json": key_vectors,
    "lines.json": line_vectors,
    "activities.json": activity_vectors,
    "trees.json": tree_vectors,
    "submissions.json": submission_vectors,
    "log.json": log_vectors,
    "register.json": register_vectors,
    "lots.json": lot_vectors,
    "notes.json": note_vectors,
    "receipts.json": receipt_vectors,
    "policies.json": policy_vectors,
    "bundles.json": bundle_vectors,
}


def files() -> dict[str, bytes]:
    """Every file of the folder but its README, by its name there."""
    made = {name: make().dump() for name, make in MADE.items()}
    return made | {f"bundles/{name}": data for name, data in bundle_files().items()}


def write() -> None:
    """Write the folder again, and take away what is no longer made."""
    made = files()
    for path in sorted(FOLDER.rglob("*.json")):
        if str(path.relative_to(FOLDER)) not in made:
            path.unlink()
    for name, data in made.items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    sizes = {name: len(data) for name, data in made.items()}
    print(json.dumps(sizes, indent=1), sum(sizes.values()))
