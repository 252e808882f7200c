"""`assert_reused`: an object of the function's is still the one that init made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.events import Event, Replaced
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.lifecycle.phases import Phase
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.observation.reuse import InitPhotograph

__all__ = ["assert_reused"]

_GONE: Final = frozenset({"new", "reset", "closed"})


def assert_reused(
    targets: Sequence[str],
    *,
    photograph: InitPhotograph | None,
    world: World,
    phases: Sequence[Phase],
    timeline: Timeline,
    state: str,
    cause: str,
) -> None:
    """Assert that each target is the very object that ``photograph`` of the latest init shows.

    ``cause`` says why the environment is in its ``state``, where that is known.
    """
    __tracebackhide__ = True
    if not targets:
        raise LifecycleError(
            "cannot say whether nothing was reused: name targets, each as 'package.module.name'"
        )
    if state in _GONE and phases:
        how = (
            f"was {cause}; ask before"
            if state == "closed"
            else f"is in state {state!r}; invoke first"
        )
        raise LifecycleError(
            f"cannot say whether {', '.join(map(str, targets))} was reused: what init made is gone, as the environment "
            f"{how}"
        )
    if photograph is None or not phases or not isinstance(phases[-1], Invocation):
        raise LifecycleError(
            f"cannot say whether {', '.join(map(str, targets))} was reused: nothing was invoked since init (state "
            f"{state!r}); invoke first"
        )
    for target in targets:
        before, now = _then_and_now(target, photograph, world)
        if before is not now:
            by = next(
                (
                    _replaced_by(e, phases)
                    for e in reversed(timeline.of(Replaced))
                    if e.target == target
                ),
                "",
            )
            raise AssertionError(
                f"{target} was not reused: it is another object than init made{by}\n"
                f"  after init: {before!r}\n  now:        {now!r}"
            )


def _then_and_now(target: str, photograph: InitPhotograph, world: World) -> tuple[object, object]:
    __tracebackhide__ = True
    parts = str(target).split(".")
    length = world.module_length(parts) if len(parts) > 1 else 0
    module = world.own(".".join(parts[:length]))
    if module is None or length == len(parts):
        raise LifecycleError(
            f"cannot say whether {target!r} was reused: it names nothing inside a module of the function that is "
            "loaded; name one as 'package.module.name'"
        )
    try:
        before = photograph.at_init(module, parts[length:])
    except (KeyError, StopIteration, TypeError):
        raise LifecycleError(
            f"cannot say whether {target!r} was reused: at the end of init {module.__name__} had no such name "
            "(names of modules and of their classes are remembered)"
        ) from None
    now: object = module
    for name in parts[length:]:
        now = (
            getattr(now, name, "<deleted>")
            if not isinstance(now, type)
            else vars(now).get(name, "<deleted>")
        )
    return before, now


def _replaced_by(event: Event, phases: Sequence[Phase]) -> str:
    for index, invocation in enumerate(phase for phase in phases if isinstance(phase, Invocation)):
        if any(one is event for one in invocation.events):
            return f" (replaced by invocation {index}, request {invocation.request_id})"
    return ""
