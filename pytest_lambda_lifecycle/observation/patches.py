"""Puts probes (spies and values) in place before function code can bind a name, and removes them.

A target in a module of the function is changed whenever the module is executed: the import hook
calls back between the execution and the return of ``import``, so no other module can have bound the
name.  Changing it later, as `mock.patch` does, misses every ``from orders.db import connect``.  A
target in a shared module is changed on entering and restored on leaving.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.observation.captures import Captures
from pytest_lambda_lifecycle.observation.in_place import InPlace
from pytest_lambda_lifecycle.observation.placements import Change, Placement, Probe, Substitute
from pytest_lambda_lifecycle.observation.targets import Target

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Patches"]


class _SharedPatch:
    """A probe in an object that the test shares, in place while the environment is entered."""

    def __init__(self, owner: Any, name: str, placement: Placement, original: object) -> None:  # noqa: ANN401
        self.placement = placement
        self.owner = owner
        self.name = name
        self.probe = placement.probe
        self.original = original
        self.undo: Undo = nothing_to_undo

    def repeats(self, other: _SharedPatch) -> bool:
        return self.owner is other.owner and self.name == other.name and self.probe is other.probe

    def apply(self) -> None:
        # The present value may be a replacement by which this package watches function code.
        original = getattr(self.owner, self.name, self.original)
        change = self.probe.wrap(self.owner, self.name, original)
        self.undo = change.make() or nothing_to_undo
        self.placement.note(change, self.owner, self.name)

    def restore(self) -> None:
        undo, self.undo = self.undo, nothing_to_undo
        undo()


class Patches(Part):
    """The probes of one environment; they stay in place in the next process, after a reset."""

    def __init__(self, world: World, handler: str) -> None:
        self._world = world
        self._handler = handler.replace("/", ".")
        self._shared_patches: list[_SharedPatch] = []
        self._entered = False
        self._waiting: list[Placement] = []
        self._in_function: list[Callable[[], None]] = []
        """Undo the changes of functions that end with the function's process."""
        self.captures = Captures(world)
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

    def discard(self) -> None:
        """Restore the functions of the process that has ended: a shared registry may keep them."""
        undo, self._in_function = self._in_function, []
        for one in reversed(undo):
            one()

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
            self._apply(placement, module, late=True)
        else:
            placement.waiting = True
            self._waiting.append(placement)
        hook, first = self._world.hook, target.path[0]
        hook.add(partial(self._apply, placement), (target.module,))
        hook.add_name(target.module, first, partial(self._apply_early, placement))
        return placement

    def _shared(self, name: str) -> ModuleType | None:
        """Return a module that is loaded and stays when the environment enters."""
        module = sys.modules.get(name)
        return None if module is None or self._world.owns(name, module) else module

    def _apply_early(self, placement: Placement, module: ModuleType) -> None:
        """Wrap the target in a module of the function that has just bound its name for the first
        time, and goes on running.

        So Init itself uses what the test has put there.  The name may have a value for a while that
        cannot be wrapped (``client = None``): `_apply` looks again when the module has run.
        """
        if self._world.own(module.__name__) is not module:
            return
        target, name = placement.target, placement.target.path[-1]
        try:
            owner = target.owner(module)
            original = target.attribute(owner, name)
            change = placement.probe.wrap(owner, name, original)
            if self._ends_with_function(change):
                self._change(placement, change, owner, original)
        except (AttributeError, TypeError, LifecycleError):
            return

    def _apply(self, placement: Placement, module: ModuleType, *, late: bool = False) -> None:
        """Wrap the target in a module that has just been executed, or that is loaded."""
        __tracebackhide__ = True
        target, probe = placement.target, placement.probe
        # A spy on something that a patch of this environment replaces has to call the patch.
        restore = None if self._entered else self._apply_shared()
        try:
            owner = target.owner(module)
            name = target.path[-1]
            original = target.attribute(owner, name)
            change = probe.wrap(owner, name, original)
            if late and not change.everywhere:
                self._refuse_captured(target, module, owner)
            if self._ends_with_function(change):
                self._change(placement, change, owner, original)
            else:
                patch = _SharedPatch(owner, name, placement, original)
                if not any(map(patch.repeats, self._shared_patches)):
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
        if not late and placement.replaced:
            self.captures.refuse_held(placement, module)

    def _change(
        self, placement: Placement, change: Change, owner: object, original: object
    ) -> None:
        """Make a change of function code."""
        undo = change.make()
        if isinstance(change, InPlace):
            if undo is not None:
                self._in_function.append(undo)
        elif isinstance(placement.probe, Substitute):
            placement.note_replaced(owner, original)
        placement.note(change, owner, placement.target.path[-1])

    def _ends_with_function(self, change: Change) -> bool:
        """Say whether a change ends with function code, and needs no undoing when it leaves.

        It does in a module, a class or a function of function code.  A target may lead through
        function code to a shared module or class; any other object may be shared as well, as a
        logger is.
        """
        owner = change.owner
        if isinstance(change, InPlace):
            return self.captures.ends_with_function(owner)
        if isinstance(owner, ModuleType):
            return self._world.own(owner.__name__) is owner
        return isinstance(owner, type) and self._world.own(owner.__module__) is not None

    def _refuse_captured(self, target: Target, module: ModuleType, owner: object) -> None:
        __tracebackhide__ = True
        if str(target) == self._handler and self._world.own(module.__name__) is module:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r} now: it is the handler, which the runtime "
                "has bound in init, and its calls would go unseen",
                "Ask before the first phase.",
                code="LLC303",
            )
        self.captures.refuse_late(target, module, owner)
