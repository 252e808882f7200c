"""Submodules as attributes of the packages above them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["adopt", "attach", "detach"]


def _parent_and_child(name: str) -> tuple[dict[str, Any] | None, str]:
    """Return the namespace of the package above a module, and the module's name in it."""
    parent, _, child = name.rpartition(".")
    return namespace_of(sys.modules.get(parent)), child


def detach(modules: dict[str, ModuleType]) -> Undo:
    """Remove modules from the parents that stay.

    ``from parent import child`` would otherwise find the attribute, and import nothing.
    """
    undone: list[tuple[dict[str, Any], str, ModuleType]] = []
    for name, module in modules.items():
        if name.rpartition(".")[0] in modules:
            continue
        parent, child = _parent_and_child(name)
        if parent is not None and parent.get(child) is module:
            del parent[child]
            undone.append((parent, child, module))

    def attach_again() -> None:
        for parent, child, module in undone:
            parent[child] = module

    return attach_again


def adopt(own: dict[str, ModuleType], kept: Iterable[str]) -> dict[str, ModuleType]:
    """Set modules that are kept for the tests on those of their packages that are fresh."""
    for name in kept:
        package, _, child = name.rpartition(".")
        if package in own and name in sys.modules:
            namespace = namespace_of(own[package])
            if namespace is not None:
                namespace.setdefault(child, sys.modules[name])
    return own


def attach(modules: dict[str, ModuleType]) -> None:
    """Put modules back on the parents that have stayed."""
    for name, module in modules.items():
        parent, child = _parent_and_child(name)
        if parent is not None and name.rpartition(".")[0] not in modules:
            parent[child] = module
