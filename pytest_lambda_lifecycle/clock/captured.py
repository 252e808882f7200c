"""Clock functions that modules have captured in default values, class attributes and tables.

freezegun replaces names in modules alone: with ``timer=time.monotonic`` (cachetools) or
``sleep=time.sleep`` (botocore) a library would go on in real time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.folders import folder_of_module, is_installed
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["put_into", "put_into_tables", "replace_captured"]

Captured: TypeAlias = tuple[Any, str]
"""A module, class or function, and the name of the attribute that holds a clock function."""

_KEEP_REAL_TIME: Final = frozenset(
    "_pytest _time_machine asyncio datetime freezegun pytest_lambda_lifecycle time time_machine "
    "timeit".split()
)
"""Packages that measure or make time, and so keep real time."""
_found: Final[WeakKeyDictionary[ModuleType, tuple[Captured, ...]]] = WeakKeyDictionary()
"""The attributes found in a module: searching a thousand modules takes 10 ms."""


def replace_captured(
    values: Mapping[int, Any], ignored: tuple[str, ...]
) -> Callable[[Mapping[int, Any]], None]:
    """Put values in the place of clock functions, wherever installed modules have captured them.

    ``values`` are keyed by the id of the function that they replace; the ids are those of
    freezegun's functions, with or without `time.sleep`.  The returned call puts other values
    there.  Modules whose names begin as ``ignored`` are left out, and so are modules that are not
    installed: a test that has stored a clock function wants to measure real time.
    """
    replaced: list[Captured] = []
    # The result of a search is kept for later calls, with and without `time.sleep`.
    ids = {*values, id(RealTime.sleep)}
    for name, module in list(sys.modules.items()):
        if not issubclass(type(module), ModuleType):
            continue
        places = _found.get(module)
        if places is None:
            skipped = (
                name.partition(".")[0] in _KEEP_REAL_TIME
                or name.startswith(ignored)
                or not _installed(module)
            )
            # The module is not kept: the dictionary would never forget it.
            found = [] if skipped else [(owner, key) for owner, key in _places(module, ids)]
            places = _found[module] = tuple(
                (None if owner is module else owner, key) for owner, key in found
            )
        replaced += [(module if owner is None else owner, key) for owner, key in places]
    _put(replaced, values)
    return lambda others: _put(replaced, others)


def _installed(module: ModuleType) -> bool:
    folder = folder_of_module(module)
    return folder is not None and is_installed(folder)


def put_into(
    module: ModuleType, values: Mapping[int, Any], *, names: Mapping[int, Any] | None = None
) -> None:
    """Replace the functions that a module has captured by ``values``.

    The module's own names are replaced by ``names``, if that is given.
    """
    places = list(_places(module, values))
    _put([place for place in places if place[0] is not module], values)
    _put([place for place in places if place[0] is module], values if names is None else names)


def put_into_tables(module: ModuleType, values: Mapping[int, Any]) -> None:
    """Replace entries of dictionaries, lists, sets and tuples of a module and its classes."""
    for owner in _owners(module):
        for name, held in list(vars(owner).items()):
            if type(held) in (tuple, frozenset) and any(id(item) in values for item in held):
                setattr(owner, name, type(held)(values.get(id(item), item) for item in held))
            elif type(held) is list and any(id(item) in values for item in list(held)):
                held[:] = [values.get(id(item), item) for item in held]
            elif type(held) is set and any(id(item) in values for item in list(held)):
                replaced = {values.get(id(item), item) for item in list(held)}
                held.clear()
                held.update(replaced)
            elif type(held) is dict and any(
                id(item) in values for pair in list(held.items()) for item in pair
            ):
                pairs = [
                    (values.get(id(key), key), values.get(id(value), value))
                    for key, value in list(held.items())
                ]
                held.clear()
                held.update(pairs)


def _owners(module: ModuleType) -> list[Any]:
    name = getattr(module, "__name__", "")
    # issubclass and not isinstance: that asks lazy proxies for their __class__, which runs code.
    classes = [
        value
        for value in list(vars(module).values())
        if issubclass(type(value), type) and value.__module__ == name
    ]
    return [module, *classes]


def _places(module: ModuleType, ids: Container[int]) -> Iterator[Captured]:
    name = getattr(module, "__name__", "")
    for owner in _owners(module):
        for key, value in list(vars(owner).items()):
            inner = value.__func__ if type(value) in (staticmethod, classmethod) else value
            if id(inner) in ids:
                yield owner, key
            elif type(inner) is FunctionType and inner.__module__ == name:
                if any(id(default) in ids for default in inner.__defaults__ or ()):
                    yield inner, "__defaults__"
                if any(id(default) in ids for default in (inner.__kwdefaults__ or {}).values()):
                    yield inner, "__kwdefaults__"


def _put(places: list[Captured], values: Mapping[int, Any]) -> None:
    for owner, key in places:
        if type(owner) is not FunctionType:
            held = vars(owner).get(key)
            if type(held) is staticmethod:
                if id(held.__func__) in values:
                    setattr(owner, key, staticmethod(values[id(held.__func__)]))
            elif id(held) in values:
                setattr(owner, key, values[id(held)])
        elif key == "__defaults__":
            owner.__defaults__ = tuple(
                values.get(id(default), default) for default in owner.__defaults__ or ()
            )
        else:
            owner.__kwdefaults__ = {
                k: values.get(id(v), v) for k, v in (owner.__kwdefaults__ or {}).items()
            }
