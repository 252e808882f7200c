"""One environment's own slice of `sys.modules`, and the only place that writes it.

A *world* is entered and left.  Entered, its modules are what ``import`` finds; left, the very same
module objects that were there before are back.  A new world is empty, so the first import of the
function's code runs it afresh.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from operator import is_not
from types import ModuleType

from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
    is_source_under,
    real,
)
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook, find_spec, list_again
from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.unclosed import ended

__all__ = ["Keep", "World", "is_rewritten"]

Keep = Callable[[str, ModuleType, bool], bool]
"""Says of a module, by its name and whether the function has a module of that name as well, if it
stays shared.
"""

_EXTENSION_SUFFIXES = tuple(importlib.machinery.EXTENSION_SUFFIXES)
_INSTALLED: dict[Callable[[str], bool], dict[str, ModuleType]] = {}
"""Modules that are installed or built in, by the rule for fresh packages: no cold start need look
at them again.
"""

_FOREIGN: dict[str, ModuleType] = {}
"""`World._foreign` of the one that is entered: the same for all, or the garbage collector would
follow each of its references in each of its runs as long as it was new."""


class World(PhasePart):
    """The modules of one environment.

    ``import_path`` are the folders that Lambda would put first on `sys.path` (task root, layers).
    A module belongs to the world if its file lies under one of them and is not installed there
    (site-packages, an in-tree virtual environment), or if its top-level name is in ``fresh``;
    another folder's module that would hide one of these belongs to it, too (two functions with a
    ``utils``).  ``keep`` names modules that never do.
    """

    def __init__(
        self, import_path: Sequence[str], *, fresh: Callable[[str], bool], keep: Keep
    ) -> None:
        self._import_path = list(import_path)
        self._roots = [real(folder) for folder in self._import_path]
        self._names = _top_level_names(self._roots)
        self._fresh = fresh
        self._keep = keep
        self.hook = ImportHook()
        self.modules: dict[str, ModuleType] = {}
        self.shared: dict[str, str] = {}
        """Packages under the import path that cannot be imported twice, with the reason."""
        self._entered = False
        self._in_phase = False
        self._base = 0
        self._marker = ""
        self._known: dict[str, ModuleType] = {}
        """Those that were found to belong here the last time that somebody looked."""
        self._elsewhere: dict[str, tuple[ModuleType | None, bool]] = {}
        self._remembered: dict[str, ModuleType] = {}
        self._by_function: set[str] = set()
        self._kept: set[str] = set()
        """Names under which modules would belong here, and stay the tests'."""
        self._count = 0
        self._newest_name = ""
        self._sample = ""
        self._sample_module: ModuleType | None = None
        """One of those modules: a whole copy of `sys.modules` that was made outside hides it."""
        self.parked: dict[str, ModuleType] = {}
        """While entered: the outside modules that this world's names hide."""
        self._replaced: dict[str, ModuleType] = {}
        self._installed = (
            {} if any(map(is_installed, self._roots)) else _INSTALLED.setdefault(fresh, {})
        )
        self._foreign: dict[str, ModuleType] = {}
        """While entered: the modules that are not of this world."""
        self._folders: dict[str, bool] = {}

    # -- entering and leaving ----------------------------------------------------------------------

    def enter(self) -> Undo:
        """Put this world's modules in place; the returned call takes them out again."""
        self.parked = self._collect()
        attach_parked = _detach(self.parked)
        for name in self.parked:
            del sys.modules[name]
        self._foreign = _FOREIGN
        _FOREIGN.clear()
        _FOREIGN.update(sys.modules)
        self._entered = True
        self._base, self._marker = len(self._foreign), next(reversed(self._foreign), "")
        sys.modules.update(self.modules)
        sys.modules.update(self._replaced)
        self._remember(self.modules, self._foreign.keys() & {*self.modules, *self._replaced})
        _attach(self.modules)
        list_again(self._import_path)

        def leave() -> None:
            self._take_out()
            self._entered = False
            self._foreign = {}
            sys.modules.update(self.parked)
            self.parked = {}
            attach_parked()

        return leave

    def _take_out(self) -> None:
        """Move this world's modules out of `sys.modules`, and put shared ones back that somebody
        replaced meanwhile.
        """
        self._look()
        self.modules = self._collect()
        _detach(self.modules)
        for name in self.modules:
            del sys.modules[name]
        self._replaced = {}
        if sys.modules != self._foreign:
            changed = [
                (name, one)
                for name, one in self._foreign.items()
                if (now := sys.modules.get(name)) is not one and not _ends_stub(name, one, now)
            ]
            self._replaced = {name: sys.modules[name] for name, _ in changed if name in sys.modules}
            sys.modules.update(changed)

    # -- what the test does between phases ---------------------------------------------------------

    def begin_phase(self) -> None:
        """Take changes of `sys.modules` since the last phase for changes of the test."""
        self._look()
        self._in_phase = True

    def end_phase(self) -> None:
        """Remember the modules that function code leaves."""
        self._in_phase = False
        modules = sys.modules
        if len(modules) != self._count or next(reversed(modules)) is not self._newest_name:
            self._remember(self.own_modules(), self._foreign)

    def _remember(self, own: dict[str, ModuleType], changed: Collection[str]) -> None:
        """Take what `sys.modules` has now for the function's doing: nothing else than ``changed``
        is of others.
        """
        self._remembered = own
        self._count = len(sys.modules)
        self._newest_name = next(reversed(sys.modules))
        self._sample = next(iter(own), "")
        self._sample_module = own.get(self._sample)
        foreign = self._foreign
        if changed is foreign and self._first(foreign) == self._first(
            sys.modules
        ):  # as a rule: none need be looked up
            changed = list(foreign)[self._base :]
        now, before = list(map(sys.modules.get, changed)), list(map(foreign.get, changed))
        self._by_function = (
            set() if now == before else set(compress(changed, map(is_not, now, before)))
        )

    def _first(self, modules: dict[str, ModuleType]) -> list[ModuleType]:
        """Return those that were there when this world entered, if none has been taken out."""
        return list(islice(modules.values(), self._base))

    def _look(self) -> None:
        """Accept what the test stubs and unstubs; put own modules back that
        ``patch.dict(sys.modules)`` threw out.
        """
        modules = sys.modules
        if self._in_phase or (
            len(modules) == self._count
            and next(reversed(modules)) is self._newest_name
            and modules.get(self._sample) is self._sample_module
        ):
            return
        for name, module in self._remembered.items():
            current = sys.modules.get(name)
            if current is None or current is self.parked.get(name):
                sys.modules[name] = module
        for name, module in list(self._foreign.items()):
            current = sys.modules.get(name)
            if current is not module and name not in self._by_function:
                if current is None:
                    del self._foreign[name]
                else:
                    self._foreign[name] = current
        self._remember(self._remembered, self._foreign)

    def discard(self) -> None:
        """Forget the modules: a new process imports everything afresh.  To be called between leave
        and enter.
        """
        if self.modules:
            ended(self.modules.values())
        self.modules, self._known, self._remembered, self._replaced, self._elsewhere = (
            {},
            {},
            {},
            {},
            {},
        )

    def adopt(self) -> dict[str, ModuleType]:
        """Give fresh packages the children that were kept (a test package inside the function's
        package).

        Returns this world's modules by name.
        """
        own = self.own_modules()
        for name in self._kept:
            package, _, child = name.rpartition(".")
            if package in own and name in sys.modules:
                vars(own[package]).setdefault(child, sys.modules[name])
        return own

    def own(self, name: str) -> ModuleType | None:
        """Return this world's module of that name, or None."""
        if not self._entered:
            return self.modules.get(name)
        module = sys.modules.get(name)
        return module if module is not None and self.owns(name, module) else None

    def own_modules(self) -> dict[str, ModuleType]:
        """Return this world's modules by name."""
        return self._collect() if self._entered else self.modules

    def twins(self, others: Iterable[Mapping[str, ModuleType]]) -> Iterator[tuple[str, ModuleType]]:
        """Yield the modules of ``others`` that were loaded from the same files as this world's."""
        own = self.own_modules()
        for name, module in (pair for modules in others for pair in modules.items()):
            ours = own.get(name)
            if ours is not None and getattr(ours, "__file__", None) == getattr(
                module, "__file__", ours
            ):
                yield name, module

    def is_source(self, name: str) -> bool:
        """Say whether a module of its is function code, and not a fresh package's."""
        return not self._fresh(name)

    def module_length(self, parts: Sequence[str]) -> int:
        """Say how many of the leading ``parts`` of a dotted name are modules, importing nothing."""
        path: Sequence[str] | None = [*self._import_path, *sys.path]
        for length, part in enumerate(parts):
            spec = importlib.machinery.PathFinder.find_spec(".".join([*parts[:length], part]), path)
            if spec is None:
                spec = find_spec(
                    ".".join([*parts[:length], part]), None if length == 0 else path, skip=self.hook
                )
            if spec is None:
                return length
            if spec.submodule_search_locations is None:
                return length + 1
            path = list(spec.submodule_search_locations)
        return len(parts)

    # -- who belongs here --------------------------------------------------------------------------

    def owns(self, name: str, module: ModuleType) -> bool:
        """Say whether a module belongs to this world."""
        if self._foreign.get(name) is module or self._installed.get(name) is module:
            return False
        if self._belongs(name, module):
            return True
        self._foreign[name] = module
        folder = folder_of_module(module)
        if (folder is None or is_installed(folder)) and name not in self._kept:
            self._installed[name] = module
        return False

    def _collect(self) -> dict[str, ModuleType]:
        """Find this world's modules; while entered, among those alone that came after."""
        foreign, known = self._foreign if self._entered else self._installed, self._known
        newest = self._newest() if self._entered else None
        found: Mapping[str, ModuleType | None] = sys.modules if newest is None else newest
        try:  # without a copy, which would touch every module
            strange = _differing(found, foreign)
        except RuntimeError:  # something was imported meanwhile
            strange = _differing({**found}, foreign)
        own = {
            name: module
            for name, module in strange
            if module is not None and (known.get(name) is module or self.owns(name, module))
        }
        unrepeatable = self._unrepeatable(own)
        if unrepeatable:
            self.shared.update(unrepeatable)
            for name in [name for name in own if name.partition(".")[0] in self.shared]:
                self._foreign[name] = own.pop(name)
        self._known = own
        return own

    def _newest(self) -> dict[str, ModuleType | None] | None:
        """Return what came into `sys.modules` since this world entered; None if that cannot be told
        by the order.
        """
        count = len(sys.modules) - self._base
        try:
            newest = list(islice(reversed(sys.modules.items()), count + 1))
        except (RuntimeError, ValueError):  # another thread imports something; or some are gone
            return None
        if not newest or newest[-1][0] != self._marker:
            return None
        return dict(newest[-2::-1])

    def _unrepeatable(self, modules: dict[str, ModuleType]) -> dict[str, str]:
        """Find packages with compiled parts: many refuse a second import in one process (numpy
        does).
        """
        return {
            name.partition(".")[
                0
            ]: f"{os.path.basename(file)} is compiled and cannot be imported twice"
            for name, module in modules.items()
            if isinstance(file := module.__dict__.get("__file__"), str)
            and file.endswith(_EXTENSION_SUFFIXES)
        }

    def _belongs(self, name: str, module: ModuleType) -> bool:
        top = name.partition(".")[0]
        if name == "__main__" or top in self.shared:
            return False
        if self._fresh(name):
            return not self._stays(name, module, False)
        folder = folder_of_module(module)
        if (
            folder is None
        ):  # made by hand: the function's if it appeared meanwhile under a name of the function's
            return self._entered and top in self._names and name not in self._foreign
        namesake = top in self._names and self._is_elsewhere(top)
        return (namesake or self._holds(folder)) and not self._stays(name, module, namesake)

    def _stays(self, name: str, module: ModuleType, namesake: bool) -> bool:
        """Say whether a module that would belong here is the tests'."""
        stays = self._keep(name, module, namesake)
        if stays:
            self._kept.add(name)
        return stays

    def _is_elsewhere(self, top: str) -> bool:
        """Say whether a top-level module was loaded from a folder that is neither ours nor for
        installed packages.
        """
        module = sys.modules.get(top)
        known = self._elsewhere.get(top)
        if known is not None and known[0] is module:
            return known[1]
        folder = folder_of_module(module) if module is not None else None
        if folder is None or module is None or is_installed(folder):
            elsewhere = False
        else:
            home = os.path.dirname(folder) if "__path__" in module.__dict__ else folder
            elsewhere = home not in self._roots
        self._elsewhere[top] = module, elsewhere
        return elsewhere

    def _holds(self, folder: str) -> bool:
        """Say whether a folder is function code: under a root and not installed there."""
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = any(
                is_source_under(folder, root) for root in self._roots
            )
        return known


