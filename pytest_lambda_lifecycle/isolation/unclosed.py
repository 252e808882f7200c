"""What function code has left open when its process ends: on Lambda nobody complains of that.

A function keeps its database connection, its file, its event loop open on purpose.  Here its
objects outlive the process until they are freed, those of modules by the garbage collector in some
later test, and each would warn then that nobody has closed it.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final
from weakref import ref

__all__ = ["ended", "freeing", "sweep"]

_QUIET: Final[Any] = ("ignore", None, ResourceWarning, None, 0)
_MARK: Final = "__lambda_lifecycle_ended__"
_waiting: Final[set[ref[Any]]] = set()
"""Processes that have ended, of whose modules something is still there."""
_quieted: Final[list[list[Any]]] = []
"""The list of filters that `_QUIET` is in while the collector runs."""


class _Ended:
    """Lies in the namespace of each module of a process, and so lasts as long as any of them."""

    __slots__ = ("__weakref__",)


@contextmanager
def freeing() -> Iterator[None]:
    """Free objects of a process that has ended."""
    filters: Any = warnings.filters
    filters.insert(0, _QUIET)
    try:
        yield
    finally:
        _remove_from(filters)


def ended(modules: Iterable[ModuleType]) -> None:
    """Be told of modules whose process has ended: whatever is freed with them does not warn."""
    mark = _Ended()
    for module in modules:
        namespace = getattr(module, "__dict__", None)
        if type(namespace) is dict:  # anything may sit in sys.modules
            namespace[_MARK] = mark
    _waiting.add(ref(mark, _waiting.discard))
    if _collecting not in gc.callbacks:
        gc.callbacks.append(_collecting)


def sweep() -> None:
    """Be called by the garbage collector no more, if nothing is left.

    Not to be called by it: who takes itself out there makes it leave out the next one.
    """
    if not _waiting and _collecting in gc.callbacks:
        gc.callbacks.remove(_collecting)


def _collecting(phase: str, _: dict[str, int]) -> None:
    if phase == "start" and _waiting:
        filters: Any = warnings.filters
        filters.insert(0, _QUIET)
        _quieted.append(filters)
    while phase == "stop" and _quieted:
        _remove_from(_quieted.pop())


def _remove_from(filters: list[Any]) -> None:
    with suppress(ValueError):  # somebody has emptied it meanwhile
        filters.remove(_QUIET)
