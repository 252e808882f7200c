"""The rules of the lifecycle as data and pure functions: states, transitions, limits and texts.

Each number of AWS lives here once, with its source.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Final

from pytest_lambda_lifecycle.outcome import Exited, Outcome, Raised

__all__ = [
    "EVENT_LIMIT",
    "EXIT_ERROR",
    "RESPONSE_LIMIT",
    "RESTORE_LIMIT_US",
    "TIMED_OUT",
    "State",
    "allowed",
    "billed_ms",
    "exit_message",
    "init_limit_us",
    "init_writes_report",
    "reported_error_type",
    "response_too_large",
    "shutdown_budget_ms",
    "timeout_message",
]

EXIT_ERROR: Final = "Runtime.ExitError"
TIMED_OUT: Final = "Sandbox.Timedout"
"""Error types of the platform's own (Troubleshooting invocation issues; Runtime Interface Emulator)."""
EVENT_LIMIT: Final = 6_291_456
"""Bytes of a synchronous event: 6 MB (Lambda quotas, "Invocation payload")."""

RESPONSE_LIMIT: Final = 6_291_556
"""Bytes of a synchronous response: 6 MiB + 100 (Runtime Interface Emulator, 413 ``RequestEntityTooLarge``)."""


RESTORE_LIMIT_US: Final = 10_000_000
"""Microseconds for a restore and its after-restore hooks (Lambda execution environment, "Restore phase")."""


class State(str, Enum):
    """Where an environment stands, in the words of the lifecycle page."""

    NEW = "new"
    """Nothing has run; the first phase is Init."""
    INIT = "init"
    SNAPSHOT = "snapshot"
    """Init succeeded and its snapshot was taken (SnapStart); a restore comes before the first invoke."""
    RESTORE = "restore"
    READY = "ready"
    """Init succeeded: the environment is frozen and waits for an event; the next invoke is warm."""
    INVOKE = "invoke"
    RESET = "reset"
    """The runtime process is gone; the next invoke inits inside itself (a suppressed init)."""
    SHUTDOWN = "shutdown"
    CLOSED = "closed"


_TRANSITIONS: Final = {
    State.NEW: {State.INIT, State.RESET, State.SHUTDOWN},
    State.INIT: {State.READY},
    State.SNAPSHOT: {State.RESTORE, State.RESET, State.SHUTDOWN},
    State.RESTORE: {State.READY},
    State.READY: {State.INVOKE, State.SNAPSHOT, State.RESET, State.SHUTDOWN},
    State.INVOKE: {State.READY, State.RESET},
    State.RESET: {State.INIT, State.RESET, State.SHUTDOWN},
    State.SHUTDOWN: {State.CLOSED, State.NEW},
    State.CLOSED: set[State](),
}


def allowed(state: State, to: State) -> bool:
    """Say whether the lifecycle goes from ``state`` to ``to`` in one step."""
    return to in _TRANSITIONS[state]


def init_limit_us(initialization_type: str, timeout: int) -> int:
    """Microseconds for Init: 10 s on demand, else the function timeout (s) and at least 130 s ("Init phase")."""
    return 10_000_000 if initialization_type == "on-demand" else max(130, timeout) * 1_000_000


def timeout_message(seconds: float) -> str:
    """Text of a timeout after ``RequestId: … Error: `` (Troubleshooting invocation issues, ``Sandbox.Timedout``)."""
    return f"Task timed out after {seconds:.2f} seconds"


def shutdown_budget_ms(*, internal_extensions: int = 0, external_extensions: int = 0) -> int:
    """Milliseconds of the Shutdown phase (Lambda execution environment, "Shutdown phase")."""
    if external_extensions:
        return 2000
    return 500 if internal_extensions else 0


def billed_ms(duration_us: int, init_us: int | None) -> int:
    """Billed duration in ms: Duration plus Init, rounded up (AWS Compute blog, 2025-04-29: Init is always billed)."""
    return -(-(duration_us + (init_us or 0)) // 1000)


def init_writes_report(initialization_type: str, status: str) -> bool:
    """Say whether CloudWatch shows ``INIT_REPORT``: on demand only after a failure, other types always."""
    return status != "success" or initialization_type != "on-demand"


def exit_message(exit_code: int) -> str:
    """Text of ``Runtime.ExitError`` after ``RequestId: … Error: `` (Runtime Interface Emulator)."""
    if exit_code == 0:
        return "Runtime exited without providing a reason"
    if exit_code > 0:
        return f"Runtime exited with error: exit status {exit_code}"
    return f"Runtime exited with error: signal: {_SIGNAL_TEXTS.get(-exit_code, -exit_code)}"


def reported_error_type(outcome: Outcome) -> str:
    """Return ``Error Type`` of INIT_REPORT, RESTORE_REPORT and REPORT: the category that the runtime put into a header.

    A type that is no ``Runtime.…`` or ``Function.…`` is not kept (Runtime API page; Runtime Interface Emulator).
    """
    if isinstance(outcome, Exited):
        return EXIT_ERROR
    if not isinstance(outcome, Raised):
        return ""  # a timeout has a status and no type
    kind = outcome.fault_type or str(outcome.error.get("errorType", ""))
    if re.search(r"(Runtime|Function)\.[A-Z][a-zA-Z]+", kind):
        return kind
    return "Function.Unknown" if kind.startswith("Function.") else "Runtime.Unknown"


def response_too_large() -> Raised:
    """Return what the caller gets for a response over `RESPONSE_LIMIT` (Runtime Interface Emulator)."""
    message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    error: dict[str, object] = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
    return Raised(json.JSONEncoder().encode(error).encode(), error)


# Go's texts for signals, which is what the platform prints (os/exec; package syscall, zerrors_linux).
_SIGNAL_TEXTS: Final = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}
