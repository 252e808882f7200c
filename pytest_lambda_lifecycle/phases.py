"""The kinds of phases: Init, Restore, Invoke and Shutdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_lambda_lifecycle import lifecycle, projections
from pytest_lambda_lifecycle.events import (
    Event,
    InitReport,
    InvokeReport,
    InvokeStart,
    Leftover,
    RestoreReport,
    RuntimeDone,
    ShutdownReport,
    ShutdownStart,
)
from pytest_lambda_lifecycle.extension_events import ExtensionDone, Signal
from pytest_lambda_lifecycle.outcome import Outcome, Raised, Returned
from pytest_lambda_lifecycle.phase import Phase

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.timeline import Timeline

__all__ = ["Init", "Invocation", "Restore", "Shutdown"]

E = TypeVar("E", bound=Event)
_decode = json.JSONDecoder().decode  # a test may have replaced json.loads and json.dumps
_encode = json.JSONEncoder().encode


def _platform_body(request_id: str, outcome: Outcome) -> bytes:
    error_type, message = projections.platform_error(request_id, outcome)
    return _encode({"errorType": error_type, "errorMessage": message}).encode()


def _exception_of(outcome: Outcome) -> BaseException | None:
    return getattr(outcome, "exception", None)


class _Preparation(Phase):
    """A phase that makes the environment ready, and reports how it went."""

    __slots__ = ("_report", "outcome")

    _report: Any
    """The report event; each kind has its own."""
    outcome: Outcome
    """How the runtime's turn ended."""

    @property
    def error(self) -> dict[str, object] | None:
        """The error object that the runtime posted; None if it posted none."""
        return self.outcome.error if isinstance(self.outcome, Raised) else None

    @property
    def error_type(self) -> str:
        """``errorType`` of the error object, or the platform's own; ``""`` after a success."""
        if isinstance(self.outcome, Raised):
            return str(self.outcome.error.get("errorType", ""))
        return str(self._report.error_type)

    @property
    def exception(self) -> BaseException | None:
        """What function code raised, with its traceback; None if nothing was raised."""
        return _exception_of(self.outcome)

    @property
    def _duration_us(self) -> int:
        return int(self._report.duration_us)

    @property
    def _status(self) -> str:
        return str(self._report.status)


class Init(_Preparation):
    """One run of Init: extension init, runtime init, function init."""

    __slots__ = ()
    name = "init"

    _report: InitReport

    def __init__(self, timeline: Timeline, first: int, last: int) -> None:
        super().__init__(timeline, first, last)
        self._report = _last_of(InitReport, self.events)
        self.outcome = self._report.outcome

    @property
    def type(self) -> str:
        """``initializationType``: ``"on-demand"``, ``"provisioned-concurrency"`` or ``"snap-start"``."""
        return self._report.initialization_type

    @property
    def phase(self) -> str:
        """``"init"``, or ``"invoke"`` for a suppressed init (one that runs inside an invoke)."""
        return self._report.phase

    def _describe(self) -> str:
        suppressed = ", inside an invoke" if self.phase == "invoke" else ""
        failed = f" {self.error_type}" if self.error_type else ""
        return f"{self.status}{failed}, {self.duration_ms:.2f} ms{suppressed}"


class Restore(_Preparation):
    """One restore of a SnapStart snapshot: the after-restore hooks run."""

    __slots__ = ()
    name = "restore"

    _report: RestoreReport

    def __init__(self, timeline: Timeline, first: int, last: int) -> None:
        super().__init__(timeline, first, last)
        self._report = _last_of(RestoreReport, self.events)
        self.outcome = self._report.outcome


