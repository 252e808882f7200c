"""The phases of an environment in one test, as plain data, while its events are read."""

from __future__ import annotations

import os
from typing import Final, TypedDict

from pytest_lambda_lifecycle.lifecycle.events import Event, InitReport, InvokeStart, Leftover
from pytest_lambda_lifecycle.lifecycle.outcome import Outcome, Raised, Returned, TimedOut
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.report.texts import payload_text, shown

__all__ = ["FIRST", "OUTSIDE", "Environment", "Happening", "Phase", "Reading"]

OUTSIDE: Final = "between"
"""The kind of a stretch of events outside of any phase."""
_MOST_TEXT: Final = 40_000
"""The characters of logs and results that are kept of an environment in a test."""
_MOST_LINES: Final = 10
"""The state changes whose lines of code are looked for, which takes longer than the audit."""
_NOT_OWN: Final = ('File "<', "site-packages", f'File "{os.path.dirname(os.__file__)}')
"""Marks of entries in a stack trace that lie in Python or in installed packages."""
FIRST: Final = "the environment is new"
"""Why the first Init of an environment runs."""


class Happening(TypedDict):
    """A span or, without ``us``, a moment in a phase."""

    lane: str
    """``platform``, ``runtime``, ``function``, ``http``, ``aws`` or the name of an extension
    after ``ext:``.
    """
    kind: str
    at: int
    """Microseconds since the begin of the environment in this test."""
    us: int | None
    text: str
    bad: bool


class Phase(TypedDict):
    """A phase, or with the kind ``between`` what happened outside of any."""

    kind: str
    at: int
    us: int
    status: str
    cold: bool
    text: str
    """More about the phase, line by line: why it was cold, its error, its result."""
    happenings: list[Happening]


class Environment(TypedDict):
    """An environment in one test."""

    number: int
    """The environment, among those of its process."""
    function: str
    facts: str
    made_at: str
    virtual: bool
    start: int
    """The moment of the first event, in microseconds since the epoch."""
    phases: list[Phase]
    left_out: int
    cold: int
    """How often Init ran, as in the summary at the end of a run: a failed Init counts, too."""
    warm: int
    leftovers: int
    changes: int
    slowest_init_us: int


class Reading:
    """The phases so far."""

    def __init__(self, start: int, why: str) -> None:
        self.start = start
        self.now = 0
        """The moment of the event that is read, in microseconds since the start."""
        self.phases: list[Phase] = []
        self.why = why
        """Why the next Init runs."""
        self.cold_because = ""
        """Why the Init ran whose request comes next."""
        self.cold = self.warm = self.leftovers = self.changes = 0
        self.slowest_init_us = 0
        self.left_out = 0
        self._open = False
        self._text_left = _MOST_TEXT
        self._lines_left = _MOST_LINES
        self._spans: dict[str, Happening] = {}
        """By lane: the span that waits for its end."""

    def count(self, event: Event) -> None:
        """Count what the list of tests shows, also of events that are left out."""
        kind = type(event)
        if kind is InvokeStart:
            self.warm += not event.cold_start  # type: ignore[attr-defined]
        elif kind is InitReport:
            self.cold += 1
            self.slowest_init_us = max(self.slowest_init_us, event.duration_us)  # type: ignore[attr-defined]
        elif kind is Leftover:
            self.leftovers += 1
        elif kind is StateChange:
            self.changes += 1

    def skip(self, number: int) -> None:
        """Note that events are left out here."""
        self.left_out = number
        self._open = False
        self._spans.clear()

    # -- phases ----------------------------------------------------------------------------------

    def begin(self, kind: str, *, cold: bool = False, text: str = "") -> None:
        """Begin a phase."""
        self._spans.clear()
        self.phases.append(
            {
                "kind": kind,
                "at": self.now,
                "us": 0,
                "status": "",
                "cold": cold,
                "text": text,
                "happenings": [],
            }
        )
        self._open = kind != OUTSIDE

    def end(self, kind: str, status: str, *lines: str) -> None:
        """End a phase; one that is not open has begun among the events that are left out."""
        if not self._open or self.phases[-1]["kind"] != kind:
            self.begin(kind)
        phase = self.phases[-1]
        phase["us"] = max(0, self.now - phase["at"])
        phase["status"] = phase["status"] or status
        if lines:
            phase["text"] = "\n".join(line for line in (phase["text"], *lines) if line)
        self._open = False

    def _place(self) -> list[Happening]:
        """Return the happenings of the phase that is open, or of a stretch between phases."""
        if not self._open and not (self.phases and self.phases[-1]["kind"] == OUTSIDE):
            self.begin(OUTSIDE)
        return self.phases[-1]["happenings"]

    def mark(self, lane: str, kind: str, text: str, *, bad: bool = False) -> None:
        """Add a moment."""
        self.span(lane, kind, None, text, bad=bad)

    def span(
        self, lane: str, kind: str, us: int | None, text: str, *, bad: bool = False
    ) -> Happening:
        """Add a span, or a moment."""
        happening: Happening = {
            "lane": lane,
            "kind": kind,
            "at": self.now,
            "us": us,
            "text": text,
            "bad": bad,
        }
        self._place().append(happening)
        return happening

    def open_span(self, lane: str, kind: str, text: str) -> None:
        """Add a span that ends with another event, and until then takes no time."""
        self._spans[lane] = self.span(lane, kind, 0, text)

    def close_span(self, lane: str, *, bad: bool = False, text: str = "") -> None:
        """End the span of a lane."""
        span = self._spans.pop(lane, None)
        if span is not None:
            span["us"] = max(0, self.now - span["at"])
            span["bad"] = bad
            span["text"] = f"{span['text']}: {text}" if text else span["text"]

    def text(self, text: str) -> str:
        """Return a text of function code, as far as there is room for it."""
        if self._text_left <= 0:
            return f"({len(text)} characters left out)"
        kept = shown(text)
        self._text_left -= len(kept)
        return kept

    def line_of(self, change: StateChange) -> str:
        """Return the line of function code that makes a change, for the first ones."""
        self._lines_left -= 1
        where = change.where if self._lines_left >= 0 else ""
        return f", at {where}" if where else ""

    def outcome(self, outcome: Outcome) -> tuple[str, str]:
        """Return status and error of a turn, or its result."""
        if isinstance(outcome, Returned):
            body = payload_text(outcome.body) if self._text_left > 0 else ""
            self._text_left -= len(body)
            return "success", f"result: {body}" if body else ""
        if isinstance(outcome, Raised):
            last = _failing_line(outcome.error.get("stackTrace"))
            message = f"{outcome.error_type}: {outcome.error.get('errorMessage', '')}"
            return "error", "\n".join(filter(None, (self.text(message), self.text(last))))
        if isinstance(outcome, TimedOut):
            at = f", at {outcome.where}" if outcome.where else ""
            return "timeout", f"timed out after {outcome.limit} s{at}"
        return outcome.status, outcome.error_type


def _failing_line(trace: object) -> str:
    """Return the entry of a stack trace that is most likely the function's own: the innermost one
    outside of Python and of installed packages.
    """
    entries = [str(entry).strip() for entry in trace] if isinstance(trace, list) else []
    own = [entry for entry in entries if not any(mark in entry for mark in _NOT_OWN)]
    return (own or entries or [""])[-1]
