"""The exceptions for failures of the function, and the choice of one for a failed phase.

The caller of a real Lambda function would see the same failures.  Misuse of this library is
`LifecycleError`.

Each exception names the package as its module: pytest shows the module's name in front of the
class, and its summary has few characters in a line.
"""

from __future__ import annotations

import sys
from typing import Final

from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    ExtensionFailed,
    Outcome,
    Raised,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase, Restore
from pytest_lambda_lifecycle.lifecycle.platform_lines import platform_error
from pytest_lambda_lifecycle.lifecycle.rules import EVENT_LIMIT

__all__ = [
    "ExtensionError",
    "FunctionError",
    "FunctionTimeout",
    "InitError",
    "PayloadTooLarge",
    "RuntimeExit",
    "cause_of",
    "event_too_large",
    "failed_before_handler",
    "function_error",
]


_MODULE: Final = __name__.partition(".")[0]


class FunctionError(Exception):
    """The function failed, as its caller would see it.

    The original exception, if there was one, is the ``__cause__`` with its traceback intact.
    """

    __module__ = _MODULE

    def __init__(
        self,
        error_type: str,
        error_message: str,
        stack_trace: tuple[str, ...] = (),
        *,
        fault_type: str = "",
        phase: Phase | None = None,
    ) -> None:
        super().__init__(error_type, error_message)
        self.error_type = error_type
        """``errorType`` of the error object: ``"ValueError"``, ``"Runtime.ExitError"``."""
        self.error_message = error_message
        """``errorMessage`` of the error object."""
        self.stack_trace = stack_trace
        """``stackTrace`` of the error object: one text per frame, as the runtime formats them."""
        self.fault_type = fault_type
        """The type in the runtime's error header (``Runtime.BeforeSnapshotError``), or ``""``."""
        self.phase = phase
        """The failed `Invocation` or `Init`."""

    _hint = ""

    def _explain(self, hint: str) -> None:
        """Add a hint that Lambda would not give; message and error object stay those of Lambda."""
        if sys.version_info >= (3, 11):
            self.add_note(hint)
        else:
            self._hint += f"\n{hint}"

    where = ""
    """The line of function code that a timeout has cut, as ``"shop/app.py:12"``; ``""`` if it is
    unknown, and for other failures.
    """

    def __str__(self) -> str:
        text = f"{self.error_type}: {self.error_message}" if self.error_message else self.error_type
        if self.where:
            text += f"\nThe time was up at {self.where}."
        return text + self._hint


class InitError(FunctionError):
    """Init failed: the handler could not be loaded, or the code around it raised."""

    __module__ = _MODULE


class FunctionTimeout(FunctionError):
    """The function overran its timeout: it was killed and the environment was reset.

    The ``__cause__`` has the frames of the function at that moment, if it was interrupted.
    """

    __module__ = _MODULE


class RuntimeExit(FunctionError):
    """The runtime's process would have ended: `sys.exit`, `os._exit` or a signal.

    The environment was reset.
    """

    __module__ = _MODULE


class ExtensionError(FunctionError):
    """An extension crashed, reported an error or could not be started: the environment was reset.

    ``error_type`` is ``"Extension.Crash"``, ``"Extension.InitError"``, ``"Extension.ExitError"`` or
    ``"Extension.LaunchError"``.  If the runtime had posted its response before, the `Invocation`
    still has the payload.
    """

    __module__ = _MODULE

    extension = ""
    """Its name."""

    def __str__(self) -> str:
        return f"{super().__str__()} (extension {self.extension!r})"


class PayloadTooLarge(FunctionError):
    """The event or the response is over Lambda's limit for a synchronous invoke (in bytes)."""

    __module__ = _MODULE


def function_error(phase: Init | Restore | Invocation, *, not_ready: bool) -> FunctionError:
    """Return the exception for a failed phase; ``not_ready``: the handler could not run."""
    outcome = phase.outcome
    kind = InitError if not_ready else FunctionError
    if isinstance(outcome, (Exited, TimedOut, ExtensionFailed)):
        kind = _kind_of_end(phase, outcome, not_ready=not_ready)
        error_type, message = platform_error(getattr(phase, "request_id", ""), outcome)
        made = kind(error_type, message, phase=phase)
        if isinstance(made, ExtensionError) and isinstance(outcome, ExtensionFailed):
            made.extension = outcome.extension
        if isinstance(outcome, TimedOut):
            made.where = outcome.where
        return made
    error = outcome.error if isinstance(outcome, Raised) else {}
    error_type = str(error.get("errorType", ""))
    if error_type == "Function.ResponseSizeTooLarge":
        kind = PayloadTooLarge
    return kind(
        error_type,
        str(error.get("errorMessage", "")),
        _texts(error.get("stackTrace")),
        fault_type=_fault_type(outcome),
        phase=phase,
    )


def cause_of(phase: Init | Restore | Invocation) -> BaseException | None:
    """Return the exception that a failed phase ended with: of function code, or at its deadline."""
    return phase.outcome.interruption if isinstance(phase.outcome, TimedOut) else phase.exception


def _kind_of_end(
    phase: Phase, outcome: Exited | TimedOut | ExtensionFailed, *, not_ready: bool
) -> type[FunctionError]:
    if isinstance(outcome, ExtensionFailed):
        return ExtensionError
    if isinstance(outcome, TimedOut) and isinstance(phase, Invocation):
        return FunctionTimeout  # also where an init inside the invoke had used up its time
    return InitError if not_ready else RuntimeExit


def _texts(stack_trace: object) -> tuple[str, ...]:
    return tuple(map(str, stack_trace)) if isinstance(stack_trace, list) else ()


def _fault_type(outcome: Outcome) -> str:
    return outcome.fault_type if isinstance(outcome, Raised) else ""


def event_too_large(size: int) -> PayloadTooLarge:
    """Return the refusal of an event (Lambda API reference, Invoke: 413)."""
    return PayloadTooLarge(
        "RequestTooLargeException",
        f"{size} byte payload is too large for the RequestResponse invocation type "
        f"(limit {EVENT_LIMIT} bytes)",
    )


def failed_before_handler(phases: list[Phase], invocation: Invocation) -> bool:
    """Say whether an invocation failed because the init or restore inside it did."""
    before = [phase for phase in phases[-3:] if isinstance(phase, (Init, Restore))]
    return bool(before) and before[-1].outcome is invocation.outcome
