"""``assert_isolates``: data of one caller's event must not show in the invoke of another one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog
from pytest_lambda_lifecycle.lifecycle.redaction import REDACTED, is_secret_name
from pytest_lambda_lifecycle.state.changes import path_of, piece_of_path
from pytest_lambda_lifecycle.state.leaks import list_of
from pytest_lambda_lifecycle.state.opaque import IDENTITY, identities
from pytest_lambda_lifecycle.state.paths import Patterns, patterns_of
from pytest_lambda_lifecycle.state.sent_texts import text_of_sent

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.state.photograph import Node, Photograph
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["assert_isolates"]

_SHORTEST_TEXT: Final = 4
_FEWEST_DIGITS: Final = 5
_MOST_FILES: Final = 100
"""Files whose texts are read before each invoke."""
_MOST_PATHS: Final = 3
_NUMBERS_AND_TEXTS: Final = identities(str, int, float)


class _Mark(NamedTuple):
    """A value that tells one event from all others."""

    event: int
    """The number of the event, from 1 on."""
    path: str
    """Its place in the event: ``['user']['id']``."""
    value: str | int | float
    is_secret: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        text = re.escape(str(self.value))
        is_number = not isinstance(self.value, str)
        return re.compile(rf"(?<![\w.]){text}(?![\w.])" if is_number else text)

    def __str__(self) -> str:
        shown = REDACTED if self.is_secret else repr(self.value)
        return f"{shown} of event {self.event} (event{self.path})"


def assert_isolates(
    invoke: Callable[[object], Invocation],
    scene: Scene,
    config: FunctionConfig,
    *,
    events: Sequence[object],
    encode: Callable[[object], bytes],
    sent: list[tuple[Any, object]],
    ignore: object,
) -> None:
    """Send the events one after another, and look for values of one in the invokes of others.

    ``sent`` is filled with the calls of an invoke, and the objects that hold what each has sent.
    """
    __tracebackhide__ = True
    ignored = patterns_of(ignore, "cannot assert that the events are isolated")
    allowed = Patterns(config.allowed_state)
    marks = _distinctive([_decoded(encode(event)) for event in events])
    order = [*range(len(events)), *range(len(events) - 1)]
    found: dict[str, None] = {}
    done: set[int] = set()
    for index in order:
        before = _Before(scene)
        sent.clear()
        invocation = invoke(events[index])
        done.add(index)
        foreign = [mark for mark in _usable(marks, scene) if mark.event - 1 in done - {index}]
        for place, text in _texts(invocation, before.files, scene, sent):
            for mark in foreign:
                if mark.pattern.search(text) and not ignored.covering(place):
                    kept = before.where_kept(mark)
                    line = f"{mark} is in the {place} of the invoke with event {index + 1}{kept}"
                    found[line] = None
    last = order[-1] + 1
    photograph = scene.take()
    foreign = [mark for mark in _usable(marks, scene) if mark.event != last]
    for mark, path, where in _kept(photograph, foreign, scene):
        if not ignored.covering(path) and not allowed.covering(path):
            at = f", at {where}" if where else ""
            found[f"{mark} is kept in {path} after the invoke with event {last}{at}"] = None
    if found:
        raise AssertionError(
            f"{config.handler} lets data of one event reach the invoke of another one "
            f"({len(events)} events, {len(order)} invokes):\n{list_of(found)}\n"
            "Keep such data in local variables. State that holds it on purpose is named in "
            "ignore=[...], or in lambda_lifecycle_allowed_state."
        )


# -- the values of events -------------------------------------------------------------------------


def _decoded(body: bytes) -> Any:  # noqa: ANN401
    try:
        return json.JSONDecoder().decode(body.decode())
    except ValueError:
        return body.decode("utf-8", "replace")


def _leaves(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{path}[{key!r}]", str(key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, f"{path}[{index}]", name)
    else:
        yield path, name, value


def _is_distinctive(value: object) -> bool:
    if isinstance(value, str):
        return len(value.strip()) >= _SHORTEST_TEXT
    if isinstance(value, int | float) and not isinstance(value, bool):
        return sum(map(str.isdigit, str(value))) >= _FEWEST_DIGITS
    return False


def _distinctive(events: Sequence[Any]) -> list[_Mark]:
    """Return the values that are in one event alone; raise `LifecycleError` if one has none."""
    __tracebackhide__ = True
    texts = ["\n".join(str(leaf) for *_, leaf in _leaves(event)) for event in events]
    marks: list[_Mark] = []
    for index, event in enumerate(events):
        others = "\n".join(text for number, text in enumerate(texts) if number != index)
        for path, name, value in _leaves(event):
            if _is_distinctive(value) and str(value) not in others:
                marks.append(_Mark(index + 1, path, value, is_secret_name(name)))
    without = sorted({*range(1, len(events) + 1)} - {mark.event for mark in marks})
    if without:
        raise LifecycleError(
            f"cannot tell event {without[0]} from the others: it has no value of its own",
            f"A value counts if it is a text of {_SHORTEST_TEXT} characters or more, or a number "
            f"of {_FEWEST_DIGITS} digits or more, and no other event contains it.",
            "Give each event such values: {'tenant': 'tenant-a', 'token': 's3cr3t-a'}.",
            code="LLC905",
        )
    return marks


def _usable(marks: Iterable[_Mark], scene: Scene) -> list[_Mark]:
    """Leave out values that the source of function code has as well."""
    sources = scene.sources()
    return [mark for mark in marks if not any(mark.pattern.search(one) for one in sources)]


# -- the places -----------------------------------------------------------------------------------


def _texts(
    invocation: Invocation, before: dict[str, str], scene: Scene, sent: list[tuple[Any, object]]
) -> Iterator[tuple[str, str]]:
    yield "response", _text_of_response(invocation)
    log = "".join(one.text for one in invocation.events if isinstance(one, FunctionLog))
    yield "log", log
    for http in invocation.http_calls:
        yield f"HTTP call {http}{_at(http.where)}", http.url
    for call, content in sent:
        kind = "AWS" if isinstance(call, AwsCall) else "HTTP"
        yield f"{kind} call {call}{_at(call.where)}", text_of_sent(content)
    for path, summary in scene.files().items():
        if before.get(path) != str(summary):
            yield f"file {path}", f"{path}\n{scene.text_of_file(path)}"


def _text_of_response(invocation: Invocation) -> str:
    payload = invocation.payload
    if isinstance(payload, bytes):
        return payload.decode("utf-8", "replace")
    return "\n".join(str(leaf) for *_, leaf in _leaves(payload)) + invocation.raw.decode(
        "utf-8", "replace"
    )


def _at(where: str) -> str:
    return f" at {where}" if where else ""


def _kept(
    photograph: Photograph, marks: Sequence[_Mark], scene: Scene
) -> Iterator[tuple[_Mark, str, str]]:
    """Yield the values that can still be reached, with their paths."""
    if not marks:
        return
    patterns = [(mark, mark.pattern) for mark in marks]
    seen: set[tuple[_Mark, str]] = set()
    for node in photograph.nodes.values():
        for index, text in _texts_in(node):
            for mark, pattern in patterns:
                if pattern.search(text):
                    label = index if node.labels is None else node.labels[index]
                    inner = "" if node.kind.style == "member" else piece_of_path(node.kind, label)
                    path = path_of(node) + inner
                    if not any(one == mark and path.startswith(known) for one, known in seen):
                        seen.add((mark, path))
                        yield mark, path, scene.where(node, label)


class _Before:
    """The state before an invoke, which may replace what it finds."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._photograph = scene.take()
        self.files = {path: str(summary) for path, summary in scene.files().items()}
        self._texts = {path: scene.text_of_file(path) for path in list(self.files)[:_MOST_FILES]}

    def where_kept(self, mark: _Mark) -> str:
        """Return the paths along which a value was kept, as the end of a sentence."""
        found = [path + _at(where) for _, path, where in self._kept(mark)]
        found += [path for path, text in self._texts.items() if mark.pattern.search(text)]
        return f", kept in {' and '.join(found[:_MOST_PATHS])}" if found else ""

    def _kept(self, mark: _Mark) -> Iterator[tuple[_Mark, str, str]]:
        return islice(_kept(self._photograph, [mark], self._scene), _MOST_PATHS)


def _texts_in(node: Node) -> Iterator[tuple[int, str]]:
    for index, value in enumerate(node.values):
        if IDENTITY(type(value)) in _NUMBERS_AND_TEXTS:
            yield index, str(value)
        elif type(value) is bytes:
            yield index, value.decode("utf-8", "replace")
    if (
        node.labels is not None
        and node.labels is not node.values
        and node.kind.style != "attribute"
    ):
        for index, label in enumerate(node.labels):
            if IDENTITY(type(label)) in _NUMBERS_AND_TEXTS:
                yield index, str(label)
            elif type(label) is tuple:
                yield (
                    index,
                    "\n".join(
                        str(one) for one in label if IDENTITY(type(one)) in _NUMBERS_AND_TEXTS
                    ),
                )
