"""What function code does to the process by calling a function, which is watched to see who does
it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Replacement, Undo, replace_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["FaultHandler", "WatchedSetters"]

InPhase = Callable[[], bool]
Read = Callable[[], Any]
Write = Callable[[Any], object]


class _Value(NamedTuple):
    """A value of the process, and the functions that set it."""

    owner: ModuleType
    setters: tuple[str, ...]
    read: Read
    write: Write


class WatchedSetters(Part):
    """All such values: what function code sets is the environment's own, what a test sets between
    phases stays its own.

    Hypothesis sets the recursion limit around each example, pytest-benchmark the garbage collector
    around each round.
    """

    _entered: ClassVar[WatchedSetters | None] = None

    def __init__(self, in_phase: InPhase) -> None:
        self._in_phase = in_phase
        self._own: dict[_Value, Any] = {}
        self._outside: dict[_Value, Any] = {}

    def enter(self) -> Undo:
        self._outside = {value: value.read() for value in self._own}
        for value, own in self._own.items():
            value.write(own)
        unwatch = replace_attributes(*_watched())
        WatchedSetters._entered = self

        def leave() -> None:
            WatchedSetters._entered = None
            unwatch()
            for value, outside in self._outside.items():
                value.write(outside)

        return leave

    def discard(self) -> None:
        self._own = {}

    @classmethod
    def watch(cls, value: _Value, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands in for a setter: it asks the environment that is entered when it is
        called.
        """

        def watched(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
            entered = cls._entered
            if entered is None or not entered._in_phase():
                return original(*arguments, **keywords)
            before = value.read()
            answer = original(*arguments, **keywords)
            after = value.read()
            if after != before:
                entered._own[value] = after
                entered._outside.setdefault(value, before)
            return answer

        return watched


class FaultHandler(Part):
    """`faulthandler` is pytest's: which file it writes to cannot be asked, so what function code
    takes is not given.
    """

    def enter(self) -> Undo:
        return replace_attributes(*_IGNORING)


def _ignoring(original: Callable[..., Any]) -> Callable[..., Any]:
    def ignored(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
        return None if stage.on_phase_thread() else original(*arguments, **keywords)

    return ignored


_IGNORING: Final = tuple(
    (faulthandler, name, _ignoring(getattr(faulthandler, name)))
    for name in (
        "enable",
        "disable",
        "dump_traceback_later",
        "cancel_dump_traceback_later",
        "register",
        "unregister",
    )
    if hasattr(faulthandler, name)
)

_umask = os.umask
_stack_size = threading.stack_size
_enable, _disable = gc.enable, gc.disable
_freeze, _unfreeze, _set_threshold = gc.freeze, gc.unfreeze, gc.set_threshold
_signal_mask = getattr(signal, "pthread_sigmask", None)
_set_wakeup = signal.set_wakeup_fd
_set_digits = getattr(sys, "set_int_max_str_digits", None)


def _read_umask() -> int:
    mask = _umask(0o077)
    _umask(mask)
    return mask


def _read_stack_size() -> int:
    size = _stack_size()  # which sets it to the default
    _stack_size(size)
    return size


def _read_wakeup() -> int:
    descriptor = _set_wakeup(-1)
    _write_wakeup(descriptor)
    return descriptor


def _write_wakeup(descriptor: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # it was closed meanwhile
        _set_wakeup(descriptor, warn_on_full_buffer=False)


def _values() -> list[_Value]:
    values = [
        _Value(sys, ("setrecursionlimit",), sys.getrecursionlimit, sys.setrecursionlimit),
        _Value(sys, ("setswitchinterval",), sys.getswitchinterval, sys.setswitchinterval),
        _Value(threading, ("stack_size",), _read_stack_size, _stack_size),
        _Value(os, ("umask",), _read_umask, _umask),
        _Value(
            gc,
            ("enable", "disable"),
            gc.isenabled,
            lambda enabled: _enable() if enabled else _disable(),
        ),
        _Value(gc, ("set_threshold",), gc.get_threshold, lambda counts: _set_threshold(*counts)),
        _Value(
            gc,
            ("freeze", "unfreeze"),
            lambda: gc.get_freeze_count() > 0,
            lambda on: _freeze() if on else _unfreeze(),
        ),
        _Value(signal, ("set_wakeup_fd",), _read_wakeup, _write_wakeup),
    ]
    if _set_digits is not None:  # since 3.10.7
        values.append(
            _Value(sys, ("set_int_max_str_digits",), sys.get_int_max_str_digits, _set_digits)
        )
    if _signal_mask is not None:
        read = functools.partial(_signal_mask, signal.SIG_BLOCK, ())
        values.append(
            _Value(
                signal,
                ("pthread_sigmask",),
                read,
                functools.partial(_signal_mask, signal.SIG_SETMASK),
            )
        )
    return values


def _watched() -> tuple[Replacement, ...]:
    """Return what to put in place of the setters; afresh only where a tool has replaced one."""
    found = [getattr(value.owner, name) for value, name in _SETTERS]
    return _STAND_INS if found == _FOUND else _stand_ins(found)


def _stand_ins(originals: list[Any]) -> tuple[Replacement, ...]:
    return tuple(
        (value.owner, name, WatchedSetters.watch(value, original))
        for (value, name), original in zip(_SETTERS, originals, strict=True)
    )


_SETTERS: Final = tuple((value, name) for value in _values() for name in value.setters)
_FOUND: Final[list[Any]] = [getattr(value.owner, name) for value, name in _SETTERS]
_STAND_INS: Final = _stand_ins(_FOUND)
