"""The phases Init and Restore, and the cold start that comes before an invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import (
    ExtensionInit,
    FunctionInit,
    InitReport,
    InitRuntimeDone,
    InitStart,
    RestoreReport,
    RestoreStart,
    RuntimeInit,
)
from pytest_lambda_lifecycle.lifecycle.outcome import Loaded, Outcome, TimedOut
from pytest_lambda_lifecycle.lifecycle.phases import Init, Restore
from pytest_lambda_lifecycle.lifecycle.rules import Limit, State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.conductor.ending import Endings
    from pytest_lambda_lifecycle.conductor.runtime_turns import RuntimeTurns
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState

__all__ = ["InitSequence", "Start"]


class Start:
    """The part of a request that comes before its invoke."""

    cold = False
    deadline_ms: int | None = None
    """The deadline of the request, where part of its time is spent already."""
    init_us: int | None = None
    """``Init Duration`` of REPORT."""
    spent_us = 0
    """The length of a suppressed init, which counts as Duration."""
    restore_us: int | None = None
    failed: Outcome | None = None
    """The failure of Init or Restore; the process is reset already, and the handler cannot run."""
    crashed: Outcome | None = None
    """How a process ended while the environment was frozen."""


class InitSequence:
    """Runs Init and Restore."""

    def __init__(
        self,
        deps: Dependencies,
        state: EnvironmentState,
        runtime_turns: RuntimeTurns,
        endings: Endings,
    ) -> None:
        self._deps = deps
        self._state = state
        self._runtime_turns = runtime_turns
        self._endings = endings

    def init(self) -> Init:
        """Run Init with the time that it has on its own."""
        __tracebackhide__ = True
        config = self._deps.config
        limit_us = rules.init_limit_us(config.initialization_type, config.timeout)
        return self._init("init", Limit(limit_us, limit_us / 1_000_000))

    def _init(self, phase: str, limit: Limit) -> Init:
        """Run extension init, runtime init, function init; with SnapStart also its hooks."""
        __tracebackhide__ = True
        deps, state = self._deps, self._state
        config, timeline, clock = deps.config, deps.timeline, deps.clock
        kind = config.initialization_type
        state.move(State.INIT)
        first = len(timeline)
        began = clock.elapsed()
        release = deps.process.hold_streams()
        try:
            timeline.append(InitStart(clock.now_us(), kind, phase, config.runtime))
            outcome = self._init_participants(limit)
        except BaseException:
            # Only an observer can raise here: failures of function code and of extensions arrive as
            # outcomes.
            state.move(State.READY)
            self._endings.start_anew("failure", None)
            raise
        finally:
            release()
        duration_us = (clock.elapsed() - began) // 1000
        error_type = rules.reported_error_type(outcome)
        timeline.append(
            InitReport(
                clock.now_us(), kind, phase, outcome.status, error_type, duration_us, outcome
            )
        )
        init = Init(timeline, first, len(timeline))
        self._endings.close_phase(init, outcome, clock.now_us())
        if outcome.status == "success" and kind == "snap-start":
            state.move(State.SNAPSHOT)
        return init

    def _init_participants(self, limit: Limit) -> Outcome:
        """Start all participants: external extensions register before the runtime starts.

        At the end all wait for their first event.
        """
        __tracebackhide__ = True
        deps = self._deps
        config = deps.config
        timeline = deps.timeline
        clock = deps.clock
        extensions = deps.extensions
        began = clock.elapsed()

        def left() -> Limit:
            return limit.less((clock.elapsed() - began) // 1000)

        timeline.append(ExtensionInit(clock.now_us(), extensions.names))
        outcome = extensions.start(limit)
        if type(outcome) is Loaded:
            self._state.alive = True
            timeline.append(RuntimeInit(clock.now_us(), config.runtime))
            timeline.append(FunctionInit(clock.now_us(), config.handler))
            outcome = self._runtime_turns.run(deps.runtime.init, left())
            if type(outcome) is Loaded and config.initialization_type == "snap-start":
                outcome = self._runtime_turns.run(deps.runtime.before_snapshot, left())
            extensions.collect()
            died = extensions.died() if type(outcome) is TimedOut else None
            timeline.append(
                InitRuntimeDone(clock.now_us(), outcome, outcome.status, outcome.error_type)
            )
            if type(outcome) is Loaded:
                outcome = extensions.settle(left())
            outcome = died or outcome
        extensions.report()
        return outcome

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run."""
        __tracebackhide__ = True
        deps = self._deps
        timeline, clock = deps.timeline, deps.clock
        self._state.move(State.RESTORE)
        first = len(timeline)
        began = clock.elapsed()
        timeline.append(RestoreStart(clock.now_us()))
        limit = Limit(rules.RESTORE_LIMIT_US, rules.RESTORE_LIMIT_US / 1_000_000)
        outcome = self._runtime_turns.run(deps.runtime.after_restore, limit)
        duration_us = (clock.elapsed() - began) // 1000
        error_type = rules.reported_error_type(outcome)
        timeline.append(
            RestoreReport(clock.now_us(), outcome, outcome.status, error_type, duration_us)
        )
        restore = Restore(timeline, first, len(timeline))
        return self._endings.close_phase(restore, outcome, clock.now_us())

    def start_cold(self, limit: Limit) -> Start:
        """Init or Restore as part of a request.

        If Init fails, it runs once more inside the invoke and its timeout.
        """
        __tracebackhide__ = True
        state, config = self._state, self._deps.config
        state.require_open("invoke")
        start = Start()
        if state.current is State.CRASHED:
            start.crashed = state.crashed
            return start
        if state.current is State.NEW:
            init = self.init()
            # With the other types, Lambda runs Init ahead of any request.
            if config.initialization_type == "on-demand":
                start.cold = True
                start.init_us = init._duration_us
        if state.current is State.RESET:  # a suppressed init: its time is the invoke's
            start.cold = True
            start.deadline_ms = self._deps.clock.function_time_ms() + limit.us // 1000
            init = self._init("invoke", Limit(limit.us, config.timeout))
            start.init_us = None
            start.spent_us = init._duration_us
            start.failed = None if init.status == "success" else init.outcome
        if state.current is State.SNAPSHOT:
            restore = self.restore()
            start.restore_us = restore._duration_us
            start.failed = None if restore.status == "success" else restore.outcome
        return start
