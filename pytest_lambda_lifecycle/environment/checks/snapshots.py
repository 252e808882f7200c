"""`Snapshot`: the state after an Init with SnapStart, restored into several environments.

Function code shares the process of the test, so its memory cannot be copied as Lambda copies it.  A
copy runs Init itself, with the same random numbers, and then gets the plain values in which it
differs from the snapshot.  The other values are its own, and the timeline names them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_lambda_lifecycle.environment.checks.init_values import (
    InitValue,
    can_be_copied,
    init_values,
)
from pytest_lambda_lifecycle.lifecycle.events import SnapshotCopy
from pytest_lambda_lifecycle.lifecycle.phases import Init

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment

__all__ = ["Snapshot"]


class _Kept(NamedTuple):
    """A value of the snapshot, without the objects of its environment around it."""

    value: Any
    compared: object
    can_be_copied: bool


class Snapshot(Init):
    """An Init after which a snapshot was taken; `restore` makes environments from it."""

    __slots__ = ("_make_copy", "_values")

    def __init__(
        self, init: Init, env: ExecutionEnvironment, make_copy: Callable[[], ExecutionEnvironment]
    ) -> None:
        """``make_copy`` returns another environment of the function, prepared in the same way."""
        events = init.began_at_index, init.began_at_index + len(init.events)
        super().__init__(init._timeline, *events)
        self._make_copy = make_copy
        tmp = str(env.tmp)
        values = init_values(env, env._parts.make_scene(), None)
        self._values = {path: _kept(value, tmp) for path, value in values.items()}

    def restore(self) -> ExecutionEnvironment:
        """Return another environment, restored from the state of the snapshot: its hooks have run.

        Texts, numbers, UUIDs, moments and generators of random numbers are those of the snapshot,
        wherever function code keeps them.  Other objects are made by an Init of its own; the event
        `SnapshotCopy` names those that differ.  The environment ends with the test; without
        pytest, close it.
        """
        __tracebackhide__ = True
        made = self._make_copy()
        made.initialize()
        conductor = made._conductor
        copied, own = self._copy_into(made)
        conductor.timeline.append(SnapshotCopy(conductor.clock.now_us(), copied, own))
        made.restore()
        return made

    def _copy_into(self, made: ExecutionEnvironment) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Copy values; return the paths of those that were copied, and of those that differ."""
        copied: list[str] = []
        values = init_values(made, made._parts.make_scene(), None)
        own = [path for path in self._values if path not in values]
        for path, value in values.items():
            kept = self._values.get(path)
            if kept is not None and kept.compared == value.compared:
                continue
            is_copied = kept is not None and kept.can_be_copied and _put(kept.value, value)
            (copied if is_copied else own).append(path)
        return tuple(copied), tuple(own)


def _kept(value: InitValue, tmp: str) -> _Kept:
    held = value.value
    if not can_be_copied(held):
        return _Kept(None, value.compared, False)
    if type(held) is str and tmp in held:  # the file that it names is the environment's own
        return _Kept(None, value.compared, False)
    return _Kept(_twin(held), value.compared, True)


def _twin(value: Any) -> Any:  # noqa: ANN401
    """Return a value that goes on from the present state; plain values do not change."""
    if type(value) is random.Random:
        made = random.Random()
        made.setstate(value.getstate())
        return made
    return value


def _put(value: Any, place: InitValue) -> bool:  # noqa: ANN401
    """Put a value into a container of another environment; return False if it cannot be put."""
    container, label = place.node.object, place.label
    if type(label) not in (str, int) and place.node.kind.style == "attribute":
        return False
    made = _twin(value)
    try:
        if isinstance(container, dict):
            dict.__setitem__(container, label, made)
        elif isinstance(container, list) and isinstance(label, int):
            list.__setitem__(container, label, made)
        elif isinstance(container, type):
            type.__setattr__(container, str(label), made)
        elif place.node.kind.style == "attribute":
            object.__setattr__(container, str(label), made)
        else:
            return False
    except (AttributeError, TypeError):
        return False
    return True
