"""The turns of the runtime: their outcome also depends on its process, and on Lambda's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Interrupted,
    Outcome,
    Raised,
    Returned,
    TimedOut,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState
    from pytest_lambda_lifecycle.lifecycle.rules import Limit

__all__ = ["RuntimeTurns"]


class RuntimeTurns:
    """Gives the runtime its turns."""

    def __init__(self, deps: Dependencies, state: EnvironmentState) -> None:
        self._run = deps.turns.run
        self._process = deps.process
        self._state = state

    def run(self, action: Callable[[], Outcome], limit: Limit) -> Outcome:
        """Give the runtime a turn; a thread of function code may end its process in the meantime.

        A response over Lambda's limit fails the request, and the runtime goes on: the next invoke
        is warm.
        """
        __tracebackhide__ = True
        outcome = self._run(action, limit)
        state, exit_code = self._state, self._process.exit_code
        state.cut = type(outcome) is TimedOut
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
