"""Spies and replacements that are in place before function code can bind a name."""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.events import SpyCall
from pytest_lambda_lifecycle.failures import warn
from pytest_lambda_lifecycle.undoing import Undo

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.world import World

__all__ = ["Record", "Replacements", "Spy", "spying"]

_MISSING = object()
_PHASES: Final = ("init", "restore", "invoke", "shutdown")


class Spy:
    """Records the calls of one target while phases run; the calls go through to the real thing."""

    def __init__(
        self, target: str, calls: Callable[[], Sequence[SpyCall]], unseen: Callable[[], str | bool] = bool
    ) -> None:
        self.target = target
        self._calls = calls
        self._unseen = unseen
        """Says why no call can have been seen, if that is so."""
        self._warned = False

    @property
    def calls(self) -> list[SpyCall]:
        """The calls so far, in order: phase, invocation index, arguments, result or exception."""
        calls = self._recorded()
        if not calls and not self._warned and (why := self._unseen()):
            self._warned = True
            warn(f"no call of {self.target!r} could be seen: {why}")
        return calls

    def _recorded(self) -> list[SpyCall]:
        return [call for call in self._calls() if call.target == self.target]

    @property
    def phases(self) -> list[str]:
        """For each call the phase it was made in: ``connect.phases == ["init"]``."""
        return [call.phase for call in self.calls]

    def count(self, *, phase: str | None = None) -> int:
        """Return the number of calls: of one phase (``"init"``, ``"restore"``, ``"invoke"``, ``"shutdown"``) or all."""
        if phase not in (None, *_PHASES):  # "no calls" would be true of every misspelled phase
            raise LifecycleError(
                f"cannot count the calls of {self.target!r} in phase {phase!r}: the phases are "
                f"{', '.join(map(repr, _PHASES))}"
            )
        return len([call for call in self.calls if phase in (None, call.phase)])

    @property
    def one(self) -> SpyCall:
        """The only call; an `AssertionError` if there were none or several."""
        calls = self.calls
        if len(calls) != 1:
            raise AssertionError(f"expected one call of {self.target}, there were {self._summary()}")
        return calls[0]

    @property
    def last(self) -> SpyCall:
        """The latest call; an `AssertionError` if there was none."""
        calls = self.calls
        if not calls:
            raise AssertionError(f"expected a call of {self.target}, there were {self._summary()}")
        return calls[-1]

    def _summary(self) -> str:
        phases = [call.phase for call in self._recorded()]
        return f"{len(phases)} (phases: {', '.join(phases)})" if phases else "none"

    def __repr__(self) -> str:
        return f"<Spy {self.target}: {self._summary()} calls>"


@dataclass
class _Change:
    """An attribute of something that is shared with the outside, set while the environment is entered."""

    owner: Any
    name: str
    value: object
    before: object = _MISSING

    def repeats(self, other: _Change) -> bool:
        return self.owner is other.owner and self.name == other.name and self.value is other.value

    def make(self) -> None:
        self.before = vars(self.owner).get(self.name, _MISSING)
        setattr(self.owner, self.name, self.value)

    def undo(self) -> None:
        if self.before is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.before)


