"""Time as the conductor knows it, the real one, and how it is replaced.  The only module that imports freezegun."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from pytest_lambda_lifecycle.captured import put_into, put_into_tables, replace_captured
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.frozen_types import explain_to_pydantic
from pytest_lambda_lifecycle.process import stage
from pytest_lambda_lifecycle.real_time import RealTime
from pytest_lambda_lifecycle.rival import keep_out_time_machine
from pytest_lambda_lifecycle.undoing import Undo

__all__ = [
    "EPOCH",
    "LAST",
    "MICROSECOND",
    "WHY_LAST",
    "Clock",
    "Freeze",
    "FreezegunNames",
    "RealClock",
    "Turn",
    "microseconds",
    "moment_at",
    "now",
    "require_calendar",
    "rounded_up_us",
]

Turn: TypeAlias = tuple[int, "int | None"]
_SPANS: Final = frozenset(("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"))
EPOCH: Final = datetime(1970, 1, 1)
MICROSECOND: Final = timedelta(microseconds=1)
LAST: Final = datetime(9999, 12, 31, tzinfo=timezone.utc)
"""Where time ends: from here on, the end of fresh credentials and local time would not fit in Python's calendar."""
WHY_LAST: Final = f"Python's calendar ends with the year 9999, and time goes up to {LAST}"
_TOO_LONG: Final = 1e12
"""Seconds: some 30,000 years."""
_FREEZEGUN_NAMES: Final = tuple(
    "date datetime gmtime localtime monotonic monotonic_ns perf_counter perf_counter_ns strftime time time_ns".split()
)


class Clock(Protocol):
    """What the conductor knows of time."""

    resolution_us: int
    """Spans that differ by no more say nothing about what came first: that is how much a busy machine blurs them."""

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
        """Go back for the next participant, which runs beside one that has had its turn since then."""
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


def rounded_up_us(seconds: float) -> int:
    """Return seconds as whole microseconds; what a float cannot express (1.1 s) counts for nothing."""
    return math.ceil(round(seconds * 1_000_000, 3))


def microseconds(value: object, what: str) -> int:
    """Return seconds as whole microseconds, rounded up; raises `LifecycleError` for what is no length of time."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _TOO_LONG:
        return rounded_up_us(value)
    raise LifecycleError(
        f"{what} {value!r}: a length of time is a finite number of seconds, and not negative; {WHY_LAST}"
    )


def require_calendar(now_us: int, span_us: int) -> None:
    """Raise `LifecycleError` where Python's calendar has no moment ``span_us`` microseconds after ``now_us``."""
    if now_us + span_us > _LAST_US:
        raise LifecycleError(
            f"cannot let {span_us / 3_600_000_000:.3g} hours pass from {moment_at(now_us)}: {WHY_LAST}; let less pass"
        )


