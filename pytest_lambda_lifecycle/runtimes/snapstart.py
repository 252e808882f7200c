"""The SnapStart hooks of `snapshot_restore_py`, in the order in which the Python runtime calls
them.

Frames of this module stay in stack traces, as those of the runtime's own hooks module do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["run_after_restore", "run_before_snapshot"]

__stands_for__ = "lambda_runtime_hooks_runner"

_Registered: TypeAlias = "tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]"


def run_before_snapshot() -> None:
    """Call the hooks from the last registered to the first, taking each off the list before it
    runs.
    """
    __tracebackhide__ = __function_code_above__ = True
    hooks = _registry("get_before_snapshot")
    while hooks:
        func, args, kwargs = hooks.pop()
        func(*args, **kwargs)


def run_after_restore() -> None:
    """Call the hooks from the first registered to the last, also those that one of them adds; the
    list stays.
    """
    __tracebackhide__ = __function_code_above__ = True
    for func, args, kwargs in _registry("get_after_restore"):
        func(*args, **kwargs)


def _registry(getter: str) -> list[_Registered]:
    """Return the live list.  Function code that has not imported the library cannot have registered
    anything.
    """
    library = sys.modules.get("snapshot_restore_py")
    return getattr(library, getter)() if library is not None else []
