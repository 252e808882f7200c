"""The classes of the runtime that function code can reach, as they are at the start of a process.

Function code finds them at the objects that it is given (`type(context)`, the handler of the root
logger), and may patch them, as some libraries for tests do.  All environments share these classes,
so a new process puts their attributes back.
"""

from __future__ import annotations

import gc
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.modules.replaced import are_same
from pytest_lambda_lifecycle.isolation.parts.streams import Unbuffered
from pytest_lambda_lifecycle.runtimes import context, logs

__all__ = ["restore_classes"]

_CLASSES: Final[tuple[type[Any], ...]] = (context.LambdaContext, *logs.CLASSES, Unbuffered)
_get_referents: Final = gc.get_referents  # function code may replace it
_SPACES: Final = [_get_referents(vars(cls))[0] for cls in _CLASSES]
"""The namespaces themselves, which lie behind read-only views."""
_BEFORE: Final = [dict(vars(cls)) for cls in _CLASSES]
_VALUES: Final = _get_referents(*_BEFORE)


def restore_classes() -> None:
    """Undo what function code has changed in the classes."""
    if are_same(_get_referents(*_SPACES), _VALUES):
        return
    for cls, before in zip(_CLASSES, _BEFORE, strict=True):
        now = vars(cls)
        for name in now.keys() - before.keys():
            type.__delattr__(cls, name)
        for name, value in before.items():
            if now.get(name, _CLASSES) is not value:
                type.__setattr__(cls, name, value)
