"""Phases as a test sees them: views of the timeline.  `Invocation` has a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, overload

from pytest_lambda_lifecycle.lifecycle import platform_lines
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, HttpCall
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionInit,
    InitReport,
    RestoreReport,
    ShutdownReport,
    ShutdownStart,
    SpyCall,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionDone, Signal
from pytest_lambda_lifecycle.lifecycle.import_times import ImportTime, import_times
from pytest_lambda_lifecycle.lifecycle.log_records import Metric, metrics_in, records_in
from pytest_lambda_lifecycle.lifecycle.moments import moment_at
from pytest_lambda_lifecycle.lifecycle.outcome import Outcome, Raised

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["PHASE_NAMES", "Init", "Phase", "Phases", "Restore", "Shutdown", "exception_of"]

PHASE_NAMES: Final = ("init", "restore", "invoke", "shutdown")
"""The values of `Phase.name`, in the order of Lambda's lifecycle."""

E = TypeVar("E", bound=Event)


def exception_of(outcome: Outcome) -> BaseException | None:
    """Return the exception of an outcome; None if it carries none."""
    return getattr(outcome, "exception", None)


class Phase:
    """A stretch of the timeline: Init, Restore, Invoke or Shutdown."""

    __slots__ = ("_first", "_last", "_timeline")

    name: ClassVar[str] = "phase"

    if TYPE_CHECKING:
        # `"init" in env.phases` compares phases with classes and names; see `Event`.
        def __eq__(self, other: object) -> bool: ...
        def __hash__(self) -> int: ...

    def __init__(self, timeline: Timeline, first: int, last: int) -> None:
        self._timeline = timeline
        self._first = first
        self._last = last

    @property
    def began_at_index(self) -> int:
        """The index of the phase's first event on the timeline."""
        return self._first

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of this phase, in order."""
        return tuple(self._timeline[self._first : self._last])

    @property
    def log(self) -> str:
        """The text that CloudWatch shows of this phase."""
        return platform_lines.log_text(self.events)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of the function's log in this phase that are JSON objects, decoded."""
        return list(records_in(self.events))

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that function code logged in this phase, in the embedded metric format."""
        return list(metrics_in(records_in(self.events)))

    @property
    def spy_calls(self) -> list[SpyCall]:
        """Calls of spied targets during this phase."""
        return [event for event in self.events if type(event) is SpyCall]

    @property
    def http_calls(self) -> list[HttpCall]:
        """HTTP requests that function code made during this phase, in order."""
        return [event for event in self.events if type(event) is HttpCall]

    @property
    def aws_calls(self) -> list[AwsCall]:
        """Operations of AWS clients that function code called during this phase, in order."""
        return [event for event in self.events if type(event) is AwsCall]

    @property
    def started_at(self) -> datetime:
        """When the phase began (aware, UTC)."""
        return moment_at(self._timeline[self._first].at)

    @property
    def duration_ms(self) -> float:
        """How long the phase took, in ms."""
        return self._duration_us / 1000

    @property
    def status(self) -> str:
        """``"success"``, ``"error"``, ``"failure"`` or ``"timeout"``."""
        raise NotImplementedError

    @property
    def _duration_us(self) -> int:
        raise NotImplementedError

    def _describe(self) -> str:
        return f"{self.status}, {self.duration_ms:.2f} ms"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._describe()}>"


class Phases(Sequence[Phase]):
    """Phases in order; compares equal to a list of phases or of their names.

    ``env.phases == ["init", "invoke"]``.  ``in``, `count` and slices take names as well:
    ``"restore" not in env.phases``.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = tuple(phases)

    @property
    def names(self) -> list[str]:
        """The phases' names."""
        return [phase.name for phase in self._phases]

    @overload
    def __getitem__(self, index: int) -> Phase: ...
    @overload
    def __getitem__(self, index: slice) -> Phases: ...
    def __getitem__(self, index: int | slice) -> Phase | Phases:
        return Phases(self._phases[index]) if isinstance(index, slice) else self._phases[index]

    def __len__(self) -> int:
        return len(self._phases)

    def __contains__(self, item: object) -> bool:
        return self.count(item) > 0

    def count(self, value: object) -> int:
        """Return how many phases are ``value``, or have that name."""
        return sum(map(_is, self._phases, repeat(value)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Phases):
            return self._phases == other._phases
        if not isinstance(other, (list, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(map(_is, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self._phases))


def _is(phase: Phase, item: object) -> bool:
    return phase.name == item if isinstance(item, str) else phase is item


class _Preparation(Phase):
    """A phase that makes the environment ready, and reports how it went."""

    __slots__ = ("_report", "outcome")

    _report: Any
    """The report event; each kind has its own."""
    outcome: Outcome
    """How the runtime's turn ended."""

    @property
    def error(self) -> dict[str, Any] | None:
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
        """The exception that function code raised, with its traceback; None if there is none."""
        return exception_of(self.outcome)

    @property
    def _duration_us(self) -> int:
        return int(self._report.duration_us)

    @property
    def status(self) -> str:
        """``"success"``, ``"error"``, ``"failure"`` or ``"timeout"``."""
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
        """``on-demand``, ``provisioned-concurrency`` or ``snap-start`` (``initializationType``)."""
        return self._report.initialization_type

    @property
    def phase(self) -> str:
        """``"init"``, or ``"invoke"`` for a suppressed init (one that runs inside an invoke)."""
        return self._report.phase

    @property
    def imports(self) -> list[ImportTime]:
        """What each import of function init has cost, in the order in which the imports began.

        A module that was imported before, such as a shared library, is not imported again and is
        not among them.
        """
        spans = [
            span for event in self.events if type(event) is FunctionInit for span in event.imports
        ]
        return import_times(spans)

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
        """The time of all participants together, in ms.

        0 without extensions, 500 with internal ones only, 2,000 with external ones.
        """
        return self._start.budget_ms

    @property
    def signals(self) -> list[str]:
        """Signals that were sent to the runtime before SIGKILL (none without an extension)."""
        return list(self._report.signals)

    @property
    def durations_ms(self) -> dict[str, float]:
        """The time of each participant in ms (``"runtime"`` and extensions), in the order of their
        ends.
        """
        found: dict[str, float] = {}
        for event in self.events:
            if isinstance(event, Signal) and event.signal == "SIGTERM":
                found[event.participant] = event.duration_us / 1000
            elif isinstance(event, ExtensionDone):
                found[event.extension] = event.duration_us / 1000
        return found

    @property
    def killed(self) -> tuple[str, ...]:
        """Participants that got SIGKILL: they overran, or had not subscribed to SHUTDOWN."""
        return self._report.killed

    @property
    def _duration_us(self) -> int:
        return self._report.duration_us

    @property
    def status(self) -> str:
        """``"success"``, ``"error"``, ``"failure"`` or ``"timeout"``."""
        return self._report.status

    def _describe(self) -> str:
        killed = f", killed {', '.join(self.killed)}" if self.killed else ""
        return f"{self.reason}, {self.duration_ms:.2f} of {self.budget_ms} ms{killed}"


def _last_of(kind: type[E], events: Sequence[Event]) -> E:
    return next(event for event in reversed(events) if isinstance(event, kind))
