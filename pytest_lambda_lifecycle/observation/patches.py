"""Puts probes (spies and values) in place before function code can bind a name, and removes them.

A target in a module of the function is changed whenever the module is executed: the import hook
calls back between the execution and the return of ``import``, so no other module can have bound the
name.  Changing it later, as `mock.patch` does, misses every ``from orders.db import connect``.  A
target in a shared module is changed on entering and restored on leaving.
"""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.observation.targets import MISSING, Target

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Assignment", "Patches", "Placement", "Probe", "Substitute"]


class Assignment(NamedTuple):
    """An attribute, as owner and name, and the value that it gets."""

    owner: Any
    name: str
    value: object


class Probe(Protocol):
    """Something that a test puts in the place of a target."""

    def wrap(self, owner: object, name: str, original: object) -> Assignment:
        """Return the attribute to set, which may be another one than ``owner.name``."""
        ...


class Substitute:
    """A probe that is a plain value (`ExecutionEnvironment.patch`)."""

    def __init__(self, value: object) -> None:
        self._value = value

    def wrap(self, owner: object, name: str, original: object) -> Assignment:
        """Return the attribute itself with the value."""
        return Assignment(owner, name, self._value)


class Placement:
    """A probe and its target, which may lie in a module that is not loaded yet."""

    def __init__(self, target: Target, probe: Probe) -> None:
        self.target = target
        self.probe = probe
        self.waiting = False
        """The module of the target was not imported by a phase so far."""
        self.assigned: Assignment | None = None
        """The attribute that was set last, for the probe."""
        self.displaced = ""
        """What an invoke found in the place of the probe, in words."""
        self.displaced_in_test = ""
        """The same, of invokes of the present test."""

    def look(self) -> None:
        """Note whether something else has taken the place of the probe, before an invoke.

        A wrapper that calls the probe, such as that of a second probe, is nothing else.
        """
        if self.assigned is None:
            return
        owner, name, value = self.assigned
        found = present = vars(owner).get(name, MISSING)
        while found is not value:
            found = getattr(found, "__dict__", {}).get("__wrapped__", MISSING)
            if found is MISSING:
                self.displaced = self.displaced_in_test = (
                    f"{self.target} had been replaced by a {type(present).__name__} when an "
                    "invoke began; replace it with env.patch, whose value a spy sees"
                )
                return

    def unseen(self) -> str:
        """Return why no call of the target can have been seen; ``""`` if one can."""
        if not self.waiting:
            return ""
        return (
            f"{self.target.module} was never imported by a phase (nor is it known whether it has a "
            f"name {self.target.path[0]!r}); spy on a name that the function uses"
        )


class _SharedPatch:
    """An attribute that is shared with the test, patched while the environment is entered."""

    def __init__(self, owner: Any, name: str, placement: Placement, original: object) -> None:  # noqa: ANN401
        self.placement = placement
        self.owner = owner
        self.name = name
        self.probe = placement.probe
        self.original = original
        self.before: Assignment | None = None
        """While patched: the attribute that was set, and its value before that."""

    def repeats(self, other: _SharedPatch) -> bool:
        return self.owner is other.owner and self.name == other.name and self.probe is other.probe

    def apply(self) -> None:
        # The present value may be a replacement by which this package watches function code.
        original = getattr(self.owner, self.name, self.original)
        self.placement.assigned = assigned = self.probe.wrap(self.owner, self.name, original)
        owner, name, value = assigned
        self.before = Assignment(owner, name, vars(owner).get(name, MISSING))
        setattr(owner, name, value)

    def restore(self) -> None:
        if self.before is not None:
            owner, name, value = self.before
            if value is MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
            self.before = None


