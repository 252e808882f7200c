"""What the conductor conducts: a runtime, and the process in which it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pytest_lambda_lifecycle.outcome import Exited, Loaded, Outcome, Raised, Request, Returned

__all__ = ["Process", "Runtime"]


class Runtime(Protocol):
    """A participant: what turns events into responses.  Each method is one turn and never raises for function code."""

    def init(self) -> Loaded | Raised | Exited:
        """Start, and import the handler."""
        ...

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Run the before-snapshot hooks (SnapStart)."""
        ...

    def after_restore(self) -> Loaded | Raised | Exited:
        """Run the after-restore hooks (SnapStart)."""
        ...

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Run the handler once."""
        ...


class Process(Protocol):
    """The process in which the runtime lives."""

    exit_code: int | None
    """Set if it ended by other means than the turn's outcome (a thread of the function's called `os._exit`)."""

    def run(self, turn: Callable[..., Outcome], /, *arguments: object, limit: float | None = None) -> Outcome:
        """Run one turn of the runtime in it; raises `DeadlineReached` where it cuts it after ``limit`` s, real time."""
        ...

    def discard(self) -> None:
        """End it: the next turn begins in a new one."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...
