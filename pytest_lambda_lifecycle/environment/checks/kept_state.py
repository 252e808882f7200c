"""State that the invokes of one environment have left, compared with that of fresh ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_lambda_lifecycle.environment.checks.init_values import (
    MOST_ENTRIES,
    text_in_state,
    values_in,
)
from pytest_lambda_lifecycle.state.changes import path_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.state.photograph import Node
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["kept_state", "values_of"]

_NOTHING: Final = "nothing"
_CONTAINER: Final = "another container"


class _Value(NamedTuple):
    """A value in a module of the function or in its process, or a file in ``/tmp``."""

    text: str
    is_container: bool = False
    """It is compared by its entries, which have paths of their own."""
    node: Node | None = None
    label: object = None


def values_of(env: ExecutionEnvironment) -> dict[str, str]:
    """Return the values that function code can reach, as short texts, by their paths."""
    values = _values(env, env._parts.make_scene())
    return {path: _compared(value) for path, value in values.items()}


def kept_state(env: ExecutionEnvironment, fresh: Sequence[dict[str, str]]) -> Iterator[str]:
    """Yield a line for each value that differs from those in fresh environments.

    A value in which the fresh ones differ from each other is left out.
    """
    scene = env._parts.make_scene()
    values = _values(env, scene)
    gone = dict.fromkeys(path for path in fresh[0] if path not in values)
    is_loaded = any(value.node is not None for value in values.values())
    shown: list[str] = []
    for path in [*values, *(gone if is_loaded else ())]:
        value = values.get(path, _Value(_NOTHING))
        texts = {one.get(path, _NOTHING) for one in fresh}
        is_inside = path.startswith(tuple(shown))
        if len(texts) == 1 and _compared(value) not in texts and not is_inside:
            if value.is_container or _CONTAINER in texts:
                shown += [f"{path}.", f"{path}[", f"{path}("]
            where = "" if value.node is None else scene.where(value.node, value.label)
            at = f", at {where}" if where else ""
            yield f"{path}: {value.text}, and cold {texts.pop()}{at}"


def _compared(value: _Value) -> str:
    return _CONTAINER if value.is_container else value.text


def _values(env: ExecutionEnvironment, scene: Scene) -> dict[str, _Value]:
    found: dict[str, _Value] = {}
    if env.state == "ready":  # otherwise no module of the function is loaded
        photograph = scene.take()
        nodes = photograph.nodes.values()
        for path, node, label, value, is_container in values_in(nodes, photograph):
            found[path] = _Value(text_in_state(value, label), is_container, node, label)
        for node in nodes:
            if len(node.values) > MOST_ENTRIES and not node.place.is_library:
                found[f"len({path_of(node)})"] = _Value(str(len(node.values)))
    found.update((path, _Value(str(file))) for path, file in scene.files().items())
    return found
