"""From a failed phase to the exception that a test sees; and which exceptions are not the function's at all."""

from __future__ import annotations

import sys
from typing import Final

from pytest_lambda_lifecycle.errors import (
    ExtensionError,
    FunctionError,
    FunctionTimeout,
    InitError,
    LifecycleError,
    PayloadTooLarge,
    RuntimeExit,
)
from pytest_lambda_lifecycle.lifecycle import EVENT_LIMIT
from pytest_lambda_lifecycle.outcome import DeadlineReached, Exited, ExtensionFailed, Outcome, Raised, TimedOut
from pytest_lambda_lifecycle.phase import Phase
from pytest_lambda_lifecycle.phases import Init, Invocation, Restore
from pytest_lambda_lifecycle.projections import platform_error

__all__ = ["event_too_large", "failed_before_handler", "function_error", "passes_through"]


def function_error(phase: Init | Restore | Invocation, *, not_ready: bool) -> FunctionError:
    """Return the exception for a failed phase; ``not_ready``: it failed before the handler could run."""
    outcome = phase.outcome
    kind = InitError if not_ready else FunctionError
    if isinstance(outcome, (Exited, TimedOut, ExtensionFailed)):
        kind = _kind_of_end(phase, outcome, not_ready=not_ready)
        error_type, message = platform_error(getattr(phase, "request_id", ""), outcome)
        made = kind(error_type, message, phase=phase)
        if isinstance(made, ExtensionError) and isinstance(outcome, ExtensionFailed):
            made.extension = outcome.extension
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


def _kind_of_end(phase: Phase, outcome: Exited | TimedOut | ExtensionFailed, *, not_ready: bool) -> type[FunctionError]:
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
    """Return the service's refusal of an event (Lambda API reference, Invoke: ``RequestTooLargeException``, 413)."""
    return PayloadTooLarge(
        "RequestTooLargeException",
        f"{size} byte payload is too large for the RequestResponse invocation type (limit {EVENT_LIMIT} bytes)",
    )


def failed_before_handler(phases: list[Phase], invocation: Invocation) -> bool:
    """Say whether an invocation failed because the init or restore inside it did."""
    before = [phase for phase in phases[-3:] if isinstance(phase, (Init, Restore))]
    return bool(before) and before[-1].outcome is invocation.outcome


def passes_through(exception: BaseException, *, interrupted: bool) -> bool:
    """Say whether an exception belongs to the test's machinery, so that it must leave function code unchanged.

    These are `pytest.fail` and its kin, pytest-timeout (which uses them), Hypothesis, the debugger's quit, a real
    Ctrl-C, and misuse of this library.
    """
    if isinstance(exception, (LifecycleError, DeadlineReached)):
        return True
    if isinstance(exception, KeyboardInterrupt):
        return interrupted
    for module, names in _CONTROL_FLOW.items():
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(exception, tuple(getattr(loaded, name) for name in names)):
            return True
    return False


_CONTROL_FLOW: Final = {
    "_pytest.outcomes": ("OutcomeException", "Exit"),
    "hypothesis.errors": ("HypothesisException", "StopTest"),
    "bdb": ("BdbQuit",),
}
