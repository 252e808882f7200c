"""`VirtualClock`: time that stands still until it is moved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.clock.freeze import Freeze
from pytest_lambda_lifecycle.clock.real import now
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
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
                "It loops, or waits for something other than time.sleep and asyncio timers.\n"
                "Raise lambda_lifecycle_watchdog if it needs longer, or test it without "
                "lambda_clock."
            )

    def forgive(self) -> None:
        """Do nothing: this clock stands still at a debugger's prompt."""


class VirtualClock:
    """Time in whole microseconds that only function code's sleeping, idling and the test move.

    On the thread of a phase, sleeping moves the clock at once.  Another thread first waits up to
    `PATIENCE` s (real) for other movers, so that sleeps of several threads run side by side.
    """

    PATIENCE: Final = 0.01
    resolution_us = 0

    def __init__(self, start: datetime | None = None, *, watchdog: float = 10.0) -> None:
        self._start = start
        self.watchdog = watchdog
        """Seconds of real time that one turn may take."""
        self._freeze: Freeze | None = None
        self._us = 0
        self._moved = threading.Condition()
        self.turn = VirtualTurn(self, None, None)
        self.ended = False

    def start(self, also: Sequence[tuple[Any, Any]] = ()) -> None:
        """Freeze time at the given start, or now on the whole second; ``also`` as for `Freeze`."""
        start = self._start or now().replace(microsecond=0, tzinfo=timezone.utc)
        if start > LAST:
            raise LifecycleError(
                f"cannot start the clock at {start}: {WHY_LAST}; start earlier", code="LLC401"
            )
        naive = start.astimezone(timezone.utc).replace(tzinfo=None)
        self._us = (naive - EPOCH) // MICROSECOND
        self._freeze = Freeze(naive, tick=False, also=also)

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Restore real time, in ``modules`` as well."""
        freeze = self._freeze
        self._freeze = None
        self.ended = True
        if freeze is not None:
            freeze.stop(modules)

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
        with self._moved:
            span = to_us - self._us
            require_calendar(self._us, span)
            if span > 0:
                self._us = to_us
                if self._freeze is not None:
                    self._freeze.move(span * MICROSECOND)
                self._moved.notify_all()

    def skip_to(self, to_us: int) -> None:
        """Move forward; do nothing if that moment is over."""
        self.move(to_us)

    def rewind(self, to_us: int) -> None:
        """Go back to a moment, for a participant that began there and runs beside the others."""
        with self._moved:
            span = to_us - self._us
            self._us = to_us
            if span and self._freeze is not None:
                self._freeze.move(span * MICROSECOND)

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

    def wait_on_other_thread(
        self, until_us: int, in_phase: Callable[[], bool], phase_waits: Callable[[], bool]
    ) -> None:
        """Wait on another thread than the phase's, until a moment.

        Others may move the clock there.  If the thread of the phase waits as well, this one moves
        it.
        """
        with self._moved:
            while not self.ended and (self._us < until_us or not in_phase()):
                if self._moved.wait(self.PATIENCE) or not in_phase() or not phase_waits():
                    continue
                if self.reaches_deadline(until_us):
                    return
