"""Attributes that are replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any, TypeAlias

__all__ = ["Undo", "replace_attributes"]

Undo: TypeAlias = Callable[[], None]

_ABSENT: Any = object()


def replace_attributes(*replacements: tuple[Any, str, Any]) -> Undo:
    """Set attributes, each given as owner (a module or a class), name and value.

    The returned call puts back what was there; an attribute that a class only inherited is deleted again.  Where a tool
    (`mock.patch`) has ended meanwhile that had begun before, the genuine thing is there again, and stays.
    """
    originals: list[tuple[Any, str, Any, Any]] = []

    def undo() -> None:
        while originals:
            owner, name, value, original = originals.pop()
            now = owner.__dict__.get(name, _ABSENT)
            if original is _ABSENT:
                if now is not _ABSENT:
                    delattr(owner, name)
            elif now is value or not _is_genuine(owner, now):
                setattr(owner, name, original)

    try:
        for owner, name, value in replacements:
            originals.append((owner, name, value, owner.__dict__.get(name, _ABSENT)))
            setattr(owner, name, value)
    except BaseException:
        undo()
        raise
    return undo


def _is_genuine(owner: Any, value: Any) -> bool:  # noqa: ANN401
    """Say whether an attribute is what the owner had from the beginning: its own, inherited or written in C."""
    home = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    return value is _ABSENT or isinstance(value, BuiltinFunctionType) or getattr(value, "__module__", None) == home
