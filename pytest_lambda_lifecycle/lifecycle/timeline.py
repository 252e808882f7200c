"""The timeline: all events in order, from which every assertion, report and log line is derived."""

from __future__ import annotations

import os
import sys
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import repeat
from operator import attrgetter
from typing import Final, TypeVar, overload

from pytest_lambda_lifecycle.lifecycle.events import Event, FunctionLog

__all__ = ["Timeline", "WritableTimeline"]

E = TypeVar("E", bound=Event)
_moment: Final = attrgetter("at")


class Timeline(Sequence[Event]):
    """Events in the order in which they happened.

    Compares equal to a list of events, of event classes or of event names: ``env.timeline ==
    ["init_start", …]``. ``in`` and `count` take the same: ``SpyCall not in env.timeline``.
    """

    def __init__(self, events: list[Event] | None = None) -> None:
        """``events`` are not copied: the timeline goes on as they do."""
        self._events: list[Event] = [] if events is None else events

    @property
    def names(self) -> list[str]:
        """The events' names, for example ``["init_start", …, "invoke_report"]``."""
        return [event.name for event in self._events]

    def of(self, *types: type[E]) -> list[E]:
        """Return the events of the given classes, in order."""
        return [event for event in self._events if isinstance(event, types)]

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __contains__(self, item: object) -> bool:
        return any(map(_matches, self._events, repeat(item)))

    def count(self, value: object) -> int:
        """Return how many events are equal to ``value``, of that class or of that name."""
        return sum(map(_matches, self._events, repeat(value)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Timeline):
            return self._events == other._events
        if not isinstance(other, (list, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(map(_matches, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        from pytest_lambda_lifecycle.lifecycle.timeline_table import render

        return render(self) or "<empty timeline>"

    def __str__(self) -> str:
        """Return the table, in colours where the standard output is a terminal.

        The variable NO_COLOR takes them away; `repr` never has colours.
        """
        from pytest_lambda_lifecycle.lifecycle import timeline_colours

        if timeline_colours.are_wanted(sys.stdout, os.environ):
            return timeline_colours.coloured(repr(self))
        return repr(self)

    def svg(self) -> str:
        """Return a picture of the phases in lanes: the platform, the runtime, the function, each
        extension, HTTP and AWS calls.

        The text is a whole SVG image, without links, scripts or fonts of its own: ``Path("a.svg")
        .write_text(env.timeline.svg())``.  It is as wide as its phases need.
        """
        from pytest_lambda_lifecycle.lifecycle.timeline_svg import svg

        return svg(self)

    def _repr_svg_(self) -> str:
        """Return the picture, for notebooks."""
        return self.svg()

    def _repr_html_(self) -> str:
        """Return the picture above the table, for notebooks."""
        picture = f'<div style="overflow-x:auto">{self.svg()}</div>'
        table = f"<summary>{len(self)} events</summary><pre>{escape(repr(self))}</pre>"
        return f"{picture}\n<details>{table}</details>"


class WritableTimeline(Timeline):
    """The timeline to which the conductor records, and objects that it hands the timeline to."""

    def __init__(self, *, observer: Callable[[Event], None] | None = None) -> None:
        super().__init__()
        self.shown = Timeline(self._events)
        """The same events, for tests."""
        self.append: Callable[[Event], None] = self._events.append
        """Records an event.

        An attribute and not a method, for the warm invoke: as long as nothing is ahead and no other
        thread hands in events, it is `list.append` itself, or the recorder that also calls the
        observer.
        """
        if observer is not None:
            self.append = self._recorder(observer)
        self.size: Callable[[], int] = self._events.__len__
        """The same as `len()`, without a call in Python."""
        self._record = self.append
        self._ahead: list[Event] = []
        self._inbox: deque[Event] | None = None

    def _recorder(self, observer: Callable[[Event], None]) -> Callable[[Event], None]:
        def append(event: Event) -> None:
            __observer_above__ = True
            self._events.append(event)
            observer(event)

        return append

    def open_inbox(self) -> Callable[[Event], None]:
        """Return a call by which other threads hand in events.

        An event is recorded before the next one that is later.
        """
        if self._inbox is None:
            self._inbox = deque()
            self.append = self._append_in_order
        return self._inbox.append

    def append_in_time(self, event: Event) -> None:
        """Record an event once the other participants have come as far.

        Its participant had its turn ahead of those that run beside it.
        """
        insort(self._ahead, event, key=_moment)
        self.append = self._append_in_order

    def _append_in_order(self, event: Event) -> None:
        self.catch_up(event.at)
        self._record(event)

    def replace_from(self, first: int, events: Sequence[Event]) -> None:
        """Put events in the place of all from an index on; no phase refers to those any more."""
        self._events[first:] = events

    def take_in(self) -> None:
        """Put the events of other threads among those that are ahead."""
        while self._inbox:
            insort(self._ahead, self._inbox.popleft(), key=_moment)

    def catch_up(self, to_us: int) -> None:
        """Record the events that are ahead, up to a moment."""
        self.take_in()
        ahead = self._ahead
        while ahead and ahead[0].at <= to_us:
            self._record(ahead.pop(0))
        if not ahead and self._inbox is None:
            self.append = self._record

    def drop_ahead(self) -> None:
        """Drop the events that are still ahead: their participants have ended earlier."""
        self._ahead.clear()

    def write(self, at: int, stream: str, text: str) -> None:
        """Record output; text that continues an unfinished line of the stream is joined to it."""
        events = self._events
        last = events[-1] if events else None
        if type(last) is FunctionLog and last.stream == stream and not last.text.endswith("\n"):
            last.text += text
        else:
            self.append(FunctionLog(at, stream, text))


def _matches(event: Event, expected: object) -> bool:
    if isinstance(expected, str):
        return event.name == expected
    if isinstance(expected, type):
        return isinstance(event, expected)
    return event == expected


def matches(events: Iterable[Event], expected: Iterable[object]) -> list[bool]:
    """Compare pairwise as ``==`` does, for explanations."""
    return [_matches(event, item) for event, item in zip(events, expected, strict=False)]
