"""The Runtime API as a runtime meets it: what each call does to the runtime's state, and what it is
answered.

Source: Runtime Interface Emulator, ``rapi/router.go`` and ``core/states.go``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import NOT_FOUND, ApiError, Call, Reply

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["LocalRuntimeApi", "RuntimeApi", "View", "check_request_id"]


class RuntimeApi(Protocol):
    """What the routes ask.  Each call returns an answer, or raises `ApiError` or `Gone`."""

    def next(self) -> Reply:
        """``GET /runtime/invocation/next``."""
        ...

    def response(self, request_id: str, call: Call) -> Reply:
        """``POST /runtime/invocation/{id}/response``."""
        ...

    def error(self, request_id: str, call: Call) -> Reply:
        """``POST /runtime/invocation/{id}/error``."""
        ...

    def init_error(self, call: Call) -> Reply:
        """``POST /runtime/init/error``."""
        ...

    def restore_next(self) -> Reply:
        """``GET /runtime/restore/next``."""
        ...

    def restore_error(self, call: Call) -> Reply:
        """``POST /runtime/restore/error``."""
        ...


class View(Protocol):
    """How the runtime in this process stands.  Read from any thread."""

    def state(self) -> str:
        """Return ``"Started"`` (in Init), ``"Ready"`` (it waits for an event) or ``"Running"``."""
        ...

    def request_id(self) -> str:
        """Return the identifier of the latest request; "" before the first."""
        ...


class LocalRuntimeApi:
    """Stands beside a runtime that lives in this process and needs no HTTP.

    The runtime is the only client that the Runtime API allows; function code that calls it is
    refused, and nothing changes.
    """

    def __init__(self, config: FunctionConfig, view: View) -> None:
        self._snap_start = config.initialization_type == "snap-start"
        self._view = view

    def next(self) -> Reply:
        """Refuse: the runtime itself takes the events."""
        return self._refuse("next")

    def response(self, request_id: str, call: Call) -> Reply:
        """Refuse: the runtime itself answers."""
        check_request_id(request_id, self._view.request_id())
        return self._refuse("response")

    def error(self, request_id: str, call: Call) -> Reply:
        """Refuse: the runtime itself reports errors."""
        check_request_id(request_id, self._view.request_id())
        return self._refuse("error")

    def init_error(self, call: Call) -> Reply:
        """Refuse: the runtime itself reports errors."""
        return self._refuse("init/error")

    def restore_next(self) -> Reply:
        """Refuse: the runtime itself runs the hooks of SnapStart."""
        return self._refuse("restore/next") if self._snap_start else NOT_FOUND

    def restore_error(self, call: Call) -> Reply:
        """Refuse: the runtime itself runs the hooks of SnapStart."""
        return self._refuse("restore/error") if self._snap_start else NOT_FOUND

    def _refuse(self, asked: str) -> NoReturn:
        raise states.runtime_refusal(self._view.state(), asked)


def check_request_id(request_id: str, current: str) -> None:
    """Raise `ApiError` 400 unless the call is about the current request; asked before the state is
    looked at.
    """
    if not request_id or request_id != current:
        raise ApiError(400, "InvalidRequestID", "Invalid request ID")
