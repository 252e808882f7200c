"""What can go wrong, in two families.

`FunctionError` and its subclasses are what the *function* did: the caller of a real Lambda function
would see the same failure.  `LifecycleError` and its subclasses are *misuse* of this library: every
message says what was asked, what the state was and what to do next.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    pass

__all__ = ["ConfigError", "InvalidTransition", "LifecycleError", "LifecycleWarning"]

_FOLDER: Final = str(Path(__file__).parent) + os.sep


class LifecycleWarning(UserWarning):
    """Something that a test should hear about although nothing failed."""


class LifecycleError(Exception):
    """The library was asked for something that it cannot do.  It is never caught on behalf of
    function code.
    """


class InvalidTransition(LifecycleError):
    """The state of the environment does not allow what was asked."""


class ConfigError(LifecycleError, ValueError):
    """A setting has a value that Lambda would refuse, or that contradicts another."""


def caller() -> str:
    """Return ``file:line`` of the nearest frame outside this library, for messages."""
    frame, _ = _nearest_outside()
    try:
        shown = str(Path(frame.f_code.co_filename).relative_to(Path.cwd()))
    except (
        Exception
    ):  # no relative path; or function code has put something else in the place of os.getcwd
        shown = frame.f_code.co_filename
    return f"{shown}:{frame.f_lineno}"


def warn(text: str) -> None:
    """Warn with a `LifecycleWarning` at the nearest line outside this library."""
    _, level = _nearest_outside()
    warnings.warn(LifecycleWarning(text), stacklevel=level)


def _nearest_outside() -> tuple[FrameType, int]:
    """Return the nearest frame outside this library, and how many levels up from the caller it is
    (itself is 1).
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_in_between(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    return frame, level


def _is_in_between(filename: str) -> bool:
    return is_own_file(filename) or filename.endswith("contextlib.py")


def is_own_file(filename: str) -> bool:
    """Say whether a file of code belongs to this package."""
    return filename.startswith(_FOLDER)
