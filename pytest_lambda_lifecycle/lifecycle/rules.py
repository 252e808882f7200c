"""The rules of the lifecycle as data and pure functions: states, transitions, limits and texts.

Each limit of a phase lives here once, with its source.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    ExtensionFailed,
    Outcome,
    Raised,
)

__all__ = [
    "EVENT_LIMIT",
    "RESPONSE_LIMIT",
    "RESTORE_LIMIT_US",
    "Limit",
    "State",
    "allowed",
    "billed_ms",
    "exit_message",
    "exit_text",
    "handles_signals",
    "init_limit_us",
    "init_writes_report",
    "invoke_event",
    "reported_error_type",
    "response_too_large",
    "runtime_share_ms",
    "shutdown_budget_ms",
    "shutdown_event",
    "timeout_message",
]


class Limit(NamedTuple):
    """The time that a turn may take."""

    us: int
    """The time that is left, in microseconds."""
    seconds: float
    """The whole limit as messages name it, in s."""

    def less(self, spent_us: int) -> Limit:
        """Return this limit after ``spent_us`` microseconds of it are used up."""
        return Limit(self.us - spent_us, self.seconds)


EVENT_LIMIT: Final = 6_291_456
"""Bytes of a synchronous event: 6 MB (Lambda quotas, "Invocation payload")."""

RESPONSE_LIMIT: Final = 6_291_556
"""Bytes of a synchronous response: 6 MiB + 100 (Runtime Interface Emulator, status 413)."""


RESTORE_LIMIT_US: Final = 10_000_000
"""Microseconds for a restore with its hooks (Lambda execution environment, "Restore phase")."""


class State(str, Enum):
    """The states of an environment, in the words of the lifecycle page."""

    NEW = "new"
    """Nothing has run; the first phase is Init."""
    INIT = "init"
    SNAPSHOT = "snapshot"
    """Init succeeded and its snapshot was taken (SnapStart); the first invoke restores it."""
    RESTORE = "restore"
    READY = "ready"
    """Init succeeded: the environment is frozen and waits for an event; the next invoke is warm."""
    INVOKE = "invoke"
    CRASHED = "crashed"
    """A process of it ended while it was frozen; the next invoke finds that out, and fails."""
    RESET = "reset"
    """The runtime process is gone; the next invoke includes an Init (a suppressed init)."""
    SHUTDOWN = "shutdown"
    CLOSED = "closed"

    successors: tuple[State, ...]
    """The states that may follow in one step.

    An attribute and not a table, since the hash of an enum's member is computed in Python: looking
    two members up costs more than the rest of a transition, of which a warm invoke has two.
    """


_TRANSITIONS: Final = {
    State.NEW: {State.INIT, State.RESET, State.SHUTDOWN},
    State.INIT: {State.READY},
    State.CRASHED: {State.INVOKE, State.RESET, State.SHUTDOWN},
    State.SNAPSHOT: {State.RESTORE, State.RESET, State.SHUTDOWN},
    State.RESTORE: {State.READY},
    State.READY: {State.INVOKE, State.SNAPSHOT, State.CRASHED, State.RESET, State.SHUTDOWN},
    State.INVOKE: {State.READY, State.RESET},
    State.RESET: {State.INIT, State.RESET, State.SHUTDOWN},
    State.SHUTDOWN: {State.CLOSED, State.NEW, State.RESET},
    State.CLOSED: set[State](),
}


for _state, _successors in _TRANSITIONS.items():
    _state.successors = tuple(_successors)


def allowed(state: State, to: State) -> bool:
    """Say whether the lifecycle goes from ``state`` to ``to`` in one step."""
    return to in state.successors


def invoke_event(
    request_id: str, deadline_ms: int, arn: str, trace_id: str | None
) -> dict[str, object]:
    """Return the event INVOKE: everything but the payload (Extensions API, "Next")."""
    event: dict[str, object] = {
        "eventType": "INVOKE",
        "deadlineMs": deadline_ms,
        "requestId": request_id,
        "invokedFunctionArn": arn,
    }
    if trace_id:
        event["tracing"] = {"type": "X-Amzn-Trace-Id", "value": trace_id}
    return event


def shutdown_event(reason: str, deadline_ms: int) -> dict[str, object]:
    """Return the event SHUTDOWN (Extensions API; ``reason`` is lower case in it)."""
    return {"eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason}


def init_limit_us(initialization_type: str, timeout: int) -> int:
    """Return the microseconds of Init ("Init phase").

    On demand they are 10 s; otherwise ``timeout`` (s), and at least 130 s.
    """
    return 10_000_000 if initialization_type == "on-demand" else max(130, timeout) * 1_000_000


def timeout_message(seconds: float) -> str:
    """Return the text after ``RequestId: … Error: `` ("Troubleshooting invocation issues")."""
    return f"Task timed out after {seconds:.2f} seconds"


def shutdown_budget_ms(*, internal_extensions: int = 0, external_extensions: int = 0) -> int:
    """Return the milliseconds of Shutdown (Lambda execution environment, "Shutdown phase")."""
    if external_extensions:
        return 2000
    return 500 if internal_extensions else 0


def runtime_share_ms(budget_ms: int) -> int:
    """Return the milliseconds in which the runtime has to end.

    They are 0.3 of the budget with external extensions, else all of it: the emulator's ratio; an
    older guide said 300 ms ("Lambda Extensions API", 2023).
    """
    return budget_ms * 3 // 10 if budget_ms == 2000 else budget_ms


def handles_signals(runtime: str, *, busy: bool) -> bool:
    """Say whether a Python signal handler runs in the runtime's process.

    Inside an invoke it always does.  While the runtime waits for an event, it does only from
    python3.12 on, which waits on a second thread (Building Lambda functions with Python, "Graceful
    shutdown for extensions").
    """
    return busy or int(runtime.partition(".")[2]) >= 12


def exit_text(exit_code: int) -> str:
    """Return the text for the end of an extension's process (Runtime Interface Emulator)."""
    if exit_code == 0:
        return "exit code 0"
    return f"exit status {exit_code}" if exit_code > 0 else _signal_text(-exit_code)


def billed_ms(duration_us: int, init_us: int | None) -> int:
    """Return the billed duration in ms: Duration plus Init, rounded up.

    Init is always billed (AWS Compute blog, 2025-04-29).
    """
    return -(-(duration_us + (init_us or 0)) // 1000)


def init_writes_report(initialization_type: str, status: str) -> bool:
    """Say whether CloudWatch shows ``INIT_REPORT``: on demand only after a failure."""
    return status != "success" or initialization_type != "on-demand"


def exit_message(exit_code: int) -> str:
    """Return the text of ``Runtime.ExitError`` (Runtime Interface Emulator)."""
    if exit_code == 0:
        return "Runtime exited without providing a reason"
    if exit_code > 0:
        return f"Runtime exited with error: exit status {exit_code}"
    return f"Runtime exited with error: {_signal_text(-exit_code)}"


def reported_error_type(outcome: Outcome) -> str:
    """Return ``Error Type`` of INIT_REPORT, RESTORE_REPORT and REPORT.

    It is the category that the runtime put into a header.  A type that is no ``Runtime.…`` or
    ``Function.…`` is not kept (Runtime API page; Runtime Interface Emulator).
    """
    if isinstance(outcome, (Exited, ExtensionFailed)):
        return outcome.error_type
    if not isinstance(outcome, Raised):
        return ""  # a timeout has a status and no type
    kind = outcome.fault_type or outcome.error_type
    if re.search(r"(Runtime|Function)\.[A-Z][a-zA-Z]+", kind):
        return kind
    return "Function.Unknown" if kind.startswith("Function.") else "Runtime.Unknown"


def response_too_large() -> Raised:
    """Return the error for a response over `RESPONSE_LIMIT` (Runtime Interface Emulator)."""
    message = (
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    )
    error: dict[str, object] = {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": message,
    }
    return Raised(json.JSONEncoder().encode(error).encode(), error)


def _signal_text(number: int) -> str:
    return f"signal: {_SIGNAL_TEXTS.get(number, number)}"


# Go's texts for signals, which the platform prints (os/exec; package syscall, zerrors_linux).
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
