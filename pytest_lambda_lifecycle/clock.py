"""Time: the real one, and one that stands still until it is moved.  The only module that imports freezegun.

freezegun replaces attributes of modules, so real clock functions hang on classes here, where its scan does not look.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias

from pytest_lambda_lifecycle.captured import put_into, replace_captured
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.process import stage
from pytest_lambda_lifecycle.rival import keep_out_time_machine
from pytest_lambda_lifecycle.undoing import Undo

__all__ = [
    "Clock",
    "Freeze",
    "FreezegunNames",
    "RealClock",
    "VirtualClock",
    "microseconds",
    "moment_at",
    "rounded_up_us",
]

Turn: TypeAlias = tuple[int, "int | None"]
_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_FREEZEGUN_NAMES: Final = tuple(
    "date datetime gmtime localtime monotonic monotonic_ns perf_counter perf_counter_ns strftime time time_ns".split()
)


class Clock(Protocol):
    """What the conductor knows of time."""

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
    def stuck(self) -> str:
        """Why the turn was given up although its time is not over; `""` if it was not."""
        ...


def rounded_up_us(seconds: float) -> int:
    """Return seconds as whole microseconds; what a float cannot express (1.1 s) counts for nothing."""
    return math.ceil(round(seconds * 1_000_000, 3))


def microseconds(value: object, what: str) -> int:
    """Return seconds as whole microseconds, rounded up; raises `LifecycleError` for what is no length of time."""
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number < 0:
        raise LifecycleError(f"{what} {value!r}: a length of time is a finite number of seconds, and not negative")
    return rounded_up_us(number)


class Freeze:
    """freezegun, started once, with what it leaves undone: see the methods."""

    # `subprocess` waits for children in steps of its own, which take real time; `queue` would wait for ever.
    _MODULES_WITH_REAL_TIME = ("_pytest.timing", "subprocess")
    _CALLERS_WITH_REAL_TIME = ("_pytest.timing", "concurrent.futures._base")

    def __init__(self, at: datetime, *, tick: bool, also: Sequence[tuple[Any, Any]] = ()) -> None:
        """Replace the time functions in all modules; ``at`` is naive UTC.  With ``tick`` time goes on from there.

        ``also`` has pairs of a function and its replacement that freezegun does not know.
        """
        import freezegun

        self._let_in = keep_out_time_machine()
        self._modules = set(sys.modules)
        self._api: Any = freezegun.api
        self._nested = bool(self._api.freeze_factories)
        freezer: Any = freezegun.freeze_time(
            at, tick=tick, ignore=list(self._MODULES_WITH_REAL_TIME), real_asyncio=True
        )
        self._freezer, self._factory = freezer, freezer.start()
        self._narrow_the_ignore_list(self._api)
        pairs = [*_freezegun_pairs(self._api), *also]
        self._real_names = {id(fake): real for real, fake in (also if self._nested else pairs)}
        self._reals = {id(fake): real for real, fake in pairs}
        self._put_captured = replace_captured({id(real): fake for real, fake in pairs}, freezer.ignore)

    def _narrow_the_ignore_list(self, api: Any) -> None:  # noqa: ANN401
        """Freeze threads and pools too: freezegun looks at five callers, and finds `threading` below shallow code.

        The default list is right for the scan (`queue` must keep its clock, or it waits for ever), and was used for it.
        """
        lists = getattr(api, "ignore_lists", None)
        if lists:
            lists[-1] = self._CALLERS_WITH_REAL_TIME

    def move(self, span: timedelta) -> None:
        """Move time forward."""
        if hasattr(self._factory, "start"):  # a ticking factory counts from its last move
            self._factory.start -= span
        else:
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

        freezegun restores the globals of modules that are new by name; class attributes and default values that were
        captured meanwhile would stay fake for ever.  Inside a freeze of the test's own, names stay as that has them.
        """
        self._freezer.stop()
        self._put_captured(self._reals)
        new = [module for name, module in list(sys.modules.items()) if name not in self._modules]
        for module in [*new, *modules]:
            if issubclass(type(module), ModuleType) and not module.__name__.startswith("freezegun"):
                put_into(module, self._reals, names=self._real_names)
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
            pairs = _freezegun_pairs(api)
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
    elapsed = staticmethod(time.perf_counter_ns)
    _time_ns = staticmethod(time.time_ns)
    _shift: Freeze | None = None
    _shifted_us = 0
    _forgiven = False

    def now_us(self) -> int:
        """Microseconds since the epoch, idle time included."""
        return self._time_ns() // 1000 + self._shifted_us

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch by `time.time`, as a test may have replaced it; so are deadlines."""
        return int(time.time() * 1000)

    def pass_time(self, span_us: int) -> None:
        """Shift wall and monotonic time for everybody; they go on from there.  The test's own freezes move as well."""
        cls = RealClock
        cls._shifted_us += span_us
        span = span_us * _MICROSECOND
        frozen = Freeze.others(cls._shift)
        for factory in frozen:
            factory.tick(span)
        if cls._shift is not None:
            cls._shift.move(span)
        elif not frozen:
            entered = stage.leave()  # its modules find the shifted functions when it enters
            try:
                cls._shift = Freeze(datetime.now(timezone.utc).replace(tzinfo=None) + span, tick=True)
            finally:
                stage.resume(entered)

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
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)


