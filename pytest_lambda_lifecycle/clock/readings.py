"""Stand-ins for the functions that tell the time.

Each is one object for the whole run, and tells real time as long as there is no source of another
one: so an object that has kept one (a cache that was made under a clock) is right at any time.  The
stand-ins are bound methods, since a class may hold one as an attribute, as
`logging.Formatter.converter`: a function would become a method there.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from time import struct_time
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.real import RealDates, RealTime
from pytest_lambda_lifecycle.lifecycle.moments import EPOCH, MICROSECOND

__all__ = ["PAIRS", "READINGS", "Source", "freezes_of_test", "now", "utcnow"]

_VIRTUAL, _REAL, _WAITS = range(3)
_KIND_OF_PACKAGE: Final = {
    **dict.fromkeys(
        "_pytest hypothesis multiprocessing pytest_timeout socketserver subprocess timeit "
        "execnet xdist".split(),
        _REAL,
    ),
    **dict.fromkeys("asyncio concurrent queue threading trio".split(), _WAITS),
}
"""Packages that measure how long the test takes, or wait for processes: they read real time.

Those that wait for a moment (`_WAITS`) read virtual time for the function alone: waits of the test
take real time.
"""
_KIND_OF_MODULE: Final[dict[object, int]] = {"_pytest.logging": _VIRTUAL}


class Source:
    """Another time than the real one."""

    def __init__(
        self,
        now_ns: Callable[[], int],
        span_ns: Callable[[], int],
        for_thread: Callable[[], bool],
        freezegun: Any,  # noqa: ANN401  # its module `api`
    ) -> None:
        """``now_ns`` counts from the epoch; ``span_ns`` is the monotonic clock.

        ``for_thread`` says whether waits of the current thread follow this time.
        """
        self.now_ns = now_ns
        self.span_ns = span_ns
        self.for_thread = for_thread
        self.freezegun = freezegun
        self._freezes: list[Any] = self.freezegun.freeze_factories
        self.freeze = self.moment  # one object: it is found by its identity

    def moment(self) -> datetime:
        """Return the present moment, as naive UTC."""
        return EPOCH + self.now_ns() // 1000 * MICROSECOND

    def join_freezegun(self) -> None:
        """Become the innermost freeze of freezegun: one that a test begins later is inside it."""
        api = self.freezegun
        self._freezes.append(self.freeze)
        api.ignore_lists.append(())
        api.tick_flags.append(False)
        api.tz_offsets.append(timedelta(0))

    def leave_freezegun(self) -> None:
        """Be none of its freezes any more."""
        if self.freeze in self._freezes:
            index = self._freezes.index(self.freeze)
            api = self.freezegun
            for stack in (self._freezes, api.ignore_lists, api.tick_flags, api.tz_offsets):
                del stack[index]

    @property
    def innermost(self) -> bool:
        """True if no freeze of the test has begun since."""
        return bool(self._freezes) and self._freezes[-1] is self.freeze


def freezes_of_test(source: Source | None) -> list[Any]:
    """Return the freezes of freezegun that the test has begun, without our own."""
    freezes = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
    return [one for one in freezes if source is None or one is not source.freeze]


class _Readings:
    """The stand-ins."""

    source: Source | None = None
    sleeper: Callable[[float], None] | None = None
    """Sleeps for function code, under a clock."""

    def time(self) -> float:
        source = _source()
        if source is None:
            return RealTime.time()
        if not source.innermost:
            return float(source.freezegun.fake_time())
        return source.now_ns() / 1_000_000_000

    def time_ns(self) -> int:
        source = _source()
        if source is None:
            return RealTime.time_ns()
        if not source.innermost:
            return int(source.freezegun.fake_time_ns())
        return source.now_ns()

    def monotonic(self) -> float:
        source = _source()
        return (
            RealTime.monotonic() if source is None else _span(source, "monotonic") / 1_000_000_000
        )

    def monotonic_ns(self) -> int:
        source = _source()
        return RealTime.monotonic_ns() if source is None else _span(source, "monotonic")

    def perf_counter(self) -> float:
        source = _source()
        return (
            RealTime.perf_counter()
            if source is None
            else _span(source, "perf_counter") / 1_000_000_000
        )

    def perf_counter_ns(self) -> int:
        source = _source()
        return RealTime.perf_counter_ns() if source is None else _span(source, "perf_counter")

    def gmtime(self, *seconds: Any) -> struct_time:  # noqa: ANN401  # the C function checks it
        source = None if seconds not in ((), (None,)) else _source()
        return RealTime.gmtime(*seconds) if source is None else _struct(source, RealTime.gmtime)

    def localtime(self, *seconds: Any) -> struct_time:  # noqa: ANN401
        source = None if seconds not in ((), (None,)) else _source()
        if source is None:
            return RealTime.localtime(*seconds)
        return _struct(source, RealTime.localtime)

    def strftime(self, *arguments: Any) -> str:  # noqa: ANN401
        source = None if len(arguments) != 1 else _source()
        if source is None:
            return RealTime.strftime(*arguments)
        return RealTime.strftime(arguments[0], _struct(source, RealTime.localtime))

    def ctime(self, *seconds: Any) -> str:  # noqa: ANN401
        source = None if seconds not in ((), (None,)) else _source()
        if source is None:
            return RealTime.ctime(*seconds)
        return RealTime.asctime(_struct(source, RealTime.localtime))

    def asctime(self, *moment: Any) -> str:  # noqa: ANN401
        source = None if moment else _source()
        if source is None:
            return RealTime.asctime(*moment)
        return RealTime.asctime(_struct(source, RealTime.localtime))

    def clock_gettime(self, *clock: Any) -> float:  # noqa: ANN401
        source = _source()
        if source is not None and clock and clock[0] in _CLOCKS:
            if _CLOCKS[clock[0]]:
                return _span(source, "monotonic") / 1_000_000_000
            return (
                source.now_ns() / 1_000_000_000
                if source.innermost
                else float(source.freezegun.fake_time())
            )
        return float(RealTime.clock_gettime(*clock))

    def clock_gettime_ns(self, *clock: Any) -> int:  # noqa: ANN401
        source = _source()
        if source is not None and clock and clock[0] in _CLOCKS:
            if _CLOCKS[clock[0]]:
                return _span(source, "monotonic")
            return source.now_ns() if source.innermost else int(source.freezegun.fake_time_ns())
        return int(RealTime.clock_gettime_ns(*clock))

    def sleep(self, seconds: float, /) -> None:
        sleeper = self.sleeper
        if sleeper is None:
            RealTime.sleep(seconds)
        else:
            sleeper(seconds)


_CLOCKS: Final = {
    getattr(time, name): spans
    for spans, names in (
        (False, ("CLOCK_REALTIME", "CLOCK_TAI")),
        (True, ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME", "CLOCK_UPTIME_RAW")),
    )
    for name in names
    if hasattr(time, name)
}
"""The clocks that `clock_gettime` reads virtually, and whether they measure spans."""

READINGS: Final = _Readings()
PAIRS: Final = tuple(
    (getattr(RealTime, name), getattr(READINGS, name))
    for name in (
        "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns gmtime localtime "
        "strftime ctime asctime clock_gettime clock_gettime_ns sleep"
    ).split()
    if getattr(RealTime, name) is not None
)
"""The real functions and their stand-ins, each the only object of its kind."""


def _source() -> Source | None:
    """Return the time that the caller of a stand-in reads; None for real time."""
    source = READINGS.source
    if source is None:
        return None
    name = sys._getframe(2).f_globals.get("__name__")
    try:
        kind = _KIND_OF_MODULE[name]
    except KeyError:
        kind = _KIND_OF_PACKAGE.get(str(name).partition(".")[0], _VIRTUAL)
        _KIND_OF_MODULE[name] = kind
    if kind == _VIRTUAL or (kind == _WAITS and source.for_thread()):
        return source
    return None


def _span(source: Source, name: str) -> int:
    """Return nanoseconds of the monotonic clock."""
    if source.innermost:
        return source.span_ns()
    return int(getattr(source.freezegun, f"fake_{name}_ns")())


def _struct(source: Source, real: Callable[[float], struct_time]) -> struct_time:
    if source.innermost:
        return real(source.now_ns() // 1_000_000_000)
    # freezegun's own structs have no offset from UTC, which compiled code looks up.
    return real(float(source.freezegun.fake_time()))


# -- datetime --------------------------------------------------------------------------------------


def _frozen_moment() -> datetime | None:
    """Return the moment that the innermost freeze of the test has set, or None."""
    source = READINGS.source
    api: Any = sys.modules.get("freezegun.api") if source is None else source.freezegun
    if api is None or not api.freeze_factories or (source is not None and source.innermost):
        return None
    if sys._getframe(2).f_globals.get("__name__") == "freezegun.api":
        return None  # a freeze that ticks asks for the time around it
    moment: datetime = api.get_current_time()
    return moment


def now(cls: Any, tz: tzinfo | None = None) -> Any:  # noqa: ANN401
    """Stand in for `datetime.now`, a class method."""
    source, frozen = READINGS.source, _frozen_moment()
    if frozen is not None:
        offset = sys.modules["freezegun.api"].tz_offsets[-1]
        return _of(cls, frozen + offset if tz is None else tz.fromutc(frozen.replace(tzinfo=tz)))
    ns = RealTime.time_ns() if source is None else source.now_ns()
    moment = cls.fromtimestamp(ns // 1_000_000_000, tz)
    return moment.replace(microsecond=ns // 1000 % 1_000_000)


def utcnow(cls: Any) -> Any:  # noqa: ANN401
    """Stand in for `datetime.utcnow`, a class method."""
    if sys.version_info >= (3, 12):
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future "
            "version. Use timezone-aware objects to represent datetimes in UTC: "
            "datetime.datetime.now(datetime.UTC).",
            DeprecationWarning,
            stacklevel=2,
        )
    source, frozen = READINGS.source, _frozen_moment()
    if frozen is None:
        ns = RealTime.time_ns() if source is None else source.now_ns()
        frozen = EPOCH + ns // 1000 * MICROSECOND
    return _of(cls, frozen)


def _of(cls: Any, moment: datetime) -> Any:  # noqa: ANN401
    """Return a moment as an instance of a class of `datetime`."""
    if cls is RealDates.datetime and type(moment) is cls:
        return moment
    return cls.combine(RealDates.date(moment.year, moment.month, moment.day), moment.timetz())
