"""Which kernel does the hashing: the Python of this package, or the compiled one beside it.

The compiled kernel, the distribution ``carbon-tally-native``, has functions and classes of the same
names, that give the same bytes and errors for the same arguments.  It is used where it is
installed; nothing needs it.  ``TALLY_KERNEL=python`` does without it, ``TALLY_KERNEL=native``
refuses to start where it is missing, or made for another version of this package.
"""

import importlib
import os
from types import ModuleType
from typing import TypeVar

from keys.errors import Usage

INTERFACE = 2
"""The version of what the compiled kernel offers; it changes with any of its calls."""
PYTHON, NATIVE = "python", "native"

Call = TypeVar("Call")


def _load(wanted: str) -> ModuleType | None:
    if wanted == PYTHON:
        return None
    try:
        found = importlib.import_module("carbon_tally_native")
    except ImportError:
        found = None
    if found is not None and found.INTERFACE == INTERFACE:
        return found
    if wanted:
        raise Usage("kernel-missing", kernel=wanted)
    return None


native = _load(os.environ.get("TALLY_KERNEL", ""))


def name() -> str:
    """The kernel in use: "native" or "python"."""
    return NATIVE if native else PYTHON


def in_kernel(reference: Call) -> Call:
    """The function or class of this name of the kernel in use: ``reference``, or the compiled one.

    A decorator: what stands below it says what both do.
    """
    named: Call = getattr(native, getattr(reference, "__name__", ""), reference)
    return named
