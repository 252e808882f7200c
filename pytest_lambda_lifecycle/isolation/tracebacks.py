"""Tracebacks as a test should see them, and walks along tracebacks and chains of exceptions."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own

__all__ = [
    "chain_of",
    "ending_in_function_code",
    "entries_of",
    "joined",
    "without_imports",
]


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, then the cause or the context of each in turn; a circle ends it."""
    seen: list[BaseException] = []
    while error is not None and not any(error is one for one in seen):
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def entries_of(entry: TracebackType | None) -> list[TracebackType]:
    """Return the entries of a traceback, outermost first."""
    found: list[TracebackType] = []
    while entry is not None:
        found.append(entry)
        entry = entry.tb_next
    return found


def joined(
    entries: Iterable[TracebackType], inner: TracebackType | None = None
) -> TracebackType | None:
    """Return a traceback of these entries, which goes on with those of ``inner``."""
    for entry in reversed([*entries]):
        inner = TracebackType(inner, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return inner


def without_imports(error: BaseException) -> None:
    """Take the frames of this package and of Python's import system out of a traceback.

    Python itself does the latter for ``import`` statements, and not for `importlib.import_module`,
    with which the runtime begins.
    """
    entries = entries_of(error.__traceback__)
    error.__traceback__ = joined(one for one in entries if not _is_machinery(one.tb_frame))


def ending_in_function_code(error: BaseException) -> None:
    """Do the same, and let the traceback end at the innermost line of function code.

    Further in lies the wait that was interrupted, in the standard library or in this package.  The
    variables of the frames are freed, since the process of the function has ended.
    """
    traceback.clear_frames(error.__traceback__)
    entries = [
        entry for entry in entries_of(error.__traceback__) if not _is_machinery(entry.tb_frame)
    ]
    while entries and _is_installed(entries[-1].tb_frame):
        entries.pop()
    error.__traceback__ = joined(entries)


def _is_machinery(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    is_import = frame.f_code.co_filename.startswith("<frozen importlib") or module == "importlib"
    return is_import or is_own(frame)


def _is_installed(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith("<") or is_installed(folder_of(file))