class Invocation(Phase):
    """One invoke: what went in, what came out, and what happened in between."""

    __slots__ = ("_done", "_payload", "_report", "_start", "content_type", "raw")
    name = "invoke"

    raw: bytes
    """What the caller gets, in bytes: the response or error object as the runtime posted it, or the platform's own."""
    content_type: str
    """``Content-Type`` of `raw`: ``"application/json"``, or ``"application/unknown"`` for a handler's bytes."""

    def __init__(
        self,
        timeline: Timeline,
        first: int,
        last: int,
        start: InvokeStart,
        done: RuntimeDone,
        report: InvokeReport,
    ) -> None:
        self._timeline = timeline
        self._first = first
        self._last = last
        self._start = start
        self._done = done
        self._report = report
        outcome = done.outcome  # what failed after an answer was posted leaves the answer
        if type(outcome) is Returned:
            self.raw = outcome.body
            self.content_type = outcome.content_type
        else:
            self.raw = outcome.body if isinstance(outcome, Raised) else _platform_body(start.request_id, outcome)
            self.content_type = "application/json"

    @property
    def payload(self) -> object:
        """`raw` decoded from JSON; the bytes themselves where that is not possible."""
        try:
            return self._payload
        except AttributeError:
            self._payload: object = self._decode()
            return self._payload

    def _decode(self) -> object:
        try:
            return _decode(self.raw.decode()) if self.content_type == "application/json" else self.raw
        except ValueError:  # the runtime can post what is no JSON
            return self.raw

    @property
    def error(self) -> dict[str, object] | None:
        """The error object that the caller gets, or None after a success."""
        if self._report.failure is not None:
            error: dict[str, object] = _decode(_platform_body(self.request_id, self._report.failure).decode())
            return error
        payload = self.payload if self._done.error_type else None
        return payload if isinstance(payload, dict) else None

    @property
    def error_type(self) -> str:
        """``errorType``; ``""`` after a success."""
        failure = self._report.failure
        return self._done.error_type if failure is None else lifecycle.result(failure)[1]

    @property
    def exception(self) -> BaseException | None:
        """What function code raised, with its traceback; None if nothing was raised."""
        return _exception_of(self.outcome)

    @property
    def outcome(self) -> Outcome:
        """How the runtime's turn ended; or an extension's, where that failed after the runtime had answered."""
        return self._report.failure or self._done.outcome

    @property
    def request_id(self) -> str:
        """``context.aws_request_id``."""
        return self._start.request_id

    @property
    def cold_start(self) -> bool:
        """True if and only if an init ran inside this request (a suppressed init included)."""
        return self._start.cold_start

    @property
    def leftovers(self) -> list[Leftover]:
        """What function code had started and left running at the end: kind, label, where."""
        return [event for event in self.events if type(event) is Leftover]

    @property
    def billed_duration_ms(self) -> int:
        """Billed duration in ms: Duration and Init, rounded up."""
        return lifecycle.billed_ms(self._report.duration_us, self._report.init_us)

    @property
    def init_duration_ms(self) -> float | None:
        """``Init Duration`` of the REPORT line in ms; None where the line has none (warm, suppressed init)."""
        init_us = self._report.init_us
        return None if init_us is None else init_us / 1000

    @property
    def extension_overhead_ms(self) -> float:
        """How long extensions went on after the runtime was done, in ms; it counts as duration and is billed."""
        return (self._report.overhead_us or 0) / 1000

    @property
    def report(self) -> str:
        """The REPORT line."""
        return projections.report_line(self._report)

    @property
    def _duration_us(self) -> int:
        return self._report.duration_us

    @property
    def _status(self) -> str:
        return self._done.status if self._report.failure is None else self._report.status

    def _describe(self) -> str:
        failed = f" {self.error_type}" if self.error_type else ""
        start = "cold" if self.cold_start else "warm"
        return f"{start} {self.status}{failed}, {self.duration_ms:.2f} ms, request {self.request_id}"


class Shutdown(Phase):
    """The end of an environment."""

    __slots__ = ("_report", "_start")
    name = "shutdown"

    def __init__(self, timeline: Timeline, first: int, last: int) -> None:
        super().__init__(timeline, first, last)
        self._report: ShutdownReport = _last_of(ShutdownReport, self.events)
        self._start: ShutdownStart = _last_of(ShutdownStart, self.events)

    @property
    def reason(self) -> str:
        """``shutdownReason``: ``"spindown"``, ``"timeout"`` or ``"failure"``."""
        return self._report.reason

    @property
    def budget_ms(self) -> int:
        """What the participants got, in ms: 0 without extensions, 500 with internal ones, 2,000 with external ones."""
        return self._start.budget_ms

    @property
    def signals(self) -> list[str]:
        """Signals that the runtime could catch (none without an extension)."""
        return list(self._report.signals)

    @property
    def durations_ms(self) -> dict[str, float]:
        """How long each participant took, in ms, in the order in which they ended: ``"runtime"`` and extensions."""
        found: dict[str, float] = {}
        for event in self.events:
            if isinstance(event, Signal) and event.signal == "SIGTERM":
                found[event.participant] = event.duration_us / 1000
            elif isinstance(event, ExtensionDone):
                found[event.extension] = event.duration_us / 1000
        return found

    @property
    def killed(self) -> tuple[str, ...]:
        """Participants that got SIGKILL: they overran their budget, or had not subscribed to SHUTDOWN."""
        return self._report.killed

    @property
    def _duration_us(self) -> int:
        return self._report.duration_us

    @property
    def _status(self) -> str:
        return self._report.status

    def _describe(self) -> str:
        killed = f", killed {', '.join(self.killed)}" if self.killed else ""
        return f"{self.reason}, {self.duration_ms:.2f} of {self.budget_ms} ms{killed}"


def _last_of(kind: type[E], events: Sequence[Event]) -> E:
    return next(event for event in reversed(events) if isinstance(event, kind))
