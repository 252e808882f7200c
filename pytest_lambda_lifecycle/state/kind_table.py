"""Finds the kind of an object by its class, once for each class."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.state import buffers
from pytest_lambda_lifecycle.state.clients import kind_of_client
from pytest_lambda_lifecycle.state.kinds import (
    ATTRIBUTES,
    BASES,
    CACHETOOLS,
    CLASS,
    EXACT,
    Contents,
    Kind,
)
from pytest_lambda_lifecycle.state.opaque import (
    IDENTITY,
    holds_data,
    identities,
    is_mock,
    is_opaque,
    judged_of,
    module_of,
    mro_of,
    name_of,
    namespace_of_class,
)

__all__ = ["PLAIN", "KindTable", "class_attributes"]

PLAIN: Final = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type(...),
        type(NotImplemented),
        types.CodeType,
        types.BuiltinFunctionType,
        types.GetSetDescriptorType,
        types.MemberDescriptorType,
        types.WrapperDescriptorType,
        types.MethodDescriptorType,
    }
)
"""Classes whose objects hold nothing that changes."""
_EXACT: Final = {IDENTITY(cls): kind for cls, kind in EXACT.items()}
_BASES: Final = {IDENTITY(cls): kind for cls, kind in BASES.items()}
_HEAP_TYPE: Final = 1 << 9
_flags_of: Final[Any] = type.__dict__["__flags__"].__get__
_DESCRIPTORS: Final = identities(types.GetSetDescriptorType, types.MemberDescriptorType)
_NEUTRAL: Final = frozenset({"abc", "enum", "typing", "typing_extensions"})
"""Modules of which the classes set no attributes of instances."""
_OF_PYTHON: Final = frozenset({"__weakref__", "__dict__"})


class KindTable:
    """The kinds of the classes that a camera has met."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        """``is_own`` says whether a module, by its name, is function code."""
        self._is_own = is_own
        self.by_class: dict[int, Kind | None] = dict.fromkeys(map(IDENTITY, PLAIN))
        """The kinds, by the identities of classes; None for what has no contents."""
        self._classes: list[type] = []
        """Keeps those classes, so that no other gets the identity of one of them."""

    def kind(self, value: object) -> Kind | None:
        """Return the kind of an object; None if it has no contents, or if nobody looks into it."""
        cls = type(value)
        try:
            found = self.by_class[IDENTITY(cls)]
        except KeyError:
            if issubclass(cls, type):  # the object is a class itself: each of them may differ
                return self._kind_of_class(value)
            found = self.by_class[IDENTITY(cls)] = self._find(cls)
            self._classes.append(cls)
        if found is not None and cls is types.FunctionType:
            return self._kind_of_function(value, found)
        return found

    def _kind_of_class(self, cls: Any) -> Kind | None:  # noqa: ANN401
        return CLASS if self._is_own(module_of(cls)) and not is_mock(cls) else None

    def _kind_of_function(self, function: Any, kind: Kind) -> Kind | None:  # noqa: ANN401
        module = function.__globals__.get("__name__")
        if type(module) is not str:
            return None
        if self._is_own(module):
            return kind._replace(is_own=True)
        if module.partition(".")[0] in ("pytest_lambda_lifecycle", "unittest"):
            return None
        # What a decorator of cachetools keeps are results of the decorated function.
        return kind._replace(is_library=module.partition(".")[0] != "cachetools")

    def _find(self, cls: type) -> Kind | None:
        own = self._is_own(module_of(cls))
        if issubclass(cls, types.ModuleType) or is_mock(cls):
            return None
        if not own and is_opaque(cls) and cls is not threading.local:
            return kind_of_client(cls, class_attributes(cls))
        if IDENTITY(cls) in _EXACT:
            return _EXACT[IDENTITY(cls)]
        library = not own and not holds_data(cls)
        if buffers.is_buffer(module_of(cls), name_of(cls)):
            return Kind(buffers.read_buffer, always=True)
        attributes = class_attributes(cls)
        if any(module_of(one) == "cachetools" and name_of(one) == "Cache" for one in mro_of(cls)):
            return CACHETOOLS
        for base in mro_of(cls):
            key = IDENTITY(base)
            if key in _BASES:
                inside = attributes if cls is not base else None
                return _BASES[key]._replace(attributes=inside, is_own=own, is_library=library)
            if key in _EXACT:  # a class that extends `threading.local`, `functools.partial` ...
                kind = _EXACT[key]
                if base is threading.local and "__init__" in _names_before(cls, base):
                    return None  # another thread's attributes would be made by function code
                return kind._replace(is_own=own, is_library=library)
        names = self._names_set_by(cls) if own else None
        return _kind_of_instances(cls, attributes, own, library, names)

    def _names_set_by(self, cls: type) -> frozenset[str] | None:
        """Return the names in the code of the classes of function code among the bases.

        None if no base is of a library: then all attributes are of function code.
        """
        names: set[str] = set()
        extends_library = False
        for base in mro_of(cls):
            module = module_of(base)
            if self._is_own(module):
                namespace = namespace_of_class(base)
                names.update(name for name in namespace if type(name) is str)
                for found in list(namespace.values()):
                    if type(found) is types.FunctionType:
                        names.update(found.__code__.co_names)
            elif not holds_data(base) and module not in _NEUTRAL:
                extends_library = True
        return frozenset(names) if extends_library else None


def _names_before(cls: type, base: type) -> set[str]:
    bases = list(mro_of(cls))
    return {name for one in bases[: bases.index(base)] for name in namespace_of_class(one)}


def class_attributes(cls: type) -> Callable[[Any], Any] | None:
    """Return a function that reads the dict of an instance, past anything that the class defines.

    None if its instances have no dict.
    """
    for base in mro_of(cls):
        found = namespace_of_class(base).get("__dict__")
        if IDENTITY(type(found)) in _DESCRIPTORS and base is not type:
            return found.__get__  # type: ignore[no-any-return]
    return None


def _slots_of(cls: type) -> list[tuple[str, Callable[[Any], Any]]]:
    slots: dict[str, Callable[[Any], Any]] = {}
    for base in mro_of(cls):
        if not _flags_of(base) & _HEAP_TYPE:
            continue
        for name, found in list(namespace_of_class(base).items()):
            if type(found) is types.MemberDescriptorType and name not in _OF_PYTHON:
                slots.setdefault(name, found.__get__)
    return list(slots.items())


def _kind_of_instances(
    cls: type,
    attributes: Callable[[Any], Any] | None,
    own: bool,
    library: bool,
    own_names: frozenset[str] | None,
) -> Kind | None:
    slots = _slots_of(cls)
    if attributes is None and not slots:
        return None

    def read(one: Any) -> Contents:  # noqa: ANN401
        found = attributes(one) if attributes is not None else None
        labels, values = ATTRIBUTES.read(found) if type(found) is dict else ([], [])
        labels = list(labels or ())
        for name, get in slots:
            try:
                value = get(one)
            except AttributeError:  # it is not set
                continue
            labels.append(name)
            values.append(value)
        return labels, values

    return Kind(
        read,
        "attribute",
        mapping=attributes,
        refers=bool(slots),
        is_own=own,
        is_library=library,
        judged=judged_of(cls) if library else frozenset(),
        own_names=own_names,
    )
