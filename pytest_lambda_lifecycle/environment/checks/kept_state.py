"""State that the invokes of one environment have left, compared with that of fresh ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_lambda_lifecycle.state.changes import path_of, piece_of_path
from pytest_lambda_lifecycle.state.scene import Scene
from pytest_lambda_lifecycle.state.texts import text_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.state.photograph import Node, Photograph

__all__ = ["kept_state", "values_of"]

_NOTHING = "nothing"


class _Value(NamedTuple):
    """A value in a module of the function, or a file in ``/tmp``."""

    text: str
    node: Node | None = None
    label: object = None


def values_of(env: ExecutionEnvironment) -> dict[str, str]:
    """Return the values that function code can reach, as short texts, by their paths."""
    return {path: value.text for path, value in _values(env, env._parts.make_scene()).items()}


def kept_state(env: ExecutionEnvironment, fresh: Sequence[dict[str, str]]) -> Iterator[str]:
    """Yield a line for each value that differs from those in fresh environments.

    A value in which the fresh ones differ from each other is left out.
    """
    scene = env._parts.make_scene()
    values = _values(env, scene)
    gone = dict.fromkeys(path for path in fresh[0] if path not in values)
    is_loaded = any(value.node is not None for value in values.values())
    for path in [*values, *(gone if is_loaded else ())]:
        value = values.get(path, _Value(_NOTHING))
        texts = {one.get(path, _NOTHING) for one in fresh}
        if len(texts) == 1 and value.text not in texts:
            where = "" if value.node is None else scene.where(value.node, value.label)
            at = f", at {where}" if where else ""
            yield f"{path}: {value.text}, and cold {texts.pop()}{at}"


def _values(env: ExecutionEnvironment, scene: Scene) -> dict[str, _Value]:
    found: dict[str, _Value] = {}
    if env.state == "ready":  # otherwise no module of the function is loaded
        found.update(_in_modules(scene.take(), scene))
    found.update((path, _Value(str(file))) for path, file in scene.files().items())
    return found


def _in_modules(photograph: Photograph, scene: Scene) -> Iterator[tuple[str, _Value]]:
    for node in photograph.nodes.values():
        if node.is_library or not scene.is_own(_root(node)):
            continue
        path = path_of(node)
        for index, value in enumerate(node.values):
            label = index if node.labels is None else node.labels[index]
            if photograph.node(value) is not None:
                continue  # its contents have paths of their own
            name = label if isinstance(label, str) else ""
            inner = "" if node.kind.style == "member" else piece_of_path(node.kind, label)
            yield path + inner, _Value(_text(value, name), node, label)


def _text(value: object, name: str) -> str:
    """Return a short text; an event loop, which has no other state of its own, may be closed."""
    text = text_of(value, name)
    if type(value).__module__.startswith(("asyncio.", "uvloop")):
        is_closed = getattr(value, "is_closed", None)
        if is_closed is not None and is_closed():
            return f"{text}, closed"
    return text


def _root(node: Node) -> str:
    while node.parent is not None:
        node = node.parent
    return str(node.label)
