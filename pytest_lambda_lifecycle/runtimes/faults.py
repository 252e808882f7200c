"""What becomes of an exception: an error object that is posted, or the end of the runtime's process.

Source: `awslambdaric` 4.2.2 for error objects, CPython's shutdown for ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from pathlib import PurePath
from typing import Final, NamedTuple, cast

from pytest_lambda_lifecycle.codec import RuntimeFault
from pytest_lambda_lifecycle.outcome import Exited, ProcessEnd
from pytest_lambda_lifecycle.runtimes.client import ClientCrash

__all__ = ["Finding", "error_object", "find_fault", "process_exit", "stack_trace"]

_PACKAGE: Final = f"{PurePath(__file__).parents[1]}{os.sep}"
_OWN_FRAMES: Final = frozenset(
    str(PurePath(_PACKAGE, name))
    for name in ("runtimes/local.py", "runtimes/loading.py", "extensions/local.py", "extension.py")
)
"""The modules that stand where the runtime's own ``bootstrap.py`` stands in a stack, or an extension's main module."""

_RUNTIME: Final = (f"{PurePath(__file__).parent}{os.sep}", f"{_PACKAGE}codec.py", f"{_PACKAGE}capture.py")
"""What of it stands for the runtime, whose `sys.stdout` is Python code as well.

The rest stands in for the standard library, or watches it.
"""


class Finding(NamedTuple):
    """A fault in the runtime's own words."""

    error_type: str
    message: str
    stack_trace: list[str]


def find_fault(error: BaseException) -> Finding | None:
    """Return what the runtime says of *error* if it is a fault: its own, or its class raised by function code."""
    if isinstance(error, RuntimeFault):
        return Finding(error.error_type, error.message, list(error.stack_trace))
    library = sys.modules.get("awslambdaric.lambda_runtime_exception")
    fault_class = getattr(library, "FaultException", None)
    if isinstance(fault_class, type) and isinstance(error, fault_class):
        fields = vars(error)
        return Finding(fields["exception_type"], fields["msg"], fields["trace"])
    return None


def error_object(error_type: str, message: str, stack: list[str], request_id: str = "") -> dict[str, object]:
    """Return the error object in the runtime's order of keys."""
    return {
        "errorMessage": message or "",
        "errorType": error_type or "",
        "requestId": request_id,
        "stackTrace": stack or [],
    }


def stack_trace(error: BaseException) -> list[str]:
    """Return the frames of *error* as the runtime formats them.

    Leading frames are dropped up to the first that is not the runtime's.  Its test is the file's name, so a user's own
    ``bootstrap.py`` goes too; and if that leaves nothing, everything stays.  What stands in here for a function of the
    standard library (written in C, so without a frame) or wraps a spied one is not on Lambda.
    """
    # Plain tuples, as the runtime makes them: they have no columns, so no Python version adds caret lines.
    summary = traceback.extract_tb(error.__traceback__)
    frames = [
        (frame.filename, cast(int, frame.lineno), frame.name, frame.line)
        for frame in summary
        if not frame.filename.startswith(_PACKAGE) or frame.filename.startswith(_RUNTIME)
    ]
    first = next((index for index, frame in enumerate(frames) if not _is_bootstrap(frame[0])), 0)
    return traceback.format_list(frames[first:])


def _is_bootstrap(filename: str) -> bool:
    return filename in _OWN_FRAMES or "/bootstrap.py" in filename


# --- ends ------------------------------------------------------------------------------------------------------------


def process_exit(error: BaseException) -> Exited:
    """Return how the interpreter ends when *error* reaches its top, and write what it would write to `sys.stderr`."""
    exit_code, text = _exit_code_and_text(error)
    if text:
        with contextlib.suppress(Exception):  # closed or replaced: a dying interpreter does not mind either
            sys.stderr.write(text)
    return Exited(exit_code, None if isinstance(error, ClientCrash) else error, text)


def _exit_code_and_text(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ProcessEnd):
        return error.exit_code, ""
    if isinstance(error, ClientCrash):
        return error.exit_code, error.text
    if isinstance(error, SystemExit):
        return _system_exit(error.code)
    interrupted = type(error) is KeyboardInterrupt  # the interpreter does not look for subclasses either
    return -signal.SIGINT if interrupted else 1, _traceback_text(error)


def _system_exit(code: object) -> tuple[int, str]:
    """Return exit code and text of ``sys.exit(code)``: the low byte of an int, and 1 for anything that is printed."""
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return (code & 0xFF if -(2**31) <= code < 2**63 else 0xFF), ""
    try:
        return 1, f"{code}\n"
    except Exception:
        return 1, "\n"


def _traceback_text(error: BaseException) -> str:
    """Return the traceback that the interpreter prints, without our own frames at its top."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OWN_FRAMES:
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # a __str__ or __cause__ that raises, or no stack left
        return f"{type(error).__name__}\n"
