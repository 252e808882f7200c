"""Turns: code runs in the environment's process until it waits for its next event, or is late."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.outcome import (
    DeadlineReached,
    Exited,
    Interrupted,
    Outcome,
    TimedOut,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock, Turn
    from pytest_lambda_lifecycle.conductor.participants import Process
    from pytest_lambda_lifecycle.lifecycle.rules import Limit

__all__ = ["CurrentTurn", "TurnRunner"]


class CurrentTurn:
    """The turn that runs, or that ran last.

    The alarm refers to this object and not to the runner: the runner refers to the process, and the
    process to the alarm.
    """

    turn: Turn | None = None

    def real_time_is_up(self) -> None:
        """Note that the real time of the turn has passed."""
        if self.turn is not None:
            self.turn.real_time_is_up()

    def forgive(self) -> None:
        """Note that a debugger has stopped the turn."""
        if self.turn is not None:
            self.turn.forgive()


class TurnRunner:
    """Gives participants their turns; the clock decides whether they were in time."""

    def __init__(self, process: Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self.current = CurrentTurn()

    def run(self, action: Callable[[], Outcome], limit: Limit) -> Outcome:
        """Run ``action()`` as one turn."""
        __tracebackhide__ = True
        self.current.turn = turn = self._clock.begin_turn(limit.us)
        interruption: BaseException | None = None
        outcome: Outcome = Exited(1)
        try:
            outcome = self._process.run(action, turn.real_limit)
        except BaseException as raised:
            interruption = raised
        late = turn.end()
        if interruption is None and not late and not turn.stuck:
            return outcome
        if turn.stuck and not isinstance(interruption, KeyboardInterrupt):
            return Interrupted(LifecycleError(turn.stuck, code="LLC406"), stuck=True)
        # A turn is also late where function code swallowed the interruption, or where it was cut
        # because something else has crashed.
        if isinstance(interruption, DeadlineReached) or (late and interruption is None):
            interruption = None  # its traceback refers to this frame: a circle
            return TimedOut(limit.seconds)
        # pytest's own control flow, a real Ctrl-C, misuse: none of it comes from function code.
        if interruption is not None:
            return Interrupted(interruption, stuck=bool(turn.stuck))
        return outcome
