"""What a test had patched before its environment existed.

A patch of ``orders.app.table`` that is already active when init imports ``orders.app`` afresh has
hit another module object: the function would run with the real thing.  Three witnesses are asked:
the patchers that are in force, the mocks found in a module, and a photograph of the module taken
before the test's fixtures ran.

A module also changes by its own doing (a counter, a cached client, a reload), which is no patch; so
the photograph speaks up only where a function, a class or an object of one type has given way to
something foreign.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final, TypeAlias

import pytest

from pytest_lambda_lifecycle.isolation.folders import folder_of_module, inside, is_installed
from pytest_lambda_lifecycle.plugin.patchers import Patchers

__all__ = ["Copies", "Misplaced", "PatchWatch"]

Copies: TypeAlias = Callable[[], Iterable[tuple[str, ModuleType]]]
"""Returns modules with their names."""
Misplaced: TypeAlias = Callable[[Copies], Iterable[str]]

_PLAIN: Final = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
    object,
)
_CODE: Final = (FunctionType, BuiltinFunctionType, type, ModuleType)


class PatchWatch:
    """Holds a photograph of the modules under the rootdir while a test item runs."""

    def __init__(self, rootdir: os.PathLike[str]) -> None:
        self._folder = os.path.realpath(rootdir)
        self._seen: dict[str, ModuleType] = {}
        """Modules that were looked at and do not lie under the rootdir."""
        self._item: pytest.Item | None = None
        self._patchers = Patchers()
        self._namespaces: dict[int, dict[str, object]] = {}
        self.variables: dict[str, str] | None = None
        """`os.environ` as the item began."""

    def begin(self, item: pytest.Item | None) -> None:
        """Photograph the namespaces as they are now, unless that was done when the item began."""
        self._patchers.watch()
        if item is None or self._item is item:
            return
        self._item = item
        self.variables = dict(os.environ)
        self._namespaces = {
            id(module): dict(module.__dict__)
            for name, module in list(sys.modules.items())
            if self._seen.get(name) is not module and self._lies_here(name, module)
        }

    def end(self) -> None:
        """Forget the item: what it had patched says nothing about the next one."""
        self._item = None
        self.variables = None
        self._namespaces = {}

    def close(self) -> None:
        """Watch no longer, at the end of the run."""
        self._patchers.close()

    def patched(self, module: ModuleType) -> list[str]:
        """Return the names, with dots below the module, whose values have been replaced from
        outside.
        """
        namespace = module.__dict__
        before = self._namespaces.get(id(module), {})
        names = {name for name, value in list(namespace.items()) if _is_mock(value)}
        names.update(
            name
            for name, old in before.items()
            if not name.startswith("__") and _is_replacement(old, namespace.get(name, old))
        )
        names.update(
            f"{name}.{attribute}"
            for name, value in list(namespace.items())
            if _is(value, type) and value.__module__ == module.__name__
            for attribute, inner in list(vars(value).items())
            if _is_mock(inner)
        )
        for target, attribute in self._patchers.in_force():
            names.update(f"{prefix}{attribute}" for prefix in _paths_to(target, module))
        return sorted(names)

    def misplaced(self) -> Misplaced:
        """Return what finds the names in some modules that are patched just now, by patchers that
        began in a test.

        It looks again only after something else was patched.
        """
        latest: object = None

        def find(copies: Copies) -> list[str]:
            nonlocal latest
            now = self._patchers.latest()
            if now == latest:
                return []
            noted = list(self._patchers.noted())
            found = [
                f"{name}.{prefix}{attribute}"
                for name, module in (copies() if noted else ())
                for target, attribute in noted
                for prefix in _paths_to(target, module)
            ]
            latest = None if found else now
            return found

        return find

    def _lies_here(self, name: str, module: ModuleType) -> bool:
        folder = folder_of_module(module)
        if folder is not None and inside(folder, self._folder) and not is_installed(folder):
            return True
        self._seen[name] = module
        return False


def _is(value: Any, kinds: type | tuple[type, ...]) -> bool:  # noqa: ANN401  # no narrowing is wanted
    """Ask for the type itself: `isinstance` also asks ``__class__``, where a lazy proxy would run
    the test's code.
    """
    return issubclass(type(value), kinds)


def _is_mock(value: Any) -> bool:  # noqa: ANN401
    mock = sys.modules.get("unittest.mock")
    if mock is None:
        return False
    if _is(value, FunctionType):  # create_autospec of a function
        value = value.__dict__.get("mock")
    return _is(value, mock.NonCallableMock)


def _is_replacement(old: object, new: object) -> bool:
    """Say whether a value has been replaced from outside the module."""
    if old is new or _kind(new).startswith("freezegun"):  # frozen time is in force inside as well
        return False
    if _is(old, _CODE):
        return _identity(old) != _identity(new)
    if type(old) in _PLAIN or type(new) in _PLAIN:
        return False
    return _kind(old) != _kind(new)


def _kind(value: Any) -> str:  # noqa: ANN401
    """Return the dotted name of a class, or of a value's class."""
    cls = value if _is(value, type) else type(value)
    return f"{getattr(value, '__module__', None) or cls.__module__}:{cls.__module__}.{cls.__qualname__}"


def _identity(value: object) -> tuple[object, ...]:
    """Return what stays the same when a module is executed once more."""
    return (
        type(value),
        getattr(value, "__module__", None),
        getattr(value, "__qualname__", None) or repr(value),
    )


def _paths_to(target: object, module: ModuleType) -> Iterator[str]:
    """Yield the dotted prefix under which a patched object is found in a module."""
    if target is module:
        yield ""
    elif target is not None and not _is(target, ModuleType):
        for name, value in list(module.__dict__.items()):
            if value is target and (not _is(value, type) or value.__module__ == module.__name__):
                yield f"{name}."
