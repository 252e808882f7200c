"""``assert_no_growth``: what grows with the number of invokes, and does not level off."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import tracemalloc
import types
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.progress import Progress
from pytest_lambda_lifecycle.state.buffers import Summary
from pytest_lambda_lifecycle.state.changes import Change, path_of, piece_of_path
from pytest_lambda_lifecycle.state.differences import MISSING
from pytest_lambda_lifecycle.state.kinds import CACHETOOLS
from pytest_lambda_lifecycle.state.leaks import list_of
from pytest_lambda_lifecycle.state.opaque import IDENTITY, identities, module_of, name_of
from pytest_lambda_lifecycle.state.paths import Patterns, patterns_of
from pytest_lambda_lifecycle.state.photograph import MOST_DEPTH, Node, Photograph
from pytest_lambda_lifecycle.state.places import Target, target_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["assert_no_growth"]

_WINDOWS: Final = 5
_RISING: Final = 3
"""The last windows, in each of which a number has to rise."""
_FEWEST: Final = 2 * _WINDOWS
_BYTES_PER_INVOKE: Final = 64
"""Below that, the growth of memory is that of free lists and caches of the interpreter."""
_TEXTS: Final = identities(str, bytes)
_LIBRARY_TYPES: Final = ("pytest_lambda_lifecycle", "builtins", "_pytest")


class _Measure(NamedTuple):
    """The numbers at one moment, by the thing that is counted."""

    numbers: dict[str, int]
    targets: dict[str, Target]


class Growth(NamedTuple):
    """A number that has risen in each of the last windows."""

    thing: str
    first: int
    last: int
    per_invoke: float
    where: str

    def __str__(self) -> str:
        at = f", at {self.where}" if self.where else ""
        return f"{self.thing}: {self.first} -> {self.last}, {self.per_invoke:.2f} per invoke{at}"


def assert_no_growth(
    invoke: Callable[[object], object],
    scene: Scene,
    config: FunctionConfig,
    *,
    event: object,
    invokes: object,
    trace_memory: bool,
    ignore: object,
) -> None:
    """Invoke the function many times, and assert that nothing grows with the number of invokes."""
    __tracebackhide__ = True
    number = _number_of(invokes)
    ignored = patterns_of(ignore, "cannot assert that nothing grows")
    allowed = Patterns(config.allowed_state)
    make = event if callable(event) else lambda _: event
    measures: list[_Measure] = []
    window = max((number - 2) // _WINDOWS, 1)
    ends = [number - window * left for left in range(_RISING, -1, -1)]
    with _traced(trace_memory):
        for index in range(number):
            invoke(make(index))
            Progress.tell("assert_no_growth", index + 1, number)
            if index + 1 in ends:
                measures.append(_measure(scene, trace_memory))
    found = [
        growth
        for growth in _growths(measures, window, scene)
        if not ignored.covering(growth.thing) and not allowed.covering(growth.thing)
    ]
    if found:
        raise AssertionError(_text(found, config, ends))


def _number_of(invokes: object) -> int:
    if isinstance(invokes, int) and not isinstance(invokes, bool) and invokes >= _FEWEST:
        return invokes
    raise LifecycleError(
        f"cannot tell growth from invokes={invokes!r}: it has to be a whole number, {_FEWEST} or "
        "more",
        "A cache that levels off has to have the time to do so; 50 is the default.",
        code="LLC906",
    )


@contextmanager
def _traced(wanted: bool) -> Iterator[None]:
    """Let `tracemalloc` run, and stop it unless it ran before.

    An environment that is entered would restore what it has found (`parts/value_table.py`).
    """
    if not wanted or tracemalloc.is_tracing():
        yield
        return
    with stage.left():
        tracemalloc.start()
    try:
        yield
    finally:
        with stage.left():
            tracemalloc.stop()


def _measure(scene: Scene, trace_memory: bool) -> _Measure:
    gc.collect()
    photograph = scene.take()
    numbers: dict[str, int] = {}
    targets: dict[str, Target] = {}
    for node in photograph.nodes.values():
        for path, size, target in _sizes(node):
            if numbers.get(path, -1) < size:
                numbers[path] = size
                targets[path] = target
    for name, count in _objects(photograph, scene).items():
        numbers[f"objects of {name}"] = count
    numbers["open file descriptors"] = len(scene.process_state.descriptors)
    numbers["files in /tmp"] = len(scene.files())
    numbers["threads"] = threading.active_count()
    if trace_memory:
        own = os.path.dirname(os.path.dirname(__file__)) + os.sep + "*"
        skipped = [tracemalloc.Filter(False, own), tracemalloc.Filter(False, tracemalloc.__file__)]
        traces = tracemalloc.take_snapshot().filter_traces(skipped)
        for statistic in traces.statistics("lineno"):
            frame = statistic.traceback[0]
            place = scene.places.shown(f"{frame.filename}:{frame.lineno}")
            if place != f"{frame.filename}:{frame.lineno}":
                numbers[f"bytes allocated at {place}"] = statistic.size
    return _Measure(numbers, targets)


def _sizes(node: Node) -> Iterator[tuple[str, int, Target]]:
    """Yield the length of a container, and the lengths of texts in attributes."""
    values = node.values
    if node.place.depth > MOST_DEPTH:
        return
    if values and not _is_bounded(node):
        if type(values[0]) is Summary:
            if type(node.object) is bytearray:
                yield path_of(node), len(node.object), _target(node, 0, values[0])
            return
        label = 0 if node.labels is None else node.labels[-1]
        is_names = node.place.parent is None and (node.kind.is_own or node.place.label == "")
        if not is_names:
            yield path_of(node), len(values), _target(node, label, MISSING)
    if node.kind.style == "attribute" and node.labels is not None and len(values) < 1000:
        for label, value in zip(node.labels, values, strict=False):
            if IDENTITY(type(value)) in _TEXTS and len(value) > 64:
                path = path_of(node) + piece_of_path(node.kind, label)
                yield path, len(value), _target(node, label, value)


def _target(node: Node, label: object, before: object) -> Target:
    return target_of(Change("", before, None, False, label, node))


def _is_bounded(node: Node) -> bool:
    """Say whether a container has a largest length, which it does not exceed."""
    one: Any = node.object
    if issubclass(type(one), deque):
        return deque.__dict__["maxlen"].__get__(one) is not None
    if node.kind.style == "call":
        return type(one).cache_info(one).maxsize is not None
    if node.kind is CACHETOOLS:
        return type(object.__getattribute__(one, "__dict__").get("_Cache__maxsize")) is int
    return False


def _objects(photograph: Photograph, scene: Scene) -> Mapping[str, int]:
    """Count the objects of each class: those that are reached, and all of function code."""
    found: Counter[str] = Counter()
    objects = gc.get_objects()
    kinds = list(map(type, objects))
    counts = Counter(map(IDENTITY, kinds))  # a metaclass may define another `__hash__`
    classes = dict(zip(map(IDENTITY, kinds), kinds, strict=True))
    for one in objects:
        if type(one) is types.FunctionType:
            module = str(one.__globals__.get("__name__"))
            if scene.is_own(module):
                found[f"{module}.{one.__qualname__}"] += 1
    del objects, kinds
    for key, count in counts.items():
        if scene.is_own(module_of(classes[key])):
            found[f"{module_of(classes[key])}.{name_of(classes[key])}"] += count
    for node in photograph.nodes.values():
        cls = type(node.object)
        module = module_of(cls)
        if not module.startswith(_LIBRARY_TYPES) and not scene.is_own(module):
            found[f"{module}.{name_of(cls)}"] += 1
    return found


def _growths(measures: list[_Measure], window: int, scene: Scene) -> Iterator[Growth]:
    last = measures[-1]
    for thing in sorted(last.numbers):
        series = [measure.numbers.get(thing, 0) for measure in measures]
        if any(later <= earlier for earlier, later in itertools.pairwise(series)):
            continue
        rate = (series[-1] - series[0]) / (window * _RISING)
        if thing.startswith("bytes ") and rate < _BYTES_PER_INVOKE:
            continue
        target = last.targets.get(thing)
        if thing == "open file descriptors":
            target = Target(thing, (), None, "added", is_variable=False)
        where = scene.places.find(target) if target is not None else ""
        yield Growth(thing, series[0], series[-1], rate, where)


def _text(found: list[Growth], config: FunctionConfig, ends: list[int]) -> str:
    measured = ", ".join(map(str, ends))
    paths = [one.thing for one in found if " " not in one.thing and not one.thing.startswith("log")]
    declare = f": lambda_lifecycle_allowed_state = {paths[0]}" if paths else ""
    return (
        f"{config.handler} grows with the number of invokes (measured after {measured}):\n"
        f"{list_of(map(str, found))}\n"
        "An environment lives for hours and serves thousands of invokes. Bound it, or, if it "
        f"levels off later, give it more invokes or declare it{declare}"
    )
