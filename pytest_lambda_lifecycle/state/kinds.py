"""The kinds of objects: how the contents of each are read without a call of the object's own code.

A class may define ``__iter__``, ``items`` or ``__getattribute__`` anew.  So contents are read with
the functions of the built-in base class, and attributes from the instance's dict and its slots.
"""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_lambda_lifecycle.state import buffers
from pytest_lambda_lifecycle.state.buffers import Verbatim
from pytest_lambda_lifecycle.state.opaque import IDENTITY, namespace_of_class

__all__ = [
    "ATTRIBUTES",
    "BASES",
    "BESIDE",
    "CACHETOOLS",
    "CLASS",
    "EXACT",
    "FUNCTION_ATTRIBUTES",
    "NAMESPACE",
    "Contents",
    "Kind",
    "Verbatim",
    "lru_function",
]

Contents: TypeAlias = "tuple[Sequence[Any] | None, list[Any]]"
"""Labels and values; None for the labels of a sequence, which are the indices."""


class Kind(NamedTuple):
    """How objects of a class are read."""

    read: Callable[[Any], Contents]
    style: str = "item"
    """The form of labels in a path: ``"item"``, ``"attribute"``, ``"member"`` or ``"call"``."""
    iterate: Callable[[Any], Iterator[Any]] | None = None
    """Returns the values in the order of `read`; with `measure`, a change is found in C."""
    measure: Callable[[Any], int] | None = None
    mapping: Callable[[Any], dict[Any, Any] | None] | None = None
    """Returns the dict that holds the values: its version tells of a change."""
    refers: bool = False
    """The values are among the referents that the garbage collector knows."""
    always: bool = False
    """Nothing but the value tells of a change: it is read each time."""
    attributes: Callable[[Any], dict[Any, Any] | None] | None = None
    """Returns a dict of attributes beside the contents: the class extends a built-in one."""
    is_own: bool = False
    """The class belongs to function code."""
    is_library: bool = False
    """The contents belong to a library, and not to the holder of the object."""
    judged: frozenset[str] = frozenset()
    """Those attributes of a library's object that belong to the holder all the same."""

    own_names: frozenset[str] | None = None
    """Of a class of function code that extends one of a library: the names that it sets itself."""

    def is_of_library(self, label: object) -> bool:
        """Say whether an attribute belongs to the library that the object's class extends."""
        return self.own_names is not None and not (type(label) is str and label in self.own_names)

    def judges(self, label: object) -> bool:
        """Say whether a label is one of those attributes; a label may be any object."""
        return type(label) is str and label in self.judged


def _itself(one: Any) -> Any:  # noqa: ANN401
    return one


# -- containers -----------------------------------------------------------------------------------


def _read_dict(one: Any) -> Contents:  # noqa: ANN401
    labels = list(dict.__iter__(one))
    values = list(dict.values(one))
    if len(labels) == len(values):
        return labels, values
    items = list(dict.items(one))  # another thread has changed it in between
    return [key for key, _ in items], [value for _, value in items]


def _read_set(one: Any) -> Contents:  # noqa: ANN401
    values = list(set.__iter__(one))
    return values, values


def _read_frozenset(one: Any) -> Contents:  # noqa: ANN401
    values = list(frozenset.__iter__(one))
    return values, values


def _sequence(iterate: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Contents]:
    return lambda one: (None, list(iterate(one)))


_set_iter: Final[Any] = set.__iter__
_set_len: Final[Any] = set.__len__
BASES: Final[dict[type, Kind]] = {
    dict: Kind(_read_dict, mapping=_itself),
    list: Kind(_sequence(list.__iter__), iterate=list.__iter__, measure=list.__len__),
    set: Kind(_read_set, "member", iterate=_set_iter, measure=_set_len),
    deque: Kind(_sequence(deque.__iter__), iterate=deque.__iter__, measure=deque.__len__),
    tuple: Kind(_sequence(tuple.__iter__)),
    frozenset: Kind(_read_frozenset, "member"),
}
"""The containers, whose subclasses are read as they are."""
BESIDE: Final = Verbatim()
"""The label of the dict of attributes of an object that has other contents as well."""
ATTRIBUTES: Final = Kind(_read_dict, "attribute", mapping=_itself)
"""The dict of attributes of an object that is a container as well."""


