"""Puts spies and values in place before function code can bind a name, and takes them out again."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.patching import Undo

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Place", "Replace", "Replacements"]

_MISSING: Final = object()

Place = tuple[Any, str, object]
"""An attribute, as owner and name, and its value."""
Replace = Callable[[object, str, object], Place]
"""Says what to set instead of an attribute: the place, which may be another one, with the new
value.
"""


@dataclass
class _Change:
    """An attribute of something that is shared with the outside, replaced while the environment is
    entered.
    """

    owner: Any
    name: str
    replace: Replace
    original: object
    made: Place | None = None
    """Where it was made, and what was there before."""

    def repeats(self, other: _Change) -> bool:
        return (
            self.owner is other.owner and self.name == other.name and self.replace is other.replace
        )

    def make(self) -> None:
        # What is there now may stand in for the original, as most that watches the function does.
        original = getattr(self.owner, self.name, self.original)
        owner, name, value = self.replace(self.owner, self.name, original)
        self.made = owner, name, vars(owner).get(name, _MISSING)
        setattr(owner, name, value)

    def undo(self) -> None:
        if self.made is not None:
            owner, name, before = self.made
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
            self.made = None


class Replacements:
    """Puts spies and values in place: in the function's modules whenever they are executed, in
    shared ones on entering.

    A part of the process (see `process.Part`).
    """

    def __init__(self, world: World, handler: str) -> None:
        self._world = world
        self._handler = handler.replace("/", ".")
        self._changes: list[_Change] = []
        self._entered = False
        self._waiting: dict[Callable[[ModuleType], None], str] = {}
        """What is to be done with modules that were not loaded when they were asked for, and their
        names.
        """

    def enter(self) -> Undo:
        self._apply_to_loaded()
        undo = self._make_changes()
        self._entered = True

        def leave() -> None:
            self._entered = False
            undo()

        return leave

    def _make_changes(self) -> Undo:
        """Make them in the order they were asked for; the returned call also undoes those that come
        meanwhile.
        """
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

    def add(self, target: str, replace: Replace) -> Callable[[], str]:
        """Replace ``target`` by what ``replace(owner, name, original)`` says.

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
        replace: Replace,
        module: ModuleType,
    ) -> None:
        __tracebackhide__ = True
        undo = (
            None if self._entered else self._make_changes()
        )  # a spy on what was patched calls the patch
        try:
            owner: object = module
            for name in path[:-1]:
                owner = _attribute(target, owner, name)
            change = _Change(owner, path[-1], replace, _attribute(target, owner, path[-1]))
            place, name, value = replace(owner, path[-1], change.original)
            if self._ends_with_function(place):
                setattr(place, name, value)
            elif not any(
                map(change.repeats, self._changes)
            ):  # made again by each init that executes the module
                change.make()
                self._changes.append(change)
        except (AttributeError, TypeError) as problem:
            raise LifecycleError(f"cannot replace {target!r}: {problem}") from problem
        finally:
            if undo is not None:
                undo()

    def _ends_with_function(self, owner: object) -> bool:
        """Say whether an owner is a module or a class of the function's.

        A target may lead through function code to a shared module or class; an object may be
        anybody's, as a logger is.
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
            raise LifecycleError(
                f"cannot spy on or patch {target!r}: it is a module; name something inside it"
            )
        return ".".join(parts[:length]), parts[length:]


def _attribute(target: str, owner: object, name: str) -> object:
    __tracebackhide__ = True
    value = getattr(owner, name, _MISSING)
    if value is _MISSING:
        near = difflib.get_close_matches(name, dir(owner), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        where = owner.__name__ if isinstance(owner, (ModuleType, type)) else type(owner).__name__
        raise LifecycleError(
            f"cannot spy on or patch {target!r}: {where} has no attribute {name!r}{hint}"
        )
    return value
