"""The namespaces of much patched modules, and of the classes in them: what they hold at a moment.

A snapshot is taken before each turn of function code that is watched, and compared after it.  To
look at each of some 3,000 names would take ten times as long as a warm invoke; one list of all
values, made and compared in C, takes less than one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from operator import is_
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.modules.replaced import are_same

__all__ = [
    "ABSENT",
    "WATCHED",
    "Change",
    "Loaded",
    "Namespaces",
    "Snapshot",
    "first_snapshots",
    "loaded_namespaces",
    "nothing_in",
    "of_module",
]

WATCHED: Final[dict[str, tuple[str, ...] | None]] = {
    "aiobotocore.client": ("AioBaseClient",),
    "aiobotocore.endpoint": ("AioEndpoint",),
    "aiohttp.client": ("ClientSession",),
    "aiohttp.connector": ("BaseConnector",),
    "botocore": (),
    "botocore.client": ("BaseClient",),
    "botocore.endpoint": ("Endpoint",),
    "botocore.httpsession": ("URLLib3Session",),
    "botocore.session": ("Session",),
    "builtins": None,
    "collections": (),
    "datetime": (),
    "hashlib": (),
    "http.client": None,
    "httpx": (),
    "httpx._api": (),
    "httpx._client": ("AsyncClient", "Client"),
    "httpx._transports.default": ("AsyncHTTPTransport", "HTTPTransport"),
    "json": None,
    "json.decoder": None,
    "json.encoder": None,
    "logging": None,
    "os": None,
    "random": None,
    "requests": (),
    "requests.adapters": ("HTTPAdapter",),
    "requests.sessions": ("Session",),
    "simplejson.encoder": ("JSONEncoder",),
    "socket": None,
    "ssl": None,
    "subprocess": None,
    "sys": (),
    "threading": None,
    "time": None,
    "urllib.request": (),
    "urllib3": (),
    "urllib3.connection": ("HTTPConnection",),
    "urllib3.connectionpool": ("HTTPConnectionPool",),
    "urllib3.poolmanager": ("PoolManager",),
    "urllib3.util.retry": ("Retry",),
    "uuid": (),
}
"""Modules that libraries are known to patch, each with the classes that they patch in it.

