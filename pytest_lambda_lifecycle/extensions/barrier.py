"""Waiting for extensions that speak HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.outcome import (
    DeadlineReached,
    ExtensionFailed,
    Interrupted,
    Loaded,
    Outcome,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.conductor.turns import TurnRunner
    from pytest_lambda_lifecycle.lifecycle.rules import Limit

__all__ = ["Barrier"]


class Barrier:
    """Holds the conductor until a condition is true, a process has ended, or the time is up."""

    def __init__(self, endpoint: Endpoint, turns: TurnRunner) -> None:
        self._endpoint = endpoint
        self._turns = turns

    def wait(self, done: Callable[[], bool], limit: Limit) -> Outcome | None:
        """Wait until ``done``, for at most ``limit``; return None if all is well."""
        __tracebackhide__ = True
        outcome = self._turns.run(partial(self._waiting, done), limit)
        ended = self.ended()
        if ended is not None and not isinstance(outcome, Interrupted):
            return ended
        return None if type(outcome) is Loaded else outcome

    def _waiting(self, done: Callable[[], bool]) -> Outcome:
        """Wait inside the environment, since threads of function code may have to go on."""
        __tracebackhide__ = True
        turn = self._turns.current.turn
        assert turn is not None
        if stage.virtual_time is not None:
            stage.virtual_time.wait_for(lambda: done() or self.ended() is not None)
        else:
            until = RealTime.perf_counter() + turn.real_limit
            self._endpoint.registry.wait(lambda: done() or self.ended() is not None, until)
        if done() or self.ended() is not None:
            return Loaded()
        turn.real_time_is_up()
        raise DeadlineReached

    def ended(self) -> ExtensionFailed | None:
        """Return the failure of the process that ended first, by the error that it had posted."""
        registry = self._endpoint.registry
        ended = [agent for agent in registry.agents if agent.exit_code is not None]
        if not ended:
            return None
        agent = min(ended, key=lambda agent: agent.exited_at_us or 0)
        kind = registry.fatal[1] if registry.fatal is not None else "Extension.Crash"
        return ExtensionFailed(agent.name, kind, rules.exit_text(agent.exit_code or 0))
