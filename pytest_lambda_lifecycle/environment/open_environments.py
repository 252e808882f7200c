"""The environments that are open in this process.

They share the time of the process, and may have copies of the same modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.clock.real import RealClock
from pytest_lambda_lifecycle.isolation.patchers import PATCHERS

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.tally import Tally
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["add", "any_open", "count", "holder_of", "others", "remove", "unshift_time"]

_HOLDER: Final = __name__
_open: Final[WeakKeyDictionary[object, World]] = WeakKeyDictionary()


def add(environment: object, world: World) -> None:
    """Register an environment that has been made."""
    _open[environment] = world
    PATCHERS.hold(_HOLDER)


def remove(environment: object) -> None:
    """Unregister an environment that has ended; with the last one, real time is restored."""
    _open.pop(environment, None)
    if not _open:
        PATCHERS.release(_HOLDER)
        unshift_time()


def holder_of(port: int) -> str:
    """Return the environment whose function code has a port, in words; ``""`` if there is none."""
    for environment in list(_open):
        holder: Any = environment
        if holder._parts.listens_at(port):
            return f"the environment of {holder.config.handler!r} that is open in this process"
    return ""


def count(tally: Tally) -> None:
    """Let the environments that are still open count in the tally of their run."""
    for environment in list(_open):
        counted: Any = environment
        if counted._tally is tally:
            counted._count()


def any_open() -> bool:
    """Say whether some environment has not ended."""
    return bool(_open)


def unshift_time() -> None:
    """Restore real time after `idle` without a clock, when a test or the last environment ends."""
    worlds = list(_open.values())
    RealClock.unshift([module for world in worlds for module in world.own_modules().values()])


def others(world: World) -> list[World]:
    """Return the worlds of the other environments that are open."""
    if len(_open) < 2:
        return []
    return [other for other in list(_open.values()) if other is not world]
