"""The platform: conducts the runtime through the phases of the lifecycle, and alone changes the state.

The methods read in the order of AWS's own description (Developer Guide, "Understanding the Lambda execution
environment lifecycle").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

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
    ShutdownReport,
    ShutdownStart,
)
from pytest_lambda_lifecycle.lifecycle import State
from pytest_lambda_lifecycle.outcome import Exited, Loaded, Outcome, Raised, Request, Returned
from pytest_lambda_lifecycle.phases import Init, Invocation, Phase, Restore, Shutdown

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock import Clock
    from pytest_lambda_lifecycle.config import FunctionConfig
    from pytest_lambda_lifecycle.timeline import Timeline

__all__ = ["Conductor", "Process", "Runtime"]


class Runtime(Protocol):
    """A participant: what turns events into responses.  Each method is one turn and never raises for function code."""

    def init(self) -> Loaded | Raised | Exited:
        """Start, and import the handler."""
        ...

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Run the before-snapshot hooks (SnapStart)."""
        ...

    def after_restore(self) -> Loaded | Raised | Exited:
        """Run the after-restore hooks (SnapStart)."""
        ...

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Run the handler once."""
        ...


class Process(Protocol):
    """The process in which the runtime lives."""

    exit_code: int | None
    """Set if it ended by other means than the turn's outcome (a thread of the function's called `os._exit`)."""

    def run(self, turn: Callable[..., Outcome], /, *arguments: object) -> Outcome:
        """Run one turn of the runtime in it."""
        ...

    def discard(self) -> None:
        """End it: the next turn begins in a new one."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...


