"""The Python that the compiled kernel stands for, where that is in use."""

import importlib.util
from types import ModuleType
from unittest import mock

from chain import kernel


def reference(name: str) -> ModuleType:
    """The module ``name`` once more, without the compiled kernel."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(kernel, "native", None):
        spec.loader.exec_module(module)
    return module