class VirtualClock:
    """Time in whole microseconds that moves only when it is moved: by sleeping function code, by idling, by the test.

    `wait_until` is what sleeping means: on the thread of a phase the clock goes there at once; another thread first
    gives the clock's other movers a moment (`PATIENCE` s, real), so that sleeps of several threads run side by side.
    """

    PATIENCE: Final = 0.01

    def __init__(self, start: datetime | None = None, *, watchdog: float = 10.0) -> None:
        self._start = start
        self._watchdog = watchdog
        self.stuck = ""
        self._freeze: Freeze | None = None
        self._us = 0
        self._moved = threading.Condition()
        self.deadline_us: int | None = None
        """Where the phase that runs is cut."""
        self.cut = False
        """The deadline was reached: everything that waits from now on is cut again."""
        self.ended = False
        self.on_deadline: Callable[[], None] = lambda: None
        """Called on the thread that ran into the deadline, if it is not the phase's own."""
        self.passed: Callable[[], None] = lambda: None
        """Called after time has passed while nothing ran."""

    def start(self, also: Sequence[tuple[Any, Any]] = ()) -> None:
        """Freeze time, at the start given or now, on the whole second; ``also`` as for `Freeze`."""
        begin = self._start or datetime.now(timezone.utc).replace(microsecond=0)
        naive = begin.astimezone(timezone.utc).replace(tzinfo=None)
        self._us = (naive - _EPOCH) // _MICROSECOND
        self._freeze = Freeze(naive, tick=False, also=also)

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Give real time back, in ``modules`` as well."""
        freeze, self._freeze, self.ended = self._freeze, None, True
        if freeze is not None:
            freeze.stop(modules)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._us

    def elapsed(self) -> int:
        """Nanoseconds; the same clock."""
        return self._us * 1000

    def function_time_ms(self) -> int:
        """Milliseconds since the epoch by `time.time`: a test may have frozen time inside this clock once more."""
        return int(time.time() * 1000)

    def move(self, to_us: int) -> None:
        """Move forward, to microseconds since the epoch."""
        with self._moved:
            span = to_us - self._us
            if span > 0:
                self._us = to_us
                if self._freeze is not None:
                    self._freeze.move(span * _MICROSECOND)
                self._moved.notify_all()

    def pass_time(self, span_us: int) -> None:
        """Let time pass while nothing runs."""
        self.move(self._us + span_us)
        self.passed()

    def begin_turn(self, limit_us: int) -> Turn:
        """Set the deadline; that of an environment whose handler invokes this one comes back at the end."""
        outer = self.deadline_us
        self.deadline_us, self.cut, self.stuck = self._us + limit_us, False, ""
        return self.deadline_us, outer

    def end_turn(self, turn: Turn) -> bool:
        """Say whether the turn reached its deadline and wanted to go on."""
        late, self.cut = self.cut or self._us > turn[0], False
        self.deadline_us = turn[1]
        return late

    def real_limit(self, limit_us: int) -> float:
        """The watchdog's: code that spins does not move this clock."""
        return self._watchdog

    def forgive(self) -> None:
        """Nothing to do: this clock stands still at a debugger's prompt anyway."""

    def real_time_is_up(self) -> None:
        """Note that the watchdog has barked."""
        if not self.cut:
            self.stuck = (
                f"function code ran for {self._watchdog:g} s of real time without moving the clock, which stands still "
                "under lambda_clock: it loops, or waits for something other than time.sleep and asyncio timers; "
                "raise lambda_lifecycle_watchdog if it needs longer, or test it without lambda_clock"
            )

    def reaches_deadline(self, to_us: int) -> bool:
        """Move to a moment, or to the deadline where that comes before; True in the latter case."""
        deadline = self.deadline_us
        if deadline is None or (to_us <= deadline and not self.cut):
            self.move(to_us)
            return False
        self.move(deadline)
        self.cut = True
        return True

    def wait_on_other_thread(
        self, until_us: int, in_phase: Callable[[], bool], phase_waits: Callable[[], bool]
    ) -> None:
        """Wait on a thread beside the phase's: until others moved the clock there, or the phase's thread waits too."""
        with self._moved:
            while not self.ended and (self._us < until_us or not in_phase()):
                if self._moved.wait(self.PATIENCE) or not in_phase() or not phase_waits():
                    continue
                if self.reaches_deadline(until_us):
                    self.on_deadline()
                    return
