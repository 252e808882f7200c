"""Moments and spans of time as whole microseconds, within Python's calendar."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Final

from pytest_lambda_lifecycle.errors import LifecycleError

__all__ = [
    "EPOCH",
    "LAST",
    "MICROSECOND",
    "WHY_LAST",
    "microseconds",
    "moment_at",
    "require_calendar",
    "rounded_up_us",
]


EPOCH: Final = datetime(1970, 1, 1)


MICROSECOND: Final = timedelta(microseconds=1)


LAST: Final = datetime(9999, 12, 31, tzinfo=timezone.utc)
"""Where time ends: from here on, the end of fresh credentials and local time would not fit in
Python's calendar.
"""


WHY_LAST: Final = f"Python's calendar ends with the year 9999, and time goes up to {LAST}"


_TOO_LONG: Final = 1e12
"""Seconds: some 30,000 years."""


def rounded_up_us(seconds: float) -> int:
    """Return seconds as whole microseconds; what a float cannot express (1.1 s) counts for
    nothing.
    """
    return math.ceil(round(seconds * 1_000_000, 3))


def microseconds(value: object, what: str) -> int:
    """Return seconds as whole microseconds, rounded up; raises `LifecycleError` for what is no
    length of time.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _TOO_LONG:
        return rounded_up_us(value)
    raise LifecycleError(
        f"{what} {value!r}: a length of time is a finite number of seconds, and not negative; {WHY_LAST}"
    )


def require_calendar(now_us: int, span_us: int) -> None:
    """Raise `LifecycleError` where Python's calendar has no moment ``span_us`` microseconds after
    ``now_us``.
    """
    if now_us + span_us > _LAST_US:
        raise LifecycleError(
            f"cannot let {span_us / 3_600_000_000:.3g} hours pass from {moment_at(now_us)}: {WHY_LAST}; let less pass"
        )


def moment_at(us: int) -> datetime:
    """Return the moment (aware, UTC) so many microseconds after the epoch."""
    return (EPOCH + us * MICROSECOND).replace(tzinfo=timezone.utc)


_LAST_US: Final = (LAST.replace(tzinfo=None) - EPOCH) // MICROSECOND
