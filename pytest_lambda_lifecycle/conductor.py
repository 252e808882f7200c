"""The platform: conducts the runtime through the phases of the lifecycle, and alone changes the state.

The methods read in the order of AWS's own description (Developer Guide, "Understanding the Lambda execution
environment lifecycle").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_lambda_lifecycle import lifecycle
from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.events import (
    ExtensionInit,
    FunctionInit,
    InitReport,
    InitRuntimeDone,
    InitStart,
    InvokeReport,
    InvokeStart,
    Recycled,
    Reset,
    RestoreReport,
    RestoreStart,
    RuntimeDone,
    RuntimeInit,
)
from pytest_lambda_lifecycle.lifecycle import State
from pytest_lambda_lifecycle.outcome import (
    Exited,
    ExtensionFailed,
    Interrupted,
    Loaded,
    Outcome,
    Raised,
    Request,
    Returned,
    TimedOut,
)
from pytest_lambda_lifecycle.phases import Init, Invocation, Phase, Restore, Shutdown
from pytest_lambda_lifecycle.stopping import Stopping

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock import Clock
    from pytest_lambda_lifecycle.config import FunctionConfig
    from pytest_lambda_lifecycle.participants import Extensions, Process, Runtime
    from pytest_lambda_lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.turns import Turns

__all__ = ["Conductor"]

P = TypeVar("P", Init, Restore, Invocation)


class Conductor:
    """One execution environment as the platform sees it."""

    def __init__(
        self,
        config: FunctionConfig,
        *,
        runtime: Runtime,
        extensions: Extensions,
        process: Process,
        turns: Turns,
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self.config = config
        self.timeline = timeline
        self.clock = clock
        self.state = State.NEW
        self.cause = ""
        """Why it is in this state, for messages: ``"shut down (reason spindown) at tests/test_a.py:31"``."""
        self.phases: list[Phase] = []
        self.request_id = ""
        self._runtime = runtime
        self._extensions = extensions
        self._process = process
        self._turns = turns
        self._stopping = Stopping(
            config, runtime=runtime, extensions=extensions, turns=turns, timeline=timeline, clock=clock
        )
        self.renewed: Callable[[], str] = lambda: ""
        """Makes what a new environment has of its own; returns its log stream."""
        self._turn = threading.Lock()
        self._born_us = self._active_us = clock.now_us()
        self._crashed: Outcome = Exited(1)

    # -- Init -----------------------------------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, once, whether it succeeds or not."""
        with self._taking_turn("initialize"):
            if self.state is not State.NEW:
                raise InvalidTransition(
                    f"cannot initialize: {self._standing()}; Init runs once, before the first invoke"
                )
            return self._init("init", lifecycle.init_limit_us(self.config.initialization_type, self.config.timeout))

    def _init(self, phase: str, limit_us: int) -> Init:
        """Extension init, runtime init, function init; with SnapStart also the before-snapshot hooks."""
        __tracebackhide__ = True
        config, timeline, clock = self.config, self.timeline, self.clock
        self._move(State.INIT)
        first, began = len(timeline), clock.elapsed()
        timeline.append(InitStart(clock.now_us(), config.initialization_type, phase, config.runtime))
        limit = config.timeout if phase == "invoke" else limit_us / 1_000_000
        outcome = self._init_participants(limit_us, limit)
        status, _ = lifecycle.result(outcome)
        duration_us = (clock.elapsed() - began) // 1000
        reported = lifecycle.reported_error_type(outcome)
        kind = config.initialization_type
        timeline.append(InitReport(clock.now_us(), kind, phase, status, reported, duration_us, outcome))
        init = self._ended(Init(timeline, first, len(timeline)), outcome)
        if status == "success" and kind == "snap-start":
            self._move(State.SNAPSHOT)
        return init

    def _init_participants(self, limit_us: int, limit: float) -> Outcome:
        """External extensions register before the runtime starts; at the end all wait for their first event."""
        __tracebackhide__ = True
        config, timeline, clock, extensions = self.config, self.timeline, self.clock, self._extensions
        began = clock.elapsed()

        def left_us() -> int:
            return limit_us - (clock.elapsed() - began) // 1000

        timeline.append(ExtensionInit(clock.now_us(), extensions.names))
        outcome = extensions.start(limit_us, limit)
        if type(outcome) is Loaded:
            timeline.append(RuntimeInit(clock.now_us(), config.runtime))
            timeline.append(FunctionInit(clock.now_us(), config.handler))
            outcome = self._run(self._runtime.init, limit_us=left_us(), limit=limit)
            if type(outcome) is Loaded and config.initialization_type == "snap-start":
                outcome = self._run(self._runtime.before_snapshot, limit_us=left_us(), limit=limit)
            timeline.append(InitRuntimeDone(clock.now_us(), outcome, *lifecycle.result(outcome)))
            if type(outcome) is Loaded:
                outcome = extensions.settle(left_us(), limit)
        extensions.report()
        return outcome

    def _start_cold(self, remaining_us: int) -> _Start:
        """Init, as part of a request: if it fails, once more inside the invoke and its timeout; or Restore."""
        __tracebackhide__ = True
        self.require_open("invoke")
        start = _Start()
        if self.state is State.CRASHED:
            start.failed = self._crashed
            self._reset("failure", self._crashed, alive=not isinstance(self._crashed, Exited))
            return start
        if self.state is State.NEW:
            kind = self.config.initialization_type
            init = self._init("init", lifecycle.init_limit_us(kind, self.config.timeout))
            if kind == "on-demand":  # otherwise it ran ahead of the request, when capacity or a version was made
                start.cold, start.init_us = True, init._duration_us
        if self.state is State.RESET:  # a suppressed init: its time is the invoke's
            start.cold, start.deadline_ms = True, self.clock.function_time_ms() + remaining_us // 1000
            init = self._init("invoke", remaining_us)
            start.init_us, start.spent_us = None, init._duration_us
            start.failed = None if init.status == "success" else init.outcome
        if self.state is State.SNAPSHOT:
            restore = self._restore()
            start.restore_us = restore._duration_us
            start.failed = None if restore.status == "success" else restore.outcome
        return start

    # -- SnapStart ------------------------------------------------------------------------------------------------

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run."""
        with self._taking_turn("restore"):
            if self.state is not State.SNAPSHOT:
                raise InvalidTransition(
                    f"cannot restore: {self._standing()}; a snapshot is taken by initialize() or snapshot() with "
                    'initialization_type="snap-start", and restored once'
                )
            return self._restore()

    def _restore(self) -> Restore:
        __tracebackhide__ = True
        timeline, clock = self.timeline, self.clock
        self._move(State.RESTORE)
        first, began = len(timeline), clock.elapsed()
        timeline.append(RestoreStart(clock.now_us()))
        limit_us = lifecycle.RESTORE_LIMIT_US
        outcome = self._run(self._runtime.after_restore, limit_us=limit_us, limit=limit_us / 1_000_000)
        status, _ = lifecycle.result(outcome)
        duration_us = (clock.elapsed() - began) // 1000
        reported = lifecycle.reported_error_type(outcome)
        timeline.append(RestoreReport(clock.now_us(), outcome, status, reported, duration_us))
        return self._ended(Restore(timeline, first, len(timeline)), outcome)

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def invoke(self, request: Request, request_id: str, trace_id: str, remaining_us: int | None = None) -> Invocation:
        """Run Invoke, and before it Init or Restore where the environment is cold."""
        __tracebackhide__ = True
        if not self._turn.acquire(blocking=False):
            raise self._busy("invoke")
        try:
            if self.config.max_lifetime is not None:
                self._take_away_if_due()
            limit_us = self.config.timeout * 1_000_000 if remaining_us is None else remaining_us
            start = _WARM if self.state is State.READY else self._start_cold(limit_us)
            return self._invoke(request, request_id, trace_id, limit_us, start)
        finally:
            self._turn.release()

    def _invoke(self, request: Request, request_id: str, trace_id: str, limit_us: int, start: _Start) -> Invocation:
        """START, the participants' turns, END, REPORT; a process that has ended is reset."""
        __tracebackhide__ = True
        timeline, clock, config = self.timeline, self.clock, self.config
        first, began = len(timeline), clock.elapsed()
        deadline_ms = start.deadline_ms or clock.function_time_ms() + limit_us // 1000
        request.headers.setdefault("Lambda-Runtime-Deadline-Ms", str(deadline_ms))
        self.request_id = request_id
        started = InvokeStart(clock.now_us(), request_id, config.function_version, deadline_ms, trace_id, start.cold)
        timeline.append(started)
        outcome, failure = start.failed, None
        if outcome is None:
            self.state = State.INVOKE
            if self._extensions.present:
                outcome, failure, duration_us = self._invoke_all(request, started, limit_us - start.spent_us)
            else:
                left_us = limit_us - start.spent_us
                outcome = self._run(self._runtime.invoke, request, limit_us=left_us, limit=config.timeout)
                duration_us = (clock.elapsed() - began) // 1000
        else:
            duration_us = 0
        status, error_type = lifecycle.result(outcome)
        done = RuntimeDone(clock.now_us(), request_id, outcome, status, error_type, duration_us)
        timeline.append(done)
        report = self._report(done, start, failure)
        timeline.append(report)
        invocation = Invocation(timeline, first, len(timeline), start=started, done=done, report=report)
        if start.failed is not None:  # the process is reset already
            self.phases.append(invocation)
            return invocation
        return self._ended(invocation, failure or outcome)

    def _invoke_all(self, request: Request, started: InvokeStart, limit_us: int) -> tuple[Outcome, Outcome | None, int]:
        """Tell the extensions, run the handler, and wait until all have finished their share.

        Returns the runtime's outcome, what failed after it, and the microseconds that the runtime took.
        """
        __tracebackhide__ = True
        clock, extensions, limit = self.clock, self._extensions, self.config.timeout
        event = lifecycle.invoke_event(
            started.request_id,
            started.deadline_ms,
            str(request.headers.get("Lambda-Runtime-Invoked-Function-Arn") or ""),
            request.headers.get("Lambda-Runtime-Trace-Id"),
        )
        died = extensions.died()
        if died is not None:
            return died, None, 0
        cut_us = extensions.begin_invoke(event, limit_us, limit)
        if not isinstance(cut_us, int):
            return cut_us, None, 0
        began = clock.elapsed()
        outcome = self._run(self._runtime.invoke, request, limit_us=min(cut_us, limit_us), limit=limit)
        runtime_us = (clock.elapsed() - began) // 1000
        if type(outcome) in (Returned, Raised) or (cut_us < limit_us and type(outcome) is TimedOut):
            before, after = extensions.end_invoke(runtime_us, limit_us - runtime_us, limit)
            return before or outcome, None if before else after, runtime_us
        return outcome, None, runtime_us

    def _report(self, done: RuntimeDone, start: _Start, failure: Outcome | None) -> InvokeReport:
        """REPORT tells of a process that ended or was cut, not of an error that the handler raised."""
        outcome = failure or done.outcome
        ended = type(outcome) in (Exited, TimedOut, ExtensionFailed) or start.failed is not None
        overhead_us = self._extensions.overhead_us if self._extensions.present else None
        return InvokeReport(
            self.clock.now_us(),
            done.request_id,
            lifecycle.result(outcome)[0] if ended else "success",
            lifecycle.reported_error_type(outcome) if ended else "",
            done.duration_us + start.spent_us + (overhead_us or 0),
            self.config.memory_size,
            start.init_us,
            start.restore_us,
            overhead_us,
            failure,
        )

    # -- a turn of the runtime ------------------------------------------------------------------------------------

    def _run(self, turn: Callable[..., Outcome], *arguments: object, limit_us: int, limit: float) -> Outcome:
        """Give the runtime its turn; a thread of the function's may have ended its process meanwhile."""
        __tracebackhide__ = True
        outcome = self._turns.run(turn, *arguments, limit_us=limit_us, limit=limit)
        if self._process.exit_code is not None and not isinstance(outcome, (TimedOut, Interrupted)):
            return Exited(self._process.exit_code)
        if type(outcome) is Returned and len(outcome.body) > lifecycle.RESPONSE_LIMIT:
            return lifecycle.response_too_large()  # the runtime goes on: the next invoke is warm
        return outcome

    def _ended(self, phase: P, outcome: Outcome) -> P:
        """Close a phase: the environment is ready again, unless its process has ended."""
        __tracebackhide__ = True
        self.phases.append(phase)
        self.state = State.READY
        self._active_us = self.clock.now_us()
        not_ready = phase.name != "invoke" and phase.status != "success"
        if not_ready or isinstance(outcome, (Exited, TimedOut, ExtensionFailed)):
            self._reset(
                "timeout" if isinstance(outcome, TimedOut) else "failure",
                outcome,
                alive=isinstance(outcome, (TimedOut, ExtensionFailed)),
                busy=isinstance(outcome, TimedOut),
            )
        elif self._extensions.present:
            self._extensions.freeze()
        if isinstance(outcome, Interrupted):
            if self.clock.stuck and not not_ready:
                self._reset("failure", None, alive=True, busy=True)
            raise outcome.exception
        return phase

    # -- Reset and Shutdown ---------------------------------------------------------------------------------------

    def crash(self, outcome: Outcome) -> None:
        """Let a process of the environment end while it is frozen: the next invoke fails, the one after it inits."""
        with self._taking_turn("crash"):
            self.require_open("crash")
            if self.state not in {State.READY, State.CRASHED}:
                raise InvalidTransition(
                    f"cannot crash: {self._standing()}, in which no process runs; call initialize() or invoke() first"
                )
            self._crashed, self.state = outcome, State.CRASHED

    def reset(self) -> None:
        """End the runtime process, as a crash between two invokes would: globals go, ``/tmp`` stays."""
        with self._taking_turn("reset"):
            self.require_open("reset")
            self._reset("failure", None, alive=False)

    def _reset(self, reason: str, outcome: Outcome | None, *, alive: bool, busy: bool = False) -> None:
        """A reset behaves like a shutdown; it is one for the extensions (Lambda execution environment)."""
        try:
            if self._extensions.present:
                self.state = State.SHUTDOWN
                self.phases.append(self._stopping.run(reason, alive=alive, busy=busy))
        finally:
            self._extensions.end()
            self._process.discard()
            error_type = lifecycle.result(outcome)[1] if outcome is not None else ""
            self.timeline.append(Reset(self.clock.now_us(), reason, error_type))
            self.state = State.RESET

    def idle(self, span_us: int) -> None:
        """Freeze the environment and let time pass; nothing of it runs."""
        with self._taking_turn("idle"):
            self.require_open("idle")
        now = self.clock.now_us()  # without a clock, what a test has idled away is given back at its end
        self._active_us, self._born_us = min(self._active_us, now), min(self._born_us, now)
        self.clock.pass_time(span_us)
        self.time_passed()

    def time_passed(self) -> None:
        """Spin down if the environment was idle for too long.  Not for one that has not begun: there is none yet."""
        if self._turn.acquire(blocking=False):
            try:
                self._take_away_if_due()
            finally:
                self._turn.release()

    def _take_away_if_due(self) -> None:
        config, now = self.config, self.clock.now_us()
        idle, age = now - self._active_us, now - self._born_us
        too_idle = config.idle_timeout is not None and idle >= config.idle_timeout * 1_000_000
        too_old = config.max_lifetime is not None and age >= config.max_lifetime * 1_000_000
        if (too_idle or too_old) and self.state in {State.READY, State.SNAPSHOT, State.CRASHED, State.RESET}:
            self._recycle()

    def recycle(self) -> Shutdown:
        """Take the environment away, as Lambda does every few hours; the next invoke gets a new one."""
        with self._taking_turn("recycle"):
            self.require_open("recycle")
            return self._recycle()

    def _recycle(self) -> Shutdown:
        try:
            return self._shutdown("spindown")
        finally:
            self._process.discard()
            self.timeline.append(Recycled(self.clock.now_us(), self.renewed()))
            self.state = State.NEW
            self._born_us = self._active_us = self.clock.now_us()

    def shutdown(self, reason: str, *, cause: str) -> Shutdown:
        """End the environment.  Without extensions the runtime gets 0 ms and no signal."""
        with self._taking_turn("shut down"):
            if self.state is State.CLOSED:
                raise InvalidTransition(f"cannot shut down: {self._standing()}; an environment ends once")
            try:
                return self._shutdown(reason)
            finally:
                self._extensions.close()
                self._process.close()
                self.state, self.cause = State.CLOSED, cause

    def _shutdown(self, reason: str) -> Shutdown:
        runtime_ended = self.state is State.CRASHED and isinstance(self._crashed, Exited)
        self._move(State.SHUTDOWN)
        try:
            shutdown = self._stopping.run(reason, alive=not runtime_ended, busy=False)
        finally:
            self._extensions.end()
        self.phases.append(shutdown)
        return shutdown

    # -- one thing at a time --------------------------------------------------------------------------------------

    @contextmanager
    def _taking_turn(self, asked: str) -> Iterator[None]:
        if not self._turn.acquire(blocking=False):
            raise self._busy(asked)
        try:
            yield
        finally:
            self._turn.release()

    def _busy(self, asked: str) -> InvalidTransition:
        doing = (
            f"inside invoke {self.request_id}" if self.state is State.INVOKE else f"inside its {self.state.value} phase"
        )
        return InvalidTransition(
            f"cannot {asked}: this environment is {doing}, and one environment handles one event at a time; "
            "call it when the phase has ended, or use a second environment"
        )

    def require_open(self, asked: str) -> None:
        """Refuse what makes no sense any more after the end; ``asked`` completes "cannot"."""
        if self.state in {State.SHUTDOWN, State.CLOSED}:
            raise InvalidTransition(f"cannot {asked}: {self._standing()}; start another with lambda_lifecycle()")

    def _standing(self) -> str:
        if self.state is State.CLOSED:
            return f"this environment was {self.cause}"
        return f"this environment is in state {self.state.value!r}"

    def _move(self, to: State) -> None:
        if not lifecycle.allowed(self.state, to):
            raise InvalidTransition(f"the lifecycle does not go from {self.state.value!r} to {to.value!r}")
        self.state = to


@dataclass
class _Start:
    """What came before an invoke within the same request."""

    cold: bool = False
    deadline_ms: int | None = None
    """The request's, where part of its time is spent already."""
    init_us: int | None = None
    """``Init Duration`` of REPORT."""
    spent_us: int = 0
    """A suppressed init, which counts as Duration."""
    restore_us: int | None = None
    failed: Outcome | None = None
    """Set where the handler cannot run."""


_WARM: Final = _Start()