_OF_CLASSES: Final = ("_abc_impl", "_value2member_map_")
"""Caches of `abc` and `enum`: a combination of flags is added when it occurs for the first time."""


def _is_plain_name(name: object) -> bool:
    return type(name) is str and not name[:2] == "__" == name[-2:] and name not in _OF_CLASSES


def _read_namespace(one: Any) -> Contents:  # noqa: ANN401
    """Read the names of a module or a class, without those that Python itself sets."""
    items = [item for item in list(dict.items(one)) if _is_plain_name(item[0])]
    return [item[0] for item in items], [item[1] for item in items]


NAMESPACE: Final = Kind(_read_namespace, "attribute", mapping=_itself, is_own=True)
"""The namespace of a module of function code."""


def _below(view: Any) -> dict[Any, Any] | None:  # noqa: ANN401
    """Return the dict below a read-only view; None if it is no dict."""
    return next((one for one in gc.get_referents(view) if type(one) is dict), None)


def _class_dict(cls: Any) -> dict[Any, Any] | None:  # noqa: ANN401
    return _below(namespace_of_class(cls))


CLASS: Final = Kind(
    lambda cls: _read_namespace(_class_dict(cls) or {}),
    "attribute",
    mapping=_class_dict,
    is_own=True,
)
"""A class of function code."""


def _read_view(view: Any) -> Contents:  # noqa: ANN401
    below = gc.get_referents(view)
    return [Verbatim()] * len(below), below


# -- functions ------------------------------------------------------------------------------------


_TWINS: Final = "__lambda_spy_twins__"


def _read_function(function: Any) -> Contents:  # noqa: ANN401
    labels: list[Any] = []
    values: list[Any] = []
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        labels.append(Verbatim(f".<closure>.{name}"))
        values.append(cell)
    defaults = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][-len(defaults) :] if defaults else ()
    keywords: dict[str, Any] = function.__kwdefaults__ or {}
    for name, value in (*zip(names, defaults, strict=False), *keywords.items()):
        labels.append(Verbatim(f"({name}=)"))
        values.append(value)
    if _may_have_attributes(function):
        labels.append(BESIDE)
        values.append(function.__dict__)
    return labels, values


def _may_have_attributes(function: Any) -> bool:  # noqa: ANN401
    """Say whether a function has a dict of attributes; to ask for the dict itself makes one."""
    known = (function.__globals__, function.__builtins__, function.__kwdefaults__)
    return any(
        type(one) is dict and not any(one is other for other in known)
        for one in gc.get_referents(function)
    )


def _read_function_attributes(one: Any) -> Contents:  # noqa: ANN401
    """Read the attributes of a function, without those of a spy that has instrumented it."""
    items = [item for item in list(dict.items(one)) if item[0] != _TWINS]
    return [name for name, _ in items], [value for _, value in items]


FUNCTION_ATTRIBUTES: Final = Kind(_read_function_attributes, "attribute", mapping=_itself)
"""The dict of attributes of a function."""


def _read_cell(cell: Any) -> Contents:  # noqa: ANN401
    try:
        return [Verbatim()], [cell.cell_contents]
    except ValueError:  # the variable is not bound
        return [], []


def _parts(*names: str) -> Callable[[Any], Contents]:
    """Return a reader of attributes that C defines."""
    labels = [Verbatim(f".{name}") for name in names]

    def read(one: Any) -> Contents:  # noqa: ANN401
        known = [base.__dict__ for base in type(one).__mro__]
        get = [next(found[name] for found in known if name in found).__get__ for name in names]
        return labels, [part(one) for part in get]

    return read


_LruCache: Final[type] = functools._lru_cache_wrapper
_lru_attributes: Final[Any] = _LruCache.__dict__["__dict__"].__get__


def lru_function(cache: object) -> Any:  # noqa: ANN401
    """Return the function below `functools.lru_cache`; None if it has been taken away."""
    return _lru_attributes(cache).get("__wrapped__")


