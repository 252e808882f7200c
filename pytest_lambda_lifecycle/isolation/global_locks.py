"""Locks of the interpreter that an interrupted phase has left behind.

A signal handler that raises may do so between the line that takes a lock and the ``with`` or
``try`` that gives it back: in the import system, or in `logging`.  The thread that holds such a
lock goes on, since it may take it again.  All other threads would wait forever.
"""

from __future__ import annotations

import _imp
import logging
from typing import Any, Final

__all__ = ["give_back"]

_of_logging: Final[Any] = logging._lock  # type: ignore[attr-defined]


def give_back() -> None:
    """Release the locks of imports and of `logging` that the current thread holds."""
    while _imp.lock_held():
        try:
            _imp.release_lock()
        except RuntimeError:  # another thread holds it
            break
    while _of_logging._is_owned():
        _of_logging.release()
