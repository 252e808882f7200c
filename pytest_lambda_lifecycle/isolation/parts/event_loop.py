"""asyncio's loop and policy: those of the function during a phase, and of the test otherwise."""

from __future__ import annotations

import sys
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import PhasePart

__all__ = ["EventLoop"]

_EVENTS: Final = "asyncio.events"
_NO_LOOP: Final[Any] = (None, None, False)
"""Policy, current loop, and whether somebody has set that one: as in a fresh process."""


class EventLoop(PhasePart):
    """Hides the loop that runs around the test, and gives function code the loop that it has set.

    asyncio is not imported for this: where nobody has imported it there is no loop.
    """

    def __init__(self) -> None:
        self._events: Any = None
        """The module, as last seen; None if nobody has imported it."""
        self._own = _NO_LOOP
        self._running: Any = None
        self._outside = _NO_LOOP

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
