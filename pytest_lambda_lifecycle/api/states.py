"""The state tables of the Runtime API and the Extensions API, and the words of their refusals.

Source: Runtime Interface Emulator, ``core/states.go``, ``core/externalagent_states.go``,
``core/internalagent_states.go``; its texts were recorded from the binary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_lambda_lifecycle.api.replies import ApiError

__all__ = [
    "EXTENSION",
    "EXTENSION_LIMIT",
    "NOT_ALLOWED",
    "NO_NAME",
    "RUNTIME",
    "extension_refusal",
    "runtime_refusal",
    "step_extension",
    "step_runtime",
]

Table = Mapping[str, Mapping[str, str]]

RUNTIME: Final[Table] = {
    "Started": {"next": "Ready", "init/error": "InitError", "restore/next": "RestoreReady"},
    "InitError": {},
    "Ready": {"next": "Ready", "event": "Running"},  # a second call waits for a second event
    "Running": {
        "next": "Running",
        "response": "InvocationResponse",
        "error": "InvocationErrorResponse",
    },
    "InvocationResponse": {"sent": "RuntimeResponseSentState"},
    "InvocationErrorResponse": {"sent": "RuntimeResponseSentState"},
    "RuntimeResponseSentState": {"next": "Ready"},
    "RestoreReady": {"restore": "Restoring"},
    "Restoring": {
        "next": "Ready",
        "restore/error": "RuntimeRestoreErrorState",
        "init/error": "RuntimeRestoreErrorState",
    },
    "RuntimeRestoreErrorState": {},
}
"""State, then call, then the state after it; any other call is refused.

``sent``, ``event`` and ``restore`` are steps of the platform.
"""

_RUNTIME_AIMS: Final = {
    "next": "Ready",
    "restore/next": "Ready",
    "init/error": "InitError",
    "response": "InvocationResponse",
    "error": "InvocationErrorResponse",
    "restore/error": "RuntimeRestoreErrorState",
}
"""The state to which a call would have led, as a refusal names it."""

EXTENSION: Final[Table] = {
    "Started": {"register": "Registered", "launch": "LaunchError"},
    "Registered": {"next": "Ready", "init/error": "InitError", "exit/error": "ExitError"},
    "Ready": {"event": "Running", "exit/error": "ExitError"},
    "Running": {
        "next": "Ready",
        "exit/error": "ExitError",
        "exit": "Exited",
        "kill": "ShutdownFailed",
    },
    "InitError": {"init/error": "InitError"},
    "ExitError": {"exit/error": "ExitError"},
    "ShutdownFailed": {},
    "Exited": {},
    "LaunchError": {},
}
"""The same for extensions; ``launch``, ``event``, ``exit`` and ``kill`` are steps of the platform.

Only an external extension reaches the last three states.
"""

_EXTENSION_AIMS: Final = {
    "register": "Registered",
    "next": "Ready",
    "init/error": "InitError",
    "exit/error": "Exited",
}

EXTENSION_LIMIT: Final = 10
"""Extensions of one environment, internal and external ones together (Lambda quotas; emulator)."""

NOT_ALLOWED: Final = "State transition is not allowed"
MODIFIED: Final = "Concurrent state modification"

NO_NAME: Final = "Extension.InvalidExtensionName", "Empty extension name"


def step_runtime(state: str, call: str) -> str:
    """Return the runtime's state after a call; raises `ApiError` 403 where the table has none."""
    after = RUNTIME[state].get(call)
    if after is None:
        raise runtime_refusal(state, call)
    return after


def runtime_refusal(state: str, call: str, reason: str = NOT_ALLOWED) -> ApiError:
    """Return the refusal of a call of the runtime."""
    text = _refusal(state, _RUNTIME_AIMS[call], "runtime", reason)
    return ApiError(403, "InvalidStateTransition", text)


def step_extension(state: str, call: str, extension: str) -> str:
    """Return an extension's state after a call; raises `ApiError` 403 where the table has none."""
    after = EXTENSION[state].get(call)
    if after is None:
        raise extension_refusal(state, call, extension)
    return after


def extension_refusal(state: str, call: str, extension: str, reason: str = NOT_ALLOWED) -> ApiError:
    """Return the refusal of a call of an extension.

    ``extension`` is its name if the call is ``register``, else its identifier.
    """
    text = _refusal(state, _EXTENSION_AIMS[call], f"extension {extension}", reason)
    return ApiError(403, "Extension.InvalidExtensionState", text)


def _refusal(before: str, after: str, subject: str, reason: str) -> str:
    return f"State transition from {before} to {after} failed for {subject}. Error: {reason}"
