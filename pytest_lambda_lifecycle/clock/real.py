"""Real time, and the shift by which `idle` moves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from types import ModuleType

from pytest_lambda_lifecycle.clock.freeze import Freeze, source_of
from pytest_lambda_lifecycle.clock.readings import freezes_of_test
from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.moments import EPOCH, MICROSECOND, require_calendar

__all__ = ["RealClock", "RealTurn", "now"]


class RealTurn:
    """A turn in real time.  The alarm interrupts it at its deadline: `cut` and `stuck` stay."""

    __slots__ = ("_forgiven", "_until", "real_limit")

    cut = False
    stuck = ""

    def __init__(self, limit_us: int) -> None:
        self.real_limit = limit_us / 1_000_000
        self._until = RealTime.perf_counter_ns() + limit_us * 1000
        self._forgiven = False

    def end(self) -> bool:
        """Return whether the turn took longer than it may."""
        return RealTime.perf_counter_ns() > self._until and not self._forgiven

    def real_time_is_up(self) -> None:
        """Do nothing: in real time this is the deadline itself."""

    def forgive(self) -> None:
        """Note that a debugger has stopped the turn: it is not late."""
        self._forgiven = True


_time = RealTime.time


class RealClock:
    """Wall time for moments, `time.perf_counter_ns` for spans.

    `idle` adds to the time that function code reads.
    """

    resolution_us = 20_000
    elapsed = staticmethod(RealTime.perf_counter_ns)
    _shift: Freeze | None = None
    _shift_ns = 0
    _shifted_us = 0
    begin_turn = RealTurn
    """A turn is measured in real time, without idle time."""

    def now_us(self) -> int:
        """Return microseconds since the epoch, idle time included."""
        return RealTime.time_ns() // 1000 + self._shifted_us

    def function_time_ms(self) -> int:
        """Return milliseconds since the epoch by `time.time`, which a test may have replaced.

        That function code has replaced it does not matter: the platform has a clock of its own.
        """
        if time.time is _time:
            return int(_time() * 1000)
        read: Callable[[], float] = SharedNamespaces.value_of_test(
            time, "time", lambda: self.now_us() / 1_000_000
        )
        try:
            return int(read() * 1000)
        except Exception:  # a stand-in of function code, which nobody has seen it put there
            return RealTime.time_ns() // 1_000_000

    def pass_time(self, span_us: int) -> None:
        """Shift wall and monotonic time of the whole process; they go on from there.

        The test's own freezes move as well.
        """
        cls = RealClock
        frozen = freezes_of_test(None if cls._shift is None else cls._shift.source)
        moments = [(factory.time_to_freeze - EPOCH) // MICROSECOND for factory in frozen]
        require_calendar(max([self.now_us(), *moments]), span_us)
        cls._shifted_us += span_us
        span = span_us * MICROSECOND
        for factory in frozen:
            factory.time_to_freeze += span
        if cls._shift is not None:
            cls._shift_ns += span_us * 1000
        elif not frozen:
            with stage.left():  # its modules find the shifted functions when it enters
                cls._shift_ns = span_us * 1000
                cls._shift = Freeze(source_of(cls._time_ns, cls._monotonic_ns, lambda: False))

    @classmethod
    def _time_ns(cls) -> int:
        return RealTime.time_ns() + cls._shift_ns

    @classmethod
    def _monotonic_ns(cls) -> int:
        return RealTime.monotonic_ns() + cls._shift_ns

    def rewind(self, to_us: int) -> None:
        """Do nothing: real time goes on."""

    def skip_to(self, to_us: int) -> None:
        """Do nothing: real time passes by itself."""

    @classmethod
    def unshift(cls, modules: Iterable[ModuleType]) -> None:
        """Restore real time, unless the test has frozen time since: then the test's end does."""
        if cls._shift is None:
            cls._shifted_us = 0
        elif cls._shift.source.innermost:
            cls._shift.stop(modules)
            cls._shift = None
            cls._shifted_us = 0


def now() -> datetime:
    """Return the moment by `time.time`, which a test may have frozen or shifted, as naive UTC."""
    return EPOCH + round(time.time() * 1_000_000) * MICROSECOND
