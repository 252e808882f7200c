"""Signals wait while an environment enters, leaves, begins or ends.

A signal handler of the test may raise at any line: that of pytest-timeout does, and that of Ctrl-C.
In the middle of such a step the process would be half changed, and no ``finally`` helps: the next
exception may come inside it.  So the handlers are exchanged during these steps for one that notes
the signal, and are called at the end, where all is done or undone.  While function code runs, they
are back in their places.

A mask of signals is simpler, and fails: a signal to the process goes to any thread that has not
masked it (pytest-xdist has one), and Python then calls the handler on the main thread all the same.

To exchange two handlers takes some microseconds, a tenth of a warm invoke.  So a warm invoke does
it only where the test has a handler of its own (`Stage.hold`).  That of Ctrl-C is ours while an
environment is entered, and lets a step be completed (`Signals`).
"""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from itertools import compress
from types import FrameType, TracebackType
from typing import Any, ClassVar, Final

__all__ = ["Held", "Released", "callable_handlers", "get_handler", "is_noted", "set_handler"]

_NUMBERS: Final = tuple(int(number) for number in signal.Signals)
_HANDLED: Final[set[int]] = set()
"""The signals with a handler in Python as the outermost `Held` began, and those set since.

To ask for each signal there is takes 3 us, and a cold start has two turns of function code.
"""
_get_ident: Final = threading.get_ident
_MAIN_THREAD: Final = threading.main_thread().ident
_getframe: Final = sys._getframe


class Held:
    """A ``with`` statement in which signals wait; one inside another changes nothing."""

    __slots__ = ("_holds", "_is_operation")

    handlers: ClassVar[dict[int, Any] | None] = None
    """The handlers that are to be called later; None unless signals are held back now."""
    operation: ClassVar[int] = 0
    """The number of the outermost statement that runs now; 0 outside."""
    _count: ClassVar[int] = 0
    _noted: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self._holds = False
        self._is_operation = False

    def __enter__(self) -> None:
        __tracebackhide__ = True
        if Held.handlers is None and _get_ident() == _MAIN_THREAD:
            _HANDLED.clear()
            _hold(_NUMBERS)
            self._holds = True
        if not Held.operation:
            self._is_operation = True
            Held._count += 1
            Held.operation = Held._count

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if self._is_operation:
            Held.operation = 0
        # They are not held any more if a handler has raised as `Released.__exit__` was called.
        if self._holds and Held.handlers is not None:
            _release()


class Released:
    """A ``with`` statement in a `Held` one, in which signals arrive at once."""

    __slots__ = ("_was_held",)

    def __init__(self) -> None:
        self._was_held = False

    def __enter__(self) -> None:
        __tracebackhide__ = True
        if Held.handlers is not None and _get_ident() == _MAIN_THREAD:
            try:
                _release()
            except BaseException:
                _hold(_NUMBERS)
                raise
            self._was_held = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if self._was_held:
            _hold(tuple(_HANDLED))


def get_handler(number: int) -> Any:  # noqa: ANN401  # signal.getsignal's type
    """Return the handler of a signal, also while it is held back."""
    if Held.handlers is not None and number in Held.handlers:
        return Held.handlers[number]
    return _fast.getsignal(number)


def is_noted(number: int) -> bool:
    """Say whether a signal has come while it is held back, and its handler is yet to be called."""
    return number in Held._noted


def callable_handlers() -> Iterable[int]:
    """Return the numbers of the signals that have a handler written in Python."""
    if Held.handlers is not None:
        return Held.handlers.keys()
    return [number for number in _NUMBERS if callable(_fast.getsignal(number))]


def set_handler(number: int, handler: Any) -> Any:  # noqa: ANN401
    """Set the handler of a signal, at once or for the time when it is held back no longer.

    Returns the handler before.
    """
    handlers = Held.handlers
    if handlers is None or _get_ident() != _MAIN_THREAD:
        return _set(number, handler)
    before = get_handler(number)
    if callable(handler):
        if number not in handlers:
            _set(number, _note)
        handlers[number] = handler
    else:
        handlers.pop(number, None)
        _set(number, handler)
    return before


def _set(number: int, handler: Any) -> Any:  # noqa: ANN401
    _HANDLED.add(number)
    # The C function takes the two special handlers as plain numbers only.
    return _fast.signal(number, int(handler) if isinstance(handler, int) else handler)


def _note(number: int, frame: FrameType | None) -> None:
    Held._noted.append(number)


def _hold(numbers: Sequence[int]) -> None:
    """Exchange the handlers of some signals; undo that if one of them raises in the meantime."""
    __tracebackhide__ = True
    handlers: dict[int, Any] = {}
    try:
        # Nearly all are at their defaults, which are no functions but numbers.
        now = list(map(_fast.getsignal, numbers))
        for number, handler in compress(zip(numbers, now, strict=True), map(callable, now)):
            _HANDLED.add(number)
            if handler is not _note:
                handlers[number] = handler
                _fast.signal(number, _note)  # a handler may raise here, before the exchange
    except BaseException:
        Held.handlers = handlers
        _release()
        raise
    Held.handlers = handlers


def _release() -> None:
    """Put the handlers back, and call those whose signals have come in the meantime."""
    __tracebackhide__ = True
    handlers = Held.handlers or {}
    Held.handlers = None  # before any handler is back that may raise
    problems: list[BaseException] = []
    _put_back(handlers, problems)
    if not (Held._noted or problems):
        return
    noted = Held._noted.copy()
    Held._noted.clear()
    frame = _getframe(1)
    for number in dict.fromkeys(noted):
        handler = handlers.get(number)
        if callable(handler):
            try:
                handler(number, frame)
            except BaseException as problem:
                problems.append(problem)
    if problems:
        raise problems[0]


def _put_back(handlers: dict[int, Any], problems: list[BaseException]) -> None:
    while True:
        try:
            for number, handler in handlers.items():
                if _fast.getsignal(number) is _note:
                    _fast.signal(number, handler)
            return
        except BaseException as problem:  # one that is back already has raised
            problems.append(problem)