class Replacements:
    """Puts spies and values in place: in the function's modules whenever they are executed, in shared ones on entering.

    A part of the process (see `process.Part`).
    """

    def __init__(self, world: World, handler: str) -> None:
        self._world = world
        self._handler = handler.replace("/", ".")
        self._changes: list[_Change] = []
        self._entered = False
        self._waiting: dict[Callable[[ModuleType], None], str] = {}
        """What is to be done with modules that were not loaded when they were asked for, and their names."""

    def enter(self) -> Undo:
        self._apply_to_loaded()
        undo = self._make_changes()
        self._entered = True

        def leave() -> None:
            self._entered = False
            undo()

        return leave

    def _make_changes(self) -> Undo:
        """Make them in the order they were asked for; the returned call also undoes those that come meanwhile."""
        for change in self._changes:
            change.make()

        def undo() -> None:
            for change in reversed(self._changes):
                change.undo()

        return undo

    def _apply_to_loaded(self) -> None:
        """Find what the test has imported meanwhile: it stays, so no phase will execute it."""
        for apply, name in list(self._waiting.items()):
            module = self._shared(name)
            if module is not None:
                apply(module)

    def discard(self) -> None:
        """The next process finds the same spies: they are the test's, not the function's."""

    def add(self, target: str, replace: Callable[[object, str, object], tuple[Any, str, object]]) -> Callable[[], str]:
        """Replace ``target`` by what ``replace(owner, name, original)`` says: owner, name and value to set.

        What is returned says why no call of ``target`` can have been seen; an empty text if it can.
        """
        __tracebackhide__ = True
        module_name, path = self._split(target)

        def apply(module: ModuleType) -> None:
            __tracebackhide__ = True
            self._apply(target, path, replace, module)
            self._waiting.pop(apply, None)

        module = self._world.own(module_name) or self._shared(module_name)
        if module is not None:
            self._refuse_bound(target, module, path)
            apply(module)
        else:
            self._waiting[apply] = module_name
        self._world.hook.add(apply, module_name)
        why = (
            f"{module_name} was never imported by a phase (nor is it known whether it has a name {path[0]!r}); "
            "spy on what the function uses"
        )
        return lambda: why if apply in self._waiting else ""

    def _shared(self, name: str) -> ModuleType | None:
        """Return a module that is loaded and stays when the environment enters."""
        module = sys.modules.get(name)
        return None if module is None or self._world.owns(name, module) else module

    def _apply(
        self,
        target: str,
        path: Sequence[str],
        replace: Callable[[object, str, object], tuple[Any, str, object]],
        module: ModuleType,
    ) -> None:
        __tracebackhide__ = True
        undo = None if self._entered else self._make_changes()  # a spy on what was patched calls the patch
        try:
            owner: object = module
            for name in path[:-1]:
                owner = _attribute(target, owner, name)
            original = _attribute(target, owner, path[-1])
            change = _Change(*replace(owner, path[-1], original))
            if self._ends_with_function(change.owner):
                setattr(change.owner, change.name, change.value)
            elif not any(map(change.repeats, self._changes)):  # made again by each init that executes the module
                change.make()
                self._changes.append(change)
        except (AttributeError, TypeError) as problem:
            raise LifecycleError(f"cannot replace {target!r}: {problem}") from problem
        finally:
            if undo is not None:
                undo()

    def _ends_with_function(self, owner: object) -> bool:
        """Say whether an owner is a module or a class of the function's.

        A target may lead through function code to a shared module or class; an object may be anybody's, as a logger is.
        """
        if isinstance(owner, ModuleType):
            return self._world.own(owner.__name__) is owner
        return isinstance(owner, type) and self._world.own(owner.__module__) is not None

    def _refuse_bound(self, target: str, module: ModuleType, path: Sequence[str]) -> None:
        """Function code that has bound the object under another name would not be seen: say so."""
        __tracebackhide__ = True
        if target == self._handler and self._world.own(module.__name__) is module:
            raise LifecycleError(
                f"cannot spy on or patch {target!r} now: it is the handler, which the runtime has bound in init, and "
                "its calls would go unseen; ask before the first phase"
            )
        original = vars(module).get(path[0], _MISSING)
        if len(path) > 1 or isinstance(original, type) or original is _MISSING:
            return  # found through its owner, or changed in place
        defined_in = getattr(original, "__module__", None)
        if defined_in != module.__name__ and "__path__" not in vars(module):
            return  # the name that one importer has bound is what the test asks for
        elsewhere = [
            f"{name}.{key}"
            for name, other in self._world.own_modules().items()
            if other is not module and name != defined_in
            for key, value in list(vars(other).items())
            if value is original
        ]
        if elsewhere:
            raise LifecycleError(
                f"cannot spy on or patch {target!r} now: init has already bound the same object as "
                f"{', '.join(elsewhere)}, and calls through that name would go unseen; ask before the first phase, "
                f"or name {elsewhere[0]!r}"
            )

    def _split(self, target: str) -> tuple[str, list[str]]:
        __tracebackhide__ = True
        parts = str(target).split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise LifecycleError(
                f"cannot spy on or patch {target!r}: a target is a dotted name such as 'orders.db.connect' or "
                "'boto3.client'"
            )
        length = self._world.module_length(parts)
        if length == 0:
            raise LifecycleError(
                f"cannot spy on or patch {target!r}: there is no module {parts[0]!r} on the import path"
            )
        if length == len(parts):
            raise LifecycleError(f"cannot spy on or patch {target!r}: it is a module; name something inside it")
        return ".".join(parts[:length]), parts[length:]


