"""Lines of threads before locks: one that becomes free is taken by the thread that came first.

Each thread notices by itself that a lock is free, and on a busy machine any of them may be the
first to look.  In real time the system wakes them in their order.  A thread that a condition has
told to go on stands in the line from that moment, though it may not have woken yet.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, Final

from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.schedule import Schedule
from pytest_lambda_lifecycle.clock.waiting import (
    LOCK_TYPE,
    Waiting,
    raw_acquire,
    raw_acquire_rlock,
)

__all__ = ["LockLines"]

_get_ident: Final = threading.get_ident


class LockLines:
    """The lines before all locks, by the ids of the locks."""

    def __init__(self, clock: MovingClock, schedule: Schedule) -> None:
        self._clock = clock
        self._schedule = schedule
        self._lines: dict[int, list[object]] = {}
        self.holders: dict[int, int] = {}
        """The thread that has taken a lock latest."""

    def join(self, lock: Any, place: object) -> None:  # noqa: ANN401
        """Put ``place`` at the end of the line of a lock."""
        self._lines.setdefault(id(lock), []).append(place)

    def take(self, lock: Any, until: int | None, place: object) -> bool:  # noqa: ANN401
        """Take a lock when it is free for ``place``, which is put into the line if it is not there.

        Return False if the moment ``until`` has come, or the clock has ended.
        """
        line = self._lines.setdefault(id(lock), [])
        if place not in line:
            line.append(place)
        raw = raw_acquire if type(lock) is LOCK_TYPE else raw_acquire_rlock
        holder = functools.partial(self.holders.get, id(lock))
        try:
            while not (line[0] is place and raw(lock, False)):
                waiting = Waiting(
                    until,
                    lambda: line[:1] == [place] and _is_free(lock),
                    holder=holder,
                )
                if not self._schedule.wait(waiting, looks=True) or self._clock.ended:
                    return False
            self.holders[id(lock)] = _get_ident()
            return True
        finally:
            line.remove(place)
            if not line:
                self._lines.pop(id(lock), None)


def _is_free(lock: Any) -> bool:  # noqa: ANN401
    """Say whether a lock can be taken now, by a thread that does not hold it."""
    if type(lock) is LOCK_TYPE:
        return not lock.locked()
    if lock._is_owned() or not raw_acquire_rlock(lock, False):
        return False
    lock.release()
    return True
