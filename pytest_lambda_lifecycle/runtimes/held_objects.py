"""The objects that an exception holds: they end with the turn, unless the test may ask for them.

The timeline keeps the exception of a failed invoke, the exception its traceback, and the traceback
the frames with their variables.  Frames of this package hold the event, the context and the result;
and one that holds the exception itself is a circle, which the garbage collector frees at any time.
Then a ``__del__`` of function code would print into the log of another environment.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.parts.warnings_filters import without_test
from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault

__all__ = ["HeldObjects", "let_go"]

# A class of function code may have attributes of the same names.
_TRACEBACK: Final[Any] = BaseException.__dict__["__traceback__"]
_LINKS: Final[tuple[Any, ...]] = (
    BaseException.__dict__["__cause__"],
    BaseException.__dict__["__context__"],
)


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


class HeldObjects:
    """The exceptions that the runtime of one process has reported."""

    def __init__(self) -> None:
        self._reported: list[BaseException] = []

    def add(self, error: BaseException) -> None:
        """Remember an exception: its frames may hold objects of function code."""
        self._reported.append(error)

    def end_with_interpreter(self, error: BaseException) -> None:
        """Empty the frames of the exception that ends the interpreter, and of all before it.

        The objects in these frames end with the interpreter.
        """
        __tracebackhide__ = __function_code_above__ = True
        let_go(error)
        self._reported.append(error)
        with without_test(), _modules_have_ended():
            self._clear()

    def discard(self) -> None:
        """Empty the frames of a process that has ended without output.

        As garbage they would be found at any later time, and warn in another environment.
        """
        if self._reported:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._clear()

    def _clear(self) -> None:
        __tracebackhide__ = __function_code_above__ = True
        seen: list[BaseException] = []
        waiting: list[Any] = self._reported
        self._reported = []
        while waiting:
            one = waiting.pop()
            if isinstance(one, BaseException) and all(one is not other for other in seen):
                seen.append(one)
                with contextlib.suppress(Exception):
                    traceback.clear_frames(_TRACEBACK.__get__(one))
                waiting += [link.__get__(one) for link in _LINKS]


@contextmanager
def _modules_have_ended() -> Iterator[None]:
    module: Any = warnings
    before = module.__dict__.get("_showwarnmsg")
    module._showwarnmsg = _show_at_end
    try:
        yield
    finally:
        module._showwarnmsg = before


def _show_at_end(message: Any) -> None:  # noqa: ANN401  # a `warnings.WarningMessage`
    """Write a warning as an interpreter does that has ended its modules, which knows no lines."""
    with contextlib.suppress(Exception):
        sys.stderr.write(f"sys:1: {message.category.__name__}: {message.message}\n")


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
