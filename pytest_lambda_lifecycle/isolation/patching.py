"""Attributes that are replaced for a while."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own_value

__all__ = ["UNSETTLED", "Undo", "renew_attributes", "replace_attributes", "sweep"]

Undo: TypeAlias = Callable[[], None]
Replacement: TypeAlias = tuple[Any, str, Any]
"""Owner, name and value of an attribute."""

_ABSENT: Any = object()
_WRITTEN_IN_C: Final = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)


class _Late:
    """An attribute that is replaced, of which something may come back later than it should."""

    __slots__ = ("index", "name", "originals", "owner", "value")

    def __init__(self, replacement: Replacement, originals: list[Any], index: int) -> None:
        self.owner, self.name, self.value = replacement
        self.originals = originals
        self.index = index

    def now(self) -> Any:  # noqa: ANN401
        return self.owner.__dict__.get(self.name, _ABSENT)

    def put(self, value: object) -> None:
        setattr(self.owner, self.name, value)


UNSETTLED: Final[list[_Late]] = []
"""What a tool had replaced already (`mock.patch`): where it ends, the genuine thing comes back
instead of our value.
"""
_DISPLACED: Final[list[tuple[Any, str, weakref.ref[Any], Any]]] = []
"""What a tool has replaced in turn: where it ends, our value comes back, perhaps after we have
gone; nobody else keeps it.  Owner, name, our value and the original."""


def replace_attributes(*replacements: Replacement, yielding: bool = False) -> Undo:
    """Set attributes, each given as owner (a module or a class), name and value.

    The returned call puts back what was there; an attribute that a class only inherited is deleted
    again.  Where a tool (`mock.patch`) has ended meanwhile that had begun before, the genuine thing
    is there again, and stays.  With ``yielding``, what a test has put in place of the genuine thing
    stays as long as it is there.
    """
    replaced = _Replaced(replacements)
    try:
        replaced.replace(yielding)
    except BaseException:
        replaced.undo()
        raise
    return replaced.undo


class _Replaced:
    """A ledger of attributes: objects and not closures, of which there would be eight for each of
    these.
    """

    __slots__ = ("_originals", "_replacements")

    def __init__(self, replacements: tuple[Replacement, ...]) -> None:
        self._replacements = replacements
        self._originals: list[Any] = []

    def replace(self, yielding: bool) -> None:
        originals = self._originals
        for replacement in self._replacements:
            owner, name, value = replacement
            original = owner.__dict__.get(name, _ABSENT)
            originals.append(original)
            if not _is_genuine(owner, original):
                UNSETTLED.append(_Late(replacement, originals, len(originals) - 1))
                if yielding and _is_tests(original):
                    continue
            setattr(owner, name, value)

    def undo(self) -> None:
        originals = self._originals
        for index in range(len(originals) - 1, -1, -1):
            owner, name, value = self._replacements[index]
            original, now = originals[index], owner.__dict__.get(name, _ABSENT)
            if original is _ABSENT:
                if now is not _ABSENT:
                    delattr(owner, name)
            elif now is value:
                setattr(owner, name, original)
            elif not _is_genuine(owner, now):
                setattr(owner, name, original)
                _note_displaced(owner, name, value, original)
        originals.clear()
        if UNSETTLED:
            UNSETTLED[:] = [one for one in UNSETTLED if one.originals is not originals]


def renew_attributes() -> None:
    """Replace again what is genuine again, as a tool has ended that had begun before.  To be called
    at each phase.
    """
    for one in UNSETTLED:
        now = one.now()
        if now is not one.originals[one.index] and _is_genuine(one.owner, now):
            one.originals[one.index] = now
            one.put(one.value)


def sweep() -> None:
    """Undo what was put back too late: ``monkeypatch`` puts back what it found, which was our
    value.

    To be called when a test has ended and no environment is entered.
    """
    for owner, name, ours, original in list(_DISPLACED):
        value = ours()
        if value is not None and owner.__dict__.get(name) is value:
            setattr(owner, name, original)


def _note_displaced(owner: Any, name: str, value: Any, original: Any) -> None:  # noqa: ANN401
    """Remember it until nobody has our value any more: a fixture of wider scope may put it back in
    a later test.
    """
    alive = [late for late in _DISPLACED if late[2]() is not None and late[2]() is not value]
    with contextlib.suppress(TypeError):  # an object of a kind that cannot be watched
        _DISPLACED[:] = [*alive, (owner, name, weakref.ref(value), original)]


def _is_genuine(owner: Any, value: Any) -> bool:  # noqa: ANN401
    """Say whether an attribute is what the owner had from the beginning: its own, inherited or
    written in C.
    """
    if value is _ABSENT or type(value) in _WRITTEN_IN_C:
        return True
    home = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    return getattr(value, "__module__", None) == home


def _is_tests(value: Any) -> bool:  # noqa: ANN401
    """Say whether a value is a test's: a mock, a function that is not installed (coverage has an
    `os._exit`).
    """
    mock = sys.modules.get("unittest.mock")
    if mock is not None and issubclass(type(value), mock.NonCallableMock):
        return True
    if type(value) is not FunctionType or is_own_value(value):
        return False
    return not is_installed(folder_of(value.__code__.co_filename))
