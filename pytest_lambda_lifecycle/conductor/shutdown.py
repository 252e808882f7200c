"""Shutdown: who is told of the end, in which order, and how long everyone has.

Runtime first, then extensions; at the end of the budget SIGKILL (Lambda execution environment,
"Shutdown phase"; Runtime Interface Emulator).
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
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Extensions, Runtime
    from pytest_lambda_lifecycle.conductor.turns import Turns
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Stopping"]


class Stopping:
    """Shuts the participants of an environment down, for good or for a reset."""

    def __init__(
        self,
        config: FunctionConfig,
        *,
        runtime: Runtime,
        extensions: Extensions,
        turns: Turns,
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self._config = config
        self._runtime = runtime
        self._extensions = extensions
        self._turns = turns
        self._timeline = timeline
        self._clock = clock

    def run(self, reason: str, *, alive: bool, busy: bool) -> tuple[Shutdown, BaseException | None]:
        """Shut down.  ``alive``: the runtime's process runs; ``busy``: it is inside function code.

        Returns also what left the function's signal handler, or an extension, as a test's own
        control flow.
        """
        __tracebackhide__ = True
        timeline, clock, extensions = self._timeline, self._clock, self._extensions
        budget_ms = extensions.budget_ms
        first, began_us, began = len(timeline), clock.now_us(), clock.elapsed()
        deadline_ms = clock.function_time_ms() + budget_ms
        timeline.append(ShutdownStart(began_us, reason, budget_ms))
        killed: tuple[str, ...] = ()
        signals: tuple[str, ...] = ()
        interruption: BaseException | None = None
        if extensions.present:
            if alive:
                signals = ("SIGTERM",)
                outcome = self._terminate(rules.runtime_share_ms(budget_ms), busy=busy)
                killed = ("runtime",) if isinstance(outcome, (Loaded, TimedOut)) else ()
                interruption = outcome.exception if isinstance(outcome, Interrupted) else None
            killed_too, another = extensions.shutdown(
                reason, deadline_ms, began_us + budget_ms * 1000
            )
            killed, interruption = killed + killed_too, interruption or another
        duration_us = (clock.elapsed() - began) // 1000
        timeline.append(
            ShutdownReport(clock.now_us(), reason, "success", duration_us, signals, killed)
        )
        return Shutdown(timeline, first, len(timeline)), interruption

    def _terminate(self, share_ms: int, *, busy: bool) -> Outcome:
        """Send SIGTERM to the runtime, and SIGKILL if it is still there when its share of the
        budget is over.
        """
        clock, began_us, began = self._clock, self._clock.now_us(), self._clock.elapsed()
        hears = rules.hears_signals(self._config.runtime, busy=busy)
        sent = Signal(began_us, "runtime", "SIGTERM")
        self._timeline.append(sent)
        outcome = self._turns.run(
            partial(self._runtime.terminate, hears), share_ms * 1000, share_ms / 1000
        )
        sent.outcome = _told(outcome, hears=hears)
        if isinstance(outcome, (Loaded, TimedOut)):
            clock.skip_to(began_us + share_ms * 1000)
            self._timeline.append(Signal(clock.now_us(), "runtime", "SIGKILL"))
        sent.duration_us = (clock.elapsed() - began) // 1000
        return outcome


def _told(outcome: Outcome, *, hears: bool) -> str:
    """Say what became of the signal."""
    match outcome:
        case Exited(exit_code=-15):
            return ""
        case Exited(exception=exception, exit_code=code):
            ended = f"exit status {code}" if code >= 0 else rules.exit_text(code)
            plain = exception is None or isinstance(exception, (SystemExit, ProcessEnd))
            return ended if plain else f"{type(exception).__name__}: {exception}"
        case TimedOut():
            return "still running"
        case Interrupted(exception=exception):
            return f"{type(exception).__name__}: {exception}"
    return "returned" if hears else "not heard: the runtime waits for its next event"