None stands for all classes of a module.
"""
_CLASSES_ONLY: Final = frozenset(
    name
    for name, classes in WATCHED.items()
    if classes and not name.startswith("aiobotocore.")  # aws-xray-sdk sets a flag there
)
"""Client libraries of which only the listed classes are compared: nobody patches their modules."""
_CHANGING: Final = frozenset(
    {
        "logging.Formatter",
        "logging.Logger",
        "os",
        "socket",
        "socket.socket",
        "subprocess.Popen",
        "sys",
        "threading",
        "threading.Thread",
        "time",
    }
)
"""Namespaces in which environments put functions of their own: what they hold is not kept."""
_HEAP_TYPE: Final = 1 << 9
_IMMUTABLE_TYPE: Final = 1 << 8
ABSENT: Final[Any] = object()


class Change(NamedTuple):
    """An attribute that has another value than before; `ABSENT` stands for none."""

    owner: Any
    name: str
    before: Any
    now: Any


class Namespaces(NamedTuple):
    """Modules and classes with their namespaces."""

    owners: list[Any]
    names: list[str]
    """The dotted name of each owner."""
    spaces: list[dict[str, Any]]


class Snapshot(NamedTuple):
    """What the namespaces hold.

    A snapshot may hold thousands of references, and the garbage collector follows the references of
    new objects on each of its runs: so what has not changed is reused.
    """

    values: list[Any]
    """The values of all namespaces, one after the other."""
    names: list[dict[str, Any]]
    """Of each namespace a copy."""

    @classmethod
    def take(cls, found: Namespaces, latest: Snapshot) -> Snapshot:
        """Return the present snapshot: the latest one, if nothing has changed."""
        # The objects to which a dict of texts refers are its values, in their order; this takes two
        # thirds of the time of a list for each namespace.
        values = gc.get_referents(*found.spaces)
        if are_same(values, latest.values):
            return latest
        names = latest.names.copy()
        first = first_before = 0
        for index, space in enumerate(found.spaces):
            end, end_before = first + len(space), first_before + len(latest.names[index])
            if not are_same(values[first:end], latest.values[first_before:end_before]):
                names[index] = dict(space)
            first, first_before = end, end_before
        return cls(values, names)

    def changes(self, found: Namespaces, now: Snapshot) -> Iterator[Change]:
        """Yield the attributes that have another value in ``now``."""
        for index, owner in enumerate(found.owners):
            before, after = self.names[index], now.names[index]
            if before is after:
                continue
            for name, value in after.items():
                if before.get(name, ABSENT) is not value:
                    yield Change(owner, name, before.get(name, ABSENT), value)
            for name, value in before.items():
                if name not in after:
                    yield Change(owner, name, value, ABSENT)


class Loaded(NamedTuple):
    """The watched namespaces of the modules that are loaded."""

    modules: tuple[Any, ...]
    """In the order of `WATCHED`; None for each that is not loaded."""
    groups: tuple[Namespaces, Namespaces]
    """The namespaces that environments leave alone, and those in which they put functions."""


_LOADED: Final[list[Loaded]] = []
"""The latest namespaces."""
_KEPT: Final[list[Snapshot]] = []
"""The latest snapshots of both groups, without values that belong to an environment or a test."""


def loaded_namespaces() -> Loaded:
    """Return the watched namespaces of the modules that are loaded now."""
    modules = tuple(map(sys.modules.get, WATCHED))
    latest = _LOADED[0] if _LOADED else None
    if latest is not None and all(map(is_, modules, latest.modules)):
        return latest
    # In the place of a module there may be a stub, of the function or of the test.
    known = latest.modules if latest is not None else (None,) * len(modules)
    modules = tuple(
        one if one is None or type(one) is ModuleType else before
        for one, before in zip(modules, known, strict=True)
    )
    found = Namespaces([], [], [])
    for name, module in zip(WATCHED, modules, strict=True):
        if module is not None:
            _add(found, name, module)
    groups = Namespaces([], [], []), Namespaces([], [], [])
    for owner, name, space in zip(*found, strict=True):
        _append(groups[name in _CHANGING], owner, name, space)
    _LOADED[:] = [Loaded(modules, groups)]
    _KEPT[:] = map(nothing_in, groups)
    return _LOADED[0]


def nothing_in(found: Namespaces) -> Snapshot:
    """Return a snapshot to which each namespace is new."""
    return Snapshot([], [{} for _ in found.spaces])


def of_module(name: str, module: ModuleType) -> Namespaces:
    """Return the namespaces of one module that is being loaded."""
    found = Namespaces([], [], [])
    _add(found, name, module)
    return found


def _add(found: Namespaces, name: str, module: ModuleType) -> None:
    space = namespace_of(module) or {}
    listed = WATCHED[name]
    classes = (
        _classes_of(name, space) if listed is None else {one: space.get(one) for one in listed}
    )
    if name not in _CLASSES_ONLY:
        _append(found, module, name, space)
    for class_name, cls in classes.items():
        # The namespace itself is behind a read-only view, which is slower.
        referents = gc.get_referents(vars(cls)) if isinstance(cls, type) else []
        if len(referents) == 1 and type(referents[0]) is dict:
            _append(found, cls, f"{name}.{class_name}", referents[0])


def _append(found: Namespaces, owner: object, name: str, space: dict[str, Any]) -> None:
    found.owners.append(owner)
    found.names.append(name)
    found.spaces.append(space)


def _classes_of(name: str, space: Mapping[str, Any]) -> dict[str, type]:
    """Return the classes that a module defines, as far as their attributes can be set.

    Nobody patches exceptions and enumerations, which have many attributes.
    """
    return {
        key: value
        for key, value in list(space.items())
        if issubclass(type(value), type)
        and value.__flags__ & (_HEAP_TYPE | _IMMUTABLE_TYPE) == _HEAP_TYPE
        and value.__module__ == name
        and value.__qualname__ == key
        and not issubclass(value, (BaseException, Enum))
    }


def first_snapshots(loaded: Loaded) -> list[Snapshot]:
    """Return the present snapshots, and keep what belongs to no environment and no test."""
    return [_first_snapshot(index, found) for index, found in enumerate(loaded.groups)]


def _first_snapshot(group: int, found: Namespaces) -> Snapshot:
    kept = _KEPT[group]
    now = Snapshot.take(found, kept)
    changed = [
        index
        for index, names in enumerate(now.names)
        if names is not kept.names[index] and _may_be_kept(found.names[index], names.values())
    ]
    if changed:
        names = kept.names.copy()
        for index in changed:
            names[index] = now.names[index]
        _KEPT[group] = Snapshot([one for some in names for one in some.values()], names)
    return now


def _may_be_kept(name: str, values: Iterable[Any]) -> bool:
    return name not in _CHANGING and not any(map(_is_passing, values))


def _is_passing(value: object) -> bool:
    """Say whether a value belongs to an environment, a clock or a test, and must not be kept."""
    if type(value) is FunctionType:
        return "_lambda_spy" in vars(value) or is_own_value(value)
    return (type(value) is MethodType and is_own_value(value)) or type(
        value
    ).__module__ == "unittest.mock"
