"""Patches that a test has made on copies of the function's modules which the function does not use.

A patch by name reaches the module that is in `sys.modules` at that moment: the test's own copy
before Init, that of the latest environment after it.  Another environment that has a module of the
same name would run with the real thing, and the test would pass or fail for the wrong reason.

Two functions may each have an ``app``.  A patch that names ``app.table`` by text, or is on a module
that nobody has asked an environment for, may be meant for either.  One on ``env.module`` is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Iterator
from inspect import getattr_static
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.patchers import PATCHERS, PatchInForce
from pytest_lambda_lifecycle.observation.calls.on_top import LIBRARIES, ON_TOP

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["MisplacedPatches", "is_instance", "patched_names", "paths_to"]

_MISSING: Final = object()


class _Copy(NamedTuple):
    """A module that has the name of one of the function's, and is another object."""

    name: str
    module: ModuleType
    is_of_function: bool
    """It was loaded from the same file."""
    is_at_hand: bool
    """The test has the object itself: a patch on another function's is meant for that alone."""


class MisplacedPatches(Container[str]):
    """Finds patches on copies of one environment's modules that this environment does not use.

    As a container it has the names of modules that are patched in another environment: see
    `of_imported`.  It is asked before each invoke, so it looks again only after something else was
    patched.
    """

    def __init__(
        self,
        world: World,
        others: Callable[[World], Iterable[World]],
        is_replaced: Callable[[str], bool],
    ) -> None:
        """``others`` returns the worlds of the other environments that are open.

        ``is_replaced`` says whether the environment's own ``patch`` has taken a target over.
        """
        self._world = world
        self._others = others
        self._is_replaced = is_replaced
        self.clean = -1
        """The version of the patchers in which nothing was misplaced."""

    def targets(self) -> list[str]:
        """Return the dotted names that are patched now, by patchers that began in a test."""
        version = PATCHERS.version
        noted = list(PATCHERS.noted())
        found = list(self._find(noted, self._world.own_modules())) if noted else []
        self.clean = version if not found else -1
        return found

    def __contains__(self, name: object) -> bool:
        return any(name in other.modules for other in self._others(self._world))

    def of_imported(self, module: ModuleType) -> list[str]:
        """Return the same names in a module that function code has just imported."""
        return list(self._find(list(PATCHERS.noted()), {module.__name__: module}))

    def _find(self, noted: Iterable[PatchInForce], own: dict[str, ModuleType]) -> Iterator[str]:
        for copy in self._copies(own):
            for patch in noted:
                for path in paths_to(patch, copy.module):
                    target = f"{copy.name}.{path}"
                    if _is_meant(patch, target, copy) and self._is_missed(
                        target, path, own[copy.name], patch, noted, copy.is_of_function
                    ):
                        yield target

    def _copies(self, own: dict[str, ModuleType]) -> Iterator[_Copy]:
        """Yield the copies that the test and other environments have of the function's modules."""
        world = self._world
        for other in (None, *self._others(world)):
            modules = world.parked if other is None else other.modules
            for name, module in modules.items():
                ours = own.get(name)
                if ours is not None and ours is not module and not _reaches_copies(name):
                    is_of_function = _file_of(module, ours) == _file_of(ours)
                    is_at_hand = other is None or name in other.given
                    yield _Copy(name, module, is_of_function, is_at_hand)

    def _is_missed(
        self,
        target: str,
        path: str,
        ours: ModuleType,
        patch: PatchInForce,
        noted: Iterable[PatchInForce],
        is_of_function: bool,
    ) -> bool:
        """Say whether the function has an attribute of that name which is not patched as well."""
        *steps, name = path.split(".")
        owner: Any = ours
        for step in steps:
            owner = getattr_static(owner, step, _MISSING)
        value = getattr_static(owner, name, _MISSING)
        if (value is _MISSING and not is_of_function) or self._is_replaced(target):
            return False
        if not patch.attribute:
            return value is not patch.target
        return not any(one.target is owner and one.attribute == name for one in noted)


def _is_meant(patch: PatchInForce, target: str, copy: _Copy) -> bool:
    """Say whether a patch that is on a copy may be meant for the function's own module."""
    if not patch.attribute:  # many modules may hold the same dict
        return patch.text == target
    return bool(patch.text) or copy.is_of_function or not copy.is_at_hand


def _reaches_copies(name: str) -> bool:
    """Say whether `LambdaHttp` asks the mocks in a module for the function's copy as well."""
    return bool(ON_TOP) and name in LIBRARIES


def _file_of(module: object, default: object = None) -> object:
    return (namespace_of(module) or {}).get("__file__", default)


def patched_names(module: ModuleType) -> set[str]:
    """Return the names in a module that are patched now, with dots below the module."""
    if _reaches_copies(module.__name__):
        return set()
    names = set(_mocks_in(module))
    for patch in PATCHERS.in_force():
        for path in paths_to(patch, module):
            if patch.attribute or patch.text == f"{module.__name__}.{path}":
                names.add(path)
    return names


def paths_to(patch: PatchInForce, module: ModuleType) -> Iterator[str]:
    """Yield the dotted names under which a patched attribute or dict is found in a module."""
    target, attribute = patch.target, patch.attribute
    if target is module:
        yield attribute
    elif target is not None and not is_instance(target, ModuleType):
        for name, value in list(module.__dict__.items()):
            if value is target and (
                not is_instance(value, type) or value.__module__ == module.__name__
            ):
                yield f"{name}.{attribute}" if attribute else name


def is_instance(value: Any, kinds: type | tuple[type, ...]) -> bool:  # noqa: ANN401  # no narrowing is wanted
    """Say whether a value is of a type, by the type alone.

    `isinstance` also asks ``__class__``, which a lazy proxy computes by code of the test.
    """
    return issubclass(type(value), kinds)


def _mocks_in(module: ModuleType) -> Iterator[str]:
    """Yield the names of mocks in a module, and in the classes that it defines."""
    for name, value in list(module.__dict__.items()):
        if _is_mock(value):
            yield name
        if is_instance(value, type) and value.__module__ == module.__name__:
            for attribute, inner in list(vars(value).items()):
                if _is_mock(inner):
                    yield f"{name}.{attribute}"


def _is_mock(value: Any) -> bool:  # noqa: ANN401
    mock = sys.modules.get("unittest.mock")
    if mock is None:
        return False
    if is_instance(value, FunctionType):  # create_autospec of a function
        value = value.__dict__.get("mock")
    return is_instance(value, mock.NonCallableMock)