class Freeze:
    """freezegun, started once, with what it leaves undone: see the methods."""

    outermost: ClassVar[Freeze | None] = None
    """The one that names in modules belong to; None also inside a freeze of the test's own."""
    # These wait in real time, by clocks of their own: with a frozen one they would wait for ever.
    _MODULES_WITH_REAL_TIME = ("_pytest.timing", "queue", "subprocess")
    _CALLERS_WITH_REAL_TIME = (
        "_pytest.timing",
        "concurrent.futures._base",
        "multiprocessing.connection",
        "multiprocessing.queues",
    )

    def __init__(self, at: datetime, *, tick: bool, also: Sequence[tuple[Any, Any]] = ()) -> None:
        """Replace the time functions in all modules; ``at`` is naive UTC.  With ``tick`` time goes on from there.

        ``also`` has pairs of a function and its replacement that freezegun does not know.
        """
        import queue  # noqa: F401  # now, so that it takes its clock from the real ones

        import freezegun

        self._let_in = keep_out_time_machine()
        self._modules = set(sys.modules)
        self._api: Any = freezegun.api
        self._nested = bool(self._api.freeze_factories)
        freezer: Any = freezegun.freeze_time(
            at, tick=tick, ignore=list(self._MODULES_WITH_REAL_TIME), real_asyncio=True
        )
        self._freezer, self._shift_ns = freezer, 0
        try:
            self._factory = freezer.start()
            self._replace(freezer.ignore, also, tick=tick)
        except BaseException:  # it takes milliseconds: a test's timeout may fall into them
            Freeze.outermost = None if Freeze.outermost is self else Freeze.outermost
            with contextlib.suppress(Exception):
                freezer.stop()
            self._let_in()
            raise

    def _replace(self, ignored: tuple[str, ...], also: Sequence[tuple[Any, Any]], *, tick: bool) -> None:
        self._narrow_the_ignore_list(self._api)
        self.pairs = pairs = [*_freezegun_pairs(self._api), *also]
        for name in self._MODULES_WITH_REAL_TIME:
            module = sys.modules.get(name)  # if it was imported inside a freeze, nobody has given it its clock back
            if module is not None:
                put_into(module, {id(fake): real for real, fake in pairs})
        if not self._nested:
            Freeze.outermost = self
            if tick:
                self._let_spans_go_on()
        self._real_names = {id(fake): real for real, fake in (also if self._nested else pairs)}
        self._reals = {id(fake): real for real, fake in pairs}
        self._put_captured = replace_captured({id(real): fake for real, fake in pairs}, ignored)
        self._forget_types = explain_to_pydantic(self._api.FakeDatetime, self._api.FakeDate)

    def _narrow_the_ignore_list(self, api: Any) -> None:  # noqa: ANN401
        """Freeze threads and pools too: freezegun looks at five callers, and finds `threading` below shallow code.

        The default list is right for the scan, and was used for it.
        """
        lists = getattr(api, "ignore_lists", None)
        if lists:
            lists[-1] = self._CALLERS_WITH_REAL_TIME

    def _let_spans_go_on(self) -> None:
        """Let `time.monotonic` and its kin go on from where they are: those of freezegun jump to the epoch."""
        stand_ins = {id(real): self._going_on(real, fake) for real, fake in self.pairs if real.__name__ in _SPANS}
        self.pairs[:] = [(real, stand_ins.get(id(real), fake)) for real, fake in self.pairs]
        for owner, name, real in [*self._freezer.undo_changes, *((time, one.__name__, one) for one, _ in self.pairs)]:
            if id(real) in stand_ins:
                setattr(owner, name, stand_ins[id(real)])

    def _going_on(self, real: Callable[[], Any], fake: Callable[[], Any]) -> Callable[[], Any]:
        unit = 1 if real.__name__.endswith("_ns") else 1_000_000_000

        def stand_in() -> Any:  # noqa: ANN401  # int or float, as the real one
            return real() + (self._shift_ns if unit == 1 else self._shift_ns / unit) if self.innermost else fake()

        return stand_in

    def move(self, span: timedelta) -> None:
        """Move time forward."""
        self._shift_ns += span // MICROSECOND * 1000
        self._factory.time_to_freeze += span

    @property
    def innermost(self) -> bool:
        """No other freeze was started since: those of freezegun have to end in turn."""
        factories = self._api.freeze_factories
        return bool(factories) and factories[-1] is self._factory

    @staticmethod
    def others(own: Freeze | None) -> list[Any]:
        """Return what moves the freezes that are not ``own``."""
        factories = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
        return [factory for factory in factories if own is None or factory is not own._factory]

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Give real time back everywhere, also in ``modules`` that are not in `sys.modules` or took an old name.

        freezegun restores the globals of modules that are new by name; class attributes, default values and tables that
        were filled meanwhile would stay fake for ever.  Inside a freeze of the test's own, names stay as that has them.
        """
        Freeze.outermost = None if Freeze.outermost is self else Freeze.outermost
        self._freezer.stop()
        self._put_captured(self._reals)
        self._forget_types()
        new = [module for name, module in list(sys.modules.items()) if name not in self._modules]
        for module in [*new, *modules]:
            if issubclass(type(module), ModuleType) and not module.__name__.startswith("freezegun"):
                put_into(module, self._reals, names=self._real_names)
                put_into_tables(module, self._reals)
        if getattr(time, "clock", 0) is None:
            del time.clock  # type: ignore[attr-defined]  # freezegun leaves it behind
        self._let_in()


def _freezegun_pairs(api: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401
    """Return what freezegun replaces, and by what."""
    fakes = {"date": "FakeDate", "datetime": "FakeDatetime"}
    names = [(f"real_{name}", fakes.get(name, f"fake_{name}")) for name in _FREEZEGUN_NAMES]
    return [(getattr(api, real), getattr(api, fake)) for real, fake in names if hasattr(api, fake)]


class FreezegunNames:
    """Keeps names that modules have captured in step with a freeze of the test's own.  A part of the process.

    freezegun replaces and restores names only in what `sys.modules` holds when it starts and stops; an environment that
    is not entered then would keep a dead fake, or real time, in ``from datetime import datetime``.
    """

    def __init__(self, modules: Callable[[], dict[str, ModuleType]]) -> None:
        self._modules = modules

    def enter(self) -> Undo:
        """Replace fakes by the real things, or the other way round."""
        api = sys.modules.get("freezegun.api")
        if api is not None:
            pairs = _freezegun_pairs(api) if Freeze.outermost is None else Freeze.outermost.pairs
            wanted = {id(real): fake for real, fake in pairs} if api.freeze_factories else {}
            wanted = wanted or {id(fake): real for real, fake in pairs}
            for module in self._modules().values():
                put_into(module, wanted)
        return lambda: None

    def discard(self) -> None:
        """There is nothing of its own."""


class RealClock:
    """Wall time for moments, `time.perf_counter_ns` for spans.  Idle time is added to what function code reads."""

    stuck = ""
    cut = False
    resolution_us = 20_000
    elapsed = staticmethod(RealTime.perf_counter_ns)
    _shift: Freeze | None = None
    _shifted_us = 0
    _forgiven = False

    def now_us(self) -> int:
        """Microseconds since the epoch, idle time included."""
        return RealTime.time_ns() // 1000 + self._shifted_us

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch by `time.time`, as a test may have replaced it; so are deadlines."""
        return int(time.time() * 1000)

    def pass_time(self, span_us: int) -> None:
        """Shift wall and monotonic time for everybody; they go on from there.  The test's own freezes move as well."""
        cls = RealClock
        frozen = Freeze.others(cls._shift)
        moments = [(factory.time_to_freeze - EPOCH) // MICROSECOND for factory in frozen]
        require_calendar(max([self.now_us(), *moments]), span_us)
        cls._shifted_us += span_us
        span = span_us * MICROSECOND
        for factory in frozen:
            factory.time_to_freeze += span
        if cls._shift is not None:
            cls._shift.move(span)
        elif not frozen:
            entered = stage.leave()  # its modules find the shifted functions when it enters
            try:
                cls._shift = Freeze(now(), tick=True)
                cls._shift.move(span)
            finally:
                stage.resume(entered)

    def rewind(self, to_us: int) -> None:
        """Nothing to do: real time goes on."""

    def skip_to(self, to_us: int) -> None:
        """Nothing to do: nobody has to wait for what he does not do."""

    def begin_turn(self, limit_us: int) -> Turn:
        """Count real time, without idle time."""
        self._forgiven = False
        return self.elapsed() + limit_us * 1000, None

    def end_turn(self, turn: Turn) -> bool:
        """Say whether the turn took longer than it may."""
        return self.elapsed() > turn[0] and not self._forgiven

    def forgive(self) -> None:
        """Do not call the turn late: a debugger has stopped it."""
        self._forgiven = True

    def real_limit(self, limit_us: int) -> float:
        """The limit itself."""
        return limit_us / 1_000_000

    def real_time_is_up(self) -> None:
        """Nothing to note: it is the deadline."""

    @classmethod
    def unshift(cls, modules: Iterable[ModuleType]) -> None:
        """Give real time back, unless the test has frozen time since: then at the end of the test."""
        if cls._shift is None:
            cls._shifted_us = 0
        elif cls._shift.innermost:
            cls._shift.stop(modules)
            cls._shift, cls._shifted_us = None, 0


def moment_at(us: int) -> datetime:
    """Return the moment (aware, UTC) so many microseconds after the epoch."""
    return (EPOCH + us * MICROSECOND).replace(tzinfo=timezone.utc)


_LAST_US: Final = (LAST.replace(tzinfo=None) - EPOCH) // MICROSECOND


def now() -> datetime:
    """Return the moment by `time.time`, which a test may have frozen or shifted, as naive UTC."""
    return EPOCH + round(time.time() * 1_000_000) * MICROSECOND
