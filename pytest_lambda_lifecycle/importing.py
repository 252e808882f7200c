"""Calls back around the import of named modules."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["ImportHook", "find_spec"]


class ImportHook(importlib.abc.MetaPathFinder):
    """Calls back when a named module has been executed, before anyone who imports it can bind its names.

    It delegates to the other finders, so pytest's assertion rewriting and editable installs keep working.
    """

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[[ModuleType], None]]] = {}
        self.guard: Callable[[str], None] | None = None
        """Called with the name of each module before it is looked for; may raise."""

    def add(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        """Call back with module ``name`` after each of its executions."""
        self._callbacks.setdefault(name, []).append(callback)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Wrap the loader of a spec that another finder answers, for the names that somebody waits for."""
        if self.guard is not None:
            self.guard(fullname)
        callbacks = self._callbacks.get(fullname)
        spec = find_spec(fullname, path, target, skip=self) if callbacks else None
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            return None
        spec.loader = _CallingLoader(spec.loader, callbacks or [])
        return spec


class _CallingLoader(importlib.abc.Loader):
    """Stands in for a loader during one execution, then puts the real one back where others look for it."""

    def __init__(self, loader: importlib.abc.Loader, callbacks: list[Callable[[ModuleType], None]]) -> None:
        self._loader = loader
        self._callbacks = callbacks

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        module: ModuleType | None = create(spec) if create is not None else None
        return module

    def exec_module(self, module: ModuleType) -> None:
        __tracebackhide__ = True
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
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
