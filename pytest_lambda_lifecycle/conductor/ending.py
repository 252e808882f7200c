"""The ends of an environment: for good, to be replaced by another, or a reset that begins anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from pytest_lambda_lifecycle.conductor.shutdown import ShutdownSequence
from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.lifecycle.events import Recycled, Reset
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    ExtensionFailed,
    Interrupted,
    Outcome,
    Returned,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState
    from pytest_lambda_lifecycle.lifecycle.phases import Phase, Shutdown

__all__ = ["ENDS", "Endings"]

P = TypeVar("P", bound="Phase")

ENDS: Final = (Exited, TimedOut, ExtensionFailed)
"""Outcomes with which a process of the environment has ended."""


class Endings:
    """Reset, Shutdown, idleness and age.

    The public methods are one operation each: they refuse to run inside a phase.
    """

    def __init__(self, deps: Dependencies, state: EnvironmentState) -> None:
        self._deps = deps
        self._state = state
        self._shutdown = ShutdownSequence(deps, state)

    # -- operations -------------------------------------------------------------------------------

    def crash(self, outcome: Outcome) -> None:
        """End a process of the frozen environment: the next invoke fails and resets it."""
        state = self._state
        with state.doing("crash"):
            state.require_open("crash")
            if state.current is not State.READY and state.current is not State.CRASHED:
                raise InvalidTransition(
                    f"cannot crash: {state.describe()}, in which no process runs; "
                    "call initialize() or invoke() first",
                    code="LLC106",
                )
            if state.current is State.READY:  # otherwise the first error counts (emulator)
                state.crashed = outcome
                state.move(State.CRASHED)
            if isinstance(outcome, Exited):
                state.alive = False

    def reset(self) -> None:
        """End the runtime's process, as a crash does: globals go, ``/tmp`` stays."""
        with self._state.doing("reset"):
            self._state.require_open("reset")
            self._state.alive = False
            self.start_anew("failure", None)

    def idle(self, span_us: int) -> None:
        """Freeze the environment and let time pass; nothing of it runs."""
        state, clock = self._state, self._deps.clock
        with state.doing("idle"):
            state.require_open("idle")
        # Without a clock, `idle` shifts real time, and the end of the test takes the shift back.
        # An environment that outlives the test would then have moments in the future.
        now_us = clock.now_us()
        state.active_us = min(state.active_us, now_us)
        state.born_us = min(state.born_us, now_us)
        clock.pass_time(span_us)
        self.time_passed()

    def time_passed(self) -> None:
        """Spin down if the environment was idle for too long; one that has not begun stays."""
        if self._state.lock.acquire(blocking=False):
            try:
                self.recycle_if_due()
            finally:
                self._state.lock.release()

    def recycle(self) -> Shutdown:
        """End this environment, as Lambda does every few hours; the next invoke is cold."""
        with self._state.doing("recycle"):
            self._state.require_open("recycle")
            return self._recycle()

    def shutdown(self, reason: str, *, cause: str) -> Shutdown:
        """End the environment for good.  Without extensions the runtime gets 0 ms and no signal."""
        deps, state = self._deps, self._state
        with state.doing("shut down"):
            if state.current is State.CLOSED:
                raise InvalidTransition(
                    f"cannot shut down: {state.describe()}; an environment ends once",
                    code="LLC101",
                )
            try:
                shutdown = self._shut_down(reason)
            finally:
                interruption = deps.extensions.close()
                deps.process.close()
                state.move(State.CLOSED)
                state.cause = cause
            if interruption is not None:
                raise interruption
            return shutdown

    # -- inside an operation ----------------------------------------------------------------------

    def close_phase(self, phase: P, outcome: Outcome, at_us: int) -> P:
        """End a phase: the environment is ready again, unless one of its processes has ended.

        An exception that is the test's own control flow is raised once all is done.
        """
        __tracebackhide__ = True
        state, extensions = self._state, self._deps.extensions
        state.phases.append(phase)
        state.move(State.READY)
        state.active_us = at_us
        returned = type(outcome) is Returned
        if not returned:
            self._reset_after(phase, outcome)
        if extensions.present and state.current is State.READY:
            extensions.freeze()
        if not returned and isinstance(outcome, Interrupted):
            raise outcome.exception
        return phase

    def _reset_after(self, phase: Phase, outcome: Outcome) -> None:
        not_ready = phase.name != "invoke" and phase.status != "success"
        stuck = isinstance(outcome, Interrupted) and outcome.stuck
        if stuck:
            self._state.cut = True
        if not_ready or stuck or isinstance(outcome, ENDS):
            reason = "timeout" if isinstance(outcome, TimedOut) else "failure"
            self.start_anew(reason, None if stuck else outcome)

    def start_anew(self, reason: str, outcome: Outcome | None) -> None:
        """Reset the processes; extensions are shut down first (Lambda execution environment)."""
        with Held():
            self._start_anew(reason, outcome)

    def _start_anew(self, reason: str, outcome: Outcome | None) -> None:
        deps, state = self._deps, self._state
        try:
            if deps.extensions.present:
                state.move(State.SHUTDOWN)
                self._shutdown.run(reason)
        finally:
            interruption = deps.extensions.end()
            self._discard_process()
            error_type = outcome.error_type if outcome is not None else ""
            deps.timeline.append(Reset(deps.clock.now_us(), reason, error_type))
            state.move(State.RESET)
        if interruption is not None:
            raise interruption

    def recycle_if_due(self) -> None:
        """Recycle an environment that was idle, or exists, for longer than its settings allow."""
        config = self._deps.config
        state = self._state
        now = self._deps.clock.now_us()
        idle = now - state.active_us
        age = now - state.born_us
        too_idle = config.idle_timeout is not None and idle >= config.idle_timeout * 1_000_000
        too_old = config.max_lifetime is not None and age >= config.max_lifetime * 1_000_000
        between_phases = {State.READY, State.SNAPSHOT, State.CRASHED, State.RESET}
        if (too_idle or too_old) and state.current in between_phases:
            self._recycle()

    def _recycle(self) -> Shutdown:
        deps, state = self._deps, self._state
        try:
            return self._shut_down("spindown")
        finally:
            self._discard_process()
            deps.timeline.append(Recycled(deps.clock.now_us(), deps.renew()))
            state.move(State.NEW)
            state.born_us = state.active_us = deps.clock.now_us()

    def _discard_process(self) -> None:
        self._deps.process.discard()
        self._state.alive = False
        self._state.cut = False

    def _shut_down(self, reason: str) -> Shutdown:
        self._state.move(State.SHUTDOWN)
        try:
            shutdown = self._shutdown.run(reason)
        finally:
            interruption = self._deps.extensions.end()
        if interruption is not None:
            raise interruption
        return shutdown
