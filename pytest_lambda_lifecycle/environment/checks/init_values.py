"""Values that Init has made, by their paths: for comparisons of one Init with another."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.state.changes import path_of, piece_of_path
from pytest_lambda_lifecycle.state.opaque import module_of
from pytest_lambda_lifecycle.state.photograph import MOST_DEPTH
from pytest_lambda_lifecycle.state.texts import is_plain_value, text_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.state.photograph import Node, Photograph
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = [
    "MOST_ENTRIES",
    "InitValue",
    "can_be_copied",
    "init_values",
    "text_in_state",
    "values_in",
]

MOST_ENTRIES: Final = 1000
"""Entries of one container that are looked at: a million texts would take half a minute."""
_TMP: Final = "/tmp"
_API: Final = "<address of the Runtime API>"


class InitValue(NamedTuple):
    """A value that function code can reach."""

    value: Any
    node: Node
    """The container that holds it."""
    label: object
    """Its name, key or index there."""
    compared: object
    """What tells it from the value of another Init; True for a container, which has entries."""

    @property
    def text(self) -> str:
        """The value as short text, without secrets."""
        return text_in_state(self.value, self.label)


def init_values(
    env: ExecutionEnvironment, scene: Scene, most: int | None = MOST_ENTRIES
) -> dict[str, InitValue]:
    """Return the values in the function's own state, by their paths; ``most`` of a container."""
    places = {str(env.tmp): _TMP, env._parts.api_address: _API}
    found: dict[str, InitValue] = {}
    photograph = scene.take()
    own = [
        node
        for node in photograph.nodes.values()
        if node.place.depth <= MOST_DEPTH and scene.is_own(_root(node))
    ]
    for path, node, label, value, is_container in values_in(own, photograph, most):
        compared = is_container or _compared(value, places)
        found[path] = InitValue(value, node, label, compared)
    return found


def values_in(
    nodes: Iterable[Node], photograph: Photograph, most: int | None = MOST_ENTRIES
) -> Iterator[tuple[str, Node, object, Any, bool]]:
    """Yield path, holder, label and value for each value that is not in an object of a library.

    The last item says whether the value is a container, whose contents have paths of their own.
    """
    for node in nodes:
        if node.place.is_library or node.place.depth > MOST_DEPTH:
            continue
        path = path_of(node)
        for index, value in enumerate(node.values[:most]):
            label = index if node.labels is None else node.labels[index]
            is_container = photograph.node(value) is not None and not can_be_copied(value)
            inner = "" if node.kind.style == "member" else piece_of_path(node.kind, label)
            yield path + inner, node, label, value, is_container


def text_in_state(value: object, label: object) -> str:
    """Return a short text; an event loop, which has no other state of its own, may be closed."""
    text = text_of(value, label if isinstance(label, str) else "")
    if module_of(type(value)).startswith(("asyncio.", "uvloop")):
        is_closed = getattr(value, "is_closed", None)
        if is_closed is not None and is_closed():
            return f"{text}, closed"
    return text


def can_be_copied(value: object) -> bool:
    """Say whether a value of one environment can be put into another one."""
    return is_plain_value(value) or type(value) is random.Random


def _compared(value: Any, places: dict[str, str]) -> object:  # noqa: ANN401
    """Return what is compared: without the folder and the port that each environment has here."""
    if type(value) is random.Random:
        return "random.Random", value.getstate()
    if type(value) is str:
        for place, name in places.items():
            value = value.replace(place, name)
    return (type(value), value) if is_plain_value(value) else text_of(value)


def _root(node: Node) -> str:
    place = node.place
    while place.parent is not None:
        place = place.parent
    return str(place.label)
