"""What stands behind the fixture ``lambda_clock``: its options and its marker."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import pytest

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.lifecycle.moments import LAST, WHY_LAST
from pytest_lambda_lifecycle.plugin.markers import location, own_marks

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.lambda_clock import LambdaClock

__all__ = ["check", "clock_for"]

Given: TypeAlias = Iterable[tuple[str, object, str]]
"""Name, value and source of options, lowest precedence first."""
_WATCHDOG: Final = 10.0


def clock_for(request: pytest.FixtureRequest, options: Given) -> LambdaClock:
    """Return the clock that a test asks for, not yet running: by the options, then by the closest
    marker.

    Raises `ConfigError` for a value that is no moment, or no length of time.
    """
    from pytest_lambda_lifecycle.clock.lambda_clock import LambdaClock

    __tracebackhide__ = True
    try:
        start, watchdog = _parsed(options)
        marked = _marked(cast("pytest.Item", request.node))  # pyright: ignore[reportUnknownMemberType]
    except ConfigError as error:
        raise error.with_traceback(None) from None  # where our code noticed it is of no interest
    return LambdaClock(marked or start, watchdog=watchdog)


def check(options: Given) -> None:
    """Raise `ConfigError` for an option that cannot be."""
    _parsed(options)


def _parsed(options: Given) -> tuple[datetime | None, float]:
    start, watchdog = None, _WATCHDOG
    for name, value, source in options:
        if name == "clock_start":
            start = _moment(value, name, source)
        else:
            watchdog = _seconds(value, name, source)
    return start, watchdog


def _marked(item: pytest.Item) -> datetime | None:
    for node in cast("list[pytest.Item | pytest.Collector]", item.listchain()[::-1]):
        for mark in own_marks(node, "lambda_clock"):
            source = f"the marker lambda_clock at {location(node)}"
            values = list(mark.args) + [
                value for name, value in mark.kwargs.items() if name == "start"
            ]
            if len(values) != len(mark.args) + len(mark.kwargs) or len(values) > 1:
                named = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
                given = ", ".join([*map(repr, mark.args), *named])
                raise ConfigError(
                    f"the marker takes one argument, start, and was given {given} (from {source})"
                )
            return _moment(values[0], "start", source) if values else None
    return None


def _moment(value: object, name: str, source: str) -> datetime | None:
    moment = value
    if isinstance(value, str):
        text = value.strip()
        try:  # Python 3.10 does not know the Z
            moment = datetime.fromisoformat(
                text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text
            )
        except ValueError:
            moment = ""
    if moment is None:
        return None
    if isinstance(moment, datetime) and moment.utcoffset() is not None:
        if moment > LAST:
            raise ConfigError(f"{name}={value!r} is too late: {WHY_LAST} (from {source})")
        return moment
    zone = "has no time zone: it" if isinstance(moment, datetime) else "is no moment: it"
    raise ConfigError(
        f"{name}={value!r} {zone} takes an aware datetime, or text such as '2030-01-31T12:00:00Z' (from {source})"
    )


def _seconds(value: object, name: str, source: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise ConfigError(f"{name}={value!r} has to be a number of seconds above 0 (from {source})")
    return seconds
