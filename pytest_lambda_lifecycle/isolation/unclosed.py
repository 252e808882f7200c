"""Keeps warnings about unclosed resources of ended processes away from later tests.

A function keeps its database connection, its file and its event loop open on purpose, and on Lambda
nobody complains when its process ends.  Here its objects outlive that process until they are freed.
Objects of its modules are freed by the garbage collector during some later test, and each would
warn then that nobody has closed it, which with warnings as errors fails that test.  To collect
garbage at the end of each environment would take longer than a whole cold start.  So a callback of
the collector ignores `ResourceWarning` while it runs, as long as any module of an ended process
exists.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final
from weakref import ref

from pytest_lambda_lifecycle.isolation.folders import namespace_of

__all__ = ["ended", "freeing", "sweep"]

_QUIET: Final[Any] = ("ignore", None, ResourceWarning, None, 0)
_MARK: Final = "__lambda_lifecycle_ended__"
_waiting: Final[set[ref[Any]]] = set()
"""Marks of ended processes of which some module still exists."""
_quieted: Final[list[list[Any]]] = []
"""The list of filters that `_QUIET` is in while the collector runs."""


class _Ended:
    """A mark in the namespace of each module of a process; it exists as long as any of them."""

    __slots__ = ("__weakref__",)


@contextmanager
def freeing() -> Iterator[None]:
    """Free objects of a process that has ended."""
    filters: Any = getattr(warnings, "filters", None)
    if type(filters) is not list:  # function code has put something else there
        yield
        return
    filters.insert(0, _QUIET)
    try:
        yield
    finally:
        _remove_from(filters)


def ended(modules: Iterable[ModuleType]) -> None:
    """Note that the process of these modules has ended, so that freeing them does not warn."""
    mark = _Ended()
    for module in modules:
        namespace = namespace_of(module)
        if namespace is not None:
            namespace[_MARK] = mark
    _waiting.add(ref(mark, _waiting.discard))
    if _collecting not in gc.callbacks:
        gc.callbacks.append(_collecting)


def sweep() -> None:
    """Unregister the gc callback once nothing is left to silence.

    Never call this from the callback: removing an entry while the list is iterated skips the next
    one.
    """
    if not _waiting and _collecting in gc.callbacks:
        gc.callbacks.remove(_collecting)


def _collecting(phase: str, _: dict[str, int]) -> None:
    filters: Any = getattr(warnings, "filters", None)
    if phase == "start" and _waiting and type(filters) is list:
        filters.insert(0, _QUIET)
        _quieted.append(filters)
    while phase == "stop" and _quieted:
        _remove_from(_quieted.pop())


def _remove_from(filters: list[Any]) -> None:
    with suppress(ValueError):  # somebody has emptied the list
        filters.remove(_QUIET)
