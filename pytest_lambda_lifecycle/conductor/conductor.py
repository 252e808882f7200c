"""The platform: conducts the runtime through the phases of the lifecycle, and alone changes the
state.

The methods read in the order of AWS's own description (Developer Guide, "Understanding the Lambda
execution environment lifecycle").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_lambda_lifecycle.conductor.ending import Ending
from pytest_lambda_lifecycle.conductor.shutdown import Stopping
from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import (
    ExtensionInit,
    FunctionInit,
    InitReport,
    InitRuntimeDone,
    InitStart,
    InvokeReport,
    InvokeStart,
    RestoreReport,
    RestoreStart,
    RuntimeDone,
    RuntimeInit,
)
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.outcome import (
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
from pytest_lambda_lifecycle.lifecycle.phases import Init, Restore
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Extensions, Process, Runtime
    from pytest_lambda_lifecycle.conductor.turns import Turns
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.phases import Phase
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Conductor"]

P = TypeVar("P", Init, Restore, Invocation)


class Conductor(Ending):
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
        renew: Callable[[], str],
    ) -> None:
        stopping = Stopping(
            config,
            runtime=runtime,
            extensions=extensions,
            turns=turns,
            timeline=timeline,
            clock=clock,
        )
        super().__init__(
            config,
            extensions=extensions,
            process=process,
            stopping=stopping,
            timeline=timeline,
            clock=clock,
            renew=renew,
        )
        self._runtime = runtime
        self._turns = turns

    # -- Init -----------------------------------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, once, whether it succeeds or not."""
        with self._taking_turn("initialize"):
            if self.state is not State.NEW:
                raise InvalidTransition(
                    f"cannot initialize: {self._standing()}; Init runs once, before the first invoke"
                )
            return self._init(
                "init", rules.init_limit_us(self.config.initialization_type, self.config.timeout)
            )

    def _init(self, phase: str, limit_us: int) -> Init:
        """Extension init, runtime init, function init; with SnapStart also the before-snapshot
        hooks.
        """
        __tracebackhide__ = True
        config, timeline, clock = self.config, self.timeline, self.clock
        self._move(State.INIT)
        first, began = len(timeline), clock.elapsed()
        limit = config.timeout if phase == "invoke" else limit_us / 1_000_000
        release = self._process.hold_streams()
        try:
            timeline.append(
                InitStart(clock.now_us(), config.initialization_type, phase, config.runtime)
            )
            outcome = self._init_participants(limit_us, limit)
        except BaseException:  # an observer's; nothing of a function or an extension comes so
            self.state = State.READY
            self._reset("failure", None)
            raise
        finally:
            release()
        status, _ = rules.result(outcome)
        duration_us = (clock.elapsed() - began) // 1000
        reported = rules.reported_error_type(outcome)
        kind = config.initialization_type
        timeline.append(
            InitReport(clock.now_us(), kind, phase, status, reported, duration_us, outcome)
        )
        init = self._ended(Init(timeline, first, len(timeline)), outcome, clock.now_us())
        if status == "success" and kind == "snap-start":
            self._move(State.SNAPSHOT)
        return init

    def _init_participants(self, limit_us: int, limit: float) -> Outcome:
        """External extensions register before the runtime starts; at the end all wait for their
        first event.
        """
        __tracebackhide__ = True
        config, timeline, clock, extensions = (
            self.config,
            self.timeline,
            self.clock,
            self._extensions,
        )
        began = clock.elapsed()

        def left_us() -> int:
            return limit_us - (clock.elapsed() - began) // 1000

        timeline.append(ExtensionInit(clock.now_us(), extensions.names))
        outcome = extensions.start(limit_us, limit)
        if type(outcome) is Loaded:
            self._alive = True
            timeline.append(RuntimeInit(clock.now_us(), config.runtime))
            timeline.append(FunctionInit(clock.now_us(), config.handler))
            outcome = self._run(self._runtime.init, left_us(), limit)
            if type(outcome) is Loaded and config.initialization_type == "snap-start":
                outcome = self._run(self._runtime.before_snapshot, left_us(), limit)
            extensions.collect()
            died = extensions.died() if type(outcome) is TimedOut else None
            timeline.append(InitRuntimeDone(clock.now_us(), outcome, *rules.result(outcome)))
            if type(outcome) is Loaded:
                outcome = extensions.settle(left_us(), limit)
            outcome = died or outcome
        extensions.report()
        return outcome

    def _start_cold(self, remaining_us: int) -> _Start:
        """Init, as part of a request: if it fails, once more inside the invoke and its timeout; or
        Restore.
        """
        __tracebackhide__ = True
        self.require_open("invoke")
        start = _Start()
        if self.state is State.CRASHED:
            start.crashed = self._crashed
            return start
        if self.state is State.NEW:
            kind = self.config.initialization_type
            init = self._init("init", rules.init_limit_us(kind, self.config.timeout))
            if (
                kind == "on-demand"
            ):  # otherwise it ran ahead of the request, when capacity or a version was made
                start.cold, start.init_us = True, init._duration_us
        if self.state is State.RESET:  # a suppressed init: its time is the invoke's
            start.cold, start.deadline_ms = (
                True,
                self.clock.function_time_ms() + remaining_us // 1000,
            )
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
        limit_us = rules.RESTORE_LIMIT_US
        outcome = self._run(self._runtime.after_restore, limit_us, limit_us / 1_000_000)
        status, _ = rules.result(outcome)
        duration_us = (clock.elapsed() - began) // 1000
        reported = rules.reported_error_type(outcome)
        timeline.append(RestoreReport(clock.now_us(), outcome, status, reported, duration_us))
        return self._ended(Restore(timeline, first, len(timeline)), outcome, clock.now_us())

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def invoke(self, request: Request, remaining_us: int | None = None) -> Invocation:
        """Run Invoke, and before it Init or Restore where the environment is cold."""
        __tracebackhide__ = True
        if not self._turn.acquire(blocking=False):
            raise self._busy("invoke")
        try:
            if self.config.max_lifetime is not None:
                self._take_away_if_due()
            limit_us = self.config.timeout * 1_000_000 if remaining_us is None else remaining_us
            start = _WARM if self.state is State.READY else self._start_cold(limit_us)
            return self._invoke(request, limit_us, start)
        finally:
            self._turn.release()

    def _invoke(self, request: Request, limit_us: int, start: _Start) -> Invocation:
        """START, the participants' turns, END, REPORT; a process that has ended is reset."""
        __tracebackhide__ = True
        timeline, clock, config = self.timeline, self.clock, self.config
        first, began = timeline.size(), clock.elapsed()
        deadline_ms = start.deadline_ms or clock.function_time_ms() + limit_us // 1000
        request.headers.setdefault("Lambda-Runtime-Deadline-Ms", str(deadline_ms))
        self.request_id = request_id = request.request_id
        started = InvokeStart(
            clock.now_us(),
            request_id,
            config.function_version,
            deadline_ms,
            request.trace_id,
            start.cold,
        )
        timeline.append(started)
        left_us, failure, overhead_us = limit_us - start.spent_us, None, None
        if start.failed is not None:
            done = self._done(request_id, start.failed, 0)
        elif self._extensions.present or start.crashed is not None:
            done, failure, overhead_us = self._take_turns(request, started, start, left_us)
        else:
            self.state = State.INVOKE
            outcome = self._run(partial(self._runtime.invoke, request), left_us, config.timeout)
            done = self._done(request_id, outcome, (clock.elapsed() - began) // 1000)
        report = self._report(done, start, failure, overhead_us)
        timeline.append(report)
        invocation = Invocation(timeline, first, timeline.size(), started, done, report)
        if start.failed is not None:
            self.phases.append(invocation)
            return invocation
        return self._ended(invocation, failure or done.outcome, report.at)

    def _done(self, request_id: str, outcome: Outcome, duration_us: int) -> RuntimeDone:
        done = RuntimeDone(
            self.clock.now_us(), request_id, outcome, *rules.result(outcome), duration_us
        )
        self.timeline.append(done)
        return done

    def _take_turns(
        self, request: Request, started: InvokeStart, start: _Start, left_us: int
    ) -> tuple[RuntimeDone, Outcome | None, int | None]:
        """Let the runtime, and the extensions beside it, do their share.

        Returns the runtime's end, what failed after that, and how many microseconds longer the
        extensions took.
        """
        __tracebackhide__ = True
        self.state = State.INVOKE
        outcome, runtime_us = start.crashed, 0
        release = self._process.hold_streams()
        try:
            if outcome is None or isinstance(outcome, ExtensionFailed):
                outcome, runtime_us = self._run_beside_extensions(request, started, left_us)
            done = self._done(started.request_id, outcome, runtime_us)
            if self._extensions.present and type(outcome) in (Returned, Raised):
                return done, *self._extensions.end_invoke(
                    runtime_us, left_us - runtime_us, self.config.timeout
                )
            return done, None, None
        finally:
            release()

    def _run_beside_extensions(
        self, request: Request, started: InvokeStart, limit_us: int
    ) -> tuple[Outcome, int]:
        """Tell the extensions, and run the handler; returns the outcome and the microseconds that
        the runtime took.
        """
        __tracebackhide__ = True
        clock, extensions, limit = self.clock, self._extensions, self.config.timeout
        died = extensions.died()
        if died is not None:
            return died, 0
        event = rules.invoke_event(
            started.request_id,
            started.deadline_ms,
            str(request.headers.get("Lambda-Runtime-Invoked-Function-Arn") or ""),
            request.headers.get("Lambda-Runtime-Trace-Id"),
        )
        cut_us = extensions.begin_invoke(event, limit_us, limit)
        if not isinstance(cut_us, int):
            return cut_us, 0
        began = clock.elapsed()
        outcome = self._run(partial(self._runtime.invoke, request), min(cut_us, limit_us), limit)
        runtime_us = (clock.elapsed() - began) // 1000
        extensions.collect()
        if isinstance(outcome, Interrupted):
            return outcome, runtime_us
        return extensions.failed_by(runtime_us) or outcome, runtime_us

    def _report(
        self, done: RuntimeDone, start: _Start, failure: Outcome | None, overhead_us: int | None
    ) -> InvokeReport:
        """REPORT tells of a process that ended or was cut, not of an error that the handler
        raised.
        """
        outcome = failure or done.outcome
        ended = type(outcome) in _ENDS or start.failed is not None
        return InvokeReport(
            done.at if overhead_us is None else self.clock.now_us(),
            done.request_id,
            rules.result(outcome)[0] if ended else "success",
            rules.reported_error_type(outcome) if ended else "",
            done.duration_us + start.spent_us + (overhead_us or 0),
            self.config.memory_size,
            start.init_us,
            start.restore_us,
            overhead_us,
            failure,
        )

    # -- a turn of the runtime ------------------------------------------------------------------------------------

    def _run(self, turn: Callable[[], Outcome], limit_us: int, limit: float) -> Outcome:
        """Give the runtime its turn; a thread of the function's may have ended its process
        meanwhile.
        """
        __tracebackhide__ = True
        outcome = self._turns.run(turn, limit_us, limit)
        self._cut = isinstance(outcome, TimedOut)
        if self._process.exit_code is not None and not isinstance(outcome, (TimedOut, Interrupted)):
            outcome = Exited(self._process.exit_code)
        if type(outcome) is Returned:
            if len(outcome.body) > rules.RESPONSE_LIMIT:
                return rules.response_too_large()  # the runtime goes on: the next invoke is warm
        elif isinstance(outcome, Exited) or (
            isinstance(outcome, Raised) and outcome.exit_code is not None
        ):
            self._alive = False
        return outcome

    def _ended(self, phase: P, outcome: Outcome, at_us: int) -> P:
        """Close a phase: the environment is ready again, unless its process has ended."""
        __tracebackhide__ = True
        self.phases.append(phase)
        self.state = State.READY
        self._active_us = at_us
        if type(outcome) is not Returned:
            self._reset_after(phase, outcome)
        if self._extensions.present and self.state is State.READY:
            self._extensions.freeze()
        if isinstance(outcome, Interrupted):
            raise outcome.exception
        return phase

    def _reset_after(self, phase: Phase, outcome: Outcome) -> None:
        not_ready = phase.name != "invoke" and phase.status != "success"
        stuck = isinstance(outcome, Interrupted) and bool(self.clock.stuck)
        if stuck:
            self._cut = True
        if not_ready or stuck or isinstance(outcome, _ENDS):
            self._reset(
                "timeout" if isinstance(outcome, TimedOut) else "failure",
                None if stuck else outcome,
            )


_ENDS: Final = (Exited, TimedOut, ExtensionFailed)
"""Outcomes with which a process of the environment has ended."""


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
    """Set where the handler cannot run, as what came before has failed; the process is reset
    already.
    """
    crashed: Outcome | None = None
    """Set where a process has ended while the environment was frozen."""


_WARM: Final = _Start()
