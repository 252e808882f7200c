"""`sys.meta_path`, `sys.path_hooks` and `sys.path_importer_cache`: our hook, and changes to them.

Entries of the function leave with the environment and return with it.  A list does not show which
code has added an entry, so the origin of the entry decides: it belongs to the function if its class
or function does, or if it is a plain finder of the standard library.  Entries that a shared library
adds at its import stay (six adds one), and so do those of a test.

We cannot tell whether the function or a test has removed an entry.  So only entries that existed
when this package was imported, before any test, count as removed by the function, and others only
together with one of these (``sys.meta_path.clear()``).
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
    """Puts `ImportHook` first, and takes the function's entries out with the environment."""

    def __init__(self, hook: ImportHook, own: Callable[[str], ModuleType | None]) -> None:
        self._hook = hook
        self._own = own
        self._finders = _Changes()
        self._path_hooks = _Changes()

    def enter(self) -> Undo:
        finders = sys.meta_path
        path_hooks = sys.path_hooks
        cache = sys.path_importer_cache
        finders_before = list(finders)
        path_hooks_before = list(path_hooks)
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
            changed = sys.path_hooks is not path_hooks or path_hooks != path_hooks_before
            if self._path_hooks or changed:
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
    """Say whether a finder is removed by ``sys.meta_path.pop(0)``, so that it has to stay first."""
    return type(finder).__module__.startswith("pyfakefs.")


def _forget_strange(cache: dict[str, Any], before: dict[str, Any]) -> None:
    """Forget finders that somebody has put there; the import system asks its path hooks again."""
    for path in [path for path, finder in cache.items() if before.get(path, cache) is not finder]:
        if type(cache[path]).__module__ not in _IMPORT_SYSTEM:
            del cache[path]


class _Changes:
    """The function's changes to a list: entries before and after the others, and removed ones."""

    def __init__(self) -> None:
        self._first: list[Any] = []
        self._last: list[Any] = []
        self._removed: list[Any] = []

    @classmethod
    def find(cls, now: list[Any], before: list[Any], is_own: Callable[[object], bool]) -> _Changes:
        changes = cls()
        if now == before:
            return changes
        removed = [one for one in before if not _among(now, one)]
        if any(_among(_FINDERS_AT_START, one) for one in removed):
            changes._removed = removed
        for index, entry in enumerate(now):
            if not _among(before, entry) and is_own(entry):
                at_front = not any(_among(before, other) for other in now[:index])
                (changes._first if at_front else changes._last).append(entry)
        return changes

    def __bool__(self) -> bool:
        return bool(self._first or self._last or self._removed)

    def around(self, entries: list[Any]) -> list[Any]:
        """Return the function's list, made of the list of outside."""
        kept = [entry for entry in entries if not _among(self._removed, entry)]
        return [*self._first, *kept, *self._last]

    def undone(self, entries: list[Any], before: list[Any]) -> list[Any]:
        """Return the list of outside, made of the list of the function.

        Removed entries return to the places that they had ``before``.
        """
        if not self:
            return entries
        own = [*self._first, *self._last]
        outside = [entry for entry in entries if not _among(own, entry)]
        for index, entry in enumerate(before):
            if _among(self._removed, entry):
                following = [other for other in before[index + 1 :] if _among(outside, other)]
                outside.insert(outside.index(following[0]) if following else len(outside), entry)
        return outside


def _among(entries: list[Any] | tuple[Any, ...], entry: object) -> bool:
    return any(one is entry for one in entries)
