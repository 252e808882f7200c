"""The classes of the runtime that function code can reach, as they are at the start of a process.

Function code finds them at the objects that it is given (`type(context)`, the handler of the root
logger), and may patch them, as some libraries for tests do.  All environments share these classes,
so a new process puts their attributes back.
"""

from __future__ import annotations

from operator import is_
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.parts.streams import Unbuffered
from pytest_lambda_lifecycle.runtimes import context, logs

__all__ = ["restore_classes"]

_CLASSES: Final[tuple[type[Any], ...]] = (
    context.LambdaContext,
    logs.LambdaLoggerHandler,
    logs.LambdaLoggerHandlerWithFrameType,
    logs.StandardLogSink,
    Unbuffered,
)
_ATTRIBUTES: Final = [(cls, vars(cls), dict(vars(cls)), [*vars(cls).values()]) for cls in _CLASSES]


def restore_classes() -> None:
    """Undo what function code has changed in the classes."""
    for cls, now, before, values in _ATTRIBUTES:
        if len(now) == len(values) and all(map(is_, now.values(), values)):
            continue
        for name in now.keys() - before.keys():
            type.__delattr__(cls, name)
        for name, value in before.items():
            if now.get(name, _CLASSES) is not value:
                type.__setattr__(cls, name, value)
