"""The phase Invoke: START, the turns of the participants, END and REPORT."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.conductor.ending import ENDS
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import InvokeReport, InvokeStart, RuntimeDone
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.outcome import (
    ExtensionFailed,
    Interrupted,
    Outcome,
    Raised,
    Request,
    Returned,
)
from pytest_lambda_lifecycle.lifecycle.rules import Limit, State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.conductor.ending import Endings
    from pytest_lambda_lifecycle.conductor.init import Start
    from pytest_lambda_lifecycle.conductor.runtime_turns import RuntimeTurns
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState

__all__ = ["InvokeSequence"]


class InvokeSequence:
    """Runs one request."""

    def __init__(
        self,
        deps: Dependencies,
        state: EnvironmentState,
        runtime_turns: RuntimeTurns,
        endings: Endings,
    ) -> None:
        self._deps = deps
        self._config = deps.config
        self._timeline = deps.timeline
        self._clock = deps.clock
        self._extensions = deps.extensions
        self._audit = deps.audit
        self._state = state
        self._runtime_turns = runtime_turns
        self._endings = endings

    def run(self, request: Request, limit: Limit, start: Start) -> Invocation:
        """Run Invoke; a process that has ended is reset."""
        __tracebackhide__ = True
        timeline, clock, state = self._timeline, self._clock, self._state
        audit = self._audit
        if audit is not None and start.failed is None:
            audit.begin()
        first = timeline.size()
        began = clock.elapsed()
        state.request_id = request_id = request.request_id
        deadline_ms = start.deadline_ms or clock.function_time_ms() + limit.us // 1000
        request.headers.setdefault("Lambda-Runtime-Deadline-Ms", str(deadline_ms))
        version = self._config.function_version
        started = InvokeStart(
            clock.now_us(), request_id, version, deadline_ms, request.trace_id, start.cold
        )
        timeline.append(started)
        left = limit if start.spent_us == 0 else limit.less(start.spent_us)
        failure: Outcome | None = None
        overhead_us: int | None = None
        if start.failed is not None:
            done = self._done(request_id, start.failed, 0)
        elif self._extensions.present or start.crashed is not None:
            state.move(State.INVOKE)
            done, failure, overhead_us = self._take_turns(request, started, start, left)
        else:
            state.move(State.INVOKE)
            action = partial(self._deps.runtime.invoke, request)
            outcome = self._runtime_turns.run(action, left)
            done = self._done(request_id, outcome, (clock.elapsed() - began) // 1000)
        if audit is not None:
            audit.end(failure or done.outcome)
        report = self._report(done, start, failure, overhead_us)
        timeline.append(report)
        invocation = Invocation(timeline, first, timeline.size(), started, done, report)
        if start.failed is not None:
            state.phases.append(invocation)
            return invocation
        return self._endings.close_phase(invocation, failure or done.outcome, report.at)

    def _done(self, request_id: str, outcome: Outcome, duration_us: int) -> RuntimeDone:
        done = RuntimeDone(
            self._clock.now_us(),
            request_id,
            outcome,
            outcome.status,
            outcome.error_type,
            duration_us,
        )
        self._timeline.append(done)
        return done

    # -- beside extensions ------------------------------------------------------------------------

    def _take_turns(
        self, request: Request, started: InvokeStart, start: Start, limit: Limit
    ) -> tuple[RuntimeDone, Outcome | None, int | None]:
        """Give the runtime, and the extensions beside it, their turns.

        Returns the runtime's end, the failure after that if there was one, and how many
        microseconds longer the extensions took.
        """
        __tracebackhide__ = True
        outcome = start.crashed
        runtime_us = 0
        release = self._deps.process.hold_streams()
        try:
            if outcome is None or isinstance(outcome, ExtensionFailed):
                outcome, runtime_us = self._run_beside_extensions(request, started, limit)
            done = self._done(started.request_id, outcome, runtime_us)
            if self._extensions.present and type(outcome) in (Returned, Raised):
                left = limit.less(runtime_us)
                return done, *self._extensions.end_invoke(runtime_us, left)
            return done, None, None
        finally:
            release()

    def _run_beside_extensions(
        self, request: Request, started: InvokeStart, limit: Limit
    ) -> tuple[Outcome, int]:
        """Notify the extensions and run the handler.

        Returns the outcome and the microseconds that the runtime took.
        """
        __tracebackhide__ = True
        clock, extensions = self._clock, self._extensions
        died = extensions.died()
        if died is not None:
            return died, 0
        event = rules.invoke_event(
            started.request_id,
            started.deadline_ms,
            str(request.headers.get("Lambda-Runtime-Invoked-Function-Arn") or ""),
            request.headers.get("Lambda-Runtime-Trace-Id"),
        )
        cut_us = extensions.begin_invoke(event, limit)
        if not isinstance(cut_us, int):
            return cut_us, 0
        began = clock.elapsed()
        runtime_limit = Limit(min(cut_us, limit.us), limit.seconds)
        action = partial(self._deps.runtime.invoke, request)
        outcome = self._runtime_turns.run(action, runtime_limit)
        runtime_us = (clock.elapsed() - began) // 1000
        extensions.collect()
        if isinstance(outcome, Interrupted):
            return outcome, runtime_us
        return extensions.failed_by(runtime_us) or outcome, runtime_us

    # -- REPORT -----------------------------------------------------------------------------------

    def _report(
        self, done: RuntimeDone, start: Start, failure: Outcome | None, overhead_us: int | None
    ) -> InvokeReport:
        """Return REPORT: its status shows a process that ended, not an error of the handler."""
        outcome = failure or done.outcome
        status, error_type = "success", ""
        if type(outcome) in ENDS or start.failed is not None:
            status, error_type = outcome.status, rules.reported_error_type(outcome)
        at, duration_us = done.at, done.duration_us + start.spent_us
        if overhead_us is not None:
            at, duration_us = self._clock.now_us(), duration_us + overhead_us
        return InvokeReport(
            at,
            done.request_id,
            status,
            error_type,
            duration_us,
            self._config.memory_size,
            start.init_us,
            start.restore_us,
            overhead_us,
            failure,
        )
