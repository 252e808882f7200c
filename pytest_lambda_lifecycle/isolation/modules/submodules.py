"""Submodules as attributes of the packages above them."""

from __future__ import annotations

import sys
from types import ModuleType

from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["attach", "detach"]


def _parent_and_child(name: str) -> tuple[ModuleType | None, str]:
    parent, _, child = name.rpartition(".")
    return sys.modules.get(parent), child


def detach(modules: dict[str, ModuleType]) -> Undo:
    """Remove modules from the parents that stay.

    ``from parent import child`` would otherwise find the attribute, and import nothing.
    """
    undone: list[tuple[ModuleType, str, ModuleType]] = []
    for name, module in modules.items():
        if name.rpartition(".")[0] in modules:
            continue
        parent, child = _parent_and_child(name)
        if parent is not None and parent.__dict__.get(child) is module:
            delattr(parent, child)
            undone.append((parent, child, module))

    def attach_again() -> None:
        for parent, child, module in undone:
            setattr(parent, child, module)

    return attach_again


def attach(modules: dict[str, ModuleType]) -> None:
    """Put modules back on the parents that have stayed."""
    for name, module in modules.items():
        parent, child = _parent_and_child(name)
        if parent is not None and name.rpartition(".")[0] not in modules:
            setattr(parent, child, module)
