"""Bulk work: many small objects at once, none of them in cycles.

Python looks for garbage after every so many new objects, and the more there is in memory, the
longer a look takes.  What a batch makes is freed when nobody names it any more; so while a batch
is in hand, no look is taken.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for garbage while this lasts; may be nested."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
