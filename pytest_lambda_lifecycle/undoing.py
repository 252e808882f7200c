"""Attributes that are replaced for a while."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.folders import folder_of, is_installed

__all__ = ["UNSETTLED", "Undo", "renew_attributes", "replace_attributes", "sweep_attributes"]

Undo: TypeAlias = Callable[[], None]

_ABSENT: Any = object()
_OURS: Final = __name__.partition(".")[0]


class _Replaced:
    """An attribute that is replaced."""

    __slots__ = ("name", "original", "owner", "value")

    def __init__(self, owner: Any, name: str, value: Any, original: Any) -> None:  # noqa: ANN401
        self.owner = owner
        self.name = name
        self.value = value
        self.original = original

    def now(self) -> Any:  # noqa: ANN401
        return self.owner.__dict__.get(self.name, _ABSENT)


UNSETTLED: Final[list[_Replaced]] = []
"""What a tool had replaced already (`mock.patch`): where it ends, the genuine thing comes back instead of our value."""
_DISPLACED: Final[list[_Replaced]] = []
"""What a tool has replaced in turn: where it ends, our value comes back, perhaps too late."""


def replace_attributes(*replacements: tuple[Any, str, Any], yielding: bool = False) -> Undo:
    """Set attributes, each given as owner (a module or a class), name and value.

    The returned call puts back what was there; an attribute that a class only inherited is deleted again.  Where a tool
    (`mock.patch`) has ended meanwhile that had begun before, the genuine thing is there again, and stays.  With
    ``yielding``, what a test has put in place of the genuine thing stays as long as it is there.
    """
    replaced: list[_Replaced] = []

    def undo() -> None:
        while replaced:
            one = replaced.pop()
            if UNSETTLED and one in UNSETTLED:
                UNSETTLED.remove(one)
            now = one.now()
            if one.original is _ABSENT:
                if now is not _ABSENT:
                    delattr(one.owner, one.name)
            elif now is one.value:
                setattr(one.owner, one.name, one.original)
            elif not _is_genuine(one.owner, now):
                setattr(one.owner, one.name, one.original)
                _DISPLACED.append(one)

    try:
        for owner, name, value in replacements:
            original = owner.__dict__.get(name, _ABSENT)
            one = _Replaced(owner, name, value, original)
            replaced.append(one)
            if not _is_genuine(owner, original):
                UNSETTLED.append(one)
                if yielding and _is_tests(original):
                    continue
            setattr(owner, name, value)
    except BaseException:
        undo()
        raise
    return undo


def renew_attributes() -> None:
    """Replace again what is genuine again, as a tool has ended that had begun before.  To be called at each phase."""
    for one in UNSETTLED:
        now = one.now()
        if now is not one.original and _is_genuine(one.owner, now):
            one.original = now
            setattr(one.owner, one.name, one.value)


def sweep_attributes() -> None:
    """Undo what was put back too late: ``monkeypatch`` puts back what it found, which was our value.

    To be called when a test has ended and no environment is entered.
    """
    while _DISPLACED:
        one = _DISPLACED.pop()
        if one.now() is one.value:
            setattr(one.owner, one.name, one.original)


def _is_genuine(owner: Any, value: Any) -> bool:  # noqa: ANN401
    """Say whether an attribute is what the owner had from the beginning: its own, inherited or written in C."""
    if value is _ABSENT or type(value) is BuiltinFunctionType:
        return True
    home = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    return getattr(value, "__module__", None) == home


def _is_tests(value: Any) -> bool:  # noqa: ANN401
    """Say whether a value is a test's: a mock, a function that is not installed (coverage has an `os._exit`)."""
    mock = sys.modules.get("unittest.mock")
    if mock is not None and issubclass(type(value), mock.NonCallableMock):
        return True
    if type(value) is not FunctionType or (value.__module__ or "").startswith(_OURS):
        return False
    return not is_installed(folder_of(value.__code__.co_filename))
