"""The namespaces of much patched modules, and of the classes in them: what they hold at a moment.

A snapshot is taken before each turn of function code that is watched, and compared after it.  To
look at each of some 3,000 names would take ten times as long as a warm invoke.  So the versions of
the dicts are compared first (`dict_versions`).  Where one is new, or where Python has none, a list
of all values is made and compared in C, which takes less than one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import compress, count
from operator import is_, is_not, ne
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_lambda_lifecycle.isolation.dict_versions import Versions
from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.modules.replaced import are_same

__all__ = [
    "ABSENT",
    "NOTHING",
    "WATCHED",
    "Change",
    "Content",
    "Entry",
    "Loaded",
    "Namespaces",
    "Snapshot",
    "entries_of",
    "loaded_namespaces",
    "of_module",
]

WATCHED: Final[dict[str, tuple[str, ...] | None]] = {
    "aiobotocore.client": ("AioBaseClient",),
    "aiobotocore.endpoint": ("AioEndpoint",),
    "aiohttp": (),
    "aiohttp.client": ("ClientSession",),
    "aiohttp.connector": ("BaseConnector",),
    "boto3": (),
    "boto3.session": ("Session",),
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
    "importlib": (),
    "json": None,
    "json.decoder": None,
    "json.encoder": None,
    "logging": None,
    "os": None,
    "posixpath": (),
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
    "warnings": (),
}
"""Modules that libraries are known to patch, each with the classes that they patch in it.

