"""Where the files of a ledger stand, below its folder or its URL; the log's are in `chain.tiles`.

    checkpoint                                   the last checkpoint, with its cosignatures so far
    checkpoint.final                             the last one that is final (`chain.finality`)
    submissions/<two digits>/<root>              the reductions of a submission
    activities/<two digits>/<root>.ndjson        its activities, a line each
    lots/<two digits>/<root>                     the reductions of a lot
    register/<two digits>/<digest>               pages of the register (`chain.store.archive`)
    places/<two digits>/<digest>                 where reductions stand (likewise)

A root is in hexadecimal, the two digits are its first; so is a digest.
"""

CHECKPOINT = "checkpoint"
SUBMISSIONS = "submissions/"
ACTIVITIES = "activities/"
REGISTER = "register/"
PLACES = "places/"
FINAL_CHECKPOINT = "checkpoint.final"


def reductions_path(root: bytes) -> str:
    """The file of a submission's reductions."""
    return f"{SUBMISSIONS}{root.hex()[:2]}/{root.hex()}"


def activities_path(root: bytes) -> str:
    """The file of a submission's activities."""
    return f"{ACTIVITIES}{root.hex()[:2]}/{root.hex()}.ndjson"


def lot_path(root: bytes) -> str:
    """The file of a lot's reductions (`chain.lots`)."""
    return f"lots/{root.hex()[:2]}/{root.hex()}"


def pages_path(digest: bytes) -> str:
    """The file of archived pages with this SHA-256."""
    return f"{REGISTER}{digest.hex()[:2]}/{digest.hex()}"


def places_path(digest: bytes) -> str:
    """The file of archived places with this SHA-256."""
    return f"{PLACES}{digest.hex()[:2]}/{digest.hex()}"
