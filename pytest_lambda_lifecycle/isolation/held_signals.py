"""Signals wait while an environment enters, leaves, begins or ends.

A signal handler of the test may raise at any line: that of pytest-timeout does, and that of Ctrl-C.
In the middle of such a step the process would be half changed, and no ``finally`` helps: the next
exception may come inside it.  So the operating system keeps signals back during these steps, and
delivers them at the end, where all is done or undone.  While function code runs, signals arrive at
once.

Each change of the mask is a system call, and four of them would make a warm invoke take a twentieth
longer.  So a warm invoke makes them only where the test has a signal handler of its own
(`Stage.hold`).  The handler of Ctrl-C is ours, and lets a step be completed (`Signals`).
"""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import signal
import threading
from types import TracebackType
from typing import Any, ClassVar, Final

__all__ = ["Held", "Released", "read_mask", "write_mask"]

_set_mask: Final[Any] = getattr(_fast, "pthread_sigmask", None)
"""None on Windows."""
_FAULTS: Final = {
    "SIGKILL",
    "SIGSTOP",
    "SIGSEGV",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGTRAP",
    "SIGSYS",
}
_ALL: Final = frozenset(
    int(number) for number in signal.valid_signals() if getattr(number, "name", "") not in _FAULTS
)
_NONE: Final[tuple[int, ...]] = ()
_get_ident: Final = threading.get_ident
_MAIN_THREAD: Final = threading.main_thread().ident


class Held:
    """A ``with`` statement in which signals wait; one inside another changes nothing."""

    __slots__ = ("_before", "_is_operation")

    mask: ClassVar[Any] = None
    """The signals that were held back before; None unless all are held back now."""
    operation: ClassVar[int] = 0
    """The number of the outermost statement that runs now; 0 outside."""
    _count: ClassVar[int] = 0

    def __init__(self) -> None:
        self._before: Any = None
        self._is_operation = False

    def __enter__(self) -> None:
        if not Held.operation:
            self._is_operation = True
            Held._count += 1
            Held.operation = Held._count
        if _set_mask is None or Held.mask is not None or _get_ident() != _MAIN_THREAD:
            return
        try:
            before = _set_mask(_fast.SIG_BLOCK, _NONE)
            try:
                _set_mask(_fast.SIG_BLOCK, _ALL)
            except BaseException:  # a handler has raised, and the mask is changed nevertheless
                _set_mask(_fast.SIG_SETMASK, before)
                raise
        except BaseException:
            if self._is_operation:
                Held.operation = 0
            raise
        Held.mask = self._before = before

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if self._is_operation:
            Held.operation = 0
        if self._before is not None:
            mask = Held.mask
            Held.mask = None
            # None if a handler has raised as `Released.__exit__` was called.
            if mask is not None:
                _set_mask(_fast.SIG_SETMASK, mask)  # handlers may raise here


def read_mask() -> Any:  # noqa: ANN401  # a set of signals
    """Return the mask as it is when no signals are held back."""
    return _set_mask(_fast.SIG_BLOCK, _NONE) if Held.mask is None else Held.mask


def write_mask(mask: Any) -> None:  # noqa: ANN401
    """Set the mask, at once or when signals are held back no longer."""
    if Held.mask is None:
        _set_mask(_fast.SIG_SETMASK, mask)
    else:
        Held.mask = mask


class Released:
    """A ``with`` statement in a `Held` one, in which signals arrive at once."""

    __slots__ = ("_mask",)

    def __init__(self) -> None:
        self._mask: Any = None

    def __enter__(self) -> None:
        __tracebackhide__ = True
        if Held.mask is not None and _get_ident() == _MAIN_THREAD:
            mask = Held.mask
            try:
                _set_mask(_fast.SIG_SETMASK, mask)
            except BaseException:
                _set_mask(_fast.SIG_BLOCK, _ALL)
                raise
            self._mask = mask
            Held.mask = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if self._mask is not None:
            Held.mask = self._mask
            Held.mask = _set_mask(_fast.SIG_BLOCK, _ALL)  # function code may have changed it
