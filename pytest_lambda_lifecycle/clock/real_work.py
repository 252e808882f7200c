"""Threads that are at work in real time: virtual time stands still for them.

A thread that computes is never passed over, however slow the machine is.  One that waits for
another process or machine (a socket, a child) shows by its CPU time, which stands still.  After a
while of real time the others do not wait for it any longer: it may wait for ever.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.parts.threads import owner_of, waits_at_our_socket
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["RealWork"]

_PATIENCE: Final = 1.0
"""Seconds of real time that time stands still for a thread that uses no CPU time."""
_AT_WORK: Final = 0.01
"""The part of the real time for which a thread that computes has the CPU, on a busy machine too."""
_NOISE: Final = 0.002
"""Seconds of CPU time that say nothing."""
_WITH_CHILDREN: Final = ("subprocess", "multiprocessing.", "asyncio.unix_events")

_cpu_clock: Final[Any] = getattr(time, "pthread_getcpuclockid", None)
"""Missing on macOS."""


class RealWork:
    """The threads that are at work, as far as anybody has asked."""

    def __init__(self, longest: float) -> None:
        """``longest`` is the real time that others wait for a child process."""
        self._longest = longest
        self._seen: dict[int, tuple[float, Any, bool]] = {}
        """For each thread: when it was looked at, what it had done then, and the verdict."""

    def forget(self, ident: int) -> None:
        """Note that a thread waits in virtual time."""
        self._seen.pop(ident, None)

    def holds_time(self, thread: threading.Thread) -> bool:
        """Say whether time stands still for a thread that does not wait in virtual time."""
        ident = thread.ident
        if ident is None:
            return True
        frame = sys._current_frames().get(ident)
        if frame is not None and waits_at_our_socket(frame):
            rests = getattr(owner_of(thread), "api_rests", None)
            if rests is not None and rests():
                return False  # an extension that waits for its next event
        now, done = RealTime.perf_counter(), _done(ident)
        since, before, passed = self._seen.get(ident, (now, done, False))
        if passed:
            idle = not _has_worked(before, done, now - since)
        else:
            idle = now - since >= self._patience(ident) and not _has_worked(
                before, done, now - since
            )
            if not idle and now - since < self._patience(ident):
                self._seen[ident] = since, before, False
                return True
        self._seen[ident] = now, done, idle
        return not idle

    def _patience(self, ident: int) -> float:
        frame = sys._current_frames().get(ident)
        if frame is None:
            return _PATIENCE
        name = str(frame.f_globals.get("__name__"))
        return self._longest if name.startswith(_WITH_CHILDREN) else _PATIENCE


def _done(ident: int) -> Any:  # noqa: ANN401
    """Return the CPU time of a thread; the place at which it is, where that is not known."""
    if _cpu_clock is not None:
        try:
            return RealTime.clock_gettime(_cpu_clock(ident))
        except OSError:  # it has ended
            return 0.0
    frame = sys._current_frames().get(ident)
    return None if frame is None else (id(frame), frame.f_lasti)


def _has_worked(before: Any, after: Any, span: float) -> bool:  # noqa: ANN401
    if isinstance(before, float) and isinstance(after, float):
        return after - before > max(_NOISE, span * _AT_WORK)
    return bool(before != after)
