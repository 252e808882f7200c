"""What function code does to the process by calling a function, which is watched to see who does it."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.process import stage
from pytest_lambda_lifecycle.undoing import Undo, replace_attributes

__all__ = ["FaultHandler", "WatchedSetter", "watched_setters"]

InPhase = Callable[[], bool]
Read = Callable[[], Any]
Write = Callable[[Any], object]


class WatchedSetter:
    """One such value.  What function code sets is the environment's own; what a test sets between phases stays its own.

    Hypothesis sets the recursion limit around each example, pytest-benchmark the garbage collector around each round.
    """

    def __init__(
        self, owner: ModuleType, setters: Sequence[str], *, read: Read, write: Write, in_phase: InPhase
    ) -> None:
        self._owner = owner
        self._setters = setters
        self._read = read
        self._write = write
        self._in_phase = in_phase
        self._own: list[Any] = []
        self._outside: list[Any] = []

    def enter(self) -> Undo:
        self._outside = [self._read()] if self._own else []
        for value in self._own:
            self._write(value)
        owner = self._owner
        unwatch = replace_attributes(*((owner, name, self._watch(getattr(owner, name))) for name in self._setters))

        def leave() -> None:
            unwatch()
            for value in self._outside:
                self._write(value)

        return leave

    def discard(self) -> None:
        self._own = []

    def _watch(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
            if not self._in_phase():
                return original(*arguments, **keywords)
            before = self._read()
            answer = original(*arguments, **keywords)
            after = self._read()
            if after != before:
                self._own = [after]
                self._outside = self._outside or [before]
            return answer

        return watched


class FaultHandler:
    """`faulthandler` is pytest's: which file it writes to cannot be asked, so what function code takes is not given."""

    def enter(self) -> Undo:
        return replace_attributes(*_IGNORING)

    def discard(self) -> None:
        """There is nothing of its own."""


def _ignoring(original: Callable[..., Any]) -> Callable[..., Any]:
    def ignored(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
        return None if stage.on_phase_thread() else original(*arguments, **keywords)

    return ignored


_IGNORING: Final = tuple(
    (faulthandler, name, _ignoring(getattr(faulthandler, name)))
    for name in ("enable", "disable", "dump_traceback_later", "cancel_dump_traceback_later", "register", "unregister")
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


def watched_setters(in_phase: InPhase) -> list[WatchedSetter]:
    """Return one part for each value that is set so."""
    setters: list[tuple[ModuleType, list[str], Read, Write]] = [
        (sys, ["setrecursionlimit"], sys.getrecursionlimit, sys.setrecursionlimit),
        (sys, ["setswitchinterval"], sys.getswitchinterval, sys.setswitchinterval),
        (threading, ["stack_size"], _read_stack_size, _stack_size),
        (os, ["umask"], _read_umask, _umask),
        (gc, ["enable", "disable"], gc.isenabled, lambda enabled: _enable() if enabled else _disable()),
        (gc, ["set_threshold"], gc.get_threshold, lambda counts: _set_threshold(*counts)),
        (gc, ["freeze", "unfreeze"], lambda: gc.get_freeze_count() > 0, lambda on: _freeze() if on else _unfreeze()),
        (signal, ["set_wakeup_fd"], _read_wakeup, _write_wakeup),
    ]
    if _set_digits is not None:  # since 3.10.7
        setters.append((sys, ["set_int_max_str_digits"], sys.get_int_max_str_digits, _set_digits))
    if _signal_mask is not None:
        block, set_mask = signal.SIG_BLOCK, signal.SIG_SETMASK
        mask = (lambda: _signal_mask(block, ()), lambda numbers: _signal_mask(set_mask, numbers))
        setters.append((signal, ["pthread_sigmask"], *mask))
    return [
        WatchedSetter(owner, names, read=read, write=write, in_phase=in_phase) for owner, names, read, write in setters
    ]
