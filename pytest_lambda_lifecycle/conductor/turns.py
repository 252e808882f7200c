"""A turn: code that runs in the environment's process until it waits for the next event, or until
its time is up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.outcome import (
    DeadlineReached,
    Exited,
    Interrupted,
    Outcome,
    Raised,
    Returned,
    TimedOut,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.cast import Cast
    from pytest_lambda_lifecycle.conductor.participants import Process
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState
    from pytest_lambda_lifecycle.lifecycle.rules import Limit

__all__ = ["RuntimeTurns", "TurnRunner"]


class TurnRunner:
    """Gives participants their turns; the clock decides whether they were in time."""

    def __init__(self, process: Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock

    def run(self, action: Callable[[], Outcome], limit: Limit) -> Outcome:
        """Run ``action()`` as one turn."""
        __tracebackhide__ = True
        turn = self._clock.begin_turn(limit.us)
        interruption: BaseException | None = None
        outcome: Outcome = Exited(1)
        try:
            outcome = self._process.run(action, turn.real_limit)
        except BaseException as raised:
            interruption = raised
        late = turn.end()
        if turn.stuck:
            return Interrupted(LifecycleError(turn.stuck, code="LLC406"), stuck=True)
        # A turn is also late where function code swallowed the interruption, or where it was cut
        # because something else has crashed.
        if isinstance(interruption, DeadlineReached) or (late and interruption is None):
            return TimedOut(limit.seconds)
        # pytest's own control flow, a real Ctrl-C, misuse: none of it comes from function code.
        if interruption is not None:
            return Interrupted(interruption)
        return outcome


class RuntimeTurns:
    """The runtime's turns: their outcome also depends on its process, and on Lambda's limits."""

    def __init__(self, cast: Cast, state: EnvironmentState) -> None:
        self._run = cast.turns.run
        self._process = cast.process
        self._state = state

    def run(self, action: Callable[[], Outcome], limit: Limit) -> Outcome:
        """Give the runtime a turn; a thread of function code may end its process in the meantime.

        A response over Lambda's limit fails the request, and the runtime goes on: the next invoke
        is warm.
        """
        __tracebackhide__ = True
        outcome = self._run(action, limit)
        state, exit_code = self._state, self._process.exit_code
        state.cut = isinstance(outcome, TimedOut)
        if exit_code is not None and not isinstance(outcome, (TimedOut, Interrupted)):
            outcome = Exited(exit_code)
        if type(outcome) is Returned:
            if len(outcome.body) > rules.RESPONSE_LIMIT:
                return rules.response_too_large()
        elif isinstance(outcome, Exited) or (
            isinstance(outcome, Raised) and outcome.exit_code is not None
        ):
            state.alive = False
        return outcome