def _cache_dict(cache: Any) -> dict[Any, Any] | None:  # noqa: ANN401
    """Return the dict of a cache, which comes after its results, and those may be dicts too."""
    attributes = _lru_attributes(cache)
    for found in reversed(gc.get_referents(cache)):
        if type(found) is dict and found is not attributes:
            return found
    return None


def _read_lru_cache(cache: Any) -> Contents:  # noqa: ANN401
    """Read the results of `functools.lru_cache` by their arguments.

    In a cache of limited size the dict maps the arguments to links, of which the collector knows
    the arguments and the result, one behind the other.
    """
    referents = gc.get_referents(cache)
    results: dict[int, Any] = {}
    for key, result in itertools.pairwise(referents):
        results.setdefault(IDENTITY(key), result)
    entries = list((_cache_dict(cache) or {}).items())
    labels = [key for key, _ in entries]
    values = [
        results.get(IDENTITY(key)) if type(value).__name__ == "_lru_list_elem" else value
        for key, value in entries
    ]
    return [*labels, Verbatim(".__wrapped__")], [*values, lru_function(cache)]


# -- other objects --------------------------------------------------------------------------------

_local_attribute: Final[Any] = vars(threading.local)["__getattribute__"]


def _local_dict(local: Any) -> dict[Any, Any]:  # noqa: ANN401
    found: dict[Any, Any] = _local_attribute(local, "__dict__")
    return found


def _weak_items(one: Any) -> Contents:  # noqa: ANN401
    """Read a weak container by the references in it, which keep nothing alive."""
    held = object.__getattribute__(one, "__dict__").get("data")
    if type(held) is dict:
        return _read_dict(held)
    return _read_set(held) if type(held) is set else ([], [])


def _weak_dict(one: Any) -> dict[Any, Any] | None:  # noqa: ANN401
    held = object.__getattribute__(one, "__dict__").get("data")
    return held if type(held) is dict else None


def _entries_of_cache(cache: Any) -> dict[Any, Any] | None:  # noqa: ANN401
    """Return the dict in which a cache of cachetools keeps its values, and no order of them."""
    found = object.__getattribute__(cache, "__dict__").get("_Cache__data")
    return found if type(found) is dict else None


CACHETOOLS: Final = Kind(
    lambda one: _read_dict(_entries_of_cache(one) or {}), mapping=_entries_of_cache, is_own=True
)
"""A cache of cachetools: what it keeps besides the entries changes with each look-up."""
_LOGGER: Final = ("level", "disabled", "propagate", "handlers", "filters")
_logger_attributes: Final[Any] = vars(logging.Filterer)["__dict__"].__get__


def _read_logger(logger: Any) -> Contents:  # noqa: ANN401
    """Read what decides what a logger logs, and not its cache."""
    found = _logger_attributes(logger)
    names = [name for name in _LOGGER if name in found]
    return names, [found[name] for name in names]


EXACT: Final[dict[type, Kind]] = {
    types.FunctionType: Kind(_read_function, refers=True),
    types.CellType: Kind(_read_cell, refers=True),
    types.MethodType: Kind(_parts("__self__", "__func__")),
    functools.partial: Kind(_parts("func", "args", "keywords"), refers=True),
    property: Kind(_parts("fget", "fset", "fdel")),
    classmethod: Kind(_parts("__func__")),
    staticmethod: Kind(_parts("__func__")),
    types.MappingProxyType: Kind(_read_view),
    _LruCache: Kind(_read_lru_cache, "call", mapping=_cache_dict),
    threading.local: Kind(
        lambda one: _read_dict(_local_dict(one)), "attribute", mapping=_local_dict
    ),
    weakref.WeakValueDictionary: Kind(_weak_items, mapping=_weak_dict),
    weakref.WeakKeyDictionary: Kind(_weak_items, mapping=_weak_dict),
    weakref.WeakSet: Kind(_weak_items, "member", always=True),
    logging.Logger: Kind(_read_logger, "attribute", mapping=_logger_attributes),
    logging.RootLogger: Kind(_read_logger, "attribute", mapping=_logger_attributes),
    itertools.count: Kind(buffers.read_count, always=True),
    bytearray: Kind(buffers.read_buffer, always=True),
}
"""Classes of which each has a way of its own."""
