"""`LambdaTime`: virtual time for a test and the environments in it, beneath `LambdaClock`."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol
from weakref import WeakSet

from pytest_lambda_lifecycle.clock.event_loops import EventLoops
from pytest_lambda_lifecycle.clock.file_waits import FileWaits
from pytest_lambda_lifecycle.clock.signal_waits import SignalWaits
from pytest_lambda_lifecycle.clock.virtual import VirtualClock
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.part import nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.moments import (
    LAST,
    WHY_LAST,
    microseconds,
    moment_at,
    moment_from_text,
)

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LambdaTime", "idle_span_us", "require_clock"]


def idle_span_us(seconds: float, minutes: float, hours: float, days: float = 0) -> int:
    """Add up a span, in microseconds; raise `LifecycleError` for anything but a length of time."""
    parts = (
        (seconds, "seconds", 1),
        (minutes, "minutes", 60),
        (hours, "hours", 3600),
        (days, "days", 86_400),
    )
    return sum(
        microseconds(value, f"cannot let time pass: {name}") * factor
        for value, name, factor in parts
    )


class LambdaTime(VirtualClock):
    """The time of a `LambdaClock`, with what the environments need of it.

    `time.time`, `monotonic`, `perf_counter`, `datetime.now` and their kin agree with it everywhere,
    in threads too.
    """

    current: ClassVar[LambdaTime | None] = None

    def __init__(self, start: datetime | None = None, *, watchdog: float = 10.0) -> None:
        """``start`` is aware; by default it is now, on the whole second.

        ``watchdog`` is the real time in s that one phase may take.
        """
        if start is not None:
            start = _aware(start, "cannot start the clock at")
        super().__init__(start, watchdog=watchdog)
        files = FileWaits(self, self.waits)
        self._kinds_of_waits = (
            self.waits,
            files,
            EventLoops(self, self.waits, files),
            SignalWaits(self, self.waits),
        )
        self._undo: Undo = nothing_to_undo
        self._environments: WeakSet[_Idling] = WeakSet()
        self._worlds: WeakSet[_World] = WeakSet()

    def __enter__(self) -> Self:
        if LambdaTime.current is not None:
            raise LifecycleError(
                "cannot start a second clock: one runs already in this test, and there is one time",
                code="LLC402",
            )
        if self.ended:
            raise LifecycleError(
                "cannot start this clock again: it has ended; make another LambdaClock()",
                code="LLC402",
            )
        with stage.left():
            self.start()
            try:
                self._undo = self._install()
            except BaseException:
                self.stop(())
                raise
        LambdaTime.current = self
        stage.virtual_time = self.schedule
        return self

    def _install(self) -> Undo:
        undo: list[Undo] = []

        def end() -> None:
            while undo:
                undo.pop()()

        try:
            undo.extend(waits.install() for waits in self._kinds_of_waits)
        except BaseException:
            end()
            raise
        return end

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        LambdaTime.current = stage.virtual_time = None
        with stage.left():
            self._undo()
            self.stop([module for world in self._worlds for module in world.own_modules().values()])

    def attach(self, environment: _Idling, world: _World) -> None:
        """Notify an environment when time has passed; restore real time in its modules later."""
        self._environments.add(environment)
        self._worlds.add(world)

    @property
    def now(self) -> datetime:
        """The present moment (aware, UTC)."""
        return moment_at(self._us)

    def spend(self, span_us: int) -> None:
        """Let a call of function code take time, up to its deadline."""
        if self.waits.applies():
            self.waits.pass_time(span_us)

    def __repr__(self) -> str:
        if self._freeze is None and not self.ended:
            return "<LambdaClock, not started>"
        return f"<LambdaClock, {'ended' if self.ended else 'now'} {self.now.isoformat()}>"

    def advance(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass; for environments it is idle time."""
        self._pass(idle_span_us(seconds, minutes, hours, days), "advance the clock")

    def move_to(self, moment: datetime | str) -> None:
        """Let time pass until ``moment``; raise `LifecycleError` if that is in the past.

        It is an aware datetime, or text such as ``"2030-01-31T12:00:00Z"``.
        """
        if isinstance(moment, str):
            moment = moment_from_text(moment) or moment
        moment = _aware(moment, "cannot move the clock to")
        if moment > LAST:
            raise LifecycleError(f"cannot move the clock to {moment}: {WHY_LAST}", code="LLC401")
        span = (moment - self.now) // timedelta(microseconds=1)
        if span < 0:
            raise LifecycleError(
                f"cannot move the clock back to {moment}: it is {self.now}, and time goes forward",
                code="LLC403",
            )
        self._pass(span, "move the clock")

    def _pass(self, span_us: int, asked: str) -> None:
        if self.ended or self._freeze is None:
            state = (
                "has ended with its test"
                if self.ended
                else "was not started: use it in a with block"
            )
            raise LifecycleError(f"cannot {asked}: it {state}", code="LLC402")
        if stage.running:
            raise LifecycleError(
                f"cannot {asked} while {stage.running[-1].label} is inside a phase: its code moves "
                "it",
                code="LLC403",
            )
        self.pass_time(span_us)

    def pass_time(self, span_us: int) -> None:
        """Let time pass while nothing runs, and notify the environments."""
        super().pass_time(span_us)
        for environment in list(self._environments):
            environment.time_passed()


def require_clock(own: LambdaTime | None, asked: str, handler: str) -> None:
    """Refuse to use an environment under another clock than its ``own``: there is one time."""
    current = LambdaTime.current
    if current is own:
        return
    if own is not None:
        state = "has ended" if own.ended else "is not the one that runs"
        raise LifecycleError(
            f"cannot {asked}: the lambda_clock of this environment {state}; make both in one test",
            code="LLC404",
        )
    raise LifecycleError(
        f"cannot {asked}: this environment was made before lambda_clock (now "
        f"{current.now if current else ''}), and its first phase has run in real time",
        f"Ask for lambda_clock first, and make the environment of {handler!r} then.",
        code="LLC404",
    )


def _aware(moment: object, asked: str) -> datetime:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise LifecycleError(
            f"{asked} {moment!r}: give an aware datetime, such as one in timezone.utc, or text "
            "such as '2030-01-31T12:00:00Z'",
            code="LLC401",
        )
    return moment


class _Idling(Protocol):
    """The ends of an environment: one that was idle for too long spins down."""

    def time_passed(self) -> None: ...


class _World(Protocol):
    """The modules of an environment, in which real time is restored when the clock stops."""

    def own_modules(self) -> dict[str, ModuleType]: ...