class Conductor:
    """One execution environment as the platform sees it."""

    def __init__(
        self, config: FunctionConfig, *, runtime: Runtime, process: Process, timeline: Timeline, clock: Clock
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
        self._process = process
        self._turn = threading.Lock()
        self._thread = ""

    # -- Init -----------------------------------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, once, whether it succeeds or not."""
        with self._taking_turn("initialize"):
            if self.state is not State.NEW:
                raise InvalidTransition(
                    f"cannot initialize: {self._standing()}; Init runs once, before the first invoke"
                )
            return self._init("init")

    def _init(self, phase: str) -> Init:
        """Extension init, runtime init, function init; with SnapStart also the before-snapshot hooks."""
        config, timeline, clock = self.config, self.timeline, self.clock
        self._move(State.INIT)
        first, began = len(timeline), clock.elapsed()
        timeline.append(InitStart(clock.now(), config.initialization_type, phase, config.runtime))
        timeline.append(ExtensionInit(clock.now()))
        timeline.append(RuntimeInit(clock.now(), config.runtime))
        timeline.append(FunctionInit(clock.now(), config.handler))
        outcome: Outcome = Exited(1)
        try:
            outcome = self._run(self._runtime.init)
            if isinstance(outcome, Loaded) and config.initialization_type == "snap-start":
                outcome = self._run(self._runtime.before_snapshot)
        except BaseException as interruption:  # pytest's own control flow, or a real Ctrl-C: it is not the function's
            outcome = Exited(1, interruption)
            raise
        finally:
            status, error_type = _result(outcome)
            timeline.append(InitRuntimeDone(clock.now(), outcome, status, error_type))
            duration = (clock.elapsed() - began) // 1000
            timeline.append(InitReport(clock.now(), config.initialization_type, phase, status, error_type, duration))
            init = Init(timeline, first, len(timeline))
            self.phases.append(init)
            self._move(State.READY)
            if status != "success":
                self._reset("failure", error_type)
            elif config.initialization_type == "snap-start":
                self._move(State.SNAPSHOT)
        return init

    def _init_for_request(self) -> tuple[Init, int | None, int]:
        """Init as part of a request: on failure once more, inside the invoke and its timeout.

        Returns the last init, its microseconds if the platform reports them apart, and those that count as Duration.
        """
        init = None
        if self.state is State.NEW:
            init = self._init("init")
            if init.status == "success":
                return init, init._duration_us, 0
        init = self._init("invoke")  # a suppressed init
        return init, None, init._duration_us

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
        timeline, clock = self.timeline, self.clock
        self._move(State.RESTORE)
        first, began = len(timeline), clock.elapsed()
        timeline.append(RestoreStart(clock.now()))
        outcome: Outcome = Exited(1)
        try:
            outcome = self._run(self._runtime.after_restore)
        except BaseException as interruption:
            outcome = Exited(1, interruption)
            raise
        finally:
            status, error_type = _result(outcome)
            duration = (clock.elapsed() - began) // 1000
            timeline.append(RestoreReport(clock.now(), outcome, status, error_type, duration))
            restore = Restore(timeline, first, len(timeline))
            self.phases.append(restore)
            self._move(State.READY)
            if status != "success":
                self._reset("failure", error_type)
        return restore

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def invoke(self, request: Request, *, request_id: str, trace_id: str) -> Invocation:
        """Run Invoke, and Init before it where the environment is cold."""
        __tracebackhide__ = True
        if not self._turn.acquire(blocking=False):
            raise self._busy("invoke")
        try:
            if self.state is not State.READY:
                return self._invoke_cold(request, request_id, trace_id)
            return self._invoke(request, request_id, trace_id)
        finally:
            self._turn.release()

    def _invoke_cold(self, request: Request, request_id: str, trace_id: str) -> Invocation:
        __tracebackhide__ = True
        if self.state in {State.SHUTDOWN, State.CLOSED}:
            raise InvalidTransition(f"cannot invoke: {self._standing()}; start another with lambda_lifecycle()")
        deadline_ms = self._deadline_ms()
        phase: Init | Restore | None = None
        init_us, spent_us, restore_us, cold = None, 0, None, self.state is not State.SNAPSHOT
        if cold:
            phase, init_us, spent_us = self._init_for_request()
        if self.state is State.SNAPSHOT:
            phase = self._restore()
            restore_us = phase._duration_us
        failed = phase.outcome if phase is not None and phase.status != "success" else None
        return self._invoke(
            request,
            request_id,
            trace_id,
            cold=cold,
            deadline_ms=deadline_ms if init_us is None else None,
            times=(init_us, spent_us, restore_us),
            failed=failed,
        )

    def _invoke(
        self,
        request: Request,
        request_id: str,
        trace_id: str,
        *,
        cold: bool = False,
        deadline_ms: int | None = None,
        times: tuple[int | None, int, int | None] = (None, 0, None),
        failed: Outcome | None = None,
    ) -> Invocation:
        """START, the runtime's turn, END, REPORT; a process that has ended is reset."""
        __tracebackhide__ = True
        timeline, clock, config = self.timeline, self.clock, self.config
        first, began = len(timeline), clock.elapsed()
        deadline_ms = deadline_ms or self._deadline_ms()
        request.headers.setdefault("Lambda-Runtime-Deadline-Ms", str(deadline_ms))
        self.request_id = request_id
        start = InvokeStart(clock.now(), request_id, config.function_version, deadline_ms, trace_id, cold)
        timeline.append(start)
        outcome: Outcome = failed or Exited(1)
        try:
            if failed is None:
                self.state = State.INVOKE
                outcome = self._run(self._runtime.invoke, request)
        except BaseException as interruption:  # pytest's own control flow, or a real Ctrl-C: it is not the function's
            outcome = Exited(1, interruption)
            self.state = State.READY
            raise
        finally:
            if failed is None and self.state is State.INVOKE:
                self.state = State.READY
            status, error_type = ("success", "") if type(outcome) is Returned else _result(outcome)
            duration = (clock.elapsed() - began) // 1000
            done = RuntimeDone(clock.now(), request_id, outcome, status, error_type, duration)
            timeline.append(done)
            ended = type(outcome) is Exited or failed is not None
            report = InvokeReport(
                done.at,
                request_id,
                status if ended else "success",
                error_type if ended else "",
                duration + times[1],
                config.memory_size,
                times[0],
                times[2],
            )
            timeline.append(report)
            invocation = Invocation(timeline, first, len(timeline), start=start, done=done, report=report)
            self.phases.append(invocation)
        if type(outcome) is Exited and failed is None:
            self._reset("failure", error_type)
        return invocation

    def _deadline_ms(self) -> int:
        return self.clock.function_time_ms() + self.config.timeout * 1000

    def _run(self, turn: Callable[..., Outcome], *arguments: object) -> Outcome:
        __tracebackhide__ = True
        outcome = self._process.run(turn, *arguments)
        if self._process.exit_code is not None:
            return Exited(self._process.exit_code)
        if type(outcome) is Returned and len(outcome.body) > lifecycle.RESPONSE_LIMIT:
            return lifecycle.response_too_large()  # the runtime goes on: the next invoke is warm
        return outcome

    # -- Reset and Shutdown ---------------------------------------------------------------------------------------

    def reset(self) -> None:
        """End the runtime process, as a crash between two invokes would: globals go, ``/tmp`` stays."""
        with self._taking_turn("reset"):
            if self.state in {State.SHUTDOWN, State.CLOSED}:
                raise InvalidTransition(f"cannot reset: {self._standing()}; start another with lambda_lifecycle()")
            self._reset("failure", "")

    def _reset(self, reason: str, error_type: str) -> None:
        self._process.discard()
        self.timeline.append(Reset(self.clock.now(), reason, error_type))
        self._move(State.RESET)

    def recycle(self, log_stream: str) -> Shutdown:
        """Take the environment away, as Lambda does every few hours; the next invoke gets a new one."""
        with self._taking_turn("recycle"):
            if self.state in {State.SHUTDOWN, State.CLOSED}:
                raise InvalidTransition(f"cannot recycle: {self._standing()}; start another with lambda_lifecycle()")
            shutdown = self._shutdown("spindown")
            self._process.discard()
            self.timeline.append(Recycled(self.clock.now(), log_stream))
            self.state = State.NEW
            return shutdown

    def shutdown(self, reason: str, *, cause: str) -> Shutdown:
        """End the environment.  Without extensions the runtime gets 0 ms and no signal."""
        with self._taking_turn("shut down"):
            if self.state is State.CLOSED:
                raise InvalidTransition(f"cannot shut down: {self._standing()}; an environment ends once")
            try:
                return self._shutdown(reason)
            finally:
                self._process.close()
                self.state, self.cause = State.CLOSED, cause

    def _shutdown(self, reason: str) -> Shutdown:
        timeline, clock = self.timeline, self.clock
        self._move(State.SHUTDOWN)
        first, began = len(timeline), clock.elapsed()
        timeline.append(ShutdownStart(clock.now(), reason, lifecycle.shutdown_budget_ms()))
        timeline.append(ShutdownReport(clock.now(), reason, "success", (clock.elapsed() - began) // 1000))
        shutdown = Shutdown(timeline, first, len(timeline))
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

    def _standing(self) -> str:
        if self.state is State.CLOSED:
            return f"this environment was {self.cause}"
        return f"this environment is in state {self.state.value!r}"

    def _move(self, to: State) -> None:
        if not lifecycle.allowed(self.state, to):
            raise InvalidTransition(f"the lifecycle does not go from {self.state.value!r} to {to.value!r}")
        self.state = to


def _result(outcome: Outcome) -> tuple[str, str]:
    """Status and error type of a turn's outcome."""
    match outcome:
        case Raised(error=error):
            return "error", str(error.get("errorType", ""))
        case Exited():
            return "error", "Runtime.ExitError"
    return "success", ""
