"""Where an environment stands, and that it does one thing at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.rules import State

__all__ = ["Standing"]


class Standing:
    """The state of an environment, and the refusal of what makes no sense in it."""

    def __init__(self) -> None:
        self.state = State.NEW
        self.cause = ""
        """Why it is in this state, for messages: ``"shut down (reason spindown) at
        tests/test_a.py:31"``.
        """
        self.request_id = ""
        self._turn = threading.Lock()

    def require_open(self, asked: str) -> None:
        """Refuse what makes no sense any more after the end; ``asked`` completes "cannot"."""
        if self.state in {State.SHUTDOWN, State.CLOSED}:
            __tracebackhide__ = True
            raise InvalidTransition(
                f"cannot {asked}: {self._standing()}; start another with lambda_lifecycle()"
            )

    @contextmanager
    def _taking_turn(self, asked: str) -> Iterator[None]:
        if not self._turn.acquire(blocking=False):
            raise self._busy(asked)
        try:
            yield
        finally:
            self._turn.release()

    def _busy(self, asked: str) -> InvalidTransition:
        doing = (
            f"inside invoke {self.request_id}"
            if self.state is State.INVOKE
            else f"inside its {self.state.value} phase"
        )
        return InvalidTransition(
            f"cannot {asked}: this environment is {doing}, and one environment handles one event at a time; "
            "call it when the phase has ended, or use a second environment"
        )

    def _standing(self) -> str:
        if self.state is State.CLOSED:
            return f"this environment was {self.cause}"
        return f"this environment is in state {self.state.value!r}"

    def _move(self, to: State) -> None:
        if not rules.allowed(self.state, to):
            raise InvalidTransition(
                f"the lifecycle does not go from {self.state.value!r} to {to.value!r}"
            )
        self.state = to
