"""The SnapStart hooks of `snapshot_restore_py`, in the order of the Python runtime.

Frames of this module stay in stack traces, like the frames of the hooks module of the runtime.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["run_after_restore", "run_before_snapshot"]

__stands_for__ = "lambda_runtime_hooks_runner"

_Registered: TypeAlias = "tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]"


def run_before_snapshot() -> None:
    """Call the hooks from the last registered to the first; each is off the list before it runs."""
    __tracebackhide__ = __function_code_above__ = True
    hooks = _registry("get_before_snapshot")
    while hooks:
        func, args, kwargs = hooks.pop()
        func(*args, **kwargs)


def run_after_restore() -> None:
    """Call the hooks from the first registered to the last, and hooks that one of them adds.

    Unlike the other list, this one stays as it is.
    """
    __tracebackhide__ = __function_code_above__ = True
    for func, args, kwargs in _registry("get_after_restore"):
        func(*args, **kwargs)


def _registry(getter: str) -> list[_Registered]:
    """Return the live list; an empty one if function code has not imported the library."""
    library = sys.modules.get("snapshot_restore_py")
    return getattr(library, getter)() if library is not None else []
