"""The objects that an exception holds: they end with the turn, unless the test may ask for them.

The timeline keeps the exception of a failed invoke, the exception its traceback, and the traceback
the frames with their variables.  Frames of this package hold the event, the context and the result;
and one that holds the exception itself is a circle, which the garbage collector frees at any time.
Then a ``__del__`` of function code would print into the log of another environment.
"""

from __future__ import annotations

import contextlib
import traceback
from types import TracebackType

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault

__all__ = ["let_go", "let_go_of_process"]


def let_go(error: BaseException) -> None:
    """Take the frames before those of function code from an exception that has been reported."""
    # Function code may forbid it: its class has a `__setattr__`, or a property of that name.
    with contextlib.suppress(Exception):
        if isinstance(error, RuntimeFault):
            cause = error.__cause__
            error.__traceback__ = None
            if cause is not None:
                cause.__traceback__ = _from_function_code(cause.__traceback__)
        else:
            error.__traceback__ = _without_own(error.__traceback__)


def let_go_of_process(error: BaseException) -> None:
    """Empty the frames of an exception that has ended the process: its objects end as well."""
    let_go(error)
    with contextlib.suppress(Exception):
        traceback.clear_frames(error.__traceback__)


def _without_own(entry: TracebackType | None) -> TracebackType | None:
    while entry is not None and is_own(entry.tb_frame):
        entry = entry.tb_next
    return entry


def _from_function_code(entry: TracebackType | None) -> TracebackType | None:
    """Leave out the encoder as well, which holds the result."""
    while entry is not None and (
        is_own(entry.tb_frame) or is_installed(folder_of(entry.tb_frame.f_code.co_filename))
    ):
        entry = entry.tb_next
    return entry
