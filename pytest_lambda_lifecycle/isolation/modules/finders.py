"""`sys.meta_path`, `sys.path_hooks` and `sys.path_importer_cache`: our hook, and what function code
changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle import _FINDERS_AT_START
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Finders"]

_IMPORT_SYSTEM = ("importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport")


class Finders(Part):
    """Takes out with the environment what its function has added, and puts it back with it;
    `ImportHook` comes first.

    What a shared library adds while it is imported stays (six does), as what a test adds does: an
    entry is the function's if its class or function is, or if it is a plain finder of the standard
    library.  Nor is it told who takes one out, a test that has ended its own use of it or the
    function: what was there when this package was imported, before any test, is the one that no
    test may take out.
    """

    def __init__(self, hook: ImportHook, own: Callable[[str], ModuleType | None]) -> None:
        self._hook = hook
        self._own = own
        self._finders = _Changes()
        self._path_hooks = _Changes()

    def enter(self) -> Undo:
        finders, path_hooks, cache = sys.meta_path, sys.path_hooks, sys.path_importer_cache
        finders_before, path_hooks_before = list(finders), list(path_hooks)
        front = [finder for finder in finders[:1] if _pops_itself(finder)]
        finders[:] = [*front, self._hook, *self._finders.around(finders[len(front) :])]
        if self._path_hooks:
            path_hooks[:] = self._path_hooks.around(path_hooks)
            cache.clear()
        cached = dict(cache)

        def leave() -> None:
            now = [finder for finder in sys.meta_path if finder is not self._hook]
            self._finders = _Changes.find(now, finders_before, self._is_own)
            sys.meta_path = finders
            finders[:] = self._finders.undone(now, finders_before)
            sys.path_importer_cache = cache
            if (
                self._path_hooks
                or sys.path_hooks is not path_hooks
                or path_hooks != path_hooks_before
            ):
                hooks_now = list(sys.path_hooks)
                self._path_hooks = _Changes.find(hooks_now, path_hooks_before, self._is_own)
                sys.path_hooks = path_hooks
                path_hooks[:] = self._path_hooks.undone(hooks_now, path_hooks_before)
                cache.clear()
            elif cache != cached:
                _forget_strange(cache, cached)

        return leave

    def discard(self) -> None:
        self._finders = _Changes()
        self._path_hooks = _Changes()

    def _is_own(self, entry: object) -> bool:
        module = str(getattr(entry, "__module__", "sys"))
        if module.partition(".")[0] in _IMPORT_SYSTEM or self._own(module) is not None:
            return True
        return module not in sys.modules  # its import has failed, and that was function code


def _pops_itself(finder: object) -> bool:
    """Say whether a finder is taken out by ``sys.meta_path.pop(0)``: it has to stay the first."""
    return type(finder).__module__.startswith("pyfakefs.")


def _forget_strange(cache: dict[str, Any], before: dict[str, Any]) -> None:
    """Forget finders that somebody has put there by hand; the import system asks its path hooks
    again.
    """
    for path in [path for path, finder in cache.items() if before.get(path, cache) is not finder]:
        if type(cache[path]).__module__ not in _IMPORT_SYSTEM:
            del cache[path]


class _Changes:
    """Entries of a list that come before and after those of the outside, and those of the outside
    that are missing.
    """

    def __init__(self) -> None:
        self._first: list[Any] = []
        self._last: list[Any] = []
        self._removed: list[Any] = []

    @classmethod
    def find(cls, now: list[Any], before: list[Any], is_own: Callable[[object], bool]) -> _Changes:
        changes = cls()
        if now == before:
            return changes
        changes._removed = [
            one for one in before if _among(_FINDERS_AT_START, one) and not _among(now, one)
        ]
        for index, entry in enumerate(now):
            if not _among(before, entry) and is_own(entry):
                at_front = not any(_among(before, other) for other in now[:index])
                (changes._first if at_front else changes._last).append(entry)
        return changes

    def __bool__(self) -> bool:
        return bool(self._first or self._last or self._removed)

    def around(self, entries: list[Any]) -> list[Any]:
        """Make the function's list of the outside's."""
        kept = (
            [entry for entry in entries if not _among(self._removed, entry)]
            if self._removed
            else entries
        )
        return [*self._first, *kept, *self._last]

    def undone(self, entries: list[Any], before: list[Any]) -> list[Any]:
        """Make the outside's list of what is there; what is put back stands where it stood
        ``before``.
        """
        if not self:
            return entries
        outside = [
            entry
            for entry in entries
            if not _among(self._first, entry) and not _among(self._last, entry)
        ]
        for index, entry in enumerate(before):
            if _among(self._removed, entry):
                following = [other for other in before[index + 1 :] if _among(outside, other)]
                outside.insert(outside.index(following[0]) if following else len(outside), entry)
        return outside


def _among(entries: list[Any] | tuple[Any, ...], entry: object) -> bool:
    return any(one is entry for one in entries)
