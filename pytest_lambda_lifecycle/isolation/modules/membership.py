"""Decides which modules belong to a function, so that a cold start imports them again."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Final

from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
    is_source_under,
    namespace_of,
    real,
)

__all__ = ["Keep", "Membership", "is_rewritten"]

Keep = Callable[[str, ModuleType, bool], bool]
"""Says whether a module stays shared.

It takes the name, the module, and whether the function has a module of that name as well.
"""

_OF_COMPILERS: Final = ("__", "_cython", "cython_runtime", "pybind11")
_EXTENSION_SUFFIXES: Final = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Membership:
    """Says of each module whether it belongs to a function.

    ``import_path`` are the folders that Lambda would put first on `sys.path` (task root, layers).
    A module belongs to the function if its file lies under one of them and is not installed there
    (site-packages, an in-tree virtual environment), or if its top-level name is in ``fresh``.  A
    module of another folder belongs to it as well if it would hide one of these: two functions may
    each have a ``utils``.  ``keep`` names modules that never belong to it.
    """

    def __init__(
        self, import_path: Sequence[str], *, fresh: Callable[[str], bool], keep: Keep
    ) -> None:
        self._roots = [real(folder) for folder in import_path]
        self.names = _top_level_names(self._roots)
        """The top-level names that could be imported from the folders."""
        self.is_fresh = fresh
        self._keep = keep
        self.compiled: dict[str, str] = {}
        """Packages under the import path that cannot be imported twice, with the reason."""
        self.kept: set[str] = set()
        """Names of modules that would belong to the function, and are kept for the tests."""
        self.made: set[str] = set()
        """Names of modules that function code has made by hand, and that are none of its own."""
        self.in_installed_folder = any(map(is_installed, self._roots))
        """A root is itself a folder for installed packages."""
        self._elsewhere: dict[str, tuple[ModuleType | None, bool]] = {}
        self._folders: dict[str, bool] = {}

    def forget(self) -> None:
        """Forget the modules that have been looked at."""
        self._elsewhere = {}
        self.made = set()

    def belongs(self, name: str, module: ModuleType, *, is_new: bool) -> bool:
        """Say whether a module belongs to the function.

        ``is_new`` says whether nobody had a module of this name before the environment entered.
        """
        top = name.partition(".")[0]
        if name == "__main__" or top in self.compiled:
            return False
        if self.is_fresh(name):
            return not self._stays(name, module, False)
        folder = folder_of_module(module)
        if folder is None:
            if is_new and top not in self.names and _is_made_by_hand(name, module):
                self.made.add(name)
            return is_new and (top in self.names or name in self.made)
        if is_new and (top == name or top in self.made) and _is_alias(name, module):
            self.made.add(name)
            return True
        namesake = top in self.names and self._is_elsewhere(top)
        return (namesake or self._holds(folder)) and not self._stays(name, module, namesake)

    def note_compiled(self, modules: Mapping[str, ModuleType]) -> list[str]:
        """Note packages with compiled parts, and return the names of the modules in them.

        Many of those refuse a second import in one process, as numpy does.
        """
        found = {
            name.partition(".")[0]: os.path.basename(file)
            for name, module in modules.items()
            if (namespace := namespace_of(module)) is not None
            and isinstance(file := namespace.get("__file__"), str)
            and file.endswith(_EXTENSION_SUFFIXES)
            # requests has names of its own for the compiled modules of charset_normalizer.
            and namespace.get("__name__") == name
        }
        if not found:
            return []
        for top, file in found.items():
            self.compiled[top] = f"{file} is compiled and cannot be imported twice"
        return [name for name in modules if name.partition(".")[0] in self.compiled]

    def _stays(self, name: str, module: ModuleType, namesake: bool) -> bool:
        """Say whether a module that would belong to the function is kept for the tests."""
        stays = self._keep(name, module, namesake)
        if stays:
            self.kept.add(name)
        return stays

    def _is_elsewhere(self, top: str) -> bool:
        """Say whether a top-level module comes from neither a root nor an installed package."""
        module = sys.modules.get(top)
        known = self._elsewhere.get(top)
        if known is not None and known[0] is module:
            return known[1]
        folder = folder_of_module(module) if module is not None else None
        if folder is None or module is None or is_installed(folder):
            elsewhere = False
        else:
            is_package = "__path__" in (namespace_of(module) or {})
            home = os.path.dirname(folder) if is_package else folder
            elsewhere = home not in self._roots
        self._elsewhere[top] = (module, elsewhere)
        return elsewhere

    def _holds(self, folder: str) -> bool:
        """Say whether a folder is function code: under a root and not installed there."""
        known = self._folders.get(folder)
        if known is None:
            known = any(is_source_under(folder, root) for root in self._roots)
            self._folders[folder] = known
        return known


def _is_made_by_hand(name: str, module: object) -> bool:
    """Say whether a module came neither from the import system nor from a shared library.

    Libraries make modules inside of themselves (``six.moves``), and code that Cython has compiled
    shares its types by a module of its own.
    """
    top = name.partition(".")[0]
    if name.startswith(_OF_COMPILERS) or (namespace_of(module) or {}).get("__spec__") is not None:
        return False
    return top == name or top not in sys.modules or _is_made_by_hand(top, sys.modules[top])


def _is_alias(name: str, module: object) -> bool:
    """Say whether a module is there under a name that it does not know: ``MySQLdb`` for pymysql."""
    namespace = namespace_of(module) or {}
    spec = namespace.get("__spec__")
    known = {getattr(spec, "name", name), namespace.get("__name__")}
    return name not in known and not name.startswith(_OF_COMPILERS)


def is_rewritten(module: ModuleType) -> bool:
    """Say whether pytest has rewritten the assertions of a module, as it does for test modules."""
    spec = (namespace_of(module) or {}).get("__spec__")
    return type(getattr(spec, "loader", None)).__name__ == "AssertionRewritingHook"


def _top_level_names(roots: Iterable[str]) -> frozenset[str]:
    return frozenset([name.partition(".")[0] for root in roots for name in os.listdir(root)])
