"""Interval timers of function code (`signal.alarm`, `signal.setitimer`) in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.lifecycle.moments import rounded_up_us

__all__ = ["Timers"]


class _Timer:
    """A timer that runs."""

    __slots__ = ("_handler", "_timers", "due_us", "interval_us", "number")

    def __init__(
        self,
        timers: Timers,
        due_us: int,
        interval_us: int,
        handler: Callable[[FrameType | None], None],
        number: int,
    ) -> None:
        self._timers = timers
        self.due_us = due_us
        self.interval_us = interval_us
        self._handler = handler
        self.number = number

    @property
    def key(self) -> tuple[int, int]:
        """Return its place among all that is due."""
        return self.due_us, self.number

    def ring(self, frame: FrameType | None) -> None:
        """Start the next interval, and call the handler."""
        __tracebackhide__ = __function_code_above__ = True
        if self.interval_us:
            self.due_us += self.interval_us
        else:
            self._timers.stop(self)
        self._handler(frame)


class Timers:
    """The timers of all environments that are inside a phase."""

    def __init__(self, clock: MovingClock, next_number: Callable[[], int]) -> None:
        self._clock = clock
        self._next_number = next_number
        self._running: list[_Timer] = []

    def start(
        self, seconds: float, interval: float, handler: Callable[[FrameType | None], None]
    ) -> _Timer:
        """Start a timer; at its moment, ``handler(frame)`` is called on the thread of the phase."""
        due_us = self._clock.now_us() + rounded_up_us(seconds)
        number = self._next_number()
        timer = _Timer(self, due_us, rounded_up_us(interval), handler, number)
        self._running.append(timer)
        return timer

    def stop(self, timer: _Timer) -> None:
        """Stop a timer, unless it has rung."""
        if timer in self._running:
            self._running.remove(timer)

    def left(self, timer: _Timer) -> tuple[float, float]:
        """Return the seconds that are left, and the interval; 0 if it has rung."""
        if timer not in self._running:
            return 0.0, 0.0
        left = max(timer.due_us - self._clock.now_us(), 1)
        return left / 1_000_000, timer.interval_us / 1_000_000

    @property
    def any(self) -> bool:
        """Say whether a timer runs."""
        return bool(self._running)

    def next(self) -> _Timer | None:
        """Return the timer that is due first."""
        return min(self._running, key=lambda timer: timer.key, default=None)
