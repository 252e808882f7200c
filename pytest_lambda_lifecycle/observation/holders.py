"""Who holds an object: the places in modules from which a chain of references leads to it.

The garbage collector knows the objects that refer to another one, and so the search goes upwards:
from the object to the list that holds it, to the instance that has the list, to the module that has
the instance under a name.  Each step looks at all objects of the process, which takes some
milliseconds.  So it is asked only where somebody may have taken hold of the object of a patch.

References of a test are no places: frames, mocks, modules of tests, objects of pytest and of this
package.  A chain that leads to one of these, or to no module, ends there.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Container, Iterator, Mapping
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    ModuleType,
    TracebackType,
)
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.errors import is_own_file
from pytest_lambda_lifecycle.observation.in_place import is_instrumented
from pytest_lambda_lifecycle.observation.targets import is_at_home

__all__ = ["places_of"]

_STEPS: Final = 10
_WIDTH: Final = 60
"""Objects of one step that are followed; a search among many is slow, and its answer no help."""
_DEAD_ENDS: Final = (
    FrameType,
    TracebackType,
    GeneratorType,
    CoroutineType,
    AsyncGeneratorType,
    ModuleType,
)
_CACHE: Final = type(functools.lru_cache(len))
_OWN: Final = __name__.partition(".")[0]
_NO_HOLDERS: Final = frozenset(
    f"{_OWN} _pytest pytest pluggy pytest_mock unittest mock freezegun gc typing".split()
)
"""Packages whose objects keep references for a test, or for annotations."""


class _Link(NamedTuple):
    """An object on the way up, and the way down from it, such as ``.func`` or ``['orders']``."""

    target: Any
    way: str
    key: object = None
    """Of a dict, which may be the attributes of an object: the key of the next object."""

    @property
    def item(self) -> str:
        """The way down from an object that holds this one, if it is no attribute."""
        return self.way if self.key is None else f"[{self.key!r}]{self.way}"


def places_of(
    original: object,
    namespaces: Mapping[int, str],
    is_place: Callable[[dict[str, Any], str], bool],
    *,
    instances: bool = False,
) -> list[str]:
    """Return the nearest places that hold ``original``, such as ``app.ROUTES['orders']``.

    ``namespaces`` are the names of modules by the identity of their namespaces.  ``is_place`` says
    whether a name in a namespace counts.  With ``instances``, those of a class hold it as well.
    """
    level = [_Link(original, "")]
    modules = frozenset(namespaces.values())
    seen = {id(original)}
    for _ in range(_STEPS):
        targets = {id(link.target): link for link in level}
        places: set[str] = set()
        above: list[_Link] = []
        for holder in gc.get_referrers(*(link.target for link in level)):
            if id(holder) in seen or isinstance(holder, (*_DEAD_ENDS, _Link)):
                continue
            links = [targets[id(one)] for one in gc.get_referents(holder) if id(one) in targets]
            module = namespaces.get(id(holder))
            if module is not None and type(holder) is dict:
                places |= set(_names(holder, module, links, is_place))
                continue
            seen.add(id(holder))
            for link in links:
                is_instance = instances and link.target is original
                found = _step(holder, link, modules, instances=is_instance)
                if isinstance(found, str):
                    places.add(found)
                elif found is not None:
                    above.append(found)
                    break
        level = above[:_WIDTH]
        if places or not level:
            return sorted(places)
    return []


def _names(
    namespace: dict[str, Any],
    module: str,
    links: list[_Link],
    is_place: Callable[[dict[str, Any], str], bool],
) -> Iterator[str]:
    for link in links:
        for key, value in list(namespace.items()):
            if value is link.target and type(key) is str and is_place(namespace, key):
                yield f"{module}.{key}{link.item}"


def _step(
    holder: Any,  # noqa: ANN401
    link: _Link,
    modules: Container[str],
    *,
    instances: bool,
) -> _Link | str | None:
    """Return the link of a holder, or the place that it is itself; None if it does not count."""
    kind, target = type(holder), link.target
    if kind is dict:
        keys = [key for key, value in list(holder.items()) if value is target]
        return _Link(holder, link.item, keys[0]) if keys else None
    if isinstance(holder, type):
        way = "" if link.key is None else f".{link.key}{link.way}"
        if not way or link.key == "__annotations__" or holder.__module__ not in modules:
            return None  # its base, a part of it, or a class of a test
        return f"{holder.__module__}.{holder.__qualname__}{way}"
    if kind is FunctionType:
        is_heard = holder.__module__ in modules and not is_own_file(holder.__code__.co_filename)
        is_heard |= is_instrumented(holder)
        return _part_of_function(holder, link) if is_heard else None
    if str(kind.__module__).partition(".")[0] in _NO_HOLDERS:
        return None
    if kind.__name__ == "_lru_list_elem" or (
        kind is _CACHE and getattr(holder, "__wrapped__", None) is not target
    ):
        return None  # a cache calls nothing that it keeps
    if kind is target:
        return _Link(holder, " (an instance of it)") if instances else None
    if isinstance(holder, (list, tuple)):
        return _Link(holder, f"[{[one is target for one in holder].index(True)}]{link.item}")
    if kind is CellType:
        return _Link(holder, link.item)
    return _Link(holder, _attribute(holder, link))


def _part_of_function(function: FunctionType, link: _Link) -> _Link | str | None:
    """Return the part of a function that holds the target of a link; annotations are none.

    A wrapper that bears the name of another function is followed to its own place.
    """
    target, part, place = link.target, "", ""
    name = f"{function.__module__}.{function.__qualname__}"
    if target is function.__defaults__:
        part, place = f".__defaults__{link.way}", f"a default value of {name}"
    elif target is function.__kwdefaults__:
        part, place = f".__kwdefaults__{link.item}", f"a default value of {name}"
    elif target is function.__closure__:
        index = int(link.way.partition("]")[0][1:])
        variable = function.__code__.co_freevars[index]
        part = "" if variable == "__class__" else f".__closure__{link.way}"
        place = f"{variable!r} in the closure of {name}"
    elif link.key is not None and target is function.__dict__:
        part, place = f".{link.key}{link.way}", f"{name}.{link.key}{link.way}"
    if not part:
        return None
    return place if is_at_home(function) else _Link(function, part)


def _attribute(holder: Any, link: _Link) -> str:  # noqa: ANN401
    """Return the way down from an object of any class: its attribute, if that has a name."""
    target = link.target
    try:
        attributes = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        attributes = {}
    if target is attributes and link.key is not None:
        return f".{link.key}{link.way}"
    for key, value in list(attributes.items()):
        if value is target:
            return f".{key}{link.item}"
    for cls in type(holder).__mro__:
        for key, slot in vars(cls).items():
            if isinstance(slot, MemberDescriptorType):
                try:
                    value = slot.__get__(holder)
                except Exception:  # an empty slot, or a member in C that raises
                    continue
                if value is target:
                    return f".{key}{link.item}"
    return link.item
