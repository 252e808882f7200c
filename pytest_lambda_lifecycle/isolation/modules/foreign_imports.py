"""Imports of code outside the task root: what function code finds of it, and what it does not.

While a phase runs, `sys.path` has no foreign entries (see `SearchPath`), so an import of code that
is not deployed ends as on Lambda.  The finder here does the rest:

* It finds bundled code, which only those entries lead to.
* The test, its helpers and its tools go on importing from their own path, also on the function's
  thread: in a mock's side effect, in an extension.  They get the modules that they have already,
  which are out of `sys.modules` while the environment is entered, so no second copy comes about.
* It notes what function code has asked for in vain.
"""

from __future__ import annotations

import importlib.abc
import os
import sys
from collections.abc import Callable, Container, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.isolation.folders import real

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.deployment import Deployment
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["ForeignImports"]

_IMPORT_SYSTEM: Final = ("<frozen importlib", "<frozen zipimport")


class ForeignImports:
    """Finds modules outside the function's own folders, for the function and for the test."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        *,
        runs: Callable[[], bool],
        is_function: Callable[[FrameType | None], bool],
        note: Callable[[str, str, str, bool], None],
        test_folders: Container[str],
    ) -> None:
        """``runs`` says whether a phase of the environment runs, and ``is_function`` who calls.

        ``note`` is called with the name of a module that is not deployed, its file, the entry of
        `sys.path` that leads to it, and whether function code was refused it.  A module file (no
        package) in one of ``test_folders`` may be a stand-in, and is found.
        """
        self._world = world
        self._deployment = deployment
        self._runs = runs
        self._is_function = is_function
        self._note = note
        self._test_folders = test_folders

    def find_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Return the spec of a module that is bundled, or that the test imports for itself."""
        __tracebackhide__ = True
        deployment = self._deployment
        if not deployment.foreign and not deployment.bundles:
            return None
        outside = self._world.foreign(name)
        if not self._runs():
            return _borrowed(name, outside)
        if path is not None and not deployment.is_cut(name):
            return _borrowed(name, outside) if self._is_for_test(outside) else None
        if path is None:
            if name in self._world.names:
                return None
            places = deployment.places_of(name)
            spec = PathFinder.find_spec(name, places) if places else None
            if spec is not None:
                return spec
        found = deployment.find(name)
        if found is None:
            return None
        if not self._is_function(_importer()):
            if outside is not None:
                return _borrowed(name, outside)
            return PathFinder.find_spec(name, path or deployment.places)
        if found[1] in sys.path and deployment.hides:  # function code has added it
            return None
        beside = self._beside_tests(name, *found) if path is None else None
        if deployment.hides or PathFinder.find_spec(name, self._deployed_path()) is None:
            self._note(name, *found, deployment.hides and beside is None)
        if beside is not None:
            return beside
        if path is not None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

    def _beside_tests(self, name: str, place: str, entry: str) -> ModuleSpec | None:
        """Return the spec of a module file that lies in the folder of a test."""
        folder = place.rpartition(os.sep)[0]
        if not self._deployment.hides or real(folder) not in self._test_folders:
            return None
        spec = PathFinder.find_spec(name, [folder])
        return spec if spec is not None and spec.submodule_search_locations is None else None

    def _is_for_test(self, outside: ModuleType | None) -> bool:
        return outside is not None and not self._is_function(_importer())

    def _deployed_path(self) -> list[str]:
        foreign = self._deployment.foreign
        return [entry for entry in sys.path if entry not in foreign]


def _importer() -> FrameType | None:
    """Return the frame that imports, below the import system and this package."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_IMPORT_SYSTEM) and not file.startswith(_OWN):
            return frame
        frame = frame.f_back
    return None


_OWN: Final = __file__.rpartition("isolation")[0] + "isolation"


def _borrowed(name: str, module: ModuleType | None) -> ModuleSpec | None:
    """Return a spec whose loader returns a module that exists already."""
    if module is None:
        return None
    spec = ModuleSpec(name, _Borrowing(module), is_package=hasattr(module, "__path__"))
    spec.origin = getattr(module, "__file__", None)
    return spec


class _Borrowing(importlib.abc.Loader):
    """Loads a module that was imported before, and leaves it as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
