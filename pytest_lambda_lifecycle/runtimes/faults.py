"""The consequence of an exception: an error object that is posted, or the end of the process.

Sources: `awslambdaric` 4.2.2 for error objects, the shutdown of CPython for ends.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NamedTuple, cast

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own, stands_for
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, ProcessEnd
from pytest_lambda_lifecycle.runtimes.codec import FaultException, RuntimeFault

__all__ = ["Finding", "error_object", "find_fault", "process_exit", "stack_trace"]

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
    """Return the frames of *error* as the runtime formats them.

    Leading frames are dropped up to the first that does not belong to the runtime.  The runtime
    tells them by the name of the file, so a user's own ``bootstrap.py`` goes too; if no frame is
    left, all stay.  Frames of this package are left out, since Lambda has none of them: they wrap a
    spied function, or replace a function of the standard library that is written in C.
    """
    # Plain tuples have no columns, like those of the runtime: no Python version adds caret lines.
    frames = traceback.walk_tb(error.__traceback__)
    walked = [(frame, line) for frame, line in frames if _is_shown(frame)]
    leading = next((i for i, (frame, _) in enumerate(walked) if not _is_bootstrap(frame)), 0)
    summary = traceback.StackSummary.extract(iter(walked[leading:]))
    return traceback.format_list(
        [(frame.filename, cast(int, frame.lineno), frame.name, frame.line) for frame in summary]
    )


def _is_shown(frame: FrameType) -> bool:
    return not is_own(frame) or bool(stands_for(frame))


def _is_bootstrap(frame: FrameType) -> bool:
    return stands_for(frame) == "bootstrap" or "/bootstrap.py" in frame.f_code.co_filename


# --- ends ----------------------------------------------------------------------------------------


def process_exit(error: BaseException) -> Exited:
    """Return the end of the interpreter when *error* reaches its top; write its last text.

    The text goes to `sys.stderr`.  Function code may have closed or replaced it: a dying
    interpreter ignores errors there, too.
    """
    exit_code, text = _exit_code_and_text(error)
    if text:
        with contextlib.suppress(Exception):
            sys.stderr.write(text)
    return Exited(exit_code, error, text)


def _exit_code_and_text(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ProcessEnd):
        return error.exit_code, ""
    if isinstance(error, SystemExit):
        return _system_exit(error.code)
    # The interpreter does not look for subclasses either.
    interrupted = type(error) is KeyboardInterrupt
    return -signal.SIGINT if interrupted else 1, _traceback_text(error)


def _system_exit(code: object) -> tuple[int, str]:
    """Return exit code and text of ``sys.exit(code)``: the low byte of an int, else 1."""
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return (code & 0xFF if -(2**31) <= code < 2**63 else 0xFF), ""
    try:
        return 1, f"{code}\n"
    except Exception:
        return 1, "\n"


def _traceback_text(error: BaseException) -> str:
    """Return the traceback that the interpreter prints, without frames of this package."""
    frames = error.__traceback__
    while frames is not None and stands_for(frames.tb_frame) == "bootstrap":
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # a __str__ or __cause__ that raises, or no stack left
        return f"{type(error).__name__}\n"
