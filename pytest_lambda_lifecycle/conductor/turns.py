"""A turn: code that runs in the environment's process until it waits for the next event, or until
its time is up.
"""

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
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Process

__all__ = ["Turns"]


class Turns:
    """Gives the participants their turns; the clock decides whether they were in time."""

    def __init__(self, process: Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock

    def run(self, turn: Callable[[], Outcome], limit_us: int, limit: float) -> Outcome:
        """Run ``turn()`` for at most ``limit_us`` microseconds.

        ``limit`` is what the limit is called in messages, in s.
        """
        __tracebackhide__ = True
        clock = self._clock
        counted = clock.begin_turn(limit_us)
        interruption: BaseException | None = None
        outcome: Outcome = Exited(1)
        try:
            outcome = self._process.run(turn, clock.real_limit(limit_us))
        except BaseException as raised:
            interruption = raised
        late = clock.end_turn(counted)
        if clock.stuck:
            return Interrupted(LifecycleError(clock.stuck))
        if isinstance(interruption, DeadlineReached) or (late and interruption is None):
            return TimedOut(
                limit
            )  # also if it had swallowed the interruption; or it was cut as something has crashed
        if (
            interruption is not None
        ):  # pytest's own control flow, a real Ctrl-C, misuse: not the function's
            return Interrupted(interruption)
        return outcome
