"""A runtime that is a process of its own and speaks HTTP to the Runtime API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.outcome import DeadlineReached, Exited, Loaded, Raised, Request, Returned

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.remote_api import RemoteRuntimeApi

__all__ = ["RemoteRuntime"]


class RemoteRuntime:
    """Waits for what the process does, on the conductor's thread; every turn ends in a value of `outcome`.

    Raises `DeadlineReached` at ``deadline()`` (`RealTime.perf_counter`), which the process's `run` sets.
    """

    def __init__(self, api: RemoteRuntimeApi, *, start: Callable[[], None], deadline: Callable[[], float]) -> None:
        """``start`` starts the process; who ends it calls ``api.end()``."""
        self._api = api
        self._start = start
        self._deadline = deadline

    def init(self) -> Loaded | Raised | Exited:
        """Start the process, and wait until it asks for its first event (or, with SnapStart, for its restore).

        A posted error does not end Init, the end of the process does (Runtime Interface Emulator).
        """
        api = self._api
        api.begin()
        self._start()
        self._wait(lambda: api.ready)
        return self._ended() or Loaded()

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Do nothing: the runtime has run these hooks before it asked for its restore, or has none."""
        return self._ended() or Loaded()

    def after_restore(self) -> Loaded | Raised | Exited:
        """Let the runtime run these hooks, and wait until it asks for its first event; a posted error ends it."""
        api = self._api
        api.restore()
        self._wait(lambda: api.state == "Ready" or api.posted is not None)
        return api.posted or self._ended() or Loaded()

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Hand over *request*, and wait until the runtime has answered and asks for more.

        What it has answered before it failed is ``api.answer``.
        """
        api = self._api
        api.publish(request)
        self._wait(lambda: api.answer is not None and api.state == "Ready")
        ended = self._ended()
        if ended is not None:
            return ended
        assert api.answer is not None
        return api.answer

    def _wait(self, done: Callable[[], bool]) -> None:
        api = self._api
        if not api.wait(lambda: api.exit_code is not None or done(), self._deadline()):
            raise DeadlineReached

    def _ended(self) -> Raised | Exited | None:
        """Return what the end of the process means; None if it lives."""
        exit_code, posted = self._api.exit_code, self._api.posted
        if exit_code is None:
            return None
        return Exited(exit_code) if posted is None else replace(posted, exit_code=exit_code)
