"""asyncio's loop and policy: those of the function during a phase, and of the test otherwise.

Tasks without a name are numbered from 1 in each process of the function.  asyncio counts in C,
where nobody can set the number, and so such a task gets its name from us.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo, note_later_patch

__all__ = ["LOOPS", "EventLoop"]

LOOPS: Final = "asyncio.base_events"
"""The module with the method that makes tasks."""
_EVENTS: Final = "asyncio.events"
_NO_LOOP: Final[Any] = (None, None, False)
"""Policy, current loop, and whether somebody has set that one: as in a fresh process."""


class EventLoop(PhasePart):
    """Hides the loop that runs around the test, and gives function code the loop that it has set.

    asyncio is not imported for this: where nobody has imported it there is no loop.
    """

    _entered: ClassVar[EventLoop | None] = None
    _genuine: ClassVar[Any] = None
    """The method that makes tasks, as it was before ours was put in its place."""

    def __init__(self, is_functions: Callable[[], bool] = lambda: True) -> None:
        """``is_functions`` tells of the current thread whether it runs code of the function."""
        self._is_functions = is_functions
        self._loop_class: Any = None
        self._original: Any = None
        """The same while ours is in its place."""
        self._events: Any = None
        """The module, as last seen; None if nobody has imported it."""
        self._own = _NO_LOOP
        self._running: Any = None
        self._outside = _NO_LOOP
        self._number = itertools.count(1)

    def enter(self) -> Undo:
        EventLoop._entered = self
        loops = held_module(LOOPS)
        if loops is not None:
            self.watch(loops)
        return self._leave

    def _leave(self) -> None:
        EventLoop._entered = None
        cls, original = self._loop_class, self._original
        if original is not None:
            self._original = None
            if cls.__dict__.get("create_task") is _create_task:
                cls.create_task = original
            else:  # a tool has patched it, and may restore ours later
                note_later_patch(cls, "create_task", _create_task, original)

    def watch(self, loops: ModuleType) -> None:
        """Name the tasks of function code, while the environment is entered."""
        if EventLoop._entered is self:
            cls = self._loop_class = loops.BaseEventLoop
            if cls.create_task is not _create_task:
                EventLoop._genuine = cls.create_task
            self._original = EventLoop._genuine
            cls.create_task = _create_task

    @classmethod
    def create_task(cls, loop: Any, coro: Any, keywords: dict[str, Any]) -> Any:  # noqa: ANN401
        """Stand in for the method of `asyncio.BaseEventLoop`."""
        __tracebackhide__ = __function_code_above__ = True
        part = cls._entered
        unnamed = keywords.get("name") is None and loop._task_factory is None
        if part is not None and unnamed and part._is_functions():
            keywords["name"] = f"Task-{next(part._number)}"
        return cls._genuine(loop, coro, **keywords)

    def begin_phase(self) -> None:
        self._outside = _NO_LOOP
        events: Any = sys.modules.get(_EVENTS)
        if events is not self._events:
            events = self._events = held_module(_EVENTS)
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
        events: Any = sys.modules.get(_EVENTS)
        if events is not self._events:
            events = self._events = held_module(_EVENTS)
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


def _create_task(self: Any, coro: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
    __tracebackhide__ = __function_code_above__ = True
    return EventLoop.create_task(self, coro, keywords)


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
