"""Patches that a test made before its environment existed.

A patch of ``orders.app.table`` that is active already when init imports ``orders.app`` afresh has
replaced an attribute of another module object.  The function would run with the real thing, and the
test would pass or fail for the wrong reason.  So each module that init imports is compared with the
copy that the test has:

1. Patchers of `unittest.mock` and pytest that are in force name their targets (see `Patchers`).
2. Mocks are found in the module's namespace and in its classes, however they came there.
3. A snapshot of the namespace from the beginning of the test, before its fixtures ran, shows plain
   assignments (``app.connect = fake``).

A module also changes by its own doing: a counter, a cached client, a reload.  So the snapshot only
counts where the new value is of another kind than the old one: another function or class in the
place of a function or class, or an object of another type.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

import pytest

from pytest_lambda_lifecycle.isolation.folders import folder_of_module, inside, is_installed
from pytest_lambda_lifecycle.isolation.patchers import PATCHERS
from pytest_lambda_lifecycle.observation.misplaced import is_instance, patched_names

__all__ = ["PatchWatch"]

# The values of these types say nothing about their origin.
_PLAIN: Final = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
    object,
)
_CODE: Final = (FunctionType, BuiltinFunctionType, type, ModuleType)


class PatchWatch:
    """Holds a snapshot of the modules under the rootdir while a test item runs."""

    def __init__(self, rootdir: os.PathLike[str]) -> None:
        self._folder = os.path.realpath(rootdir)
        self._seen: dict[str, ModuleType] = {}
        """Modules that were looked at, and do not lie under the rootdir."""
        self._item: pytest.Item | None = None
        self._namespaces: dict[int, dict[str, object]] = {}
        """The snapshot: the namespace of each module, by its id."""
        self.variables: dict[str, str] | None = None
        """`os.environ` when the item began."""

    def begin(self, item: pytest.Item | None) -> None:
        """Take the snapshot of an item, unless it has been taken already."""
        PATCHERS.hold(self)
        if item is None or self._item is item:
            return
        self._item = item
        self.variables = dict(os.environ)
        self._namespaces = {
            id(module): dict(module.__dict__)
            for name, module in list(sys.modules.items())
            if self._seen.get(name) is not module and self._lies_here(name, module)
        }

    def end(self) -> None:
        """Forget the item: its snapshot says nothing about the next one."""
        self._item = None
        self.variables = None
        self._namespaces = {}

    def close(self) -> None:
        """Stop watching, at the end of the run."""
        PATCHERS.release(self)

    def patched(self, module: ModuleType) -> list[str]:
        """Return the names in a module that have been patched, with dots below the module."""
        return sorted({*patched_names(module), *self._replaced_in(module)})

    def _replaced_in(self, module: ModuleType) -> Iterator[str]:
        """Yield the names whose values have been replaced since the snapshot."""
        namespace = module.__dict__
        for name, old in self._namespaces.get(id(module), {}).items():
            if not name.startswith("__") and _is_replacement(old, namespace.get(name, old)):
                yield name

    def _lies_here(self, name: str, module: ModuleType) -> bool:
        folder = folder_of_module(module)
        if folder is not None and inside(folder, self._folder) and not is_installed(folder):
            return True
        self._seen[name] = module
        return False


def _is_replacement(old: object, new: object) -> bool:
    """Say whether a value has been replaced from outside the module."""
    if old is new or _kind(new).startswith("freezegun"):  # frozen time is in force inside as well
        return False
    if is_instance(old, _CODE):
        return _identity(old) != _identity(new)
    if type(old) in _PLAIN or type(new) in _PLAIN:
        return False
    return _kind(old) != _kind(new)


def _kind(value: Any) -> str:  # noqa: ANN401
    """Return the dotted name of a class, or of a value's class, after the value's module."""
    cls = value if is_instance(value, type) else type(value)
    module = getattr(value, "__module__", None) or cls.__module__
    return f"{module}:{cls.__module__}.{cls.__qualname__}"


def _identity(value: object) -> tuple[object, ...]:
    """Return the facts of a value that stay the same when its module is executed once more."""
    return (
        type(value),
        getattr(value, "__module__", None),
        getattr(value, "__qualname__", None) or repr(value),
    )
