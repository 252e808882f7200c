"""Finalizers: methods ``__del__`` that the garbage collector calls at any time.

Objects of an environment may be freed while another one runs.  Python calls their ``__del__``
there, and it prints to the streams of the other environment.
"""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of

__all__ = ["is_finalizer_of_others"]

_PACKAGE: Final = __name__.partition(".")[0]
_WARNINGS: Final[dict[str, Any]] = warnings.__dict__
_MODULES: Final[dict[str, Any]] = sys.modules


def is_finalizer_of_others(frame: FrameType | None) -> bool:
    """Say whether a frame, or the first above our own, is a finalizer of another process.

    It is a ``__del__``, or the warning about a coroutine of function code that nobody has awaited.
    """
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return False
    if frame.f_globals is _WARNINGS:
        return _warns_of_others(frame)
    return frame.f_code.co_name == "__del__" and _is_of_others(frame.f_globals)


def _warns_of_others(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals is _WARNINGS:
        if frame.f_code.co_name == "_warn_unawaited_coroutine":
            coroutine: Any = frame.f_locals.get("coro")
            of_coroutine = getattr(coroutine, "cr_frame", None)
            return of_coroutine is not None and _is_of_others(of_coroutine.f_globals)
        frame = frame.f_back
    return False


def _is_of_others(namespace: dict[str, Any]) -> bool:
    """Say whether a namespace is not that of the module that an import would find now."""
    module = _MODULES.get(str(namespace.get("__name__")))
    return module is None or namespace_of(module) is not namespace