class Patches(Part):
    """The probes of one environment; they stay in place in the next process, after a reset."""

    def __init__(self, world: World, handler: str) -> None:
        self._world = world
        self._handler = handler.replace("/", ".")
        self._shared_patches: list[_SharedPatch] = []
        self._entered = False
        self._waiting: list[Placement] = []
        self.watched: list[Placement] = []
        """The placements that are looked at before each invoke."""
        self.values: set[str] = set()
        """The targets that are replaced by a value, and not only spied on."""

    def replaces(self, target: str) -> bool:
        """Say whether a value is in the place of a target, or of what it lies in."""
        return any(f"{target}.".startswith(f"{name}.") for name in self.values)

    def enter(self) -> Undo:
        # A module that the test has imported in the meantime stays: no phase will execute it.
        for placement in list(self._waiting):
            module = self._shared(placement.target.module)
            if module is not None:
                self._apply(placement, module)
        restore = self._apply_shared()
        self._entered = True

        def leave() -> None:
            self._entered = False
            restore()

        return leave

    def _apply_shared(self) -> Undo:
        """Patch in the order of asking; the returned call also restores patches that come later."""
        for patch in self._shared_patches:
            patch.apply()

        def restore() -> None:
            for patch in reversed(self._shared_patches):
                patch.restore()

        return restore

    def add(self, target: Target, probe: Probe) -> Placement:
        """Put ``probe`` in the place of ``target``, now and whenever its module is executed."""
        __tracebackhide__ = True
        placement = Placement(target, probe)
        module = self._world.own(target.module) or self._shared(target.module)
        if module is not None:
            self._refuse_bound(target, module)
            self._apply(placement, module)
        else:
            placement.waiting = True
            self._waiting.append(placement)
        self._world.hook.add(partial(self._apply, placement), (target.module,))
        return placement

    def _shared(self, name: str) -> ModuleType | None:
        """Return a module that is loaded and stays when the environment enters."""
        module = sys.modules.get(name)
        return None if module is None or self._world.owns(name, module) else module

    def _apply(self, placement: Placement, module: ModuleType) -> None:
        """Wrap the target in a module that has just been executed, or that is loaded."""
        __tracebackhide__ = True
        target, probe = placement.target, placement.probe
        # A spy on something that a patch of this environment replaces has to call the patch.
        restore = None if self._entered else self._apply_shared()
        try:
            owner = target.owner(module)
            name = target.path[-1]
            patch = _SharedPatch(owner, name, placement, target.attribute(owner, name))
            assigned = probe.wrap(owner, name, patch.original)
            if self._ends_with_function(assigned.owner):
                setattr(*assigned)
                placement.assigned = assigned
            elif not any(map(patch.repeats, self._shared_patches)):
                # An init that executes the module again asks for the same patch again.
                patch.apply()
                self._shared_patches.append(patch)
        except (AttributeError, TypeError) as problem:
            raise LifecycleError(
                f"cannot replace {str(target)!r}: {problem}", code="LLC302"
            ) from problem
        finally:
            if restore is not None:
                restore()
        if placement.waiting:
            placement.waiting = False
            self._waiting.remove(placement)

    def _ends_with_function(self, owner: object) -> bool:
        """Say whether an owner is a module or a class of function code, and so ends with it.

        A target may lead through function code to a shared module or class; any other object may be
        shared as well, as a logger is.
        """
        if isinstance(owner, ModuleType):
            return self._world.own(owner.__name__) is owner
        return isinstance(owner, type) and self._world.own(owner.__module__) is not None

    def _refuse_bound(self, target: Target, module: ModuleType) -> None:
        """Refuse a target that function code has bound elsewhere: calls would be missed."""
        __tracebackhide__ = True
        if str(target) == self._handler and self._world.own(module.__name__) is module:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r} now: it is the handler, which the runtime "
                "has bound in init, and its calls would go unseen",
                "Ask before the first phase.",
                code="LLC303",
            )
        first = target.path[0]
        original = vars(module).get(first, MISSING)
        if len(target.path) > 1 or isinstance(original, type) or original is MISSING:
            return  # found through its owner, or changed in place
        defined_in = getattr(original, "__module__", None)
        if defined_in != module.__name__ and "__path__" not in vars(module):
            return  # the test asks for the name that this one importer has bound
        elsewhere = [
            f"{name}.{key}"
            for name, other in self._world.own_modules().items()
            if other is not module and name != defined_in
            for key, value in list(vars(other).items())
            if value is original
        ]
        if elsewhere:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r} now: init has already bound the same "
                f"object as {', '.join(elsewhere)}, and calls through that name would go unseen",
                f"Ask before the first phase, or name {elsewhere[0]!r}.",
                code="LLC303",
            )
