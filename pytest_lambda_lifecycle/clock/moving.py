"""The virtual clock as the waits of threads see it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MovingClock", "MovingTurn"]


class MovingTurn(Protocol):
    """The turn that runs."""

    cut: bool
    deadline_us: int | None


class MovingClock(Protocol):
    """A clock that stands still until it is moved."""

    watchdog: float
    ended: bool

    @property
    def turn(self) -> MovingTurn:
        """The turn that runs, or that ran last."""
        ...

    def now_us(self) -> int:
        """Return the moment, in microseconds since the epoch."""
        ...

    def span_ns(self) -> int:
        """Return nanoseconds of the monotonic clock."""
        ...

    def move(self, to_us: int) -> None:
        """Move forward."""
        ...

    def reaches_deadline(self, to_us: int) -> bool:
        """Move to a moment or, if that comes first, to the deadline; return whether it did."""
        ...
