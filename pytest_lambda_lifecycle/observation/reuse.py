"""Reuse: which objects of the function's modules are still the ones that init made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import compress, repeat
from operator import is_not, itemgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.lifecycle.events import Event, Replaced
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.lifecycle.phases import Phase

__all__ = ["InitSnapshot", "assert_reused"]

_MISSING: Final = object()
_identity: Final = object.__hash__
"""The same as `id`, which raises an event for each call once there is an audit hook."""
_Bound: TypeAlias = """tuple[
    int, dict[str, Any], Callable[[dict[str, Any]], tuple[Any, ...]], tuple[Any, ...], list[int]
]"""
"""Of one module: its index, its namespace, a call that returns the present objects of its names,
those of init, and the identities of others as they were last seen.
"""
_GONE: Final = frozenset({"new", "reset", "closed"})


class InitSnapshot:
    """The names of the function's modules as they were at the end of init.

    It holds the objects, so that no new object can get the address of one of them.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = [
            (name, namespace, namespace.copy())
            for name, module in modules.items()
            if (namespace := namespace_of(module)) is not None
        ]
        self._bound: list[_Bound] | None = None
        """Made for the first comparison: many environments end with their Init."""
        self._classes = {
            cls: vars(cls).copy()
            for name, _, before in self._modules
            for cls in _classes(before)
            if cls.__module__ == name
        }
        self._reported: set[str] = set()

    def compare(self, report: Callable[[str, object, object], None]) -> None:
        """Report each global that is bound to another object now, once.

        ``report`` gets the target, the object that init made, and the present object.
        """
        if self._bound is None:
            self._bound = self._bind()
        for index, namespace, present, of_init, seen in self._bound:
            try:
                if not any(map(is_not, present(namespace), of_init)):
                    continue
                bound = list(map(_identity, present(namespace)))
            except KeyError:  # a name has been deleted
                bound = list(map(_identity, namespace.values()))
            if bound != seen:
                seen[:] = bound
                self._report_module(index, report)

    def _bind(self) -> list[_Bound]:
        return [
            (index, namespace, itemgetter(*names), tuple(map(before.get, names)), [])
            for index, (_, namespace, before) in enumerate(self._modules)
            if (names := _names(before))
        ]

    def _report_module(self, index: int, report: Callable[[str, object, object], None]) -> None:
        name, namespace, before = self._modules[index]
        for key in _names(before):
            old, now = before[key], namespace.get(key, _MISSING)
            target = f"{name}.{key}"
            if now is not old and target not in self._reported:
                self._reported.add(target)
                report(target, old, "<deleted>" if now is _MISSING else now)

    def at_init(self, module: ModuleType, path: list[str]) -> object:
        """Return the object that ``path`` named at the end of init.

        Raises `KeyError` if it named nothing, `StopIteration` or `TypeError` if that is unknown.
        """
        present = namespace_of(module)
        before = next(before for _, namespace, before in self._modules if namespace is present)
        value: Any = before[path[0]]
        for name in path[1:]:
            value = self._classes[value][name]
        return value


def _names(namespace: dict[str, Any]) -> list[str]:
    """Return the names that are reported; one of them twice if there is one, for `itemgetter`."""
    names = [name for name in namespace if type(name) is str and not name.startswith("__")]
    return names * 2 if len(names) == 1 else names


def _classes(namespace: dict[str, Any]) -> Iterator[Any]:
    """Find classes by their types: `isinstance` would wake lazy proxies."""
    values = namespace.values()
    return compress(values, map(issubclass, map(type, values), repeat(type)))


def assert_reused(
    targets: Sequence[str], snapshot: InitSnapshot | None, world: World, conductor: Conductor
) -> None:
    """Assert that each target is the very object that the latest init made."""
    __tracebackhide__ = True
    if not targets:
        raise LifecycleError(
            "cannot say whether nothing was reused: name targets, each as 'package.module.name'",
            code="LLC304",
        )
    phases, state = conductor.phases, conductor.state.value
    asked = f"cannot say whether {', '.join(map(str, targets))} was reused"
    if state in _GONE and phases:
        how = f"is in state {state!r}; invoke first"
        if state == "closed":
            how = f"was {conductor.environment_state.cause}; ask before"
        raise LifecycleError(
            f"{asked}: the objects of init are gone, as the environment {how}", code="LLC304"
        )
    if snapshot is None or not phases or not isinstance(phases[-1], Invocation):
        raise LifecycleError(
            f"{asked}: nothing was invoked since init (state {state!r}); invoke first",
            code="LLC304",
        )
    for target in targets:
        before, now = _then_and_now(target, snapshot, world)
        if before is not now:
            replaced = reversed(conductor.timeline.of(Replaced))
            by = next((_replaced_by(e, phases) for e in replaced if e.target == target), "")
            raise AssertionError(
                f"{target} was not reused: it is another object than init made{by}\n"
                f"  after init: {before!r}\n  now:        {now!r}"
            )


def _then_and_now(target: str, snapshot: InitSnapshot, world: World) -> tuple[object, object]:
    __tracebackhide__ = True
    parts = str(target).split(".")
    length = world.module_length(parts) if len(parts) > 1 else 0
    module = world.own(".".join(parts[:length]))
    if module is None or length == len(parts):
        raise LifecycleError(
            f"cannot say whether {target!r} was reused: it names nothing inside a module of the "
            "function that is loaded; name one as 'package.module.name'",
            code="LLC301",
        )
    try:
        before = snapshot.at_init(module, parts[length:])
    except (KeyError, StopIteration, TypeError):
        raise LifecycleError(
            f"cannot say whether {target!r} was reused: at the end of init {module.__name__} had "
            "no such name (names of modules and of their classes are recorded)",
            code="LLC304",
        ) from None
    now: object = module
    for name in parts[length:]:
        if isinstance(now, type):
            now = vars(now).get(name, "<deleted>")
        else:
            now = getattr(now, name, "<deleted>")
    return before, now


def _replaced_by(event: Event, phases: Sequence[Phase]) -> str:
    invocations = (phase for phase in phases if isinstance(phase, Invocation))
    for index, invocation in enumerate(invocations):
        if any(recorded is event for recorded in invocation.events):
            return f" (replaced by invocation {index}, request {invocation.request_id})"
    return ""
