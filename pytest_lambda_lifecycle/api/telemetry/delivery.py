"""Telemetry on its way to one subscriber: a thread that reads the timeline, makes batches and sends
them.

Real time only, whatever a test does to `time`.  Source: Developer Guide, "Lambda Telemetry API",
"Buffering".
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
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.lifecycle.events import Event, FunctionLog, InitStart, InvokeStart
from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.telemetry.subscription import Subscription

__all__ = ["Control", "Feed", "Project", "Subscriber"]

Project: TypeAlias = Callable[[Sequence[Event], str], "list[dict[str, Any]]"]

_POLL_S: Final = 0.01
"""How often the timeline is looked at: its writers signal nothing, since they must not wait for
anybody.
"""
_RETRY_AFTER_S: Final = (0.05, 0.1, 0.2, 0.4)
"""Pauses between attempts; AWS says that it backs off, not how.  After the last attempt the batch
is dropped.
"""
_DROPPED: Final = "the destination was dropped"
_EVENTS_AT_ONCE: Final = 500


class Control:
    """What the hub tells its subscribers' threads; guarded by `changed`."""

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
        """Nobody can be reached now."""
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
    """False for ``platform.logsDropped`` itself: losing it is not reported, or the reports would
    never end.
    """


class Feed:
    """The records of the timeline that one subscriber is to get, in order, from event number
    ``first`` on.
    """

    def __init__(self, timeline: Sequence[Event], project: Project, first: int) -> None:
        self.position = first
        """How many events of the timeline have been read."""
        self._timeline = timeline
        self._project = project
        self._phase: list[Event] = []
        """The last start of a phase: records of later events take something from it."""

    def read(self, name: str, subscription: Subscription, *, unfinished: bool) -> list[Item]:
        """Return what has come; a last line that function code may go on writing only if
        ``unfinished``.
        """
        timeline, first = self._timeline, self.position
        last = min(len(timeline), first + _EVENTS_AT_ONCE)
        if last > first and not unfinished and _may_go_on(timeline[last - 1]):
            last -= 1  # if it is not the timeline's last any more, the next look will tell
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
        """More than one unfinished line is left to read."""
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
    ) -> None:
        """``lost`` is told the name, how many records, how many bytes, and why."""
        self.subscription = subscription
        self.dropped = False
        """A test has taken the destination away."""
        self.delivered = 0
        """All events of the timeline before this one are delivered or lost."""
        self._name = name
        self._feed = feed
        self._control = control
        self._lost = lost
        self._channel = Channel(subscription, self._has_ended)
        self._waiting: deque[Item] = deque()
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._thread = threading.Thread(
            target=self._serve, name=f"telemetry for {name}", daemon=True
        )

    def start(self) -> None:
        """Begin to deliver."""
        start_unwatched(self._thread)

    def interrupt(self) -> None:
        """Let a delivery that is under way fail."""
        self._channel.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    # -- the thread -----------------------------------------------------------------------------------------------

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
        except (
            Exception
        ) as problem:  # nobody would see it, and a traceback on the terminal helps nobody
            with contextlib.suppress(Exception):
                self._lost(
                    self._name,
                    len(self._waiting),
                    self._waiting_bytes,
                    f"{type(problem).__name__}: {problem}",
                )
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
        if (
            len(self._waiting) >= subscription.max_items
            or self._waiting_bytes >= subscription.max_bytes
        ):
            return True
        late = RealTime.perf_counter() - self._waiting_since >= subscription.timeout_ms / 1000
        return (late or self._control.flushing) and not self._feed.behind

    def _next_batch(self) -> list[Item]:
        subscription, size = self.subscription, 0
        batch: list[Item] = []
        while (
            self._waiting and len(batch) < subscription.max_items and size < subscription.max_bytes
        ):
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

    # -- one batch ------------------------------------------------------------------------------------------------

    def _deliver(self, batch: list[Item]) -> None:
        pauses = iter(_RETRY_AFTER_S)
        while self._control.thawed():
            problem = self._attempt(batch)
            if not problem:
                return
            if self._control.frozen and not self.dropped:
                continue  # who is frozen cannot answer: no attempt at all
            pause = None if self.dropped else next(pauses, None)
            if pause is None:
                self._drop(batch, _DROPPED if self.dropped else problem)
                return
            self._control.rest(pause, until=lambda: self.dropped)

    def _attempt(self, batch: list[Item]) -> str:
        """Send once; return what went wrong."""
        if (
            self._channel.subscription is not self.subscription
        ):  # the extension has subscribed again
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
