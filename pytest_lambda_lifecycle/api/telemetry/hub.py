"""Who has subscribed to telemetry, and when something may be delivered to them.

Calls come from the conductor's thread and, for `subscribe`, from those that answer HTTP requests.
None of them waits for a subscriber but `flush` and `end`, and these not for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from pytest_lambda_lifecycle.api.replies import ApiError, Reply
from pytest_lambda_lifecycle.api.telemetry.delivery import Control, Feed, Project, Subscriber
from pytest_lambda_lifecycle.api.telemetry.subscription import APIS, parse
from pytest_lambda_lifecycle.api.waiting import wait_until
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.lifecycle.events import Event
from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped, TelemetrySubscription

__all__ = ["TelemetryHub"]

_JOIN_WITHIN_S: Final = 2.0


class TelemetryHub:
    """The subscriptions of one environment, over all its generations of processes."""

    def __init__(
        self,
        *,
        timeline: Sequence[Event],
        project: Project,
        note: Callable[[Event], None],
        now_us: Callable[[], int],
    ) -> None:
        """``project`` makes records of events and a schema version; ``note`` takes events from any
        thread.
        """
        self._timeline = timeline
        self._project = project
        self._note = note
        self._now_us = now_us
        self._lock = threading.Lock()
        self._control = Control()
        self._subscribers: dict[str, Subscriber] = {}
        self._first = 0
        self._open = False

    def begin(self, first: int) -> None:
        """New processes: nobody has subscribed; who does gets everything from event number
        ``first`` on.
        """
        self.end()
        with self._lock:
            self._control = Control()
            self._first = first
            self._open = True

    def subscribe(self, api: str, extension: str, body: bytes) -> Reply:
        """Answer a subscription through ``api``: ``"telemetry"`` or ``"logs"``.

        Raises `ApiError`: 400 for what is not valid, or if another API is in use; 403 after Init.
        To subscribe again replaces the subscription; nothing is sent twice.
        """
        wanted = parse(api, body)
        words = APIS[api]
        with self._lock:
            if not self._open:
                raise ApiError(403, words.closed_error, f"{words.title} subscription is closed")
            used = next((one.subscription.api for one in self._subscribers.values()), api)
            if used != api:  # the guide: an error; which one it does not say
                other = f"the {APIS[used].title} is in use in this environment, and only one of the two can be"
                raise ApiError(400, words.validation_error, other)
            subscriber = self._subscribers.get(extension)
            if subscriber is not None and subscriber.subscription == wanted:
                return _OK
            self._note(TelemetrySubscription(self._now_us(), extension, api, wanted.types))
            if subscriber is not None:
                subscriber.subscription = wanted
                return _OK
            feed = Feed(self._timeline, self._project, self._first)
            subscriber = Subscriber(
                extension, wanted, feed=feed, control=self._control, lost=self._lost
            )
            subscriber.start()
            self._subscribers[extension] = subscriber
        return _OK

    def close_subscriptions(self) -> None:
        """Init has ended: who has not subscribed by now cannot any more."""
        with self._lock:
            self._open = False

    def _lost(self, extension: str, records: int, size: int, reason: str) -> None:
        self._note(LogsDropped(self._now_us(), extension, records, size, reason))

    # -- frozen and thawed ----------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The environment is frozen: what has not been delivered waits for the next invoke or for
        `flush`.
        """
        self._control.paused = True

    def resume(self) -> None:
        """The environment is thawed: deliver what is due."""
        control = self._control
        if control.paused:
            with control.changed:
                control.paused = False
                control.changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Deliver all that has happened so far, frozen or not; return False if ``timeout_s`` were
        not enough.

        Real time.  Extensions have to be running meanwhile.
        """
        with self._lock:
            subscribers, control, wanted = (
                list(self._subscribers.values()),
                self._control,
                len(self._timeline),
            )
        if not subscribers:
            return True
        end = RealTime.perf_counter() + timeout_s
        with control.changed:
            control.flushing = True
            control.changed.notify_all()
            try:
                return wait_until(
                    control.changed,
                    lambda: all(one.delivered >= wanted for one in subscribers),
                    end,
                )
            finally:
                control.flushing = False

    # -- ends -----------------------------------------------------------------------------------------------------

    def drop_destination(self, extension: str) -> None:
        """Take a subscriber's destination away, as if its listener had died: what would go there is
        dropped.

        Raises `LifecycleError` if that extension has not subscribed.
        """
        with self._lock:
            subscriber = self._subscribers.get(extension)
            if subscriber is None:
                known = ", ".join(map(repr, self._subscribers)) or "nobody has"
                raise LifecycleError(
                    f"cannot drop the telemetry destination of {extension!r}: it has not subscribed (subscribed: "
                    f"{known}); extensions subscribe during Init, so initialize the environment first"
                )
        subscriber.dropped = True
        subscriber.interrupt()
        with self._control.changed:
            self._control.changed.notify_all()

    def end(self) -> None:
        """The processes have ended: so do all threads and connections, whatever is still to be
        delivered.
        """
        with self._lock:
            subscribers, control = list(self._subscribers.values()), self._control
            self._subscribers = {}
            self._open = False
        with control.changed:
            control.ended = True
            control.changed.notify_all()
        for subscriber in subscribers:
            subscriber.interrupt()
        for subscriber in subscribers:
            subscriber.join(_JOIN_WITHIN_S)


_OK: Final = Reply(200, b'"OK"', (("Content-Type", "application/json"),))
