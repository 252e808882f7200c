"""`sys.meta_path` and `sys.path_hooks`: our hook, and what function code adds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle.importing import ImportHook
from pytest_lambda_lifecycle.undoing import Undo

__all__ = ["Finders"]

_IMPORT_SYSTEM = ("importlib", "_frozen_importlib", "zipimport")


class Finders:
    """Takes out with the environment what its function has added, and puts it back with it; `ImportHook` comes first.

    What a shared library adds while it is imported stays (six does), as what a test adds does: an entry is the
    function's if its class or function is, or if it is a plain finder of the standard library.
    """

    def __init__(self, hook: ImportHook, own: Callable[[str], ModuleType | None]) -> None:
        self._hook = hook
        self._own = own
        self._finders = _Added()
        self._path_hooks = _Added()

    def enter(self) -> Undo:
        finders, path_hooks = sys.meta_path, sys.path_hooks
        finders_before, path_hooks_before = list(finders), list(path_hooks)
        finders[:] = [self._hook, *self._finders.around(finders)]
        if self._path_hooks:
            path_hooks[:] = self._path_hooks.around(path_hooks)
            sys.path_importer_cache.clear()

        def leave() -> None:
            now = [finder for finder in sys.meta_path if finder is not self._hook]
            self._finders = _Added.find(now, finders_before, self._is_own)
            sys.meta_path = finders
            finders[:] = self._finders.without(now)
            if self._path_hooks or sys.path_hooks is not path_hooks or path_hooks != path_hooks_before:
                hooks_now = list(sys.path_hooks)
                self._path_hooks = _Added.find(hooks_now, path_hooks_before, self._is_own)
                sys.path_hooks = path_hooks
                path_hooks[:] = self._path_hooks.without(hooks_now)
                sys.path_importer_cache.clear()

        return leave

    def discard(self) -> None:
        self._finders = _Added()
        self._path_hooks = _Added()

    def _is_own(self, entry: object) -> bool:
        module = str(getattr(entry, "__module__", ""))
        return module.partition(".")[0] in _IMPORT_SYSTEM or self._own(module) is not None


class _Added:
    """Entries of a list that come before and after those of the outside."""

    def __init__(self) -> None:
        self._first: list[Any] = []
        self._last: list[Any] = []

    @classmethod
    def find(cls, now: list[Any], before: list[Any], is_own: Callable[[object], bool]) -> _Added:
        added = cls()
        if now == before:
            return added
        for index, entry in enumerate(now):
            if not _among(before, entry) and is_own(entry):
                at_front = not any(_among(before, other) for other in now[:index])
                (added._first if at_front else added._last).append(entry)
        return added

    def __bool__(self) -> bool:
        return bool(self._first or self._last)

    def around(self, entries: list[Any]) -> list[Any]:
        return [*self._first, *entries, *self._last]

    def without(self, entries: list[Any]) -> list[Any]:
        if not self:
            return entries
        return [entry for entry in entries if not _among(self._first, entry) and not _among(self._last, entry)]


def _among(entries: list[Any], entry: object) -> bool:
    return any(one is entry for one in entries)
