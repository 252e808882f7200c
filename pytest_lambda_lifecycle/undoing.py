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
    originals: list[tuple[Any, str, Any]] = []

    def undo() -> None:
        while originals:
            owner, name, original = originals.pop()
            if original is not _ABSENT:
                setattr(owner, name, original)
            elif name in vars(owner):
                delattr(owner, name)

    try:
        for owner, name, value in replacements:
            originals.append((owner, name, owner.__dict__.get(name, _ABSENT)))
            setattr(owner, name, value)
    except BaseException:
        undo()
        raise
    return undo
