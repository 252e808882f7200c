"""Real time, out of reach of tools that patch the names of `time` in every module.

freezegun replaces the attributes of modules, so the clock functions hang on a class, where its scan does not look.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol

__all__ = ["Clock", "RealClock"]


class Clock(Protocol):
    """What the conductor knows of time."""

    def now(self) -> int:
        """Microseconds since the epoch."""
        ...

    def elapsed(self) -> int:
        """Nanoseconds on a clock that never goes back, for spans."""
        ...

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch as function code would read them now."""
        ...


class RealClock:
    """Wall time for moments, `time.perf_counter_ns` for spans."""

    elapsed = staticmethod(time.perf_counter_ns)
    _time_ns = staticmethod(time.time_ns)

    def now(self) -> int:
        """Microseconds since the epoch."""
        return self._time_ns() // 1000

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch by `time.time`, as a test may have replaced it; so are deadlines."""
        return int(time.time() * 1000)

    @staticmethod
    def day(now: int) -> str:
        """Return the date of a moment as it stands in log stream names (UTC)."""
        return datetime.fromtimestamp(now / 1_000_000, timezone.utc).strftime("%Y/%m/%d")
