"""`LambdaClock`: virtual time as a test sees and moves it."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LambdaClock"]


class LambdaClock:
    """Time that stands still until function code sleeps, an environment idles, or the test moves
    it.

    `time.time`, `monotonic`, `perf_counter`, `datetime.now` and their kin agree with it everywhere,
    in threads too.  Use it through the fixture ``lambda_clock``, or as a context manager around
    environments.
    """

    def __init__(self, start: datetime | None = None, *, watchdog: float = 10.0) -> None:
        """``start`` is aware; by default it is now, on the whole second.

        ``watchdog`` is the real time in s that one phase may take.
        """
        self._time = LambdaTime(start, watchdog=watchdog)

    def __enter__(self) -> Self:
        self._time.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._time.__exit__(kind, value, traceback)

    @property
    def now(self) -> datetime:
        """The present moment (aware, UTC)."""
        return self._time.now

    def advance(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass; for environments it is idle time."""
        self._time.advance(seconds, minutes=minutes, hours=hours, days=days)

    def move_to(self, moment: datetime | str) -> None:
        """Let time pass until ``moment``; raise `LifecycleError` if that is in the past.

        It is an aware datetime, or text such as ``"2030-01-31T12:00:00Z"``.
        """
        self._time.move_to(moment)

    def __repr__(self) -> str:
        return repr(self._time)