def _attribute(target: str, owner: object, name: str) -> object:
    __tracebackhide__ = True
    value = getattr(owner, name, _MISSING)
    if value is _MISSING:
        near = difflib.get_close_matches(name, dir(owner), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        where = owner.__name__ if isinstance(owner, (ModuleType, type)) else type(owner).__name__
        raise LifecycleError(f"cannot spy on or patch {target!r}: {where} has no attribute {name!r}{hint}")
    return value


Record = Callable[[tuple[Any, ...], dict[str, Any]], "SpyCall | None"]


def spying(target: str, record: Record) -> Callable[[object, str, object], tuple[Any, str, object]]:
    """Return how to wrap a target: functions and methods are wrapped, classes have their ``__init__`` wrapped."""

    def replace(owner: object, name: str, original: object) -> tuple[Any, str, object]:
        __tracebackhide__ = True
        if isinstance(original, type):
            return original, "__init__", _spy_on_construction(original, record)
        if not callable(original):
            raise LifecycleError(f"cannot spy on {target!r}: it is a {type(original).__name__}, and not callable")
        raw = inspect.getattr_static(owner, name)
        if isinstance(raw, staticmethod):
            return owner, name, staticmethod(_spy_on_function(raw.__func__, record))
        if isinstance(raw, classmethod):
            return owner, name, classmethod(_spy_on_function(raw.__func__, record, skip=1))
        if isinstance(owner, type):
            return owner, name, _spy_on_function(raw, record, skip=1)
        return owner, name, _spy_on_function(original, record)

    return replace


def _spy_on_function(function: Any, record: Record, *, skip: int = 0) -> Callable[..., Any]:  # noqa: ANN401
    if _is_spy(function, record):
        return function  # type: ignore[no-any-return]

    @functools.wraps(function)
    def spy(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        call = record(args[skip:], kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            call.result = function(*args, **kwargs)
        except BaseException as exception:
            call.exception = exception
            raise
        return call.result

    return _marked(spy, record)


def _spy_on_construction(cls: type, record: Record) -> Callable[..., None]:
    original: Any = cls.__init__  # type: ignore[misc]
    if _is_spy(original, record):
        return original  # type: ignore[no-any-return]

    @functools.wraps(original)
    def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        __tracebackhide__ = True
        call = record(args, kwargs)
        try:
            if original is not object.__init__:  # it refuses arguments that __new__ took
                original(self, *args, **kwargs)
        except BaseException as exception:
            if call is not None:
                call.exception = exception
            raise
        if call is not None:
            call.result = self

    return _marked(__init__, record)


F = TypeVar("F", bound=Callable[..., Any])


def _marked(spy: F, record: Record) -> F:
    """Mark a spy, so that a second one on the same target (a hook's and the test's) does not record each call twice."""
    vars(spy)["_lambda_spy"] = record, id(spy)  # `functools.wraps` copies marks: the id tells the spy from a copy
    return spy


def _is_spy(function: object, record: Record) -> bool:
    mark: object = getattr(function, "_lambda_spy", None)
    return mark == (record, id(function))
