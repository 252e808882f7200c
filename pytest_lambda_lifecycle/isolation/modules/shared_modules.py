"""Attributes that function code replaces in modules that it shares (``builtins.print = ...``).

Snapshots of much patched modules are taken before Init and compared after it, since that is when
libraries patch.  A test patches the same modules between phases, and its patches must not be
attributed to the function: so nothing is compared at any other time.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from operator import is_
from types import FunctionType, MethodType, ModuleType
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.errors import is_own_file
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["SharedNamespaces"]


_WATCHED: Final[dict[str, tuple[str, ...]]] = {
    "aiobotocore.client": ("AioBaseClient",),
    "aiobotocore.endpoint": ("AioEndpoint",),
    "aiohttp.client": ("ClientSession",),
    "aiohttp.connector": ("BaseConnector",),
    "awslambdaric.lambda_runtime_client": ("LambdaRuntimeClient",),
    "botocore": (),
    "botocore.client": ("BaseClient",),
    "botocore.endpoint": ("Endpoint",),
    "botocore.httpsession": ("URLLib3Session",),
    "botocore.session": ("Session",),
    "builtins": (),
    "collections": (),
    "http.client": ("HTTPConnection",),
    "httpx": (),
    "httpx._api": (),
    "httpx._client": ("AsyncClient", "Client"),
    "httpx._transports.default": ("AsyncHTTPTransport", "HTTPTransport"),
    "json": ("JSONDecoder", "JSONEncoder"),
    "logging": ("Logger",),
    "os": (),
    "random": (),
    "requests": (),
    "requests.adapters": ("HTTPAdapter",),
    "requests.sessions": ("Session",),
    "socket": ("socket",),
    "ssl": (),
    "subprocess": (),
    "time": (),
    "urllib3": (),
    "urllib3.connection": ("HTTPConnection",),
    "urllib3.connectionpool": ("HTTPConnectionPool",),
    "urllib3.poolmanager": ("PoolManager",),
    "urllib3.util.retry": ("Retry",),
}
"""Modules that libraries are known to patch, each with the classes that they patch in it."""
_CLASSES_ONLY: Final = frozenset(
    name
    for name, classes in _WATCHED.items()
    if classes and name.startswith(("aiohttp.", "aws", "boto", "httpx.", "requests.", "urllib3."))
)
"""Client libraries of which only the listed classes are compared: nobody patches their modules."""
_ABSENT: Final = object()


class _Snapshot(NamedTuple):
    owner: object
    names: dict[str, object]
    values: list[object]
    """The values in the order of the names; empty if the snapshot is made for one comparison."""


_LATEST: Final[dict[str, _Snapshot]] = {}
"""The latest snapshot of each namespace, by its dotted name."""
_ALWAYS_OTHER: Final = frozenset({"logging.Logger", "os"})
"""Namespaces in which each environment puts functions of its own."""


class SharedNamespaces(Part):
    """Finds the attributes that Init replaces in shared modules, and restores them on leaving.

    The snapshot of a module that Init is the first to import is taken when it has been executed.
    """

    def __init__(self, hook: ImportHook, own: Callable[[str], ModuleType | None]) -> None:
        self._hook = hook
        self._own = own
        self._hooked: set[str] = set()
        self._comparing = False
        self._before: list[_Snapshot] = []
        self._changes: list[tuple[object, str, object, object]] = []

    def take_snapshots(self) -> None:
        """Remember the namespaces as they are now."""
        self._comparing = True
        self._before = []
        absent = []
        for name in _WATCHED:
            module = sys.modules.get(name)
            if module is not None:
                self._take_snapshot(name, module)
            elif name not in self._hooked:
                absent.append(name)
        self._hook.add(self._executed, *absent)
        self._hooked.update(absent)

    def _executed(self, module: ModuleType) -> None:
        if self._comparing and self._own(module.__name__) is None:
            self._take_snapshot(module.__name__, module)

    def _take_snapshot(self, name: str, module: ModuleType) -> None:
        if name not in _CLASSES_ONLY:
            self._before.append(_snapshot_of(name, module))
        for class_name in _WATCHED[name]:
            owner = getattr(module, class_name, None)
            if owner is not None:
                self._before.append(_snapshot_of(f"{name}.{class_name}", owner))

    def compare(self) -> list[str]:
        """Attribute changes since `take_snapshots` to the function; return their names."""
        self._comparing = False
        changes = [change for snapshot in self._before for change in _compare(snapshot)]
        self._before = []
        self._changes += changes
        return [f"{_name_of(owner)}.{name}" for owner, name, _, _ in changes]

    def set_by_function(self, owner: object, name: str, value: object) -> bool:
        """Say whether Init has set an attribute to a value."""
        return any(
            owner is changed and name == its_name and value is new
            for changed, its_name, _, new in self._changes
        )

    def enter(self) -> Undo:
        self._changes = [
            (owner, name, _replace(owner, name, new), new) for owner, name, _, new in self._changes
        ]

        def leave() -> None:
            for owner, name, old, new in reversed(self._changes):
                # Otherwise a tool that had begun before (freezegun, responses) has ended in the
                # meantime, and the value that it has restored stays.
                if old is _ABSENT or vars(owner).get(name, _ABSENT) is new:
                    _replace(owner, name, old)

        return leave

    def discard(self) -> None:
        self._before = []
        self._changes = []


def _replace(owner: object, name: str, value: object) -> object:
    """Set or delete an attribute; return the value that was there."""
    before = vars(owner).get(name, _ABSENT)
    if value is not _ABSENT:
        setattr(owner, name, value)
    elif before is not _ABSENT:
        delattr(owner, name)
    return before


def _snapshot_of(name: str, owner: object) -> _Snapshot:
    """Return a snapshot of a namespace: the latest one, if nothing has changed.

    A snapshot may hold thousands of references, and the garbage collector follows the references of
    new objects on each of its runs.
    """
    namespace = vars(owner)
    if name in _ALWAYS_OTHER:
        return _Snapshot(owner, dict(namespace), [])
    latest = _LATEST.get(name)
    values = list(namespace.values())
    if latest is None or latest.owner is not owner or not _are_same(latest.values, values):
        before = dict(namespace)
        latest = _Snapshot(owner, before, list(before.values()))
        if not any(map(_is_passing, latest.values)):
            _LATEST[name] = latest
    return latest


def _are_same(values: list[object], others: list[object]) -> bool:
    """Say whether two lists hold the same objects.

    A comparison of lists is twenty times as fast, and sees no difference between a function and an
    object of wrapt around it.
    """
    return values == others and ("wrapt" not in sys.modules or all(map(is_, values, others)))


def _is_passing(value: object) -> bool:
    """Say whether a value belongs to an environment, a clock or a test, and must not be kept."""
    if type(value) is FunctionType:
        return "_lambda_spy" in vars(value) or is_own_value(value)
    return (type(value) is MethodType and is_own_value(value)) or type(
        value
    ).__module__ == "unittest.mock"


def _compare(snapshot: _Snapshot) -> Iterator[tuple[object, str, object, object]]:
    owner, before, values = snapshot
    now = vars(owner)
    # Two dicts would be compared by looking up each name.
    if _are_same(list(now.values()), values or list(before.values())):
        return
    names = [name for name, value in list(now.items()) if before.get(name, _ABSENT) is not value]
    names += [name for name in before if name not in now]
    for name in names:
        value = now.get(name, _ABSENT)
        if not _is_expected(owner, name, before.get(name), value):
            yield owner, name, before.get(name, _ABSENT), value


def _is_expected(owner: object, name: str, before: object, now: object) -> bool:
    """Say whether Python has made a change, or another part restores it."""
    if name.startswith("__") and not (callable(now) or callable(before)):
        return True  # such as __annotations__
    if owner is logging and name.startswith("_"):
        return True  # `LoggingTree` restores these
    return _is_submodule(owner, name, now) or _is_stand_in(now)


def _is_submodule(owner: object, name: str, value: object) -> bool:
    """Say whether an import has set the attribute, such as ``handlers`` of ``logging``.

    It stays, as the module does.
    """
    return isinstance(owner, ModuleType) and sys.modules.get(f"{owner.__name__}.{name}") is value


def _is_stand_in(value: object) -> bool:
    """Say whether an entered environment has put a function there, perhaps one nested in Init.

    A function that wraps one of ours has the name of our module, by `functools.wraps`.
    """
    function = value.__func__ if isinstance(value, MethodType) else value
    if not isinstance(function, FunctionType):
        return False
    return is_own_value(function) and is_own_file(function.__code__.co_filename)


def _name_of(owner: object) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    return f"{owner.__module__}.{getattr(owner, '__qualname__', '')}"
