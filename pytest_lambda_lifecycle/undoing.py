"""Attributes that are replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Undo", "replace_attributes"]

Undo: TypeAlias = Callable[[], None]

_ABSENT: Any = object()


def replace_attributes(*replacements: tuple[Any, str, Any]) -> Undo:
    """Set attributes, each given as owner (a module or a class), name and value.

    The returned call puts back what was there; an attribute that a class only inherited is deleted again.
    """
    originals = [(owner, name, vars(owner).get(name, _ABSENT)) for owner, name, _ in replacements]
    for owner, name, value in replacements:
        setattr(owner, name, value)

    def undo() -> None:
        for owner, name, original in originals:
            if original is not _ABSENT:
                setattr(owner, name, original)
            elif name in vars(owner):
                delattr(owner, name)

    return undo
