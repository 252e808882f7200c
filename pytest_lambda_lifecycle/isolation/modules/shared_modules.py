"""Attributes that function code replaces in modules that it shares (``builtins.print = ...``).

They are restored whenever the environment leaves, and set again when it enters.  A test patches the
same modules between phases, and its patches must not be attributed to the function.  So snapshots
of much patched modules are taken before each turn of function code and compared after it; what has
changed in between is the test's.

Two snapshots take as long as a warm invoke.  So after its first invokes, in which a test may well
look at each of them, only a few turns are watched.  Changes in the others are found at the next
watched turn, or when the environment leaves; then the value decides whose they are.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.errors import is_own_file
from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
    namespace_of,
)
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.modules.essentials import OF_OTHER_PARTS
from pytest_lambda_lifecycle.isolation.modules.import_hook import ImportHook
from pytest_lambda_lifecycle.isolation.modules.namespaces import (
    ABSENT,
    WATCHED,
    Change,
    Loaded,
    Namespaces,
    Snapshot,
    loaded_namespaces,
    of_module,
)
from pytest_lambda_lifecycle.isolation.modules.traced_modules import TracedModules, home_of
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import (
    Undo,
    is_genuine,
    is_of_test,
    note_later_patch,
)

__all__ = ["SharedNamespaces"]

_MADE_BY: Final[dict[tuple[str, str, str], tuple[object, object]]] = {}
"""The module and the first process of each change, by its owner, its name and the library."""
_OF_TESTS: Final = ("_pytest", __name__.partition(".")[0])
_PLAIN: Final = frozenset({ModuleType, type(None)})
"""The classes of watched modules, and of the absent ones."""
_NOTHING: Final = Loaded((), Namespaces.of([]), [])
_OTHER_PARTS: Final[dict[str, frozenset[str]]] = {
    "boto3": frozenset({"DEFAULT_SESSION"}),
    "logging": frozenset({"_logRecordFactory", "_loggerClass", "_warnings_showwarning"}),
    "logging.Formatter": frozenset({"converter"}),
    "os": frozenset({"environ"}),
    "sys": OF_OTHER_PARTS,
    "threading": frozenset({"_counter", "_profile_hook", "_trace_hook", "excepthook"}),
    "time": frozenset({"altzone", "clock", "daylight", "timezone", "tzname"}),
    "urllib.request": frozenset({"_opener"}),
    "warnings": frozenset(
        {"_showwarnmsg", "_showwarnmsg_impl", "filters", "formatwarning", "showwarning"}
    ),
}
"""Attributes that other parts restore, or that Python or freezegun (``time.clock``) sets."""


class SharedNamespaces(Part):
    """Finds the attributes that function code replaces in shared modules.

    The snapshot of a module that function code is the first to import is taken when the module has
    been executed.
    """

    _entered: ClassVar[SharedNamespaces | None] = None

    def __init__(
        self,
        hook: ImportHook,
        own: Callable[[str], ModuleType | None],
        report: Callable[[str, str], None],
        may_wrap: Callable[[str], bool],
    ) -> None:
        """``report`` is called with the dotted name of each attribute, and the library's name.

        That is the shared library which has made the change, as far as the new value tells, or "".
        """
        self._hook = hook
        self._is_hooked = False
        self._own = own
        self._traced = TracedModules(hook, own, may_wrap)
        self._report = report
        self._watching = False
        self._loaded = _NOTHING
        self._before = _NOTHING.found.nothing()
        self._imported: list[tuple[Namespaces, Snapshot]] = []
        """The same of modules that were imported since."""
        self._changes: dict[tuple[int, str], Change] = {}
        """What function code has changed, by the owner's id and the name."""
        self.unseen = False
        """Turns of function code were not watched."""
        self._process = object()

    def before_turn(self) -> None:
        """Remember the namespaces as they are now."""
        if self._watching:  # a test's signal handler has raised in the end of the turn before
            self.after_turn()
        loaded = loaded_namespaces()
        if loaded is self._loaded:
            self._before = loaded.found.snapshot(self._before)
        else:
            self._loaded = loaded
            self._before = loaded.first_snapshot()
            if not self._is_hooked:  # so late that it finds the stand-ins of other callbacks
                self._is_hooked = True
                self._hook.add(self._executed, WATCHED)
        self._imported = []
        self._watching = True
        self.unseen = False

    def go_on(self) -> None:
        """Begin a turn that follows the latest one at once: nothing has changed in between."""
        self._watching = True

    def _executed(self, module: ModuleType) -> None:
        name = module.__name__
        if not self._watching or self._own(name) is not None:
            return
        if self._loaded.modules[list(WATCHED).index(name)] is None:
            found = of_module(name, module)
            self._imported.append((found, found.snapshot(found.nothing())))

    def after_turn(self) -> None:
        """Attribute changes since `before_turn`, or since the latest call, to the function."""
        modules = self._loaded.modules
        if not _PLAIN.issuperset(map(type, modules)):
            self._restore_classes(modules)
        self._find(lambda change: True)
        self._watching = False

    def _find(self, is_functions: Callable[[Change], bool]) -> None:
        found, before = self._loaded.found, self._before
        now = self._before = found.snapshot(before)
        if now is not before:
            self._note(found.changes(before, now), is_functions)
        while self._imported:
            found, before = self._imported.pop()
            self._note(found.changes(before, found.snapshot(before)), is_functions)

    def _note(self, changes: Iterable[Change], is_functions: Callable[[Change], bool]) -> None:
        for change in changes:
            if not is_functions(change):
                continue
            if _is_expected(change):
                self._report_hook(change)
                continue
            key = id(change.owner), change.name
            earlier = self._changes.get(key)
            if earlier is not None:
                change = change._replace(before=earlier.before)
            if change.before is change.now:
                del self._changes[key]  # function code has restored it
                continue
            self._changes[key] = change
            name = _name_of(change.owner)
            self._report(f"{name}.{change.name}", self._once(name, change))

    def _report_hook(self, change: Change) -> None:
        """Report a hook that another part restores, if a shared library has set it (bugsnag)."""
        name = _name_of(change.owner)
        if change.name in _OTHER_PARTS.get(name, ()):
            library = self._once(name, change)
            if library:
                self._report(f"{name}.{change.name}", library)

    def _restore_classes(self, modules: Iterable[Any]) -> None:
        """Undo assignments to ``__class__`` at once: each access of pytest's might raise."""
        for name, module in zip(WATCHED, modules, strict=True):
            if type(module) not in _PLAIN:
                ModuleType.__setattr__(module, "__class__", ModuleType)
                self._report(f"{name}.__class__", "")

    def _once(self, owner: str, change: Change) -> str:
        """Return the library of a change that may be one that it makes once in a process.

        "" if it is none, or once a second process has shown that the library makes it each time.
        """
        library = self._library_of(owner, change.now)
        if library:
            key, made_by = (owner, change.name, library), (sys.modules.get(library), self._process)
            module, process = _MADE_BY.setdefault(key, made_by)
            if module is not made_by[0]:  # somebody has imported the library again
                _MADE_BY[key] = made_by
            elif process is not self._process:
                return ""
        return library

    def _library_of(self, owner: str, value: object) -> str:
        """Return the shared library whose code a new value is; "" for function code."""
        home = home_of(value)
        library = home.partition(".")[0]
        if library in (owner.partition(".")[0], *_OF_TESTS) or library in sys.stdlib_module_names:
            return ""
        folder = folder_of_module(sys.modules.get(home))
        if folder is None or not is_installed(folder) or self._own(home) is not None:
            return ""
        return library

    @classmethod
    def value_of_test(cls, owner: Any, name: str, genuine: object) -> Any:  # noqa: ANN401
        """Return the value that an attribute has for the test: function code may have replaced it.

        It is ``genuine`` if the function has done so in a turn that was not watched.
        """
        entered, now = cls._entered, getattr(owner, name)
        if entered is None:
            return now
        if entered.set_by_function(owner, name, now):
            return entered._changes[id(owner), name].before
        of_function = entered._own(str(getattr(now, "__module__", None))) is not None
        return genuine if of_function else now

    def set_by_function(self, owner: object, name: str, value: object) -> bool:
        """Say whether function code has set an attribute to a value."""
        change = self._changes.get((id(owner), name))
        return change is not None and change.now is value

    def enter(self) -> Undo:
        for key, change in self._changes.items():
            before = vars(change.owner).get(change.name, ABSENT)
            self._changes[key] = change._replace(before=before)
            _set(change, change.now)
        SharedNamespaces._entered = self
        return self._leave

    def _leave(self) -> None:
        SharedNamespaces._entered = None
        if self.unseen or self._watching:
            self._find(self._is_functions)
            self.unseen = False
        for change in self._traced.changes():
            earlier = self._changes.setdefault((id(change.owner), change.name), change)
            if earlier.now is not change.now:
                self._changes[id(change.owner), change.name] = earlier._replace(now=change.now)
        for change in reversed(self._changes.values()):
            now = vars(change.owner).get(change.name, ABSENT)
            if now is change.now or change.before is ABSENT:
                _set(change, change.before)
            elif now is not change.before and is_genuine(change.owner, change.before):
                # A tool of the test has patched on top of function code.  Otherwise a tool that had
                # begun before (freezegun, responses) has ended, and its value stays.
                note_later_patch(change.owner, change.name, change.now, change.before)

    def _is_functions(self, change: Change) -> bool:
        """Say by the value of a change whether function code has made it, and not the test."""
        value = change.now
        if self._own(str(getattr(value, "__module__", None))) is not None:
            return True
        return self._watching or not is_of_test(value)

    def discard(self) -> None:
        self._loaded, self._before = _NOTHING, _NOTHING.found.nothing()
        self._imported = []
        self._changes = {}
        self._traced.discard()
        self._process = object()
        self._watching = self.unseen = False