def _differing(
    found: Mapping[str, ModuleType | None], known: dict[str, ModuleType]
) -> list[tuple[str, ModuleType | None]]:
    return list(compress(found.items(), map(is_not, found.values(), map(known.get, found))))


def _ends_stub(name: str, before: ModuleType, now: ModuleType | None) -> bool:
    """Say whether a tool has ended that had put a stub there before the environment entered, which
    nobody noticed.
    """
    return _is_genuine(name, now) and not _is_genuine(name, before)


def _is_genuine(name: str, module: object) -> bool:
    if not issubclass(type(module), ModuleType):
        return False
    spec = object.__getattribute__(module, "__dict__").get(
        "__spec__"
    )  # a stub's attributes may do anything
    return getattr(spec, "name", None) == name


def is_rewritten(module: ModuleType) -> bool:
    """Say whether pytest loaded a module through its assertion rewriting: a test module, a
    conftest, a plugin.
    """
    spec = module.__dict__.get("__spec__")
    return type(getattr(spec, "loader", None)).__name__ == "AssertionRewritingHook"


def _top_level_names(roots: Iterable[str]) -> frozenset[str]:
    names: set[str] = set()
    for root in roots:
        with os.scandir(root) as entries:
            names.update(entry.name.partition(".")[0] for entry in entries)
    return frozenset(names)


def _parent_and_child(name: str) -> tuple[ModuleType | None, str]:
    parent, _, child = name.rpartition(".")
    return sys.modules.get(parent), child


def _detach(modules: dict[str, ModuleType]) -> Undo:
    """Remove modules from the parents that stay: ``from parent import child`` would find the
    attribute first.
    """
    undone: list[tuple[ModuleType, str, ModuleType]] = []
    for name, module in modules.items():
        parent, child = _parent_and_child(name)
        if (
            parent is not None
            and name.rpartition(".")[0] not in modules
            and parent.__dict__.get(child) is module
        ):
            delattr(parent, child)
            undone.append((parent, child, module))

    def attach_again() -> None:
        for parent, child, module in undone:
            setattr(parent, child, module)

    return attach_again


def _attach(modules: dict[str, ModuleType]) -> None:
    """Put modules back on the parents that stayed."""
    for name, module in modules.items():
        parent, child = _parent_and_child(name)
        if parent is not None and name.rpartition(".")[0] not in modules:
            setattr(parent, child, module)
