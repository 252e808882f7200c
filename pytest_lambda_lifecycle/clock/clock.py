"""The clock as conductor and extensions see it: moments, spans, and the time that a turn takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "FollowingClock", "Turn"]


class Turn(Protocol):
    """One turn of function code, as a clock times it."""

    real_limit: float
    """Seconds of real time after which the turn is interrupted."""

    @property
    def cut(self) -> bool:
        """The deadline was reached: each wait from now on is cut at it."""
        ...

    @property
    def stuck(self) -> str:
        """The reason why the watchdog has ended the turn before its time; ``""`` otherwise."""
        ...

    def end(self) -> bool:
        """End the turn; return whether it took longer than it may."""
        ...

    def real_time_is_up(self) -> None:
        """Note that `real_limit` has passed."""
        ...

    def forgive(self) -> None:
        """Note that a debugger has stopped the turn: it is not late."""
        ...


class Clock(Protocol):
    """Time as conductor and extensions see it."""

    resolution_us: int
    """Two moments that differ by no more cannot be ordered: a busy machine blurs them."""

    def now_us(self) -> int:
        """Return the moment, in microseconds since the epoch."""
        ...

    def elapsed(self) -> int:
        """Return nanoseconds on a clock that never goes back, for spans."""
        ...

    def function_time_ms(self) -> int:
        """Return milliseconds since the epoch as function code would read them now."""
        ...

    def pass_time(self, span_us: int) -> None:
        """Let time pass while nothing runs."""
        ...

    def rewind(self, to_us: int) -> None:
        """Go back for the next participant, which runs beside one that had its turn since then."""
        ...

    def skip_to(self, to_us: int) -> None:
        """Go on to a moment while participants wait; do nothing if that moment is over."""
        ...

    def begin_turn(self, limit_us: int) -> Turn:
        """Begin a turn of function code that may take ``limit_us`` microseconds."""
        ...


class FollowingClock:
    """The clock of an environment that may join another clock before its first phase."""

    resolution_us: int
    now_us: Callable[[], int]
    elapsed: Callable[[], int]
    function_time_ms: Callable[[], int]
    pass_time: Callable[[int], None]
    rewind: Callable[[int], None]
    skip_to: Callable[[int], None]
    begin_turn: Callable[[int], Turn]

    def __init__(self, clock: Clock) -> None:
        """Follow a clock; the methods are its own, since to pass calls on takes time."""
        self.follow(clock)

    def follow(self, clock: Clock) -> None:
        """Follow another clock from now on."""
        for name in FollowingClock.__annotations__:
            setattr(self, name, getattr(clock, name))
