"""Time as the conductor knows it, the real one, and how it is replaced.  The only module that
imports freezegun.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

__all__ = ["Clock", "Turn"]

Turn: TypeAlias = tuple[int, "int | None"]


class Clock(Protocol):
    """What the conductor knows of time."""

    resolution_us: int
    """Spans that differ by no more say nothing about what came first: that is how much a busy
    machine blurs them.
    """

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        ...

    def elapsed(self) -> int:
        """Nanoseconds on a clock that never goes back, for spans."""
        ...

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch as function code would read them now."""
        ...

    def pass_time(self, span_us: int) -> None:
        """Let time pass while nothing runs."""
        ...

    def rewind(self, to_us: int) -> None:
        """Go back for the next participant, which runs beside one that has had its turn since
        then.
        """
        ...

    def skip_to(self, to_us: int) -> None:
        """Let time go on, while participants wait, to a moment that may be over already."""
        ...

    def begin_turn(self, limit_us: int) -> Turn:
        """Begin to count what a turn of function code takes; it has ``limit_us`` microseconds."""
        ...

    def end_turn(self, turn: Turn) -> bool:
        """Say whether the turn took longer than it may."""
        ...

    def real_limit(self, limit_us: int) -> float:
        """Seconds of real time after which the turn is interrupted."""
        ...

    def real_time_is_up(self) -> None:
        """Be told that these have passed."""
        ...

    def forgive(self) -> None:
        """Be told that a debugger has stopped the turn: it is not late."""
        ...

    @property
    def cut(self) -> bool:
        """The deadline was reached, and whoever waits is to be cut there."""
        ...

    @property
    def stuck(self) -> str:
        """Why the turn was given up although its time is not over; `""` if it was not."""
        ...
