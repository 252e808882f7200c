"""The way of telemetry to one subscriber: a thread that reads the timeline and sends batches.

All of it is in real time, also under a virtual clock.  Source: Developer Guide, "Lambda Telemetry
API", "Buffering".
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pytest_lambda_lifecycle.api.replies import encode_json
from pytest_lambda_lifecycle.api.telemetry.channel import Channel
from pytest_lambda_lifecycle.isolation.parts.threads import start_unwatched
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.events import Event, FunctionLog, InitStart, InvokeStart
from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.telemetry.subscription import Subscription

__all__ = ["Control", "Feed", "Project", "Subscriber"]

Project: TypeAlias = Callable[[Sequence[Event], str], "list[dict[str, Any]]"]

_POLL_S: Final = 0.01
"""Seconds between two looks at the timeline: its writers must not wait, so they signal nothing."""
_RETRY_AFTER_S: Final = (0.05, 0.1, 0.2, 0.4)
"""Pauses between attempts, of which AWS says only that they grow; then the batch is dropped."""
_DROPPED: Final = "the destination was dropped"
_ENDED: Final = "the extension has ended"
_EVENTS_AT_ONCE: Final = 500


class Control:
    """The orders of the hub to the threads of its subscribers; `changed` guards them."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.paused = False
        self.flushing = False
        self.ended = False

    def thawed(self) -> bool:
        """Wait while the environment is frozen; return False if it has ended."""
        with self.changed:
            while self.frozen and not self.ended:
                self.changed.wait()
            return not self.ended

    @property
    def frozen(self) -> bool:
        """Whether the processes of the subscribers are stopped."""
        return self.paused and not self.flushing

    def rest(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Wait in real time, or until there is a reason to go on."""
        end = RealTime.perf_counter() + seconds
        with self.changed:
            while not self.ended and not until() and (left := end - RealTime.perf_counter()) > 0:
                self.changed.wait(left)


class Item(NamedTuple):
    """One record, encoded."""

    text: bytes
    counts: bool
    """False for ``platform.logsDropped``: a report of its loss would lead to another report."""


class Feed:
    """The records of the timeline for one subscriber, in order, from event number ``first`` on."""

    def __init__(self, timeline: Sequence[Event], project: Project, first: int) -> None:
        self.position = first
        """The number of events that have been read."""
        self._timeline = timeline
        self._project = project
        self._phase: list[Event] = []
        """The last start of a phase, from which records of later events take some fields."""

    def read(self, name: str, subscription: Subscription, *, unfinished: bool) -> list[Item]:
        """Return new records; a last line that function code may continue if ``unfinished``."""
        timeline = self._timeline
        first = self.position
        last = min(len(timeline), first + _EVENTS_AT_ONCE)
        if last > first and not unfinished and _may_go_on(timeline[last - 1]):
            last -= 1
        if last == first:
            return []
        events = [event for event in timeline[first:last] if not _of_another(event, name)]
        self.position = last
        known = len(self._project(self._phase, subscription.schema))
        records = self._project([*self._phase, *events], subscription.schema)[known:]
        for event in events:
            if isinstance(event, (InitStart, InvokeStart)):
                self._phase = [event]
        return [
            Item(encode_json(record), record["type"] != "platform.logsDropped")
            for record in records
            if record["type"].partition(".")[0] in subscription.types
        ]

    @property
    def behind(self) -> bool:
        """Whether more than one unfinished line is left to read."""
        return len(self._timeline) - self.position > 1


def _may_go_on(event: Event) -> bool:
    return type(event) is FunctionLog and not event.text.endswith("\n")


def _of_another(event: Event, name: str) -> bool:
    return isinstance(event, LogsDropped) and event.extension != name


class Subscriber:
    """One subscriber and the thread that serves it; batches are sent one at a time, in order."""

    def __init__(
        self,
        name: str,
        subscription: Subscription,
        *,
        feed: Feed,
        control: Control,
        lost: Callable[[str, int, int, str], None],
        end_of: Callable[[str], str],
    ) -> None:
        """``lost`` takes the name, the numbers of lost records and bytes, and the reason.

        ``end_of`` returns how the process of that name has ended: ``"early"``, ``"late"``, ``""``.
        """
        self.subscription = subscription
        self.dropped = False
        """A test has dropped the destination."""
        self.delivered = 0
        """All events of the timeline before this one are delivered or lost."""
        self._name = name
        self._feed = feed
        self._control = control
        self._lost = lost
        self._end_of = end_of
        self._channel = Channel(subscription, self._has_ended)
        self._waiting: deque[Item] = deque()
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        title = f"telemetry for {name}"
        self._thread = threading.Thread(target=self._serve, name=title, daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        start_unwatched(self._thread)

    def interrupt(self) -> None:
        """Let a delivery that is under way fail."""
        self._channel.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    # -- the thread -------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while self._control.thawed():
                self._collect()
                if self._due():
                    self._deliver(self._next_batch())
                else:
                    self._report_progress()
                    if not self._feed.behind:
                        self._control.rest(_POLL_S)
        except Exception as problem:
            # The timeline names it: a traceback on the terminal would not belong to any test.
            with contextlib.suppress(Exception):
                reason = f"{type(problem).__name__}: {problem}"
                self._lost(self._name, len(self._waiting), self._waiting_bytes, reason)
        finally:
            self._channel.close()
            with self._control.changed:
                self.delivered = sys.maxsize
                self._control.changed.notify_all()

    def _collect(self) -> None:
        subscription = self.subscription
        if len(self._waiting) >= subscription.max_items:
            return
        items = self._feed.read(self._name, subscription, unfinished=self._control.flushing)
        if items and not self._waiting:
            self._waiting_since = RealTime.perf_counter()
        self._waiting += items
        self._waiting_bytes += sum(len(item.text) for item in items)

    def _due(self) -> bool:
        subscription = self.subscription
        if not self._waiting:
            return False
        is_long = len(self._waiting) >= subscription.max_items
        if is_long or self._waiting_bytes >= subscription.max_bytes:
            return True
        late = RealTime.perf_counter() - self._waiting_since >= subscription.timeout_ms / 1000
        return (late or self._control.flushing) and not self._feed.behind

    def _next_batch(self) -> list[Item]:
        subscription = self.subscription
        batch: list[Item] = []
        size = 0
        while self._waiting and len(batch) < subscription.max_items:
            if size >= subscription.max_bytes:
                break
            batch.append(self._waiting.popleft())
            size += len(batch[-1].text)
        self._waiting_bytes -= size
        self._waiting_since = RealTime.perf_counter()
        return batch

    def _report_progress(self) -> None:
        with self._control.changed:
            if not self._waiting and self.delivered != self._feed.position:
                self.delivered = self._feed.position
                self._control.changed.notify_all()

    def _has_ended(self) -> bool:
        return self._control.ended

    # -- one batch --------------------------------------------------------------------------------

    def _deliver(self, batch: list[Item]) -> None:
        pauses = iter(_RETRY_AFTER_S)
        while self._control.thawed():
            problem = self._attempt(batch)
            if not problem:
                return
            if self._control.frozen and not self.dropped:
                continue  # a frozen listener could not answer: this was no attempt
            ended = self._end_of(self._name)
            pause = None if self.dropped or ended else next(pauses, None)
            if pause is None:
                why = _DROPPED if self.dropped else f"{_ENDED}: {problem}" if ended else problem
                if ended != "late":  # the last records of a shutdown have nobody to go to
                    self._drop(batch, why)
                return
            self._control.rest(pause, until=self._is_deaf)

    def _is_deaf(self) -> bool:
        return self.dropped or bool(self._end_of(self._name))

    def _attempt(self, batch: list[Item]) -> str:
        """Send once; return the problem, or ""."""
        if self._channel.subscription is not self.subscription:  # the extension subscribed again
            self._channel.close()
            self._channel = Channel(self.subscription, self._has_ended)
        if self.dropped:
            return _DROPPED
        try:
            self._channel.send([item.text for item in batch])
        except (OSError, ValueError) as problem:
            return str(problem)
        return ""

    def _drop(self, batch: list[Item], why: str) -> None:
        sizes = [len(item.text) for item in batch if item.counts]
        if sizes and not self._control.ended:
            self._lost(self._name, len(sizes), sum(sizes), why)
