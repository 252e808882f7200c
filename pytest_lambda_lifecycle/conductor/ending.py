"""How an environment ends: for good, to be replaced by another, or in a reset, after which it
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.conductor.shutdown import Stopping
from pytest_lambda_lifecycle.conductor.state import Standing
from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import Recycled, Reset
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Outcome
from pytest_lambda_lifecycle.lifecycle.phases import Phase, Shutdown
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Extensions, Process
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Ending"]


class Ending(Standing):
    """The part of the conductor that is about the end: Reset, Shutdown, idleness and age."""

    def __init__(
        self,
        config: FunctionConfig,
        *,
        extensions: Extensions,
        process: Process,
        stopping: Stopping,
        timeline: Timeline,
        clock: Clock,
        renew: Callable[[], str],
    ) -> None:
        """``renew`` makes what a new environment has of its own, and returns its log stream."""
        super().__init__()
        self.config = config
        self.timeline = timeline
        self.clock = clock
        self.phases: list[Phase] = []
        self._renew = renew
        self._extensions = extensions
        self._process = process
        self._stopping = stopping
        self._born_us = self._active_us = clock.now_us()
        self._crashed: Outcome = Exited(1)
        self._alive = False
        """The runtime's process has started and has not ended."""
        self._cut = False
        """Its latest turn was cut: it is inside function code, and does not wait for an event."""

    # -- Reset and Shutdown ---------------------------------------------------------------------------------------

    def crash(self, outcome: Outcome) -> None:
        """Let a process of the environment end while it is frozen: the next invoke fails, the one
        after it inits.
        """
        with self._taking_turn("crash"):
            self.require_open("crash")
            if self.state not in {State.READY, State.CRASHED}:
                raise InvalidTransition(
                    f"cannot crash: {self._standing()}, in which no process runs; call initialize() or invoke() first"
                )
            if self.state is State.READY:  # else the first error counts (emulator)
                self._crashed, self.state = outcome, State.CRASHED
            if isinstance(outcome, Exited):
                self._alive = False

    def reset(self) -> None:
        """End the runtime process, as a crash between two invokes would: globals go, ``/tmp``
        stays.
        """
        with self._taking_turn("reset"):
            self.require_open("reset")
            self._alive = False
            self._reset("failure", None)

    def _reset(self, reason: str, outcome: Outcome | None) -> None:
        """A reset behaves like a shutdown; it is one for the extensions (Lambda execution
        environment).
        """
        try:
            if self._extensions.present:
                self.state = State.SHUTDOWN
                self._stop(reason)
        finally:
            interruption = self._extensions.end()
            self._process.discard()
            self._alive = self._cut = False
            error_type = rules.result(outcome)[1] if outcome is not None else ""
            self.timeline.append(Reset(self.clock.now_us(), reason, error_type))
            self.state = State.RESET
        if interruption is not None:
            raise interruption

    def idle(self, span_us: int) -> None:
        """Freeze the environment and let time pass; nothing of it runs."""
        with self._taking_turn("idle"):
            self.require_open("idle")
        now = (
            self.clock.now_us()
        )  # without a clock, what a test has idled away is given back at its end
        self._active_us, self._born_us = min(self._active_us, now), min(self._born_us, now)
        self.clock.pass_time(span_us)
        self.time_passed()

    def time_passed(self) -> None:
        """Spin down if the environment was idle for too long.  Not for one that has not begun:
        there is none yet.
        """
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
        if (too_idle or too_old) and self.state in {
            State.READY,
            State.SNAPSHOT,
            State.CRASHED,
            State.RESET,
        }:
            self._recycle()

    def recycle(self) -> Shutdown:
        """Take the environment away, as Lambda does every few hours; the next invoke gets a new
        one.
        """
        with self._taking_turn("recycle"):
            self.require_open("recycle")
            return self._recycle()

    def _recycle(self) -> Shutdown:
        try:
            return self._shutdown("spindown")
        finally:
            self._process.discard()
            self._alive = self._cut = False
            self.timeline.append(Recycled(self.clock.now_us(), self._renew()))
            self.state = State.NEW
            self._born_us = self._active_us = self.clock.now_us()

    def shutdown(self, reason: str, *, cause: str) -> Shutdown:
        """End the environment.  Without extensions the runtime gets 0 ms and no signal."""
        with self._taking_turn("shut down"):
            if self.state is State.CLOSED:
                raise InvalidTransition(
                    f"cannot shut down: {self._standing()}; an environment ends once"
                )
            try:
                shutdown = self._shutdown(reason)
            finally:
                interruption = self._extensions.close()
                self._process.close()
                self.state, self.cause = State.CLOSED, cause
            if interruption is not None:
                raise interruption
            return shutdown

    def _shutdown(self, reason: str) -> Shutdown:
        self._move(State.SHUTDOWN)
        try:
            shutdown = self._stop(reason)
        finally:
            interruption = self._extensions.end()
        if interruption is not None:
            raise interruption
        return shutdown

    def _stop(self, reason: str) -> Shutdown:
        """Run the phase Shutdown; what left it that is the test's own control flow is raised once
        all is done.
        """
        __tracebackhide__ = True
        shutdown, interruption = self._stopping.run(reason, alive=self._alive, busy=self._cut)
        self.phases.append(shutdown)
        if interruption is not None:
            raise interruption
        return shutdown
