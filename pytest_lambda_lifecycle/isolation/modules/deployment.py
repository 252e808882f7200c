"""Which code outside the task root and the layers is deployed with the function.

On Lambda, `sys.path` leads to the task root, the layers, the runtime's packages and the standard
library.  The `sys.path` of a test leads to more: to the rootdir, to the folders of tests, to
whatever ``pythonpath``, ``PYTHONPATH`` and conftest files add.  An entry there is *foreign* unless
it holds installed packages, or an editable install has put it there.

Modules that were found through such entries are function code too, if function code may import
them at all: they are imported afresh.  A module that lies elsewhere under its name was put into
`sys.modules` by hand, and is left alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.isolation.folders import (
    PACKAGE_FOLDERS,
    inside,
    is_installed,
    namespace_of,
    real,
)
from pytest_lambda_lifecycle.isolation.modules.replaced import is_genuine

__all__ = ["Bundle", "Deployment"]

_OF_LAUNCHERS: Final = (
    *("pydev", "_pydev", "debugpy", "_jb_", "teamcity", "vscode_pytest", "run_pytest_script"),
    *("sitecustomize", "usercustomize"),
)
"""Modules of debuggers and editors, which come by ``PYTHONPATH`` as the code of a project does."""
_SHARED: Final = frozenset(
    "pytest _pytest moto responses coverage hypothesis freezegun time_machine vcr betamax placebo "
    "requests_mock respx httpretty mocket aioresponses requests urllib3 httpx httpcore aiohttp "
    "boto3 botocore s3transfer aiobotocore aioboto3".split()
)
"""Tools of the test and client libraries: a second copy would not have the mocks of the first.

A developer of one of these has it as an editable install.
"""
_homes: Final[set[str]] = set()
"""The folders that `sys.path` has led to, of tests that have used an environment."""


class Bundle(NamedTuple):
    """Code that the build copies into the function (the setting ``bundled``)."""

    parts: tuple[str, ...]
    """The dotted name of a module or package."""
    where: str = ""
    """The folder that the name starts in; ``""`` for the entries of the tests' `sys.path`."""

    def has(self, parts: Sequence[str]) -> bool:
        """Say whether a dotted name is this one, lies inside it, or is a package above it."""
        length = min(len(parts), len(self.parts))
        return tuple(parts[:length]) == self.parts[:length]


class Deployment:
    """The foreign entries of the tests' `sys.path`, and what is deployed of them."""

    def __init__(self, bundled: Iterable[str | Path], *, hides: bool) -> None:
        """``hides`` says whether function code finds nothing in foreign entries."""
        self.hides = hides
        self.folders: list[str] = []
        """Bundled folders whose content lies beside the function's own modules."""
        self.bundles: list[Bundle] = []
        for one in bundled:
            self._bundle(one)
        self.roots: frozenset[str] = frozenset()
        """The folders of the function itself."""
        self.foreign: tuple[str, ...] = ()
        """The foreign entries of the tests' `sys.path`, when the environment entered."""
        self.places: tuple[str, ...] = ()
        """The same as absolute paths: the working directory differs while function code runs."""
        self._foreign_homes: frozenset[str] = frozenset()

    def _bundle(self, value: str | Path) -> None:
        if isinstance(value, str):
            self.bundles.append(Bundle(tuple(value.split("."))))
            return
        folder = real(str(value))
        entries = {real(os.path.abspath(entry)) for entry in sys.path if entry}
        if folder in entries:
            self.folders.append(folder)
            return
        above = [entry for entry in entries if inside(folder, entry) and not is_installed(entry)]
        where = max(above, key=len, default="")
        if not where and not os.path.isfile(os.path.join(folder, "__init__.py")):
            self.folders.append(folder)
            return
        where = where or os.path.dirname(folder)
        self.bundles.append(Bundle(tuple(os.path.relpath(folder, where).split(os.sep)), where))

    def look(self) -> None:
        """Look at `sys.path`, which is that of the test now."""
        path = tuple(sys.path)
        cwd = ""
        if _has_relative(path):
            with suppress(OSError):  # it may be gone
                cwd = os.getcwd()
        self.foreign, self.places, self._foreign_homes = _foreign_in(path, cwd, self.roots)

    def kind(self) -> tuple[object, ...]:
        """Return what decides the answers of `is_code`."""
        return tuple(self.bundles), len(_homes), len(sys.meta_path)

    def is_code(self, name: str, module: ModuleType, folder: str) -> bool:
        """Say whether a module is code of the project, found through `sys.path`.

        ``folder`` is the one that it was loaded from.  It lies in no root of the function.
        """
        if is_installed(folder) or name.startswith(_OF_LAUNCHERS) or not is_genuine(name, module):
            return False
        if name.partition(".")[0] in _SHARED:
            return False
        home = _home_of(name, module, folder)
        if home in _homes or any(bundle.where == home for bundle in self.bundles):
            return True
        return _is_editable(name)

    def is_foreign(self, name: str, module: ModuleType, folder: str) -> bool:
        """Say whether function code cannot import such a module, which is not deployed."""
        if not self.hides or _home_of(name, module, folder) not in self._foreign_homes:
            return False
        return not self.is_bundled(name) and not _is_editable(name)

    def is_bundled(self, name: str) -> bool:
        """Say whether a module, or one inside it, is named by the setting ``bundled``."""
        parts = name.split(".")
        return any(bundle.has(parts) for bundle in self.bundles)

    def is_cut(self, name: str) -> bool:
        """Say whether a submodule is missing from a package that is bundled in part."""
        top = name.partition(".")[0]
        return any(one.parts[0] == top for one in self.bundles) and not self.is_bundled(name)

    def places_of(self, top: str) -> list[str]:
        """Return the folders in which a bundled module or package lies."""
        found: list[str] = []
        for bundle in self.bundles:
            if bundle.parts[0] == top:
                found += [bundle.where] if bundle.where else self.places
        return found

    def search_folders(self) -> list[str]:
        """Return the folders that only this setting leads to."""
        return [bundle.where for bundle in self.bundles if bundle.where]

    def find(self, name: str) -> tuple[str, str] | None:
        """Find a module in the foreign entries, importing nothing: its place, and the entry."""
        for entry, start in zip(self.foreign, self.places, strict=True):
            path = [start]
            place = ""
            for part in name.split("."):
                spec = PathFinder.find_spec(part, path)
                if spec is None:
                    break
                path = list(spec.submodule_search_locations or ())
                place = path[0] if path else spec.origin or ""
            else:
                return place, entry
        return None