None stands for all classes of a module.  The modules themselves are compared as well: a library
that patches a class often sets a flag on its module, so that it patches once (aws-xray-sdk).
"""
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
        "time",  # the time zone
        "warnings",
    }
)
"""Namespaces in which each environment puts values of its own: what they hold is not kept."""
_get_referents: Final = gc.get_referents  # function code may replace it
_HEAP_TYPE: Final = 1 << 9
_IMMUTABLE_TYPE: Final = 1 << 8
ABSENT: Final[Any] = object()

Entry: TypeAlias = "tuple[Any, str, dict[str, Any]]"
"""An owner, its dotted name, and its namespace."""


class Change(NamedTuple):
    """An attribute that has another value than before; `ABSENT` stands for none."""

    owner: Any
    name: str
    before: Any
    now: Any


class Content(NamedTuple):
    """What one namespace holds: names and their values, in the same order."""

    names: list[str]
    values: list[Any]

    def of(self, space: dict[str, Any]) -> Content:
        """Return the present content of this namespace: this one, if nothing has changed."""
        values = list(space.values())
        if are_same(values, self.values):
            return self
        names = list(space)
        return Content(self.names if names == self.names else names, values)

    def changes(self, owner: object, now: Content) -> Iterator[Change]:
        """Yield the attributes of the owner that have another value in ``now``."""
        if self.names is now.names:
            differ = map(is_not, self.values, now.values)
            for change in compress(zip(self.names, self.values, now.values, strict=True), differ):
                yield Change(owner, *change)
            return
        before = dict(zip(*self, strict=True))
        after = dict(zip(*now, strict=True))
        for name, value in after.items():
            if before.get(name, ABSENT) is not value:
                yield Change(owner, name, before.get(name, ABSENT), value)
        for name, value in before.items():
            if name not in after:
                yield Change(owner, name, value, ABSENT)


NOTHING: Final = Content([], [])


class Snapshot(NamedTuple):
    """What some namespaces hold.

    A snapshot may hold thousands of references, and the garbage collector follows the references of
    new objects on each of its runs: so what has not changed is reused.
    """

    state: list[Any]
    """The versions of the namespaces, or where there are none all their values."""
    contents: list[Content]


class Namespaces(NamedTuple):
    """Modules and classes with their namespaces."""

    owners: list[Any]
    names: list[str]
    """The dotted name of each owner."""
    spaces: list[dict[str, Any]]
    versions: Versions

    @classmethod
    def of(cls, entries: list[Entry]) -> Namespaces:
        """Return some owners with their names and namespaces."""
        owners = [owner for owner, _, _ in entries]
        names = [name for _, name, _ in entries]
        spaces = [space for _, _, space in entries]
        return cls(owners, names, spaces, Versions(spaces))

    def nothing(self) -> Snapshot:
        """Return a snapshot to which all that the namespaces hold is new."""
        return Snapshot([None] * len(self.spaces), [NOTHING] * len(self.spaces))

    def snapshot(self, latest: Snapshot) -> Snapshot:
        """Return the present snapshot: the latest one, if nothing has changed."""
        state: list[Any] | None = self.versions.now()
        if state is not None:
            changed = list(compress(count(), map(ne, state, latest.state)))
        else:
            # The objects to which a dict of texts refers are its values, in their order.
            state = _get_referents(*self.spaces)
            changed = [] if are_same(state, latest.state) else [*range(len(self.spaces))]
        if not changed:
            return latest
        contents = latest.contents.copy()
        for index in changed:
            contents[index] = contents[index].of(self.spaces[index])
        return Snapshot(state, contents)

    def changes(self, before: Snapshot, now: Snapshot) -> Iterator[Change]:
        """Yield the attributes that have another value in ``now``."""
        for index in compress(count(), map(is_not, now.contents, before.contents)):
            yield from before.contents[index].changes(self.owners[index], now.contents[index])


class Loaded(NamedTuple):
    """The watched namespaces of the modules that are loaded."""

    modules: tuple[Any, ...]
    """In the order of `WATCHED`; None for each that is not loaded."""
    found: Namespaces
    kept: list[Snapshot]
    """The latest snapshot, without values of an environment or a test."""

    def first_snapshot(self) -> Snapshot:
        """Return the present snapshot, and keep what belongs to no environment and no test."""
        kept = self.kept[0]
        now = self.found.snapshot(kept)
        contents = kept.contents.copy()
        state = now.state.copy() if self.found.versions.are_known else []
        for index in compress(count(), map(is_not, now.contents, contents)):
            content = now.contents[index]
            if self.found.names[index] in _CHANGING or any(map(_is_passing, content.values)):
                if state:
                    state[index] = None  # the next snapshot looks at it again
                if content.names is contents[index].names:
                    continue
                content = Content(content.names, [])
            contents[index] = content
        self.kept[0] = Snapshot(state, contents)
        return now


_LOADED: Final[list[Loaded]] = []
"""The latest namespaces."""


def loaded_namespaces() -> Loaded:
    """Return the watched namespaces of the modules that are loaded now."""
    modules = tuple(map(sys.modules.get, WATCHED))
    latest = _LOADED[0] if _LOADED else None
    if latest is not None and all(map(is_, modules, latest.modules)):
        return latest
    # In the place of a module there may be a stub or None, of the function or of the test.
    known = latest.modules if latest is not None else (None,) * len(modules)
    modules = tuple(
        one if type(one) is ModuleType or name not in sys.modules else before
        for name, one, before in zip(WATCHED, modules, known, strict=True)
    )
    present = [(name, one) for name, one in zip(WATCHED, modules, strict=True) if one is not None]
    found = Namespaces.of(
        [entry for name, one in present for entry in _entries(name, one, WATCHED[name])]
    )
    _LOADED[:] = [Loaded(modules, found, [found.nothing()])]
    return _LOADED[0]


def of_module(name: str, module: ModuleType) -> Namespaces:
    """Return the namespaces of one module that is being loaded."""
    return Namespaces.of([*_entries(name, module, WATCHED[name])])


def entries_of(name: str, module: ModuleType) -> Iterator[Entry]:
    """Yield a module and all classes that it defines, with their names and namespaces."""
    return _entries(name, module, None)


def _entries(name: str, module: ModuleType, listed: tuple[str, ...] | None) -> Iterator[Entry]:
    """Yield a module and its listed classes, with their names and namespaces."""
    space = namespace_of(module) or {}
    classes = (
        _classes_of(name, space) if listed is None else {one: space.get(one) for one in listed}
    )
    yield module, name, space
    for class_name, cls in classes.items():
        # The namespace itself is behind a read-only view, which is slower.
        referents = _get_referents(vars(cls)) if isinstance(cls, type) else []
        if len(referents) == 1 and type(referents[0]) is dict:
            yield cls, f"{name}.{class_name}", referents[0]


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


def _is_passing(value: object) -> bool:
    """Say whether a value belongs to an environment, a clock or a test, and must not be kept."""
    if type(value) is FunctionType:
        return "_lambda_spy" in vars(value) or is_own_value(value)
    return (type(value) is MethodType and is_own_value(value)) or type(
        value
    ).__module__ == "unittest.mock"
