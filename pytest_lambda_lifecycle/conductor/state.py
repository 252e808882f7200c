"""The state of an environment, and the lock that lets it do one thing at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.lifecycle.outcome import Exited
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.outcome import Outcome
    from pytest_lambda_lifecycle.lifecycle.phases import Phase

__all__ = ["EnvironmentState"]


class EnvironmentState:
    """The state of an environment, and its history.  `move` alone changes the state."""

    def __init__(self, now_us: int) -> None:
        self.current = State.NEW
        self.cause = ""
        """Why it ended, for messages: ``"shut down (reason spindown) at tests/test_a.py:31"``."""
        self.request_id = ""
        """The identifier of the latest request."""
        self.phases: list[Phase] = []
        self.counted: tuple[int, int] = (0, 0)
        """How many phases were looked at to count invokes, and how many of them are (cached)."""
        self.born_us = now_us
        self.active_us = now_us
        """When the latest phase ended, in microseconds since the epoch."""
        self.alive = False
        """The runtime's process has started and has not ended."""
        self.cut = False
        """The runtime's latest turn was cut: it is inside function code, and waits for no event."""
        self.crashed: Outcome = Exited(1)
        """How a process ended while the environment was frozen (state CRASHED)."""
        self.lock = threading.Lock()
        """Held while the environment does something."""

    def move(self, to: State) -> None:
        """Change the state; raise `InvalidTransition` if the table has no such transition."""
        if to not in self.current.successors:
            raise InvalidTransition(
                f"the lifecycle does not go from {self.current.value!r} to {to.value!r}",
                code="LLC107",
            )
        self.current = to

    def require_open(self, asked: str) -> None:
        """Refuse a call that makes no sense after the end; ``asked`` completes "cannot"."""
        if self.current is State.SHUTDOWN or self.current is State.CLOSED:
            __tracebackhide__ = True
            raise InvalidTransition(
                f"cannot {asked}: {self.describe()}; start another with lambda_lifecycle()",
                code="LLC101",
            )

    @contextmanager
    def doing(self, asked: str) -> Iterator[None]:
        """Hold the lock, and signals back, except while function code runs.

        Raises `InvalidTransition` if the environment is doing something else.
        """
        with Held():
            if not self.lock.acquire(blocking=False):
                raise self.busy(asked)
            try:
                yield
            finally:
                self.lock.release()

    def busy(self, asked: str) -> InvalidTransition:
        """Return the error for a call that comes inside a phase."""
        inside = f"its {self.current.value} phase"
        if self.current is State.INVOKE:
            inside = f"invoke {self.request_id}"
        return InvalidTransition(
            f"cannot {asked}: this environment is inside {inside}, and one environment handles one "
            "event at a time",
            "Call it when the phase has ended, or use a second environment.",
            code="LLC102",
        )

    def describe(self) -> str:
        """Return the state of the environment in words, as the beginning of a message."""
        if self.current is State.CLOSED:
            return f"this environment was {self.cause}"
        return f"this environment is in state {self.current.value!r}"
