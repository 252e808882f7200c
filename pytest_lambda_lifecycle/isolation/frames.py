"""Stack frames: the ones of this package, and those of them that call function code.

A function of this package that calls function code is marked by the local variable
``__function_code_above__``, in the manner of pytest's ``__tracebackhide__``.  The compiler keeps
the names of local variables in the code object, so the mark costs nothing while the function runs,
and a file can be renamed without breaking a list of file names.

In the same way, ``__observer_above__`` marks the call of a test's observer of events, which is no
function code although a phase runs, and ``__phase_above__`` the function that runs a phase.

A module of this package that stands for a module of the real runtime is marked by the global
``__stands_for__``.  Its frames stay in the stack traces that function code logs or posts, as those
of the real module do.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.errors import is_own_file

__all__ = [
    "calls_function_code",
    "frames_of_function",
    "globals_of_caller",
    "is_own",
    "is_own_value",
    "is_step",
    "runs_for_observer",
    "stands_for",
]

_MARK: Final = "__function_code_above__"
_OBSERVER_MARK: Final = "__observer_above__"
_PHASE_MARK: Final = "__phase_above__"
_FRAMES_ABOVE: Final = 3
_PACKAGE: Final = __name__.partition(".")[0]
_getframe: Final = sys._getframe  # a test may spy on it


def is_own(frame: FrameType) -> bool:
    """Say whether a frame runs code of this package."""
    return is_own_file(frame.f_code.co_filename)


def is_own_value(value: object) -> bool:
    """Say whether a function, method or class was defined in this package."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == _PACKAGE


def calls_function_code(frame: FrameType) -> bool:
    """Say whether a frame of this package is marked as one that calls function code."""
    return _MARK in frame.f_code.co_varnames


def runs_for_observer(frame: FrameType | None) -> bool:
    """Say whether an observer of events has called ``frame`` in the innermost phase."""
    while frame is not None:
        if is_own(frame):
            names = frame.f_code.co_varnames
            if _OBSERVER_MARK in names:
                return True
            if _PHASE_MARK in names:
                return False
        frame = frame.f_back
    return False


def frames_of_function(frame: FrameType | None) -> list[FrameType]:
    """Return the frames from ``frame`` down to our frame that called function code.

    The innermost comes first.  The list is empty if the innermost frame of this package does not
    call function code: such a frame must not be interrupted.
    """
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        if is_own(frame):
            return frames if calls_function_code(frame) else []
        frame = frame.f_back
    return []


def is_step(frame: FrameType | None) -> bool:
    """Say whether this package itself is at work, and neither function code nor the test.

    The standard library may lie above its frame, as far as it is not calling the test.
    """
    for _ in range(_FRAMES_ABOVE):
        if frame is None:
            return False
        if is_own(frame):
            return not calls_function_code(frame)
        frame = frame.f_back
    return False


def globals_of_caller() -> dict[str, Any]:
    """Return the globals of the nearest caller outside this package; a spy may lie in between."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and is_own(frame):
        frame = frame.f_back
    return frame.f_globals if frame is not None else {}


def stands_for(frame: FrameType) -> str:
    """Return the module of the real runtime that a frame of this package stands for.

    It is, for example, ``"bootstrap"``, and ``""`` for any other frame.
    """
    return str(frame.f_globals.get("__stands_for__", "")) if is_own(frame) else ""
