"""Values of the process that are set by calling a function, which is watched to see who does it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle.undoing import Undo, replace_attributes

__all__ = ["WatchedSetter", "watched_setters"]

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


_umask = os.umask
_stack_size = threading.stack_size
_enable, _disable = gc.enable, gc.disable


def _read_umask() -> int:
    mask = _umask(0o077)
    _umask(mask)
    return mask


def _read_stack_size() -> int:
    size = _stack_size()  # which sets it to the default
    _stack_size(size)
    return size


def watched_setters(in_phase: InPhase) -> list[WatchedSetter]:
    """Return one part for each value that is set so."""
    return [
        WatchedSetter(
            sys, ["setrecursionlimit"], read=sys.getrecursionlimit, write=sys.setrecursionlimit, in_phase=in_phase
        ),
        WatchedSetter(
            sys, ["setswitchinterval"], read=sys.getswitchinterval, write=sys.setswitchinterval, in_phase=in_phase
        ),
        WatchedSetter(threading, ["stack_size"], read=_read_stack_size, write=_stack_size, in_phase=in_phase),
        WatchedSetter(os, ["umask"], read=_read_umask, write=_umask, in_phase=in_phase),
        WatchedSetter(
            gc,
            ["enable", "disable"],
            read=gc.isenabled,
            write=lambda enabled: _enable() if enabled else _disable(),
            in_phase=in_phase,
        ),
    ]
