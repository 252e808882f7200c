"""Attributes that a tracer replaces in shared modules that nobody else watches.

A tracer wraps functions and classes of any library: Flask, SQLAlchemy, redis, sqlite3.  As each
cold start imports the tracer afresh, it finds nothing wrapped in its own records, and would wrap
the wrapper of the process before, whose tracer is gone.  So the wrappers go with the environment.

To watch all modules would make each cold start slower, so it begins just before function code
imports a package that may wrap others.  From then on, what each shared module and its classes hold
is known; at the end, a value counts whose code is the function's, or that of a fresh package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
    namespace_of,
)
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook
from pytest_lambda_lifecycle.isolation.modules.namespaces import (
    ABSENT,
    NOTHING,
    WATCHED,
    Change,
    Content,
    Entry,
    entries_of,
)

__all__ = ["TracedModules", "home_of"]

_WRAPT: Final = frozenset({"wrapt", "_wrappers"})
"""The package, and its compiled module, which names its classes so."""
_KNOWN: Final[dict[str, tuple[ModuleType, list[Entry]]]] = {}
"""The namespaces of installed modules, with their classes."""


class TracedModules:
    """What the shared modules hold, from the import of the first tracer of a process on."""

    def __init__(
        self,
        hook: ImportHook,
        own: Callable[[str], ModuleType | None],
        may_wrap: Callable[[str], bool],
    ) -> None:
        """``may_wrap`` says of a module that is about to be imported whether it may wrap others."""
        self._hook = hook
        self._own = own
        self._may_wrap = may_wrap
        self._before: list[tuple[Entry, Content]] = []
        self._active = False
        hook.before = self._importing
        hook.add(self._executed, self)

    def __contains__(self, name: object) -> bool:
        """Say whether the import hook has to call back once this module has been executed."""
        return self._active

    def _importing(self, name: str) -> None:
        if not self._may_wrap(name):
            return
        self._hook.before = None
        self._active = True
        for loaded, module in list(sys.modules.items()):
            self._add(loaded, module)

    def _executed(self, module: ModuleType) -> None:
        if self._active:
            self._add(module.__name__, module, is_executed=True)

    def _add(self, name: str, module: Any, *, is_executed: bool = False) -> None:  # noqa: ANN401  # whatever lies there
        if type(module) is not ModuleType or WATCHED.get(name, ()) is None:
            return
        if self._own(name) is not None or (not is_executed and _is_being_executed(module)):
            return
        self._before += [
            (entry, NOTHING.of(entry[2])) for entry in _entries_of_shared(name, module)
        ]

    def changes(self) -> Iterator[Change]:
        """Yield what code of the process has put into shared modules."""
        for (owner, _, space), before in self._before:
            now = before.of(space)
            if now is before:
                continue
            found = list(before.changes(owner, now))
            wrapped = [one for one in found if self._is_own(one.now)]
            yield from wrapped
            # Some set a flag beside it, so that they wrap once.
            if wrapped:
                yield from (one for one in found if one.before is ABSENT and one.now is True)

    def _is_own(self, value: object) -> bool:
        return not isinstance(value, ModuleType) and self._own(home_of(value)) is not None

    def discard(self) -> None:
        """Forget a process that has ended."""
        self._before = []
        self._active = False
        self._hook.before = self._importing


def _is_being_executed(module: ModuleType) -> bool:
    """Say whether a module is the one that imports the tracer, and so has more names later."""
    spec = (namespace_of(module) or {}).get("__spec__")
    return bool(getattr(spec, "_initializing", False))


def _entries_of_shared(name: str, module: ModuleType) -> list[Entry]:
    known = _KNOWN.get(name)
    if known is not None and known[0] is module:
        return known[1]
    entries = list(entries_of(name, module))
    folder = folder_of_module(module)
    if folder is not None and is_installed(folder):
        _KNOWN[name] = module, entries
    return entries


def home_of(value: Any) -> str:  # noqa: ANN401  # anything that code has put somewhere
    """Return the name of the module whose code a value runs, whatever it says of itself.

    `functools.wraps` gives a wrapper the name of the module that it patches, and wrapt's wrappers
    look like what they wrap.
    """
    try:
        if type(value).__module__.partition(".")[0] in _WRAPT:
            value = object.__getattribute__(value, "_self_wrapper")
        value = value.func if isinstance(value, partial) else value
        if isinstance(value, (MethodType, classmethod, staticmethod)):
            value = value.__func__
        if isinstance(value, FunctionType):
            return str(value.__globals__.get("__name__", ""))
        return str(value.__module__ if isinstance(value, type) else type(value).__module__)
    except Exception:  # an object whose attributes raise
        return ""
