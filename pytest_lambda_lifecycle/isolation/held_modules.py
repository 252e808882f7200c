"""Modules that parts of the process live in, as they were before function code replaced them.

Function code may remove ``asyncio.events`` from `sys.modules`, or put an object there that raises
on every access.  A part that then looked there would fail, and leave the process half restored.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Final

__all__ = ["held_module"]

_HELD: Final[dict[str, ModuleType]] = {}
_MODULES: Final = sys.modules
"""The dict of the import system; function code may put another object into `sys.modules`."""


def held_module(name: str) -> Any:  # noqa: ANN401  # an attribute of it may be anything
    """Return a module if somebody has imported it, else None; it is not imported for that."""
    module = _MODULES.get(name)
    if type(module) is ModuleType:
        _HELD[name] = module
        return module
    return _HELD.get(name)
