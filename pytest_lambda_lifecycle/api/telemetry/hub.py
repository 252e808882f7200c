"""The subscribers of telemetry, and the times at which records may be delivered to them.

The conductor's thread calls all methods but `subscribe`, which threads of the server call.  Only
`flush` and `end` wait for a subscriber, and only for a limited time.
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
from pytest_lambda_lifecycle.isolation.real import RealTime
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
        end_of: Callable[[str], str] = lambda name: "",
        clash_at: Callable[[int], str] = lambda port: "",
    ) -> None:
        """``project`` makes records of events, by a schema; ``note`` takes events on any thread.

        ``end_of`` says of an extension how its process has ended, as for `Subscriber`;
        ``clash_at`` says that an extension of another environment listens at a port, in words.
        """
        self._timeline = timeline
        self._project = project
        self._note = note
        self._now_us = now_us
        self._end_of = end_of
        self._clash_at = clash_at
        self._lock = threading.Lock()
        self._control = Control()
        self._subscribers: dict[str, Subscriber] = {}
        self._first = 0
        self._open = False

    def begin(self, first: int) -> None:
        """Begin a generation of processes, without subscribers.

        A new subscriber gets everything from event number ``first`` on.
        """
        self.end()
        with self._lock:
            self._control = Control()
            self._first = first
            self._open = True

    def subscribe(self, api: str, extension: str, body: bytes) -> Reply:
        """Answer a subscription through ``api``: ``"telemetry"`` or ``"logs"``.

        Raises `ApiError`: 400 if it is not valid or another API is in use, 403 after Init.
        To subscribe again replaces the subscription; nothing is sent twice.
        """
        wanted = parse(api, body)
        words = APIS[api]
        clash = self._clash_at(wanted.port)
        if clash:  # its records would go to the other environment
            raise ApiError(400, words.validation_error, clash)
        with self._lock:
            if not self._open:
                raise ApiError(403, words.closed_error, f"{words.title} subscription is closed")
            used = next((known.subscription.api for known in self._subscribers.values()), api)
            if used != api:  # the guide calls it an error, and does not say which
                other = f"the {APIS[used].title} is in use in this environment"
                message = f"{other}, and only one of the two can be"
                raise ApiError(400, words.validation_error, message)
            subscriber = self._subscribers.get(extension)
            if subscriber is not None and subscriber.subscription == wanted:
                return _OK
            self._note(TelemetrySubscription(self._now_us(), extension, api, wanted.types))
            if subscriber is not None:
                subscriber.subscription = wanted
                return _OK
            feed = Feed(self._timeline, self._project, self._first)
            subscriber = Subscriber(
                extension,
                wanted,
                feed=feed,
                control=self._control,
                lost=self._lost,
                end_of=self._end_of,
            )
            subscriber.start()
            self._subscribers[extension] = subscriber
        return _OK

    def close_subscriptions(self) -> None:
        """Refuse further subscriptions: Init has ended."""
        with self._lock:
            self._open = False

    @property
    def waiting(self) -> list[str]:
        """The subscribers that have not got all events so far."""
        wanted = len(self._timeline)
        with self._lock:
            return [name for name, one in self._subscribers.items() if one.delivered < wanted]

    @property
    def subscribers(self) -> list[str]:
        """The extensions that have subscribed in this generation of processes."""
        with self._lock:
            return list(self._subscribers)

    def is_dropped(self, extension: str) -> bool:
        """Say whether a test has dropped the destination of a subscriber."""
        with self._lock:
            subscriber = self._subscribers.get(extension)
            return subscriber is not None and subscriber.dropped

    def _lost(self, extension: str, records: int, size: int, reason: str) -> None:
        self._note(LogsDropped(self._now_us(), extension, records, size, reason))

    # -- frozen and thawed ------------------------------------------------------------------------

    def pause(self) -> None:
        """Hold deliveries until the next invoke or `flush`: the environment is frozen."""
        self._control.paused = True

    def resume(self) -> None:
        """Deliver the records that are due: the environment is thawed."""
        control = self._control
        if control.paused:
            with control.changed:
                control.paused = False
                control.changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Deliver all events so far, also if paused; return False after ``timeout_s`` of real time.

        The extensions have to be running while this waits.
        """
        with self._lock:
            subscribers = list(self._subscribers.values())
            control = self._control
            wanted = len(self._timeline)
        if not subscribers:
            return True
        end = RealTime.perf_counter() + timeout_s
        with control.changed:
            control.flushing = True
            control.changed.notify_all()
            try:
                return wait_until(
                    control.changed,
                    lambda: all(subscriber.delivered >= wanted for subscriber in subscribers),
                    end,
                )
            finally:
                control.flushing = False

    # -- ends -------------------------------------------------------------------------------------

    def drop_destination(self, extension: str) -> None:
        """Drop all further records for a subscriber, as if its listener had died.

        Raises `LifecycleError` if that extension has not subscribed.
        """
        with self._lock:
            subscriber = self._subscribers.get(extension)
            if subscriber is None:
                known = ", ".join(map(repr, self._subscribers)) or "no extension"
                raise LifecycleError(
                    f"cannot drop the telemetry of {extension!r}: it has not subscribed.",
                    f"Subscribed in this generation of processes: {known}.",
                    "Extensions subscribe during Init.",
                    code="LLC603",
                )
        subscriber.dropped = True
        subscriber.interrupt()
        with self._control.changed:
            self._control.changed.notify_all()

    def end(self) -> None:
        """End all threads and connections, also if records are left: the processes have ended."""
        with self._lock:
            subscribers = list(self._subscribers.values())
            control = self._control
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
