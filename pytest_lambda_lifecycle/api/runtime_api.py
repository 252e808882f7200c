"""The Runtime API: its six calls, and their answers beside a runtime that needs no HTTP.

Source: Runtime Interface Emulator, ``rapi/router.go`` and ``core/states.go``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import NOT_FOUND, ApiError, Call, Reply

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["SNAP_START_ONLY", "LocalRuntimeApi", "RuntimeApi", "View", "check_request_id"]

SNAP_START_ONLY: Final = frozenset({"restore/next", "restore/error"})
"""The calls that exist with SnapStart alone."""
_ABOUT_A_REQUEST: Final = frozenset({"response", "error"})


class RuntimeApi(Protocol):
    """The Runtime API as the routes call it."""

    def handle(self, asked: str, call: Call, request_id: str = "") -> Reply:
        """Answer a call, or raise `ApiError` or `Gone`.

        ``asked`` is its name: ``"next"``, ``"response"``, ``"error"``, ``"init/error"``,
        ``"restore/next"`` or ``"restore/error"``.  ``request_id`` is the one in the path of
        ``"response"`` and ``"error"``.
        """
        ...


class View(Protocol):
    """The state of the runtime in this process, which any thread may read."""

    def state(self) -> str:
        """Return ``"Started"`` (in Init), ``"Ready"`` (it waits for an event) or ``"Running"``."""
        ...

    def request_id(self) -> str:
        """Return the identifier of the latest request; "" before the first."""
        ...


class LocalRuntimeApi:
    """Refuses all calls: the runtime in this process needs none, and no other client is allowed.

    Function code that calls gets the refusal of the state in which the runtime is; the state stays
    as it is.
    """

    def __init__(self, config: FunctionConfig, view: View) -> None:
        self._snap_start = config.initialization_type == "snap-start"
        self._view = view

    def handle(self, asked: str, call: Call, request_id: str = "") -> Reply:
        """Raise `ApiError`, or return the answer to a path that does not exist."""
        if asked in SNAP_START_ONLY and not self._snap_start:
            return NOT_FOUND
        if asked in _ABOUT_A_REQUEST:
            check_request_id(request_id, self._view.request_id())
        raise states.runtime_refusal(self._view.state(), asked)


def check_request_id(request_id: str, current: str) -> None:
    """Raise `ApiError` 400 unless the call is about the current request.

    The emulator asks this before it looks at the state.
    """
    if not request_id or request_id != current:
        raise ApiError(400, "InvalidRequestID", "Invalid request ID")
