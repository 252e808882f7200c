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
    "moment_from_text",
    "require_calendar",
    "rounded_up_us",
]

EPOCH: Final = datetime(1970, 1, 1)
MICROSECOND: Final = timedelta(microseconds=1)
LAST: Final = datetime(9999, 12, 31, tzinfo=timezone.utc)
"""The end of time: later, the end of credentials and local time would not fit Python's calendar."""


WHY_LAST: Final = f"Python's calendar ends with the year 9999, and time goes up to {LAST}"


_TOO_LONG: Final = 1e12
"""Seconds: some 30,000 years."""


def rounded_up_us(seconds: float) -> int:
    """Return seconds as whole microseconds, rounded up; a float's inexactness (1.1) adds none."""
    return math.ceil(round(seconds * 1_000_000, 3))


def microseconds(value: object, asked: str) -> int:
    """Return seconds as whole microseconds, rounded up; raise `LifecycleError` for anything else.

    ``asked`` begins the message: ``"cannot let time pass: hours"``.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _TOO_LONG:
        return rounded_up_us(value)
    raise LifecycleError(
        f"{asked} {value!r}: a length of time is a finite number of seconds, and not negative; "
        f"{WHY_LAST}",
        code="LLC401",
    )


def moment_from_text(text: str) -> datetime | None:
    """Return the moment that ISO 8601 text names, with or without a time zone; None if none."""
    text = text.strip()
    if text[-1:] in ("Z", "z"):  # which Python 3.10 cannot parse
        text = f"{text[:-1]}+00:00"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def require_calendar(now_us: int, span_us: int) -> None:
    """Raise `LifecycleError` if ``span_us`` after ``now_us`` is past the end of the calendar."""
    if now_us + span_us > _LAST_US:
        raise LifecycleError(
            f"cannot let {span_us / 3_600_000_000:.3g} hours pass from {moment_at(now_us)}: "
            f"{WHY_LAST}; let less pass",
            code="LLC401",
        )


def moment_at(us: int) -> datetime:
    """Return the moment (aware, UTC) so many microseconds after the epoch."""
    return (EPOCH + us * MICROSECOND).replace(tzinfo=timezone.utc)


_LAST_US: Final = (LAST.replace(tzinfo=None) - EPOCH) // MICROSECOND
