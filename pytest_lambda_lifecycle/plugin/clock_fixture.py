"""The fixtures ``lambda_clock`` of each scope: their options and their marker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import pytest

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.lifecycle.moments import LAST, WHY_LAST, moment_from_text
from pytest_lambda_lifecycle.plugin.markers import location, own_marks

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.public_clock import LambdaClock

__all__ = ["check", "clock_for"]

Given: TypeAlias = Iterable[tuple[str, object, str]]
"""Name, value and source of options, lowest precedence first."""
_WATCHDOG: Final = 10.0


_RUNNING: Final[list[LambdaClock]] = []
"""The clock of the fixtures, while it runs."""


@contextmanager
def clock_for(request: pytest.FixtureRequest, options: Given) -> Iterator[LambdaClock]:
    """Run the clock of a test, class, module or session; one of a wider scope serves it as well.

    The closest marker says when it starts, or else the options.  Raises `ConfigError` for a value
    that is no moment, or no length of time.
    """
    __tracebackhide__ = True
    clock = _clock(request, options)
    if _RUNNING:
        wider, start = _RUNNING[-1], clock._time.asked_start
        if (
            start is not None
            and start != wider._time.asked_start
            and _marked(request.node) is not None
        ):
            raise ConfigError(
                f"the marker lambda_clock asks for a clock that starts at {start}, and the clock "
                f"of a wider scope runs already: {wider!r}",
                "Remove the marker, or mark the class or module whose fixture starts the clock.",
                code="LLC402",
            )
        yield wider
        return
    with clock:
        _RUNNING.append(clock)
        try:
            yield clock
        finally:
            _RUNNING.remove(clock)


def _clock(request: pytest.FixtureRequest, options: Given) -> LambdaClock:
    """Return a clock that does not run yet."""
    from pytest_lambda_lifecycle.clock.public_clock import LambdaClock

    __tracebackhide__ = True
    try:
        start, watchdog = _parsed(options)
        marked = _marked(request.node)  # pyright: ignore[reportUnknownMemberType]
    except ConfigError as error:
        # The frames that noticed the mistake say nothing more.
        raise error.with_traceback(None) from None
    return LambdaClock(marked or start, watchdog=watchdog)


def check(options: Given) -> None:
    """Raise `ConfigError` for an option whose value is no moment, or no length of time."""
    _parsed(options)


def _parsed(options: Given) -> tuple[datetime | None, float]:
    start: datetime | None = None
    watchdog = _WATCHDOG
    for name, value, source in options:
        if name == "clock_start":
            start = _moment(value, name, source)
        else:
            watchdog = _seconds(value, name, source)
    return start, watchdog


def _marked(of: Any) -> datetime | None:  # noqa: ANN401  # an item or a collector
    """Return the start that the closest marker gives, if there is a marker."""
    for node in cast("list[pytest.Item | pytest.Collector]", of.listchain()[::-1]):
        for mark in own_marks(node, "lambda_clock"):
            return _start_of(mark, f"the marker lambda_clock at {location(node)}")
    return None


def _start_of(mark: pytest.Mark, source: str) -> datetime | None:
    values = [*mark.args, *(value for name, value in mark.kwargs.items() if name == "start")]
    if len(values) != len(mark.args) + len(mark.kwargs) or len(values) > 1:
        named = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
        given = ", ".join([*map(repr, mark.args), *named])
        raise ConfigError(
            f"the marker takes one argument, start, and was given {given} (from {source})",
            code="LLC209",
        )
    return _moment(values[0], "start", source) if values else None


def _moment(value: object, name: str, source: str) -> datetime | None:
    moment = (moment_from_text(value) or value) if isinstance(value, str) else value
    if moment is None:
        return None
    takes = "it takes an aware datetime, or text such as '2030-01-31T12:00:00Z'"
    if not isinstance(moment, datetime):
        problem = f"is no moment: {takes}"
    elif moment.utcoffset() is None:
        problem = f"has no time zone: {takes}"
    elif moment > LAST:
        problem = f"is too late: {WHY_LAST}"
    else:
        return moment
    raise ConfigError(f"{name}={value!r} {problem} (from {source})", code="LLC401")


def _seconds(value: object, name: str, source: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise ConfigError(
            f"{name}={value!r} has to be a number of seconds above 0 (from {source})", code="LLC401"
        )
    return seconds
