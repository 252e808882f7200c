"""Entries of shared modules in `sys.modules` that function code has replaced or removed.

On Lambda a handler that removes ``os``, or puts an object of its own there, breaks its own process
alone.  Here the test, pytest and this package import from the same dict.  So a module that function
code has removed is there again when the phase ends.  An object that function code has made by hand
(a stub, a module that raises on every access, None) is in place during phases alone.  A genuine
copy, which function code has imported again, stays between phases as well: a patch of the test by
the module's name has to reach the copy that function code uses.

Function code may also put an object that is no module under a new name: None blocks an import.  No
file tells whose such an object is, so the moment decides: an object that has come in a phase
belongs to the function, and one that has come between phases to the test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import compress, islice, repeat
from operator import is_, is_not
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.modules.submodules import attach
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["ReplacedModules", "Replacements", "are_same", "is_genuine", "is_odd"]

_MISSING: Final[Any] = object()


class ReplacedModules:
    """What function code has put in the places of shared modules."""

    def __init__(self) -> None:
        self.own: dict[str, Any] = {}
        """The objects of the function, by their names."""
        self.names: set[str] = set()
        """The names under which these are in `sys.modules` now."""
        self.moved = False
        """A shared module was put back, and so stands behind those of the function."""
        self.odd: dict[Any, Any] = {}
        """Objects of the function under new names that are no modules; None blocks an import."""
        self.has_any = False
        """The function has any of both kinds; each phase asks."""
        self._shared: dict[str, ModuleType] = {}
        self._base = 0

    def start(self, shared: dict[str, ModuleType]) -> None:
        """Take the shared modules of the world that enters, which may come to be more."""
        self._shared = shared
        self._base = len(shared)
        self.moved = False
        self.names = set()

    def enter(self, *, in_phase: bool) -> None:
        """Put the function's objects in place, as at the moment when the environment left."""
        if in_phase:
            self.put_odd()
        for name, module in self.own.items():
            if in_phase or is_genuine(name, module):
                self._put(name, module)

    def leave(self) -> None:
        """Put the shared modules back."""
        for name in self._differing():
            now = sys.modules.get(name, _MISSING)
            if _ends_stub(name, self._shared[name], now):
                self.own.pop(name, None)
                continue
            if now is not _MISSING:
                self.own[name] = now
            self._put_back(name)
        self.names = set()
        self._shared = {}
        self.has_any = bool(self.own or self.odd)

    def discard(self) -> None:
        """Forget the objects of a process that has ended."""
        self.own = {}
        self.odd = {}
        self.has_any = False

    def attribute_to_test(self, newest: Mapping[str, Any], own: Mapping[str, ModuleType]) -> None:
        """Attribute entries that the function has not changed to the test, as they are now.

        ``own`` are the modules of the function.
        """
        shared: dict[str, Any] = self._shared
        modules: dict[str, Any] = sys.modules
        for name, module in list(shared.items()):
            current = modules.get(name)
            if current is not module and name not in self.names:
                if current is None:
                    del shared[name]
                else:
                    shared[name] = current
        for name, one in newest.items():
            known = name in own or name in self.odd
            if not known and one is not None and not is_genuine(name, one):
                shared[name] = one
        for name, one in list(modules.items()):
            if type(one) is not ModuleType and name not in self.odd and is_odd(name, one):
                shared.setdefault(name, one)

    def put_odd(self) -> None:
        """Put those objects of the function in place, in a phase."""
        modules: dict[Any, Any] = sys.modules
        for name, one in self.odd.items():
            modules.setdefault(name, one)

    def take_odd(self) -> None:
        """Take them out again."""
        modules: dict[Any, Any] = sys.modules
        for name, one in self.odd.items():
            if modules.get(name, _MISSING) is one:
                del modules[name]

    def find_odd(self, newest: Mapping[str, Any] | None) -> None:
        """Find these objects; ``newest`` are the entries that have come since the world entered."""
        found: Mapping[str, Any] = sys.modules if newest is None else newest
        shared = self._shared
        self.odd = {
            name: one
            for name, one in list(found.items())
            if (type(one) is not ModuleType or type(name) is not str)
            and name not in shared
            and is_odd(name, one)
        }
        self.has_any = bool(self.own or self.odd)

    def begin_phase(self) -> None:
        """Put those objects in place that function code has made by hand."""
        self.put_odd()
        for name, module in list(self.own.items()):
            if is_genuine(name, module):
                continue
            if sys.modules.get(name) is self._shared.get(name):
                self._put(name, module)
            else:
                del self.own[name]  # the test has put another one there
        self.has_any = bool(self.own or self.odd)

    def end_phase(self) -> None:
        """Put the shared modules back that function code has removed, or hidden by such objects."""
        self.take_odd()
        self.own = {}
        self.names = set()
        for name in self._differing():
            now = sys.modules.get(name, _MISSING)
            if now is not _MISSING:
                self.own[name] = now
            if is_genuine(name, now):
                self.names.add(name)
            else:
                self._put_back(name)
        self.has_any = bool(self.own or self.odd)

    def _put(self, name: str, module: Any) -> None:  # noqa: ANN401  # anything may lie there
        sys.modules[name] = module
        self.names.add(name)

    def _put_back(self, name: str) -> None:
        module = self._shared[name]
        self.moved |= name not in sys.modules
        sys.modules[name] = module
        attach({name: module})

    def _differing(self) -> list[str]:
        shared, modules = self._shared, sys.modules
        # As a rule, those that were there when the world entered are there still.
        first = [list(islice(some.values(), self._base)) for some in (shared, modules)]
        names = list(islice(shared, self._base if are_same(*first) else 0, None))
        now = map(modules.get, names, repeat(_MISSING))
        return list(compress(names, map(is_not, now, map(shared.get, names))))


class Replacements(Part):
    """The modules that function code has put in the places of shared ones, as a part."""

    def __init__(self, enter: Callable[[], Undo]) -> None:
        """``enter`` is `World.enter_replaced`."""
        self._enter = enter

    def enter(self) -> Undo:
        return self._enter()


def are_same(values: list[Any], others: list[Any]) -> bool:
    """Say whether two lists hold the same objects.

    A comparison of lists is many times as fast as one of their items, but finds objects equal that
    say so: those of wrapt are equal to the functions that they wrap.
    """
    try:
        same = values == others
    except Exception:  # an object that cannot be compared
        same = False
    return same and ("wrapt" not in sys.modules or all(map(is_, values, others)))


def is_odd(name: object, one: object) -> bool:
    """Say whether an entry of `sys.modules` is no module.

    A library may put an object of a class of its own in its own place, which counts as a module.
    """
    if type(name) is not str:
        return True
    cls = type(one)
    home = getattr(cls, "__module__", None)
    top = name.partition(".")[0]
    return not issubclass(cls, ModuleType) and (
        not isinstance(home, str) or home.partition(".")[0] != top
    )


def is_genuine(name: str, module: object) -> bool:
    """Say whether an entry of `sys.modules` was made by the import system, under this name."""
    cls = type(module)
    if not issubclass(cls, ModuleType) or cls.__getattribute__ is not ModuleType.__getattribute__:
        return False
    namespace = namespace_of(module) or {}
    return getattr(namespace.get("__spec__"), "name", None) == name


def _ends_stub(name: str, before: object, now: object) -> bool:
    """Say whether a tool has ended that had put a stub there before the environment entered."""
    return is_genuine(name, now) and not is_genuine(name, before)
