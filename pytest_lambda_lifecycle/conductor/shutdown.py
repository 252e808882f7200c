"""The phase Shutdown: the order in which participants are notified of it, and their time.

The runtime comes first, then the extensions; at the end of the budget comes SIGKILL (Lambda
execution environment, "Shutdown phase"; Runtime Interface Emulator).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import ShutdownReport, ShutdownStart
from pytest_lambda_lifecycle.lifecycle.extension_events import Signal
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Interrupted,
    Loaded,
    Outcome,
    ProcessEnd,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.phases import Shutdown

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState

__all__ = ["ShutdownSequence"]


class ShutdownSequence:
    """Shuts the participants of an environment down, for good or for a reset."""

    def __init__(self, deps: Dependencies, state: EnvironmentState) -> None:
        self._deps = deps
        self._state = state

    def run(self, reason: str) -> Shutdown:
        """Run the phase.

        If the test's own control flow left a signal handler of function code, or an extension, it
        is raised once all is done.
        """
        __tracebackhide__ = True
        deps = self._deps
        timeline, clock, extensions = deps.timeline, deps.clock, deps.extensions
        budget_ms = extensions.budget_ms
        first = len(timeline)
        began_us = clock.now_us()
        began = clock.elapsed()
        deadline_ms = clock.function_time_ms() + budget_ms
        timeline.append(ShutdownStart(began_us, reason, budget_ms))
        killed: tuple[str, ...] = ()
        signals: tuple[str, ...] = ()
        interruption: BaseException | None = None
        if extensions.present:
            if self._state.alive:
                signals = ("SIGTERM",)
                outcome = self._terminate(rules.runtime_share_ms(budget_ms))
                killed = ("runtime",) if isinstance(outcome, (Loaded, TimedOut)) else ()
                interruption = outcome.exception if isinstance(outcome, Interrupted) else None
            also_killed, another = extensions.shutdown(
                reason, deadline_ms, began_us + budget_ms * 1000
            )
            killed += also_killed
            interruption = interruption or another
        duration_us = (clock.elapsed() - began) // 1000
        timeline.append(
            ShutdownReport(clock.now_us(), reason, "success", duration_us, signals, killed)
        )
        shutdown = Shutdown(timeline, first, len(timeline))
        self._state.phases.append(shutdown)
        if interruption is not None:
            raise interruption
        return shutdown

    def _terminate(self, share_ms: int) -> Outcome:
        """Send SIGTERM to the runtime, and SIGKILL if it still runs at the end of its share."""
        deps = self._deps
        clock, timeline = deps.clock, deps.timeline
        began_us = clock.now_us()
        began = clock.elapsed()
        handles_signals = rules.handles_signals(deps.config.runtime, busy=self._state.cut)
        sent = Signal(began_us, "runtime", "SIGTERM")
        timeline.append(sent)
        limit = rules.Limit(share_ms * 1000, share_ms / 1000)
        outcome = deps.turns.run(partial(deps.runtime.terminate, handles_signals), limit)
        sent.outcome = _described(outcome, handles_signals=handles_signals)
        if isinstance(outcome, (Loaded, TimedOut)):
            clock.skip_to(began_us + limit.us)
            timeline.append(Signal(clock.now_us(), "runtime", "SIGKILL"))
        sent.duration_us = (clock.elapsed() - began) // 1000
        return outcome


def _described(outcome: Outcome, *, handles_signals: bool) -> str:
    """Return how the runtime reacted to the signal."""
    match outcome:
        case Exited(exit_code=-15):
            return ""
        case Exited(exception=exception, exit_code=code):
            if exception is not None and not isinstance(exception, (SystemExit, ProcessEnd)):
                return f"{type(exception).__name__}: {exception}"
            return f"exit status {code}" if code >= 0 else rules.exit_text(code)
        case TimedOut():
            return "still running"
        case Interrupted(exception=exception):
            return f"{type(exception).__name__}: {exception}"
    return "returned" if handles_signals else "not heard: the runtime waits for its next event"
