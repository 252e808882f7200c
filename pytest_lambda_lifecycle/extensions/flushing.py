"""The delivery of telemetry at the request of a test, instead of at the end of a batch's time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["flush_telemetry"]

_PATIENCE_S: Final = 10.0
"""Seconds of real time that all listeners together may take: twice the wait for one answer."""


def flush_telemetry(
    endpoint: Endpoint, timeline: Timeline, thaw: Callable[[], None], freeze: Callable[[], None]
) -> None:
    """Deliver what waits, while the extensions run; raise `LifecycleError` if it did not arrive.

    ``freeze`` also takes the events of other threads into the timeline.
    """
    endpoint.open(serve=False)
    hub = endpoint.hub
    if not hub.subscribers:
        raise LifecycleError(
            "cannot flush the telemetry: no extension has subscribed to it.",
            "Extensions subscribe during Init; env.telemetry has all records without a subscriber.",
            code="LLC603",
        )
    dropped = len(timeline.of(LogsDropped))
    thaw()
    try:
        late = [] if hub.flush(_PATIENCE_S) else hub.waiting
    finally:
        freeze()
    losses = [
        one for one in timeline.of(LogsDropped)[dropped:] if not hub.is_dropped(one.extension)
    ]
    if late or losses:
        raise LifecycleError(
            "cannot flush the telemetry: not all of it has reached its listener.",
            *(
                f"{one.extension!r} did not get {one.records} records: {one.reason}."
                for one in losses
            ),
            *(f"{name!r} has not taken its records within {_PATIENCE_S:g} s." for name in late),
            "The listener has to be at the port that the extension has subscribed with, on "
            "127.0.0.1, and to answer with a status below 400.",
            code="LLC606",
        )
