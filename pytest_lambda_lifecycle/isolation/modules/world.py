"""One environment's own slice of `sys.modules`, and the only place that writes it.

A *world* is entered and left.  While it is entered, its modules are those that ``import`` finds;
when it has left, the very same module objects that were there before are there again.  A new world
is empty, so the first import of the function's code runs it again.

The simple way would be to save `sys.modules` and to restore it.  It fails in three ways.  Modules
of shared libraries that function code is the first to import would be imported again for each
environment, which takes seconds, and some refuse it.  A test puts stubs into `sys.modules` between
phases, which must stay and act at once.  And function code puts stubs there as well, which must go.
So each module is asked whether it belongs to the function (`Membership`), and the others stay.

A cold start has about a millisecond, and `sys.modules` a thousand entries or more.  To look at each
of them takes a good part of it, so three answers are kept.  A module that is installed belongs to
no function with the same rule for fresh packages (`_INSTALLED`).  A module that was there when the
world entered is not looked at again (`World._foreign`).  And as a dict keeps its order, the modules
after the last of those are the ones that have come since (`entries.newest`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Final
from weakref import WeakSet

from pytest_lambda_lifecycle.isolation.dict_versions import Versions
from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
)
from pytest_lambda_lifecycle.isolation.modules.deployment import Deployment
from pytest_lambda_lifecycle.isolation.modules.entries import SeenModules, differing, newest
from pytest_lambda_lifecycle.isolation.modules.fresh_packages import FreshRule
from pytest_lambda_lifecycle.isolation.modules.holders import find_holders, modules_of
from pytest_lambda_lifecycle.isolation.modules.import_hook import (
    ImportHook,
    list_again,
    module_length,
)
from pytest_lambda_lifecycle.isolation.modules.kept_code import KeptNames
from pytest_lambda_lifecycle.isolation.modules.last_look import LastLook
from pytest_lambda_lifecycle.isolation.modules.membership import Keep, Membership
from pytest_lambda_lifecycle.isolation.modules.replaced import ReplacedModules, is_genuine, is_odd
from pytest_lambda_lifecycle.isolation.modules.submodules import adopt, attach, detach
from pytest_lambda_lifecycle.isolation.part import PhasePart, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.unclosed import ended

__all__ = ["World", "outside_module", "sweep"]

_INSTALLED: Final[dict[FreshRule, dict[str, ModuleType]]] = {}
"""Modules that are installed or built in, for each rule for fresh packages."""

_FOREIGN: Final[dict[str, ModuleType]] = {}
"""Modules that do not belong to the entered world.

