"""Clock functions that modules have captured: in names, default values, class attributes, tables.

With ``from time import time``, ``timer=time.monotonic`` (cachetools) or ``sleep=time.sleep``
(botocore) a library would go on in real time.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Container, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.clock.readings import PAIRS
from pytest_lambda_lifecycle.isolation.folders import folder_of_module, is_installed
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.real import RealDates

__all__ = [
    "add_to_tables",
    "is_installed_module",
    "put_into",
    "put_into_tables",
    "replace_captured",
]

Captured: TypeAlias = tuple[Any, str]
"""A module, class or function, and the name of the attribute that holds a clock function."""

_KEEP_REAL_TIME: Final = frozenset(
    "_pytest _time_machine asyncio datetime freezegun pytest_lambda_lifecycle time time_machine "
    "timeit".split()
)
"""Packages that measure or make time, and so keep real time."""
_IDS: Final = frozenset(
    {id(one) for pair in PAIRS for one in pair} | {id(RealDates.date), id(RealDates.datetime)}
)
"""The clock functions, and the classes that a freeze of the test replaces."""
_found: Final[WeakKeyDictionary[ModuleType, tuple[int, tuple[Captured, ...]]]] = WeakKeyDictionary()
"""The number of names of a module, and the places in it: searching a thousand takes 10 ms."""


def replace_captured(values: Mapping[int, Any], ignored: tuple[str, ...]) -> Undo:
    """Put values in the place of clock functions, wherever modules have captured them.

    ``values`` are keyed by the id of what they replace.  The returned call restores the originals.
    Modules whose names begin as ``ignored`` are left out.  In modules that are not installed, names
    alone are replaced, and that of `time.sleep` stays: a test that has stored a clock function
    wants to measure real time, and its own sleeps are real.
    """
    changes: list[tuple[Any, str, Any, Any]] = []

    def restore() -> None:
        for owner, key, value, original in reversed(changes):
            if _held(owner, key) is value:
                _set(owner, key, original)

    ids = _IDS | values.keys()
    try:
        for name, module in list(sys.modules.items()):
            if issubclass(type(module), ModuleType):
                for place in _places_of(name, module, ignored, ids):
                    _replace(module, place, values, changes)
    except BaseException:
        restore()
        raise
    return restore


def _places_of(
    name: str, module: ModuleType, ignored: tuple[str, ...], ids: Container[int]
) -> tuple[Captured, ...]:
    """Return the places of clock functions in a module; the module itself is None in them."""
    known = _found.get(module)
    if known is not None and known[0] == len(vars(module)):
        return known[1]
    if name.partition(".")[0] in _KEEP_REAL_TIME or name.startswith(ignored):
        places: tuple[Captured, ...] = ()
    elif is_installed_module(module):
        # The module is not kept: the dictionary would never forget it.
        places = tuple(
            (None if owner is module else owner, key) for owner, key in _places(module, ids)
        )
    else:
        sleep = {id(one) for pair in PAIRS for one in pair if one.__name__ == "sleep"}
        places = tuple(
            (None, key)
            for key, value in list(vars(module).items())
            if id(value) in ids and id(value) not in sleep
        )
    _found[module] = len(vars(module)), places
    return places


def _replace(
    module: ModuleType,
    place: Captured,
    values: Mapping[int, Any],
    changes: list[tuple[Any, str, Any, Any]],
) -> None:
    owner, key = module if place[0] is None else place[0], place[1]
    original = _held(owner, key)
    value = _with_values(original, values)
    if value is not original:
        changes.append((owner, key, value, original))
        _set(owner, key, value)


def is_installed_module(module: ModuleType) -> bool:
    """Say whether a module is one of an installed library."""
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


def add_to_tables(module: ModuleType, values: Mapping[int, Any]) -> None:
    """Add ``values`` beside what they are keyed by, in tables of a module and its classes."""
    for owner in _owners(module):
        for name, held in list(vars(owner).items()):
            if type(held) is dict:
                held.update(
                    {
                        values[id(key)]: value
                        for key, value in list(held.items())
                        if id(key) in values
                    }
                )
            elif type(held) in (list, tuple, set, frozenset):
                new = [values[id(item)] for item in list(held) if id(item) in values]
                if any(item not in held for item in new):
                    _set(owner, name, type(held)([*held, *new]))


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
        held = _held(owner, key)
        value = _with_values(held, values)
        if value is not held:
            _set(owner, key, value)


def _held(owner: Any, key: str) -> Any:  # noqa: ANN401  # what an attribute may be
    """Return an attribute as it is stored."""
    return getattr(owner, key) if type(owner) is FunctionType else vars(owner).get(key)


def _set(owner: Any, key: str, value: Any) -> None:  # noqa: ANN401
    with contextlib.suppress(Exception):  # an immutable class, or a module that refuses
        setattr(owner, key, value)


def _with_values(held: Any, values: Mapping[int, Any]) -> Any:  # noqa: ANN401
    """Return what is to be stored; the same object if there is nothing to replace."""
    if id(held) in values:
        return values[id(held)]
    if type(held) is staticmethod and id(held.__func__) in values:
        return staticmethod(values[id(held.__func__)])
    if type(held) is tuple and any(id(default) in values for default in held):
        return tuple(values.get(id(default), default) for default in held)
    if type(held) is dict and any(id(default) in values for default in held.values()):
        return {key: values.get(id(default), default) for key, default in held.items()}
    return held
