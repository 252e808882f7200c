"""Attributes that are replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Undo", "replace_attributes"]

Undo: TypeAlias = Callable[[], None]


def replace_attributes(*replacements: tuple[Any, str, Any]) -> Undo:
    """Set attributes, each given as owner, name and value; the returned call puts back what was there."""
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    for owner, name, value in replacements:
        setattr(owner, name, value)

    def undo() -> None:
        for owner, name, original in originals:
            setattr(owner, name, original)

    return undo