There is one dict for all worlds, since the garbage collector scans a new dict of a thousand modules
on each of its runs.
"""

_MODULES: Final = Versions([sys.modules])
_SEEN: Final = SeenModules(_FOREIGN)
_ENDED: Final[dict[tuple[str, ...], set[str]]] = {}
"""The names of modules of processes that have ended, for each import path."""
_AWAY: Final[WeakSet[World]] = WeakSet()
"""Worlds that have modules and are not entered."""
_ENTERED: Final[list[World]] = []
_THIS: Final = sys.modules[__name__]


class World(PhasePart):
    """The modules of one environment."""

    def __init__(
        self,
        import_path: Sequence[str],
        *,
        fresh: FreshRule,
        keep: Keep,
        deployment: Deployment,
    ) -> None:
        """See `Membership` for the parameters."""
        self._fresh = fresh
        self._import_path = list(import_path)
        self._deployment = deployment
        self._membership = Membership(import_path, fresh=fresh, keep=keep, deployment=deployment)
        self.names = self._membership.names
        """The top-level names of modules that the task root and the layers have."""
        self._kind = tuple(import_path), fresh, self.names, keep
        """What decides which modules are its own, beside what the deployment says."""
        self.shared = self._membership.compiled
        """Packages under the import path that cannot be imported twice, with the reason."""
        self.hook = ImportHook()
        self.hook.kept = KeptNames(self.names, fresh)
        self.modules: dict[str, ModuleType] = {}
        """The modules of this world, while it is not entered."""
        self.parked: dict[str, ModuleType] = {}
        """While entered: the modules of outside that this world's modules hide."""
        self._outside: dict[str, ModuleType] = {}
        """The same once this world has left."""
        self.given: set[str] = set()
        """The names of modules that a test has asked the environment for."""
        self._replaced = ReplacedModules()
        self._entered = False
        self._in_phase = False
        self._dict = sys.modules
        """The dict itself, in the place of which function code may put another one."""
        self._base = 0
        """The number of modules when this world entered, its own not counted."""
        self._marker = ""
        """The name of the last of those."""
        self._foreign: dict[str, ModuleType] = {}
        """While entered: the modules that are not of this world."""
        self._strangers: dict[str, ModuleType] = {}
        """Others under the same names that are not of this world either."""
        self._installed = (
            {} if self._membership.in_installed_folder else _INSTALLED.setdefault(fresh, {})
        )
        self._known: dict[str, ModuleType] = {}
        """The modules that were found to belong here by the latest look at `sys.modules`."""
        self._version: list[int] | None = None
        """The version of `sys.modules` at that look, if it tells."""
        self._last = LastLook()

    def enter(self) -> Undo:
        """Put this world's modules in place; the returned call takes them out again."""
        self.remove_again()
        self._deployment.look()
        sys.modules[__name__] = sys.modules.pop(__name__, _THIS)  # last, as nobody moves it
        kind = *self._kind, *self._deployment.kind()
        if _SEEN.are_present(kind):
            self.parked = {}
            attach_parked = nothing_to_undo
        else:
            attach_parked = self._park(kind)
        self._foreign = _FOREIGN
        self._strangers = {}
        self._version = None
        self._entered = True
        _ENTERED.append(self)
        self._dict = sys.modules
        self._base = len(self._foreign)
        self._marker = next(reversed(self._foreign), "")
        self._replaced.start(self._foreign)
        sys.modules.update(self.modules)
        self._last.note(self.modules, has_run=False)
        attach(self.modules)
        list_again(self._import_path)

        def leave() -> None:
            self._take_out()
            self._entered = False
            _ENTERED.remove(self)
            self._foreign = {}
            sys.modules.update(self.parked)
            self._outside = self.parked
            self.parked = {}
            attach_parked()

        return leave

    def _park(self, kind: object) -> Undo:
        """Take the modules out that are of this world and were loaded outside; note the others."""
        self.parked = self._collect()
        attach_parked = detach(self.parked)
        for name in self.parked:
            del sys.modules[name]
        _FOREIGN.clear()
        _FOREIGN.update(sys.modules)
        is_known = not (self.parked or self._membership.kept or self._membership.compiled)
        _SEEN.note(kind if is_known else None)
        return attach_parked

    def enter_replaced(self) -> Undo:
        """Put the modules in place that function code has put in the places of shared ones.

        This is the last step of entering.  The returned call is the first step of leaving: so all
        parts find the modules of the test.
        """
        self._replaced.enter(in_phase=self._in_phase)

        def leave() -> None:
            self._keep_dict()
            self._look()
            if self._replaced.own or self._last.differs(before_any=True):
                self._replaced.leave()

        return leave

    def _take_out(self) -> None:
        """Move this world's modules out of `sys.modules`."""
        self._look()
        if self._in_phase:
            self._replaced.find_odd(self._newest())
        self.modules = self._collect()
        if self.modules:
            self._take_holders()
            _AWAY.add(self)
        detach(self.modules)
        for name in self.modules:
            del sys.modules[name]
        self._replaced.take_odd()

    def _take_holders(self) -> None:
        """Take packages as well that hold objects of fresh ones; they are fresh from now on."""
        while packages := find_holders(self._newest() or {}, self.modules, self._fresh):
            for package in packages:
                self._fresh.add(package)
            for name in modules_of(packages):
                self._foreign.pop(name, None)
                self._installed.pop(name, None)
                self._strangers.pop(name, None)
            _SEEN.note(None)
            self._version = None
            before, self.modules = self.modules, self._collect()
            if len(before) == len(self.modules):
                break

    def remove_again(self) -> None:
        """Remove this world's modules from `sys.modules`, while this world is not entered.

        A ``patch.dict(sys.modules)`` that began while it was entered puts them back when it ends.
        """
        if self._entered:
            return
        for name, module in self.modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
                if name in self._outside:
                    sys.modules[name] = self._outside[name]

    def discard(self) -> None:
        """Forget the modules: a new process imports everything again.

        Call it between leaving and entering.
        """
        if self.modules:
            _ENDED.setdefault(self._kind[0], set()).update(self.modules)
            self.remove_again()
            _AWAY.discard(self)
            ended(self.modules.values())
        self.modules = {}
        self._outside = {}
        self._known = {}
        self._last.forget()
        self._replaced.discard()
        self._membership.forget()

    # -- changes of the test between phases -------------------------------------------------------

    def begin_phase(self) -> None:
        modules, last = sys.modules, self._last
        if (  # `LastLook.has_changed`, without the call: each warm invoke asks
            len(modules) != last.count
            or next(reversed(modules)) is not last.newest
            or modules.get(last.sample) is not last.sample_module
        ):
            self._look()
        self._dict = modules
        if self._replaced.has_any:
            self._replaced.begin_phase()
        self._in_phase = True

    def end_phase(self) -> None:
        self._in_phase = False
        modules, last = sys.modules, self._last
        if (
            len(modules) != last.count
            or next(reversed(modules), "") is not last.newest
            or modules is not self._dict
            or self._replaced.has_any
        ):
            self._end_changed()

    def _end_changed(self) -> None:
        self._keep_dict()
        self._replaced.find_odd(self._newest())
        own = self._collect()
        self._replaced.end_phase()
        self._last.note(own)

    def before_turn(self) -> None:
        """Compare all entries before function code runs: others have been set by the test.

        `begin_phase` does not see a module that was put in the place of another one.
        """
        if self._last.differs(before_any=False):
            self._in_phase = False
            self._last.note_change()
            self._look()
            self._in_phase = True

    def after_turn(self) -> None:
        """Compare all entries once function code has run: `end_phase` attributes them to it."""
        self._keep_dict()
        if self._last.differs(before_any=True):
            self._last.note_change()

    def _look(self) -> None:
        """Attribute changes of `sys.modules` since the latest phase to the test.

        Its stubs stay, and so do their removals.  But modules of this world return that the end of
        a ``patch.dict(sys.modules)`` has removed.
        """
        if self._in_phase or not self._last.has_changed():
            return
        modules = sys.modules
        for name, module in self._last.own.items():
            current = modules.get(name)
            if current is None or current is self.parked.get(name):
                sys.modules[name] = module
        found = self._newest() or {}
        self._replaced.attribute_to_test(found, self._last.own)
        if self._deployment.hides:
            for name, one in found.items():
                if name not in self._last.own and one is not None and is_genuine(name, one):
                    self._set_aside(name, one)
        self._version = None
        self._last.note(self._last.own)

    def _set_aside(self, name: str, module: ModuleType) -> None:
        """Take a module out that the test has imported, if function code could not import it."""
        if not self._membership.is_foreign(name, module):
            return
        detach({name: module})
        del sys.modules[name]
        self.parked.setdefault(name, module)
        self._foreign.pop(name, None)

    def foreign(self, name: str) -> ModuleType | None:
        """Return the test's own module of a name that function code cannot import."""
        module = self.parked.get(name)
        hides = module is not None and self._membership.is_foreign(name, module)
        return module if hides else None

    def _keep_dict(self) -> None:
        """Undo an assignment of function code to `sys.modules`, which the import system ignores."""
        if sys.modules is not self._dict:
            sys.modules = self._dict

    # -- the modules of this world ----------------------------------------------------------------

    def own(self, name: str) -> ModuleType | None:
        """Return this world's module of that name, or None."""
        if not self._entered:
            return self.modules.get(name)
        module = sys.modules.get(name)
        return module if module is not None and self.owns(name, module) else None

    def own_modules(self) -> dict[str, ModuleType]:
        """Return this world's modules by name, without the objects that it has put under others."""
        own, made = self._collect() if self._entered else self.modules, self._membership.made
        return {n: one for n, one in own.items() if n not in made} if made else own

    def adopt(self) -> dict[str, ModuleType]:
        """Give fresh packages their kept children: a test package inside the function's package.

        Return this world's modules by name.
        """
        return adopt(self.own_modules(), self._membership.kept)

    def is_source(self, name: str) -> bool:
        """Say whether a module of this world is function code, and not of a fresh package."""
        return not self._membership.is_fresh(name)

    def was_imported_before(self, name: str) -> bool:
        """Say whether an earlier process of a function in the same folders had that module."""
        return name in _ENDED.get(self._kind[0], ())

    def module_length(self, parts: Sequence[str]) -> int:
        """Say how many of the leading ``parts`` of a dotted name are modules, importing nothing."""
        folders = [*self._import_path, *self._deployment.search_folders(), *sys.path]
        return module_length(parts, folders, skip=self.hook)

    def owns(self, name: str, module: ModuleType) -> bool:
        """Say whether a module belongs to this world."""
        if (
            self._foreign.get(name) is module
            or self._installed.get(name) is module
            or self._strangers.get(name) is module
            or (self.parked.get(name) is module and self.foreign(name) is module)
        ):
            return False
        if (type(module) is not ModuleType or type(name) is not str) and is_odd(name, module):
            return False
        is_new = self._entered and name not in self._foreign
        if self._membership.belongs(name, module, is_new=is_new):
            return True
        if name in self._foreign:
            self._strangers[name] = module
            return False
        self._foreign[name] = module
        folder = folder_of_module(module)
        if (folder is None or is_installed(folder)) and name not in self._membership.kept:
            self._installed[name] = module
        return False

    def _newest(self) -> dict[str, ModuleType | None] | None:
        """Return the modules that have come since this world entered, if their order tells."""
        return None if self._replaced.moved else newest(self._base, self._marker)

    def _collect(self) -> dict[str, ModuleType]:
        """Find this world's modules; while entered, only among those that have come since."""
        known = self._known
        version = _MODULES.now() if self._entered else None
        if version is not None and version == self._version:
            return known
        foreign = self._foreign if self._entered else self._installed
        found: Mapping[str, ModuleType | None] | None = None
        if self._entered:
            found = self._newest()
        if found is None:
            found = sys.modules
        try:  # without a copy, which would touch every module
            strange = differing(found, foreign)
        except RuntimeError:  # another thread has imported something
            strange = differing({**found}, foreign)
        own = {
            name: module
            for name, module in strange
            if module is not None and (known.get(name) is module or self.owns(name, module))
        }
        for name in self._membership.note_compiled(own):
            self._foreign[name] = own.pop(name)
        self._known, self._version = own, version
        return own


def outside_module(name: str) -> ModuleType | None:
    """Return the loaded module of a name that does not belong to an entered world."""
    module = sys.modules.get(name)
    for world in reversed(_ENTERED):
        if module is not None and world.owns(name, module):
            module = world.parked.get(name)
    return module


def sweep() -> None:
    """Remove modules of worlds that have left, where a tool has put them back.

    Call it when a test has ended and no environment is entered.
    """
    for world in list(_AWAY):
        world.remove_again()
