"""Calls back around the import of named modules."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable, Container, Iterable, Sequence
from importlib.machinery import FileFinder, ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.modules.kept_code import find_again, offer
from pytest_lambda_lifecycle.isolation.modules.watched_namespace import (
    WatchedNamespace,
    code_of,
)
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["ImportHook", "find_spec", "list_again", "module_length"]


class ImportHook(importlib.abc.MetaPathFinder):
    """Calls back when a named module has been executed, before its importers can bind its names.

    It delegates to the other finders, so that pytest's assertion rewriting and editable installs go
    on working.
    """

    def __init__(self) -> None:
        self._callbacks: list[tuple[Container[str], Callable[[ModuleType], None]]] = []
        self._names: dict[str, list[tuple[str, Callable[[ModuleType], None]]]] = {}
        self.foreign: Callable[[str, Sequence[str] | None], ModuleSpec | None] | None = None
        """Called first with a name and the path to search; may return a spec, or raise."""
        self.before: Callable[[str], None] | None = None
        """Called with the name of each module before it is looked for."""
        self.kept: Container[str] = ()
        """The names of modules whose code is kept for the next cold start."""
        self.guard: Callable[[str], None] | None = None
        """Called with the name of each module before it is looked for; may raise."""
        self.began: Callable[[str], None] | None = None
        """Called first with the name of each module, while Init runs."""

    def add(self, callback: Callable[[ModuleType], None], names: Container[str]) -> None:
        """Call back with each of the modules ``names`` after each of its executions."""
        self._callbacks.append((names, callback))

    def add_name(self, module: str, name: str, callback: Callable[[ModuleType], None]) -> None:
        """Call back whenever the code of a module binds one of its names, while it is executed."""
        self._names.setdefault(module, []).append((name, callback))

    def clear(self) -> None:
        """Forget the callbacks."""
        self._callbacks = []
        self._names = {}
        self.before = self.guard = self.foreign = self.began = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of another finder with its loader wrapped, for names with callbacks."""
        __tracebackhide__ = True
        if self.began is not None:
            self.began(fullname)
        if self.before is not None:
            self.before(fullname)
        found = self.foreign(fullname, path) if self.foreign is not None else None
        if self.guard is not None:
            self.guard(fullname)
        callbacks = [callback for names, callback in self._callbacks if fullname in names]
        spec = found
        is_kept = spec is None and fullname in self.kept
        if is_kept:
            spec = found = find_again(fullname, path, target, skip=self)
        if callbacks and spec is None:
            spec = find_spec(fullname, path, target, skip=self)
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            return found
        if is_kept:
            offer(spec)
        if not callbacks:
            return spec
        spec.loader = _CallingLoader(spec.loader, callbacks, self._names.get(fullname, ()))
        return spec


class _CallingLoader(importlib.abc.Loader):
    """Stands in for a loader during one execution; then the real one is back in its places."""

    def __init__(
        self,
        loader: importlib.abc.Loader,
        callbacks: Iterable[Callable[[ModuleType], None]],
        names: Sequence[tuple[str, Callable[[ModuleType], None]]],
    ) -> None:
        self._loader = loader
        self._callbacks = callbacks
        self._names = names

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        module: ModuleType | None = create(spec) if create is not None else None
        return module

    def exec_module(self, module: ModuleType) -> None:
        __tracebackhide__ = __function_code_above__ = True
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        code = code_of(module, self._loader) if self._names else None
        if code is None:
            self._loader.exec_module(module)
        else:
            exec(code, vars(module), WatchedNamespace(module, self._names))
        for callback in self._callbacks:
            callback(module)


def find_spec(
    name: str, path: Sequence[str] | None, target: ModuleType | None = None, *, skip: object = None
) -> ModuleSpec | None:
    """Ask the finders on `sys.meta_path` in order, importing nothing."""
    for finder in sys.meta_path:
        method = getattr(finder, "find_spec", None)
        if finder is skip or method is None:
            continue
        spec: ModuleSpec | None = method(name, path, target)
        if spec is not None:
            return spec
    return None


def module_length(parts: Sequence[str], path: Sequence[str], *, skip: object = None) -> int:
    """Say how many of the leading ``parts`` of a dotted name are modules, importing nothing.

    ``path`` are the folders to look in for the first part.
    """
    for length in range(len(parts)):
        name = ".".join(parts[: length + 1])
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            spec = find_spec(name, None if length == 0 else path, skip=skip)
        if spec is None:
            return length
        if spec.submodule_search_locations is None:
            return length + 1
        path = list(spec.submodule_search_locations)
    return len(parts)


_GRANULARITY_S: Final = 10
"""Seconds; file systems note a change to 2 s, by a clock that may be another machine's."""
_listed_after: Final[WeakKeyDictionary[Any, float]] = WeakKeyDictionary()
"""The time after which a finder has listed its folder, or will list it."""
_ALWAYS: Final = float("inf")


def list_again(folders: Iterable[str]) -> None:
    """Let the import system list these folders, and those below them, again.

    Somebody may have written a module just now.  A finder lists its folder again when the time of
    the folder's change is another one, but two changes may bear the same time.  So the finder has
    to be asked.  (`importlib.invalidate_caches` would ask the finders of all folders.)  Once it has
    listed a folder that had not changed for long enough, its list is complete.
    """
    cache = sys.path_importer_cache
    for folder in folders:
        for path in [path for path in cache if path.startswith(folder)]:
            finder: Any = cache[path]
            if finder is None:  # it was no folder when somebody asked for it
                del cache[path]
                continue
            if type(finder) is FileFinder:
                changed = getattr(finder, "_path_mtime", _ALWAYS)
                if changed < _listed_after.get(finder, 0) - _GRANULARITY_S:
                    continue
                _listed_after[finder] = RealTime.time_ns() / 1e9
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()
