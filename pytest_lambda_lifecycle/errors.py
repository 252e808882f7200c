"""What can go wrong, in two families.

`FunctionError` and its subclasses are what the *function* did: the caller of a real Lambda function would see the same
failure.  `LifecycleError` and its subclasses are *misuse* of this library: every message says what was asked, what the
state was and what to do next.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.phase import Phase

__all__ = [
    "ConfigError",
    "ExtensionError",
    "FunctionError",
    "FunctionTimeout",
    "InitError",
    "InvalidTransition",
    "LifecycleError",
    "LifecycleWarning",
    "PayloadTooLarge",
    "RuntimeExit",
]

_FOLDER: Final = str(Path(__file__).parent) + os.sep


class LifecycleWarning(UserWarning):
    """Something that a test should hear about although nothing failed."""


class LifecycleError(Exception):
    """The library was asked for something that it cannot do.  It is never caught on behalf of function code."""


class InvalidTransition(LifecycleError):
    """The state of the environment does not allow what was asked."""


class ConfigError(LifecycleError, ValueError):
    """A setting has a value that Lambda would refuse, or that contradicts another."""


class FunctionError(Exception):
    """The function failed, as its caller would see it.

    The original exception, if there was one, is the ``__cause__`` with its traceback intact.
    """

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
        """``errorType`` of the error object, for example ``"ValueError"`` or ``"Runtime.ExitError"``."""
        self.error_message = error_message
        """``errorMessage`` of the error object."""
        self.stack_trace = stack_trace
        """``stackTrace`` of the error object: one text per frame, as the runtime formats them."""
        self.fault_type = fault_type
        """Type that the runtime put into a header where it has one (``"Runtime.BeforeSnapshotError"``); else ``""``."""
        self.phase = phase
        """The failed `Invocation` or `Init`."""

    def __str__(self) -> str:
        return f"{self.error_type}: {self.error_message}" if self.error_message else self.error_type


class InitError(FunctionError):
    """Init failed: the handler could not be loaded, or the code around it raised."""

    _hint = ""

    def explain(self, hint: str) -> None:
        """Add what Lambda would not say; the message and the error object stay Lambda's."""
        if sys.version_info >= (3, 11):
            self.add_note(hint)
        else:
            self._hint = f"\n{hint}"

    def __str__(self) -> str:
        return super().__str__() + self._hint


class FunctionTimeout(FunctionError):
    """The function had not finished when its timeout was over: it was killed and the environment was reset."""


class RuntimeExit(FunctionError):
    """The runtime process would have ended (`sys.exit`, `os._exit`, a signal): the environment was reset."""


class ExtensionError(FunctionError):
    """An extension crashed, reported an error or could not be started: the environment was reset.

    ``error_type`` is ``"Extension.Crash"``, ``"Extension.InitError"``, ``"Extension.ExitError"`` or
    ``"Extension.LaunchError"``.  If the runtime had posted its response before, the `Invocation` still has the payload.
    """

    extension = ""
    """Its name."""

    def __str__(self) -> str:
        return f"{super().__str__()} (extension {self.extension!r})"


class PayloadTooLarge(FunctionError):
    """The event or the response is over Lambda's limit for a synchronous invoke (in bytes)."""


def caller() -> str:
    """Return ``file:line`` of the nearest frame outside this library, for messages."""
    frame, _ = _nearest_outside()
    try:
        shown = str(Path(frame.f_code.co_filename).relative_to(Path.cwd()))
    except Exception:  # no relative path; or function code has put something else in the place of os.getcwd
        shown = frame.f_code.co_filename
    return f"{shown}:{frame.f_lineno}"


def warn(text: str) -> None:
    """Warn with a `LifecycleWarning` at the nearest line outside this library."""
    _, level = _nearest_outside()
    warnings.warn(LifecycleWarning(text), stacklevel=level)


def _nearest_outside() -> tuple[FrameType, int]:
    """Return the nearest frame outside this library, and how many levels up from the caller it is (itself is 1)."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_in_between(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    return frame, level


def _is_in_between(filename: str) -> bool:
    return is_own_file(filename) or filename.endswith("contextlib.py")


def is_own_file(filename: str) -> bool:
    """Say whether a file of code belongs to this package."""
    return filename.startswith(_FOLDER)
