"""Finalizers: methods ``__del__`` that the garbage collector calls at any time.

Objects of an environment may be freed while another one runs.  Python calls their ``__del__``
there, and it prints to the streams of the other environment.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of

__all__ = ["is_finalizer_of_others"]

_PACKAGE: Final = __name__.partition(".")[0]
_MODULES: Final[dict[str, Any]] = sys.modules


def is_finalizer_of_others(frame: FrameType | None) -> bool:
    """Say whether a frame, or the first above our own, is a ``__del__`` of another process.

    Its module is no longer, or not now, the one that an import would find under this name.
    """
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "__del__":
        return False
    namespace = frame.f_globals
    module = _MODULES.get(str(namespace.get("__name__")))
    return module is None or namespace_of(module) is not namespace
