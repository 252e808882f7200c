"""What function code replaces in modules that it shares with the outside."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["SharedNamespaces"]


_WATCHED: Final[dict[str, tuple[str, ...]]] = {
    "awslambdaric.lambda_runtime_client": ("LambdaRuntimeClient",),
    "botocore": (),
    "botocore.client": ("BaseClient",),
    "botocore.endpoint": ("Endpoint",),
    "botocore.httpsession": ("URLLib3Session",),
    "botocore.session": ("Session",),
    "builtins": (),
    "collections": (),
    "http.client": ("HTTPConnection",),
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
    "urllib3.connectionpool": ("HTTPConnectionPool",),
    "urllib3.poolmanager": ("PoolManager",),
}
"""Modules that libraries are known to patch; of those with classes that they patch, the classes
alone are looked at where the module's own names are nobody's to patch (`_CLASSES_ONLY`)."""
_CLASSES_ONLY: Final = frozenset(
    name
    for name, classes in _WATCHED.items()
    if classes and name.startswith(("aws", "boto", "requests.", "urllib3."))
)
_ABSENT: Final = object()


class _Photograph(NamedTuple):
    owner: object
    names: dict[str, object]
    values: list[object]
    """Of the names, in their order; none where the photograph is not kept, and has to be light."""


_TAKEN: Final[dict[str, _Photograph]] = {}
"""The latest photograph of each namespace, by its dotted name."""
_ALWAYS_OTHER: Final = frozenset({"logging.Logger", "os"})
"""Those in which each environment puts functions of its own."""


class SharedNamespaces(Part):
    """What function code replaces in shared modules while it is being imported (``builtins.print =
    …``).

    Photographs are taken around Init, since that is where libraries patch, and since a test's own
    patches of the same modules must not be mistaken for the function's.  A module that is first
    imported by Init is photographed as soon as it has been executed.
    """

    def __init__(self, hook: ImportHook, own: Callable[[str], ModuleType | None]) -> None:
        self._hook = hook
        self._own = own
        self._hooked: set[str] = set()
        self._comparing = False
        self._before: list[_Photograph] = []
        self._changes: list[tuple[object, str, object, object]] = []

    def photograph(self) -> None:
        """Remember the namespaces as they are now."""
        self._comparing = True
        self._before = []
        absent = []
        for name in _WATCHED:
            module = sys.modules.get(name)
            if module is not None:
                self._photograph(name, module)
            elif name not in self._hooked:
                absent.append(name)
        self._hook.add(self._executed, *absent)
        self._hooked.update(absent)

    def _executed(self, module: ModuleType) -> None:
        if self._comparing and self._own(module.__name__) is None:
            self._photograph(module.__name__, module)

    def _photograph(self, name: str, module: ModuleType) -> None:
        if name not in _CLASSES_ONLY:
            self._before.append(_photograph_of(name, module))
        for class_name in _WATCHED[name]:
            owner = getattr(module, class_name, None)
            if owner is not None:
                self._before.append(_photograph_of(f"{name}.{class_name}", owner))

    def compare(self) -> list[str]:
        """Take what has changed since `photograph` as the environment's own; returns the names of
        it.
        """
        self._comparing = False
        changes = [change for photograph in self._before for change in _compare(photograph)]
        self._before = []
        self._changes += changes
        return [f"{_name_of(owner)}.{name}" for owner, name, _, _ in changes]

    def enter(self) -> Undo:
        self._changes = [
            (owner, name, _replace(owner, name, new), new) for owner, name, _, new in self._changes
        ]

        def leave() -> None:
            for owner, name, old, new in reversed(self._changes):
                # Else a tool has ended meanwhile that had begun before (freezegun, responses): what
                # it put back stays.
                if old is _ABSENT or vars(owner).get(name, _ABSENT) is new:
                    _replace(owner, name, old)

        return leave

    def discard(self) -> None:
        self._before = []
        self._changes = []


def _replace(owner: object, name: str, value: object) -> object:
    """Set or delete an attribute; returns what was there."""
    before = vars(owner).get(name, _ABSENT)
    if value is not _ABSENT:
        setattr(owner, name, value)
    elif before is not _ABSENT:
        delattr(owner, name)
    return before


def _photograph_of(name: str, owner: object) -> _Photograph:
    """Remember a namespace.  The same one as the last time, if nothing has changed.

    It may hold thousands of references, and the garbage collector follows those of what is new in
    each of its runs.
    """
    namespace, taken = vars(owner), _TAKEN.get(name)
    if name in _ALWAYS_OTHER:
        return _Photograph(owner, dict(namespace), [])
    if taken is None or taken.owner is not owner or taken.values != list(namespace.values()):
        before = dict(namespace)
        taken = _Photograph(owner, before, list(before.values()))
        if not any(map(_is_passing, taken.values)):
            _TAKEN[name] = taken
    return taken


def _is_passing(value: object) -> bool:
    """Say whether a value is an environment's, a clock's or a test's: it must not be held for
    longer than they last.
    """
    if type(value) is FunctionType:
        return "_lambda_spy" in vars(value)
    return (type(value) is MethodType and is_own_value(value)) or type(
        value
    ).__module__ == "unittest.mock"


def _compare(photograph: _Photograph) -> Iterator[tuple[object, str, object, object]]:
    owner, before, values = photograph
    now = vars(owner)
    if list(now.values()) == (
        values or list(before.values())
    ):  # two dicts would be compared by looking up each name
        return
    names = [name for name, value in list(now.items()) if before.get(name, _ABSENT) is not value]
    names += [name for name in before if name not in now]
    for name in names:
        value = now.get(name, _ABSENT)
        of_the_tree = owner is logging and name.startswith("_")  # `LoggingTree` has these
        of_python = name.startswith("__") and not (
            callable(value) or callable(before.get(name))
        )  # __annotations__
        if not (
            of_python or of_the_tree or _is_submodule(owner, name, value) or _is_stand_in(value)
        ):
            yield owner, name, before.get(name, _ABSENT), value


def _is_submodule(owner: object, name: str, value: object) -> bool:
    """Say whether the import of ``logging.handlers`` has set ``logging.handlers``: it stays, as the
    module does.
    """
    return isinstance(owner, ModuleType) and sys.modules.get(f"{owner.__name__}.{name}") is value


def _is_stand_in(value: object) -> bool:
    """Say whether it is a function that an entered environment put there; one nested in Init may
    have renewed it.
    """
    return isinstance(value, (FunctionType, MethodType)) and is_own_value(value)


def _name_of(owner: object) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    return f"{owner.__module__}.{getattr(owner, '__qualname__', '')}"
