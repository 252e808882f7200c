"""Placements: what a test puts in the place of a target, and the change that this makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_lambda_lifecycle.isolation.part import nothing_to_undo
from pytest_lambda_lifecycle.observation.targets import MISSING, Target

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Assignment", "Change", "Placement", "Probe", "Substitute"]


class Change(Protocol):
    """A change that puts a probe in the place of a target."""

    @property
    def owner(self) -> Any:  # noqa: ANN401
        """The object that is changed."""
        ...

    @property
    def name(self) -> str:
        """The name of its attribute."""
        ...

    @property
    def everywhere(self) -> bool:
        """It reaches whoever has taken hold of the target, and not only the name."""
        ...

    def make(self) -> Callable[[], None] | None:
        """Make the change; the returned call undoes it.  None if nothing had to be changed."""
        ...


class Assignment(NamedTuple):
    """An attribute, as owner and name, and the value that it gets."""

    owner: Any
    name: str
    value: object
    everywhere: bool = False

    def make(self) -> Undo | None:
        """Set the attribute; the returned call restores it."""
        owner, name, value, _ = self
        before = vars(owner).get(name, MISSING)
        if before is value:
            return nothing_to_undo
        setattr(owner, name, value)
        if before is MISSING:
            return partial(delattr, owner, name)
        return partial(setattr, owner, name, before)


class Probe(Protocol):
    """Something that a test puts in the place of a target."""

    def wrap(self, owner: object, name: str, original: object) -> Change:
        """Return the change to make, which may be one of another attribute than ``owner.name``."""
        ...


class Substitute:
    """A probe that is a plain value (`ExecutionEnvironment.patch`)."""

    def __init__(self, value: object) -> None:
        self.value = value

    def wrap(self, owner: object, name: str, original: object) -> Assignment:
        """Return the attribute itself with the value."""
        return Assignment(owner, name, self.value)


class Placement:
    """A probe and its target, which may lie in a module that is not loaded yet."""

    def __init__(self, target: Target, probe: Probe) -> None:
        self.target = target
        self.probe = probe
        self.waiting = False
        """The module of the target was not imported by a phase so far."""
        self.assigned: Assignment | None = None
        """The attribute as it was after the latest change, for the probe."""
        self.replaced: list[object] = []
        """The objects that the probe has taken the place of since the module began to run."""
        self.displaced = ""
        """What an invoke found in the place of the probe, in words."""
        self.displaced_in_test = ""
        """The same, of invokes of the present test."""

    def note(self, change: Change, owner: Any, name: str) -> None:  # noqa: ANN401
        """Remember the attribute that the probe is found by, after a change."""
        if isinstance(change, Assignment):
            self.assigned = change
        elif hasattr(owner, "__dict__"):
            self.assigned = Assignment(owner, name, vars(owner).get(name, MISSING))

    def note_replaced(self, owner: object, original: object) -> None:
        """Remember an object that a value has taken the place of."""
        raw = getattr(original, "__func__", original) if isinstance(owner, type) else original
        if not isinstance(self.probe, Substitute) or raw is not self.probe.value:
            self.replaced.append(raw)

    def look(self) -> None:
        """Note whether something else has taken the place of the probe, before an invoke.

        A wrapper that calls the probe, such as that of a second probe, is nothing else.
        """
        if self.assigned is None:
            return
        owner, name, value, _ = self.assigned
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
