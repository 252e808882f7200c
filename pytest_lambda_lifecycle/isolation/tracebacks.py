"""Tracebacks as a test should see them: frames of function code, without those around it."""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own

__all__ = ["ending_in_function_code", "without_imports"]


def without_imports(error: BaseException) -> None:
    """Take the frames of this package and of Python's import system out of a traceback.

    Python itself does the latter for ``import`` statements, and not for `importlib.import_module`,
    with which the runtime begins.
    """
    entries = _entries(error.__traceback__)
    _rebuild(error, [entry for entry in entries if not _is_machinery(entry.tb_frame)])


def ending_in_function_code(error: BaseException) -> None:
    """Do the same, and let the traceback end at the innermost line of function code.

    Further in lies the wait that was interrupted, in the standard library or in this package.  The
    variables of the frames are freed, since the process of the function has ended.
    """
    traceback.clear_frames(error.__traceback__)
    entries = [
        entry for entry in _entries(error.__traceback__) if not _is_machinery(entry.tb_frame)
    ]
    while entries and _is_installed(entries[-1].tb_frame):
        entries.pop()
    _rebuild(error, entries)


def _entries(entry: TracebackType | None) -> list[TracebackType]:
    found: list[TracebackType] = []
    while entry is not None:
        found.append(entry)
        entry = entry.tb_next
    return found


def _rebuild(error: BaseException, entries: list[TracebackType]) -> None:
    joined: TracebackType | None = None
    for entry in reversed(entries):
        joined = TracebackType(joined, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = joined


def _is_machinery(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    is_import = frame.f_code.co_filename.startswith("<frozen importlib") or module == "importlib"
    return is_import or is_own(frame)


def _is_installed(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith("<") or is_installed(folder_of(file))