def _set(change: Change, value: object) -> None:
    """Set or delete an attribute, whatever the class of a module or of a class has to say to it."""
    owner = change.owner
    space = namespace_of(owner) if isinstance(owner, ModuleType) else None
    if space is not None:
        if value is not ABSENT:
            space[change.name] = value
        else:
            space.pop(change.name, None)
        return
    with contextlib.suppress(Exception):  # a metaclass refuses it
        if value is not ABSENT:
            setattr(owner, change.name, value)
        elif change.name in vars(owner):
            delattr(owner, change.name)


def _is_expected(change: Change) -> bool:
    """Say whether Python has made a change, or another part restores it."""
    owner, name, before, now = change
    if name[:2] == "__" == name[-2:] and not (callable(now) or callable(before)):
        return True  # such as __annotations__
    if name in _OTHER_PARTS.get(_name_of(owner), ()):
        return True
    return _is_submodule(owner, name, now) or _is_stand_in(now) or _is_reading(before)


def _is_submodule(owner: object, name: str, value: object) -> bool:
    """Say whether an import has set the attribute, such as ``handlers`` of ``logging``.

    It stays, as the module does.
    """
    if value is None or not isinstance(owner, ModuleType):
        return False
    return sys.modules.get(f"{owner.__name__}.{name}") is value


def _is_stand_in(value: object) -> bool:
    """Say whether an entered environment has put a function there, perhaps one nested in Init.

    A function that wraps one of ours has the name of our module, by `functools.wraps`.
    """
    called = value.func if isinstance(value, functools.partial) else value
    function = called.__func__ if isinstance(called, MethodType) else called
    if not isinstance(function, FunctionType):
        return False
    return is_own_value(function) and is_own_file(function.__code__.co_filename)


def _is_reading(value: object) -> bool:
    """Say whether a value tells another time than the real one, which has ended since."""
    return isinstance(value, MethodType) and _is_stand_in(value)


def _name_of(owner: Any) -> str:  # noqa: ANN401  # a module or a class
    if isinstance(owner, ModuleType):
        return owner.__name__
    return f"{owner.__module__}.{getattr(owner, '__qualname__', '')}"
