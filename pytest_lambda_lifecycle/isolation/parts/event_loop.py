"""asyncio's loop and policy: those of the function during a phase, and of the test otherwise.

Tasks without a name are numbered from 1 in each process of the function.  asyncio counts in C,
where nobody can set the number, and so such a task gets its name from us.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import PhasePart, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["LOOPS", "EventLoop"]

LOOPS: Final = "asyncio.base_events"
"""The module with the method that makes tasks."""
_NO_LOOP: Final[Any] = (None, None, False)
"""Policy, current loop, and whether somebody has set that one: as in a fresh process."""


class EventLoop(PhasePart):
    """Hides the loop that runs around the test, and gives function code the loop that it has set.

    asyncio is not imported for this: where nobody has imported it there is no loop.
    """

    def __init__(self, is_functions: Callable[[], bool] = lambda: True) -> None:
        """``is_functions`` tells of the current thread whether it runs code of the function."""
        self._is_functions = is_functions
        self._own = _NO_LOOP
        self._running: Any = None
        self._outside = _NO_LOOP
        self._number = itertools.count(1)
        self._entered = False
        self._unwatch: Undo = nothing_to_undo

    def enter(self) -> Undo:
        self._entered = True
        loops = held_module(LOOPS)
        if loops is not None:
            self.watch(loops)

        def leave() -> None:
            self._entered = False
            unwatch, self._unwatch = self._unwatch, nothing_to_undo
            unwatch()

        return leave

    def watch(self, loops: ModuleType) -> None:
        """Name the tasks of function code, while the environment is entered."""
        if not self._entered:
            return
        original: Any = loops.BaseEventLoop.create_task
        part = self

        def create_task(self: Any, coro: Any, **keywords: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            unnamed = keywords.get("name") is None and self._task_factory is None
            if unnamed and part._is_functions():
                keywords["name"] = f"Task-{next(part._number)}"
            return original(self, coro, **keywords)

        self._unwatch = patch_attributes((loops.BaseEventLoop, "create_task", create_task))

    def begin_phase(self) -> None:
        self._outside = _NO_LOOP
        events: Any = held_module("asyncio.events")
        if events is None:
            return
        running = self._running = events._get_running_loop()
        if running is None and self._own is _NO_LOOP and events._event_loop_policy is None:
            return  # nobody uses asyncio: the usual case
        self._outside = _state_of(events)
        _set_state(events, self._own)
        if running is not None:
            events._set_running_loop(None)

    def end_phase(self) -> None:
        events: Any = held_module("asyncio.events")
        if events is None or (self._outside is _NO_LOOP and events._event_loop_policy is None):
            self._own = _NO_LOOP
            return
        self._own = _state_of(events)
        _set_state(events, self._outside)
        self._outside = _NO_LOOP
        if self._running is not None:
            events._set_running_loop(self._running)
            self._running = None

    def discard(self) -> None:
        self._own = _NO_LOOP
        self._number = itertools.count(1)


def _state_of(events: Any) -> Any:  # noqa: ANN401  # asyncio's private state
    policy = events._event_loop_policy
    local = getattr(policy, "_local", None)
    return (policy, None, False) if local is None else (policy, local._loop, local._set_called)


def _set_state(events: Any, state: Any) -> None:  # noqa: ANN401
    policy, loop, set_called = state
    events._event_loop_policy = policy
    local = getattr(policy, "_local", None)
    if local is not None:
        local._loop = loop
        local._set_called = set_called
