"""One thread that waits in virtual time, and raw locks for this package's own use."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["LOCK_TYPE", "RLOCK_TYPE", "Mutex", "Waiting", "raw_acquire", "raw_acquire_rlock"]

LOCK_TYPE: Final[Any] = type(_thread.allocate_lock())
RLOCK_TYPE: Final[Any] = _thread.RLock
raw_acquire: Final[Any] = LOCK_TYPE.acquire
"""Waits in real time, also where the method of the class is replaced."""
raw_acquire_rlock: Final[Any] = RLOCK_TYPE.acquire
_release: Final[Any] = LOCK_TYPE.release


class Mutex(RLOCK_TYPE):  # type: ignore[misc]
    """A lock with the methods written in C, also where those of the class are replaced."""

    acquire = RLOCK_TYPE.acquire
    __enter__ = RLOCK_TYPE.__enter__


class Waiting:
    """One thread that waits: until a moment, until something is ready, or until it is told so.

    It stands among the waiters of a `threading.Condition`, which calls `release`.
    """

    __slots__ = (
        "cut",
        "due_us",
        "exits",
        "holder",
        "joins",
        "lock",
        "may_be_told",
        "number",
        "ready",
        "ring",
        "since",
        "stands_still",
        "timed_out",
        "told",
        "woken",
    )

    def __init__(
        self,
        due_us: int | None = None,
        ready: Callable[[], bool] | None = None,
        *,
        stands_still: float = 0.0,
        holder: Callable[[], int | None] | None = None,
        may_be_told: bool = False,
    ) -> None:
        """``due_us`` is the moment at which it goes on, None for a wait without an end.

        ``ready`` says whether what it waits for has come.  ``holder`` returns the identifier of the
        thread that it waits for.  With ``may_be_told``, somebody may call `release`.
        ``stands_still`` s of real time pass before time moves on, as
        another process or machine may end the wait.
        """
        self.due_us = due_us
        self.ready = ready
        self.holder = holder
        self.may_be_told = may_be_told
        self.stands_still = stands_still
        self.since = RealTime.perf_counter()
        self.number = 0
        self.lock = _thread.allocate_lock()
        raw_acquire(self.lock)
        self.woken = False
        self.told = False
        self.timed_out = False
        self.cut = False
        self.exits = False
        self.joins: Callable[[object], None] | None = None
        """Puts it into the line of a lock."""
        self.ring: Callable[[FrameType | None], None] | None = None

    def wake(self) -> None:
        """Let the thread go on.  Any thread may call this, and a signal handler, too."""
        if not self.woken:
            self.woken = True
            _release(self.lock)

    def release(self) -> None:
        """Note that the thread is told to go on, once the lock of the condition is its own."""
        self.told = True
        if self.joins is not None:
            self.joins(self)
        self.wake()

    def again(self) -> None:
        """Wait on after an interruption."""
        self.woken = False

    def goes_on(self) -> bool:
        """Say whether the thread goes on, although it may not have noticed yet."""
        if not self.woken and self.ready is not None and self.ready():
            self.told = True
            self.wake()
        return self.woken
