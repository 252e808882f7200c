"""Limits of the process that the system keeps: resources, processors, priority."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final, NamedTuple

__all__ = ["LIMITS", "Limit"]


class Limit(NamedTuple):
    """How a limit is read and set, and the functions that function code sets it with."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    setters: tuple[tuple[ModuleType, str], ...]


_resource: Final[Any] = import_module("resource") if os.name == "posix" else None
_KINDS: Final = sorted({getattr(_resource, n) for n in dir(_resource) if n.startswith("RLIMIT_")})
# The real functions: function code may replace them, and watchers stand in their places.
_get_affinity: Final[Any] = getattr(os, "sched_getaffinity", None)
_set_affinity: Final[Any] = getattr(os, "sched_setaffinity", None)
_get_limit: Final[Any] = getattr(_resource, "getrlimit", None)
_set_limit: Final[Any] = getattr(_resource, "setrlimit", None)
_get_priority: Final[Any] = getattr(os, "getpriority", None)
_set_priority: Final[Any] = getattr(os, "setpriority", None)


def _read_affinity() -> Any:  # noqa: ANN401  # a set of numbers
    return _get_affinity(0)


def _write_affinity(processors: Any) -> None:  # noqa: ANN401
    _set_affinity(0, processors)


def _read_limits() -> list[tuple[int, int]]:
    return list(map(_get_limit, _KINDS))


def _write_limits(limits: list[tuple[int, int]]) -> None:
    """Set the limits again, as far as a user may: a lowered hard limit stays."""
    for kind, (soft, hard) in zip(_KINDS, limits, strict=True):
        if _get_limit(kind) == (soft, hard):
            continue
        try:
            _set_limit(kind, (soft, hard))
        except (OSError, ValueError):
            now = _get_limit(kind)[1]
            with contextlib.suppress(OSError, ValueError):
                _set_limit(kind, (min(soft, now) if soft >= 0 else now, now))


def _read_priority() -> Any:  # noqa: ANN401  # a number
    return _get_priority(os.PRIO_PROCESS, 0)


def _write_priority(priority: int) -> None:
    with contextlib.suppress(OSError):  # only root may raise it again
        _set_priority(os.PRIO_PROCESS, 0, priority)


def _limits() -> Iterator[Limit]:
    if _set_affinity is not None:  # not on macOS
        yield Limit(_read_affinity, _write_affinity, ((os, "sched_setaffinity"),))
    if _resource is not None:  # not on Windows
        yield Limit(_read_limits, _write_limits, ((_resource, "setrlimit"),))
        yield Limit(_read_priority, _write_priority, ((os, "nice"), (os, "setpriority")))


LIMITS: Final = tuple(_limits())
