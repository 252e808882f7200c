"""Attributes of modules and classes that are patched for a while.

Restoring the original sounds simple, and is, unless a test tool (`mock.patch`, ``monkeypatch``)
patches the same attribute.  Tools end when they like, and each restores the value that it has
found.  Two orders go wrong if an environment restores what it has found, too:

* The tool began first.  If it ends while the environment is entered, it restores the original and
  so removes our value; and the environment, on leaving, would put the tool's value back for good.
  So patches over values that are not genuine are remembered (`EARLIER_PATCHES`), looked at before
  each phase, and applied again.
* The tool began second.  It saves our value, and restores it when it ends, perhaps after the
  environment has left.  So our value is remembered (`_LATER_PATCHES`) as long as anybody has it,
  and is replaced by the original after each test.
"""

from __future__ import annotations

import contextlib
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
from pytest_lambda_lifecycle.isolation.held_modules import held_module

__all__ = [
    "EARLIER_PATCHES",
    "Undo",
    "apply_again",
    "is_genuine",
    "is_of_test",
    "note_later_patch",
    "patch_attributes",
    "sweep",
]

Undo: TypeAlias = Callable[[], None]
AttributePatch: TypeAlias = tuple[Any, str, Any]
"""Owner (a module or a class), name and new value of an attribute."""


class _Absent:
    """Stands for the value of an attribute that is not there."""


_ABSENT: Any = _Absent()
_WRITTEN_IN_C: Final = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
_SURELY_GENUINE: Final = frozenset({*_WRITTEN_IN_C, _Absent})
"""The classes of attributes that are their owners' originals, whatever their owners."""


class _PatchOverPatch:
    """An attribute that a tool had patched before us, and the place of its original in our list."""

    __slots__ = ("index", "name", "originals", "owner", "value")

    def __init__(self, patch: AttributePatch, originals: list[Any], index: int) -> None:
        self.owner, self.name, self.value = patch
        self.originals = originals
        self.index = index


EARLIER_PATCHES: Final[list[_PatchOverPatch]] = []
"""Attributes that a tool had patched before us.

When the tool ends it restores the original, and so removes our value.
"""

_LATER_PATCHES: Final[list[tuple[Any, str, weakref.ref[Any], Any]]] = []
"""Attributes that a tool patched on top of us: owner, name, our value and the original.

When the tool ends it restores *our* value, perhaps after the environment has left.
"""


def patch_attributes(*patches: AttributePatch, yielding: bool = False) -> Undo:
    """Set attributes; the returned call restores them.

    An attribute that a class only inherited is deleted again.  Where a tool that had begun before
    has ended in the meantime, its original is there again, and stays.  With ``yielding``, a value
    of the test is left in place as long as it is there.
    """
    applied = _AppliedPatches(patches)
    try:
        applied.apply(yielding)
    except BaseException:
        applied.undo()
        raise
    return applied.undo


class _AppliedPatches:
    """Patches and the originals of their attributes.

    An object and not a closure: each cold start makes dozens of these.
    """

    __slots__ = ("_originals", "_patches")

    def __init__(self, patches: tuple[AttributePatch, ...]) -> None:
        self._patches = patches
        self._originals: list[Any] = []

    def apply(self, yielding: bool) -> None:
        originals = self._originals
        for owner, name, value in self._patches:
            original = owner.__dict__.get(name, _ABSENT)
            originals.append(original)
            # `is_genuine` answers the same; the call takes longer than the question.
            if type(original) not in _SURELY_GENUINE and not is_genuine(owner, original):
                patch = owner, name, value
                EARLIER_PATCHES.append(_PatchOverPatch(patch, originals, len(originals) - 1))
                if yielding and is_of_test(original):
                    continue
            setattr(owner, name, value)

    def undo(self) -> None:
        patches, originals = self._patches, self._originals
        for (owner, name, value), original in zip(
            reversed(patches[: len(originals)]), reversed(originals), strict=True
        ):
            now = owner.__dict__.get(name, _ABSENT)
            if now is value and original is not _ABSENT:
                setattr(owner, name, original)
            elif original is _ABSENT:
                if now is not _ABSENT:
                    delattr(owner, name)
            elif now is _ABSENT and is_genuine(owner, original):
                setattr(owner, name, original)  # function code has deleted ours
            elif not is_genuine(owner, now):
                setattr(owner, name, original)
                note_later_patch(owner, name, value, original)
        originals.clear()
        if EARLIER_PATCHES:
            EARLIER_PATCHES[:] = [one for one in EARLIER_PATCHES if one.originals is not originals]


def apply_again() -> None:
    """Apply patches again where a tool that had begun before us has restored the original.

    Call it before each phase.
    """
    for one in EARLIER_PATCHES:
        now = one.owner.__dict__.get(one.name, _ABSENT)
        if now is not one.originals[one.index] and is_genuine(one.owner, now):
            one.originals[one.index] = now
            setattr(one.owner, one.name, one.value)


def sweep() -> None:
    """Restore originals where a tool has restored our value after we had left.

    Call it when a test has ended and no environment is entered.
    """
    for owner, name, ours, original in list(_LATER_PATCHES):
        value = ours()
        if value is not None and owner.__dict__.get(name) is value:
            setattr(owner, name, original)


def note_later_patch(owner: Any, name: str, value: Any, original: Any) -> None:  # noqa: ANN401
    """Remember it until nobody has our value: a fixture of wider scope may restore that late."""
    others = [one for one in _LATER_PATCHES if one[2]() is not None and one[2]() is not value]
    with contextlib.suppress(TypeError):  # an object to which there are no weak references
        _LATER_PATCHES[:] = [*others, (owner, name, weakref.ref(value), original)]


def is_genuine(owner: Any, value: Any) -> bool:  # noqa: ANN401
    """Say whether an attribute is the owner's original: its own, inherited or written in C."""
    if value is _ABSENT or type(value) in _WRITTEN_IN_C:
        return True
    home = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    return getattr(value, "__module__", None) == home


def is_of_test(value: Any) -> bool:  # noqa: ANN401
    """Say whether a value belongs to a test: a mock, or a function that is not installed.

    (coverage is installed, and puts a function of its own in the place of `os._exit`.)
    """
    mock = held_module("unittest.mock")
    if mock is not None and issubclass(type(value), mock.NonCallableMock):
        return True
    if type(value) is not FunctionType or is_own_value(value):
        return False
    return not is_installed(folder_of(value.__code__.co_filename))
