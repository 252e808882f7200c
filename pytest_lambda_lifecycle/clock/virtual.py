"""`VirtualClock`: time that stands still until it is moved."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timezone
from types import ModuleType

from pytest_lambda_lifecycle.clock.freeze import Freeze, source_of
from pytest_lambda_lifecycle.clock.real import now
from pytest_lambda_lifecycle.clock.schedule import Schedule
from pytest_lambda_lifecycle.clock.waits import Waits
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.moments import (
    EPOCH,
    LAST,
    MICROSECOND,
    WHY_LAST,
    require_calendar,
)

__all__ = ["VirtualClock", "VirtualTurn"]


class VirtualTurn:
    """A turn in virtual time: it is cut where sleeping code runs into its deadline."""

    __slots__ = ("_clock", "_outer", "cut", "deadline_us", "real_limit", "stuck")

    def __init__(
        self, clock: VirtualClock, deadline_us: int | None, outer: VirtualTurn | None
    ) -> None:
        """``outer`` is the turn of the environment whose handler invokes this one, if there is one.

        Without a deadline it stands for the time between turns.
        """
        self.real_limit = clock.watchdog
        self.deadline_us = deadline_us
        self.cut = False
        self.stuck = ""
        self._clock = clock
        self._outer = outer

    def end(self) -> bool:
        """End the turn; return whether it reached its deadline and wanted to go on."""
        self._clock.turn = self._outer or self
        assert self.deadline_us is not None
        return self.cut or self._clock.now_us() > self.deadline_us

    def real_time_is_up(self) -> None:
        """Note that the watchdog has interrupted code that does not move the clock."""
        if not self.cut:
            self.stuck = (
                f"function code ran for {self.real_limit:g} s of real time without moving the "
                "clock, which stands still under lambda_clock\n"
                "It loops, or waits for a socket, a file or a child process.\n"
                "Raise lambda_lifecycle_watchdog if it needs longer, or test it without "
                "lambda_clock."
            )

    def forgive(self) -> None:
        """Do nothing: this clock stands still at a debugger's prompt."""


class VirtualClock:
    """Time in whole microseconds that only waits of function code, idling and the test move."""

    resolution_us = 0

    def __init__(self, start: datetime | None = None, *, watchdog: float = 10.0) -> None:
        self.asked_start = start
        self.watchdog = watchdog
        """Seconds of real time that one turn may take."""
        self._freeze: Freeze | None = None
        self._us = 0
        self._span_ns = 0
        """The monotonic clock is so far ahead of the moment; it goes on from its real value."""
        self.turn = VirtualTurn(self, None, None)
        self.ended = False
        self.schedule = Schedule(self)
        self.waits = Waits(self, self.schedule)

    def start(self) -> None:
        """Let time stand still at the given start, or now on the whole second."""
        start = self.asked_start or now().replace(microsecond=0, tzinfo=timezone.utc)
        if start > LAST:
            raise LifecycleError(
                f"cannot start the clock at {start}: {WHY_LAST}; start earlier", code="LLC401"
            )
        naive = start.astimezone(timezone.utc).replace(tzinfo=None)
        self._us = (naive - EPOCH) // MICROSECOND
        self._span_ns = RealTime.monotonic_ns() // 1000 * 1000 - self._us * 1000
        source = source_of(self.now_ns, self.span_ns, self.waits.applies)
        self._freeze = Freeze(source, self.waits.sleep)

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Restore real time, in ``modules`` as well."""
        freeze = self._freeze
        self._freeze = None
        self.ended = True
        if freeze is not None:
            freeze.stop(modules)
        self.schedule.end()

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return self._us * 1000

    def span_ns(self) -> int:
        """Return nanoseconds of the monotonic clock that function code reads."""
        return self._us * 1000 + self._span_ns

    def now_us(self) -> int:
        """Return microseconds since the epoch."""
        return self._us

    def elapsed(self) -> int:
        """Return nanoseconds by the same clock."""
        return self._us * 1000

    def function_time_ms(self) -> int:
        """Return milliseconds by `time.time`: a test may have frozen time once more inside it.

        That function code has replaced it does not matter.
        """
        read = SharedNamespaces.value_of_test(time, "time", lambda: self._us / 1_000_000)
        return int(read() * 1000)

    def move(self, to_us: int) -> None:
        """Move forward, to microseconds since the epoch.

        Raises `LifecycleError` past the end of the calendar.
        """
        span = to_us - self._us
        require_calendar(self._us, span)
        if span > 0:
            self._us = to_us

    def skip_to(self, to_us: int) -> None:
        """Move forward; do nothing if that moment is over."""
        self.move(to_us)

    def rewind(self, to_us: int) -> None:
        """Go back to a moment, for a participant that began there and runs beside the others."""
        self._us = to_us

    def pass_time(self, span_us: int) -> None:
        """Let time pass while nothing runs."""
        self.move(self._us + span_us)

    def begin_turn(self, limit_us: int) -> VirtualTurn:
        """Begin a turn with its deadline; the turn around it goes on when it ends."""
        self.turn = turn = VirtualTurn(self, self._us + limit_us, self.turn)
        return turn

    def reaches_deadline(self, to_us: int) -> bool:
        """Move to a moment or, if that comes first, to the deadline; return whether it did."""
        turn = self.turn
        deadline = turn.deadline_us
        if deadline is None or (to_us <= deadline and not turn.cut):
            self.move(to_us)
            return False
        self.move(deadline)
        turn.cut = True
        return True
