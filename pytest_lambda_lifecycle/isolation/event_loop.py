"""asyncio's current loop and policy: the function's during a phase, the test's otherwise."""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["NO_LOOP", "hide_loop", "restore_loop"]

NO_LOOP: Final[Any] = (None, None, False)
_QUIET: Final[Any] = object()


def hide_loop(own: Any) -> Any:  # noqa: ANN401  # asyncio's private state
    """Hide an event loop that runs around the test, and give function code the loop that it set
    before.

    Returns what `restore_loop` needs; None where asyncio is not loaded.
    """
    events = sys.modules.get("asyncio.events")
    if events is None:
        return None
    running = events._get_running_loop()
    if running is None and own is NO_LOOP and events._event_loop_policy is None:
        return _QUIET  # nobody uses asyncio: the usual case
    if running is not None:
        events._set_running_loop(None)
    outside = (events._event_loop_policy, *_current_loop(events))
    _set_current_loop(events, own)
    return running, outside


def restore_loop(hidden: Any) -> Any:  # noqa: ANN401
    """Put the outside's loop back; returns the environment's own."""
    events = sys.modules.get("asyncio.events")
    if events is None or (hidden is _QUIET and events._event_loop_policy is None):
        return NO_LOOP
    own = (events._event_loop_policy, *_current_loop(events))
    if hidden is None or hidden is _QUIET:  # outside has no loop yet
        _set_current_loop(events, NO_LOOP)
        return own
    running, outside = hidden
    _set_current_loop(events, outside)
    if running is not None:
        events._set_running_loop(running)
    return own


def _current_loop(events: Any) -> tuple[Any, bool]:  # noqa: ANN401
    local = getattr(events._event_loop_policy, "_local", None)
    return (None, False) if local is None else (local._loop, local._set_called)


def _set_current_loop(events: Any, state: Any) -> None:  # noqa: ANN401
    policy, loop, set_called = state
    events._event_loop_policy = policy
    local = getattr(policy, "_local", None)
    if local is not None:
        local._loop, local._set_called = loop, set_called
