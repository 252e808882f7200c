"""Modules in `sys.modules` that any process of a function finds there at its start.

They are in place before the world of the function enters, which takes them for shared modules.
"""

from __future__ import annotations

import sys
from itertools import compress
from operator import is_
from types import ModuleType
from typing import ClassVar, Protocol

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["StandIns", "sweep"]


class _Modules(Protocol):
    """The modules of one process (`runtimes.client_modules.ClientModules`)."""

    def enter(self) -> dict[str, ModuleType]:
        """Return the modules by name, to be in place from now on."""
        ...

    def leave(self) -> None:
        """Note that they are in place no longer."""
        ...

    def discard(self) -> None:
        """Forget those of a process that has ended."""
        ...


class StandIns(Part):
    """Puts these modules in place; those that the test has under the same names are parked."""

    latest: ClassVar[dict[str, ModuleType]] = {}
    """The modules of the environment that has entered last."""

    def __init__(self, modules: _Modules) -> None:
        self._modules = modules

    def enter(self) -> Undo:
        modules = sys.modules
        own = StandIns.latest = self._modules.enter()
        parked: dict[str, ModuleType] = {}
        if not modules.keys().isdisjoint(own):
            parked = {name: modules.pop(name) for name in own if name in modules}
        modules.update(own)

        def leave() -> None:
            self._modules.leave()
            _remove(own)
            if parked:
                sys.modules.update(parked)

        return leave

    def discard(self) -> None:
        self._modules.discard()


def _remove(modules: dict[str, ModuleType]) -> None:
    current = sys.modules
    there = map(is_, map(current.get, modules), modules.values())
    for name in compress(modules, there):
        del current[name]


def sweep() -> None:
    """Remove modules that a tool has put back after their environment had left.

    Call it when a test has ended and no environment is entered.
    """
    _remove(StandIns.latest)
