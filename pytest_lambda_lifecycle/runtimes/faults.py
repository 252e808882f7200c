"""The error object that the runtime makes of an exception.

Source: `awslambdaric` 4.2.2.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any, NamedTuple, cast

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own, stands_for
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.runtimes.codec import FaultException, RuntimeFault

__all__ = ["Finding", "error_object", "find_fault", "stack_trace"]

__stands_for__ = "bootstrap"


class Finding(NamedTuple):
    """Type, message and stack of a fault, as the runtime reports it."""

    error_type: str
    message: str
    stack_trace: list[str]


def find_fault(error: BaseException) -> Finding | None:
    """Return the report of *error* if it is a fault of the runtime; function code may raise one."""
    if isinstance(error, RuntimeFault):
        return Finding(error.error_type, error.message, list(error.stack_trace))
    if isinstance(error, _fault_classes()):
        fault: Any = error
        message = fault.msg  # function code may have left it out, which ends the process
        return Finding(fault.exception_type, message, fault.trace)
    return None


def _fault_classes() -> tuple[type, ...]:
    """Return the class of the real client: our stand-in, and that of an installed client."""
    library = held_module("awslambdaric.lambda_runtime_exception")
    found = (namespace_of(library) or {}).get("FaultException")
    return (FaultException, found) if isinstance(found, type) else (FaultException,)


def error_object(
    error_type: str, message: str, stack: list[str], request_id: str = ""
) -> dict[str, object]:
    """Return the error object in the runtime's order of keys."""
    return {
        "errorMessage": message or "",
        "errorType": error_type or "",
        "requestId": request_id,
        "stackTrace": stack or [],
    }


def stack_trace(error: BaseException) -> list[str]:
    """Return the frames of *error*, which is being handled, as the runtime formats them.

    Leading frames are dropped up to the first that does not belong to the runtime.  The runtime
    tells them by the name of the file, so a user's own ``bootstrap.py`` goes too; if no frame is
    left, all stay.  Frames of this package are left out, since Lambda has none of them: they wrap a
    spied function, or replace a function of the standard library that is written in C.
    """
    # Plain tuples have no columns, like those of the runtime: no Python version adds caret lines.
    # `sys.exc_info` also knows the frames where the class has a `__traceback__` of its own.
    handled = sys.exc_info()
    frames = traceback.walk_tb(handled[2] if handled[1] is error else error.__traceback__)
    walked = [(frame, line) for frame, line in frames if _is_shown(frame)]
    leading = next((i for i, (frame, _) in enumerate(walked) if not _is_bootstrap(frame)), 0)
    # The limit that function code may set (`sys.tracebacklimit`) counts frames of the runtime too.
    summary = list(traceback.StackSummary.extract(iter(walked)))
    summary = summary[leading:] or summary
    return traceback.format_list(
        [(frame.filename, cast(int, frame.lineno), frame.name, frame.line) for frame in summary]
    )


def _is_shown(frame: FrameType) -> bool:
    return not is_own(frame) or bool(stands_for(frame))


def _is_bootstrap(frame: FrameType) -> bool:
    return stands_for(frame) == "bootstrap" or "/bootstrap.py" in frame.f_code.co_filename
