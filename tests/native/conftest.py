"""The compiled kernel against the Python: where it was built (`make native`), and only there."""

import importlib.util

collect_ignore_glob = (
    ["test_*.py"] if importlib.util.find_spec("carbon_tally_native") is None else []
)
