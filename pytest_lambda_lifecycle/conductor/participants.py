"""What the conductor conducts: a runtime, and the process in which it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Loaded,
    Outcome,
    Raised,
    Request,
    Returned,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.rules import Limit

__all__ = ["Extensions", "Process", "Runtime"]


class Runtime(Protocol):
    """A participant: what turns events into responses.  Each method is one turn and never raises
    for function code.
    """

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

    def terminate(self, hears: bool, /) -> Loaded | Exited:
        """Get a SIGTERM; ``hears``: Python code can handle it.  `Loaded` says that the runtime goes
        on.
        """
        ...


class Extensions(Protocol):
    """The extensions of an environment, all of them as one participant.

    ``limit_us`` is what is left of a phase's time, in microseconds, and ``limit`` what its limit is
    called, in s.
    """

    present: bool
    """One at least is registered.  The warm path of an environment without any asks no more than
    this.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Those that start before the runtime."""
        ...

    @property
    def budget_ms(self) -> int:
        """What the shutdown may take, in ms."""
        ...

    def start(self, limit: Limit) -> Outcome:
        """Start the external ones and wait until all have registered: extension init."""
        ...

    def settle(self, limit: Limit) -> Outcome:
        """Close the registration, and wait until all are ready: the end of Init."""
        ...

    def collect(self) -> None:
        """Put on the timeline what they have reported so far."""
        ...

    def report(self) -> None:
        """Put on the timeline how each stands at the end of Init."""
        ...

    def died(self) -> Outcome | None:
        """Return how one has ended while the environment was frozen."""
        ...

    def begin_invoke(self, event: dict[str, object], limit: Limit) -> int | Outcome:
        """Tell of an invoke; returns after how many microseconds the runtime is cut, or why it is
        not to run.
        """
        ...

    def failed_by(self, runtime_us: int) -> Outcome | None:
        """Return what has failed while the runtime ran, which took so many microseconds: then its
        answer is lost.
        """
        ...

    def end_invoke(self, runtime_us: int, limit: Limit) -> tuple[Outcome | None, int]:
        """Wait until all have finished their share; returns what failed, and the microseconds that
        it took.
        """
        ...

    def freeze(self) -> None:
        """Stop, as all is done."""
        ...

    def kill(self, name: str, exit_code: int) -> Outcome:
        """End one of them now, and return how; raises `LifecycleError` if there is none of this
        name.
        """
        ...

    def shutdown(
        self, reason: str, deadline_ms: int, until_us: int
    ) -> tuple[tuple[str, ...], BaseException | None]:
        """Tell of the end; returns who was killed, as he overran the time or would not have known
        of it.

        And what left one of them that is the test's own control flow.
        """
        ...

    def end(self) -> BaseException | None:
        """End all that is left, for a reset or for good; the next start begins anew.

        Returns what has interrupted that, such as a Ctrl-C.
        """
        ...

    def close(self) -> BaseException | None:
        """Give everything back; returns what has interrupted that."""
        ...


class Process(Protocol):
    """The process in which the runtime lives."""

    exit_code: int | None
    """Set if it ended by other means than the turn's outcome (a thread of the function's called
    `os._exit`).
    """

    def run(self, turn: Callable[[], Outcome], /, limit: float | None = None) -> Outcome:
        """Run one turn of the runtime in it; raises `DeadlineReached` where it cuts it after
        ``limit`` s, real time.
        """
        ...

    def hold_streams(self) -> Callable[[], None]:
        """Let what threads write between turns be the function's, until the returned call."""
        ...

    def discard(self) -> None:
        """End it: the next turn begins in a new one."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...
