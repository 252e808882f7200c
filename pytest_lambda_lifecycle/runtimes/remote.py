"""A runtime that is a process of its own and speaks HTTP to the Runtime API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pytest_lambda_lifecycle.lifecycle.outcome import (
    DeadlineReached,
    Exited,
    Loaded,
    Raised,
    Request,
    Returned,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.remote_api import RemoteRuntimeApi

__all__ = ["RemoteRuntime"]

__stands_for__ = "bootstrap"

T = TypeVar("T")


class RemoteRuntime:
    """Waits, on the conductor's thread, for a process; every turn ends in a value of `outcome`.

    Each turn raises `DeadlineReached` at ``deadline()`` (`RealTime.perf_counter`).
    """

    def __init__(
        self,
        api: RemoteRuntimeApi,
        *,
        start: Callable[[], None],
        deadline: Callable[[], float],
        terminate: Callable[[], None],
    ) -> None:
        """Take ``start``, which starts the process, and ``terminate``, which sends it SIGTERM.

        The code that ends the process calls ``api.end()``.
        """
        self._api = api
        self._start = start
        self._deadline = deadline
        self._terminate = terminate

    def init(self) -> Loaded | Raised | Exited:
        """Start the process, and wait until it asks for its first event, or for its restore.

        A posted error does not end Init, the end of the process does (Runtime Interface Emulator).
        """
        api = self._api
        api.begin()
        self._start()
        return self._turn(lambda: Loaded() if api.ready else None)

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Do nothing: the runtime has run these hooks before it asked for its restore."""
        return Loaded()

    def after_restore(self) -> Loaded | Raised | Exited:
        """Let the runtime run these hooks, and wait for a posted error or its first `next`."""
        api = self._api
        api.restore()
        return self._turn(lambda: api.posted or (Loaded() if api.state == "Ready" else None))

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Hand over *request*, and wait until the runtime has answered and asks for more.

        An answer that it posted before it failed is ``api.answer``.  A process that ends after its
        answer fails the next invoke.
        """
        api = self._api
        api.publish(request)
        return self._turn(lambda: api.answer if api.state == "Ready" else None)

    def terminate(self, handles_signals: bool) -> Loaded | Exited:
        """Send SIGTERM, and wait for the end of the process, whatever its handler does."""
        api = self._api
        self._terminate()
        api.wait(lambda: api.exit_code is not None, self._deadline())
        return Loaded() if api.exit_code is None else Exited(api.exit_code)

    def _turn(self, done: Callable[[], T | None]) -> T | Raised | Exited:
        """Wait until ``done`` returns a value, or for the end of the process."""
        api = self._api
        if not api.wait(lambda: api.exit_code is not None or done() is not None, self._deadline()):
            raise DeadlineReached
        outcome = done()
        exit_code = api.exit_code
        if outcome is not None or exit_code is None:
            assert outcome is not None
            return outcome
        return Exited(exit_code) if api.posted is None else replace(api.posted, exit_code=exit_code)
