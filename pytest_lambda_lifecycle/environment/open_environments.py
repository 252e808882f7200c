"""The environments that are open in this process.

They share the time of the process, and may have copies of the same modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.clock.real import RealClock
from pytest_lambda_lifecycle.isolation.folders import namespace_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = [
    "FindInTwins",
    "add",
    "any_open",
    "find_misplaced",
    "holder_of",
    "remove",
    "unshift_time",
]

FindInTwins: TypeAlias = "Callable[[Callable[[], Iterable[tuple[str, ModuleType]]]], Iterable[str]]"
"""Finds the patches in copies of modules; its argument returns the copies, with their names."""

_open: Final[WeakKeyDictionary[object, World]] = WeakKeyDictionary()


def add(environment: object, world: World) -> None:
    """Register an environment that has been made."""
    _open[environment] = world


def remove(environment: object) -> None:
    """Unregister an environment that has ended; with the last one, real time is restored."""
    _open.pop(environment, None)
    if not _open:
        unshift_time()


def holder_of(port: int) -> str:
    """Return the environment whose function code has a port, in words; ``""`` if there is none."""
    for environment in list(_open):
        holder: Any = environment
        if holder._parts.listens_at(port):
            return f"the environment of {holder.config.handler!r} that is open in this process"
    return ""


def any_open() -> bool:
    """Say whether some environment has not ended."""
    return bool(_open)


def unshift_time() -> None:
    """Restore real time after `idle` without a clock, when a test or the last environment ends."""
    worlds = list(_open.values())
    RealClock.unshift([module for world in worlds for module in world.own_modules().values()])


def find_misplaced(find: FindInTwins, world: World) -> Iterable[str]:
    """Find patches on the copies that the test and other environments have of a world's modules."""
    others = [other for other in list(_open.values()) if other is not world]
    return find(lambda: _twins(world, [world.parked, *(other.modules for other in others)]))


def _twins(
    world: World, others: Iterable[Mapping[str, ModuleType]]
) -> Iterator[tuple[str, ModuleType]]:
    """Yield the modules of ``others`` that were loaded from the same files as the world's."""
    own = world.own_modules()
    for name, module in (pair for modules in others for pair in modules.items()):
        ours = own.get(name)
        if ours is not None:
            file = (namespace_of(ours) or {}).get("__file__")
            if file == (namespace_of(module) or {}).get("__file__", ours):
                yield name, module