@lru_cache(maxsize=64)
def _has_relative(path: tuple[str, ...]) -> bool:
    return not all(map(os.path.isabs, path))


@lru_cache(maxsize=64)
def _foreign_in(
    path: tuple[str, ...], cwd: str, roots: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Return the foreign entries of a path, the same as absolute paths, and their real folders.

    The folders of the function's own ``roots`` are among the latter alone.
    """
    editable = frozenset(map(real, _editable_entries(path)))
    entries: list[tuple[str, str]] = []
    homes: set[str] = set()
    for entry in path:
        place = os.path.join(cwd, entry)
        folder = real(place)
        if not os.path.isdir(folder) or is_installed(folder) or folder in editable:
            continue
        if _holds_distributions(folder):
            continue
        homes.add(folder)
        if folder not in roots:
            entries.append((entry, place))
    _homes.update(homes, editable)
    return (
        tuple(entry for entry, _ in entries),
        tuple(place for _, place in entries),
        frozenset(homes),
    )


def _holds_distributions(folder: str) -> bool:
    """Say whether packages were installed into a folder, as by ``pip install --target``."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith(".dist-info") for entry in entries)
    except OSError:
        return False


def _editable_entries(path: Iterable[str]) -> list[str]:
    """Return the folders that the ``.pth`` files of installed packages add to a path."""
    found: list[str] = []
    for folder in path:
        if os.path.basename(folder) in PACKAGE_FOLDERS:
            for line in _lines_of_pth_files(folder):
                entry = os.path.join(folder, line)
                if os.path.isdir(entry):
                    found.append(entry)
    return found


def _lines_of_pth_files(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            files = [entry.path for entry in entries if entry.name.endswith(".pth")]
        for file in files:
            with open(file, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.strip() and not line.startswith(("#", "import ", "import\t")):
                        yield line.strip()
    except OSError:
        return


def _home_of(name: str, module: ModuleType, folder: str) -> str:
    """Return the folder that leads to a module by its dotted name; ``""`` if none does.

    Function code may have replaced functions of `os.path`, so that text is all there is.
    """
    namespace = namespace_of(module) or {}
    last = name.rpartition(".")[2]
    if "__path__" in namespace:
        folder, _, own = folder.rpartition(os.sep)
    else:
        own = str(namespace.get("__file__")).rpartition(os.sep)[2].partition(".")[0]
    if own != last:
        return ""
    for _ in range(name.count(".")):
        folder = folder.rpartition(os.sep)[0]
    return folder or os.sep


def _is_editable(name: str) -> bool:
    """Say whether the finder of an editable install leads to a module.

    setuptools, hatchling, meson-python and scikit-build-core each have one of their own.
    """
    top = name.partition(".")[0]
    for finder in sys.meta_path:
        module = str(getattr(finder, "__module__", ""))
        if "editable" in module.rpartition(".")[2] and finder.find_spec(top, None) is not None:
            return True
    return False
