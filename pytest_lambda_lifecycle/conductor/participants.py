"""The participants that the conductor conducts, as protocols: a runtime, extensions, a process."""

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

__all__ = ["Audit", "Extensions", "Process", "Runtime"]


class Runtime(Protocol):
    """The runtime, which turns events into responses.

    Each method is one turn, and never raises for function code.
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

    def terminate(self, handles_signals: bool, /) -> Loaded | Exited:
        """Receive SIGTERM; return `Loaded` if the runtime goes on.

        Its handler is called if ``handles_signals``: the process can run Python code now.
        """
        ...


class Audit(Protocol):
    """Looks at the state of the process around each invoke."""

    def begin(self) -> None:
        """Look before the invoke begins; the process is initialized."""
        ...

    def end(self, outcome: Outcome) -> None:
        """Look once the runtime is done, and record what differs."""
        ...


class Extensions(Protocol):
    """All extensions of an environment as one participant."""

    present: bool
    """At least one extension is registered.  Without one, a warm invoke asks for nothing else."""

    @property
    def names(self) -> tuple[str, ...]:
        """The extensions that start before the runtime."""
        ...

    @property
    def budget_ms(self) -> int:
        """The time of the phase Shutdown, in ms."""
        ...

    def start(self, limit: Limit) -> Outcome:
        """Start the external extensions and wait until all have registered: extension init."""
        ...

    def settle(self, limit: Limit) -> Outcome:
        """Close the registration, and wait until all are ready: the end of Init."""
        ...

    def collect(self) -> None:
        """Record on the timeline the reports of the extensions so far."""
        ...

    def report(self) -> None:
        """Record on the timeline how each extension stands at the end of Init."""
        ...

    def died(self) -> Outcome | None:
        """Return the failure of an extension that has ended while the environment was frozen."""
        ...

    def begin_invoke(self, event: dict[str, object], limit: Limit) -> int | Outcome:
        """Notify of an invoke.

        Returns the microseconds after which the runtime is cut, or the outcome because of which it
        does not run at all.
        """
        ...

    def failed_by(self, runtime_us: int) -> Outcome | None:
        """Return the failure while the runtime ran for ``runtime_us``: its response is lost."""
        ...

    def end_invoke(self, runtime_us: int, limit: Limit) -> tuple[Outcome | None, int]:
        """Wait until all have finished their share; return the failure, and the time in us."""
        ...

    def freeze(self) -> None:
        """Stop: all have finished their share."""
        ...

    def kill(self, name: str, exit_code: int) -> Outcome:
        """End an extension; return its outcome.  Raises `LifecycleError` for an unknown name."""
        ...

    def shutdown(
        self, reason: str, deadline_ms: int, until_us: int
    ) -> tuple[tuple[str, ...], BaseException | None]:
        """Notify of the end.

        Returns the names of those that were killed, since they overran the time or had not
        registered for SHUTDOWN, and an exception in one of them that is control flow of the test.
        """
        ...

    def end(self) -> BaseException | None:
        """End all that is left, for a reset or for good; the next start begins anew.

        Returns the exception that interrupted it, such as a Ctrl-C.
        """
        ...

    def close(self) -> BaseException | None:
        """Give everything back; return the exception that interrupted it."""
        ...


class Process(Protocol):
    """The process in which the runtime lives."""

    exit_code: int | None
    """Set if another thread of function code has ended it (`os._exit`), and not the turn itself."""

    def run(self, turn: Callable[[], Outcome], /, limit: float | None = None) -> Outcome:
        """Run one turn; raise `DeadlineReached` after ``limit`` s of real time."""
        ...

    def hold_streams(self) -> Callable[[], None]:
        """Keep the function's streams in place between turns, until the returned call."""
        ...

    def discard(self) -> None:
        """End it: the next turn begins in a new one."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...
