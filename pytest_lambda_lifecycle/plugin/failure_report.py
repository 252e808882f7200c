"""The report of a failed test: a section on its environments, and the frames of the handler."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from pytest_lambda_lifecycle.environment.tally import KINDS, RUNS
from pytest_lambda_lifecycle.isolation.tracebacks import entries_of, joined
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog
from pytest_lambda_lifecycle.lifecycle.platform_lines import log_text
from pytest_lambda_lifecycle.lifecycle.timeline_table import render
from pytest_lambda_lifecycle.plugin.captured_output import records_of_function, take_out

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["Entry", "FailureReports", "escape_surrogates", "with_frames_of_cause"]

TITLE: Final = "Lambda lifecycle"
_ENDED: Final = "closed"


class _Limits(NamedTuple):
    """The length of the section."""

    events: int
    log_lines: int


_LIMITS: Final = {
    "short": _Limits(60, 25),
    "longer": _Limits(240, 100),
    "full": _Limits(sys.maxsize, sys.maxsize),
}


class FailureReports:
    """The environments of a test run, each with the number of events of earlier tests."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._made = 0
        self._records: list[logging.LogRecord] = []
        self.counts: dict[str, int] = {}
        """How many verdicts there were on the running item, by `Verdict.kind`."""

    def note_records(self, config: pytest.Config) -> None:
        """Note what function code has logged in a phase of the item: pytest forgets it."""
        self._records += records_of_function(config)

    def add(self, environment: ExecutionEnvironment, made_at: str) -> None:
        """Add a new environment, and the line of the test that made it."""
        self._made += 1
        self._entries.append(Entry(environment, made_at, self._made))

    def used(self) -> list[Entry]:
        """Return the environments that the running item made or used."""
        return [entry for entry in self._entries if entry.used()]

    def item_ends(self) -> None:
        """Forget the events of the item that ends, and environments that have ended."""
        self._records = []
        self.counts = {}
        self._entries = [entry for entry in self._entries if entry.environment.state != _ENDED]
        for entry in self._entries:
            entry.item_ends()

    def judge(self) -> None:
        """Check the settings that limit a test, in the environments that the item used.

        Fails the test with all that is exceeded.  This frame is not hidden: the text alone is
        shown, and pytest would add a line about a traceback whose frames are all hidden.
        """
        failures: list[str] = []
        before = {kind: RUNS[-1].count(kind) for kind in KINDS}
        for entry in self._entries:
            try:
                entry.environment._judge()
            except AssertionError as failure:
                failures.append(str(failure))
        self.counts = {kind: RUNS[-1].count(kind) - count for kind, count in before.items()}
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def show_modes_on(self, report: pytest.TestReport, modes: str) -> None:
        """Add a section with the options that repeat the modes of the suite."""
        if self.used():
            text = f"repeat this run: {modes}"
            add_section = getattr(report.longrepr, "addsection", None)
            if add_section is not None:
                add_section(f"{TITLE} mode", text)
            else:
                report.sections.append((f"{TITLE} mode", text))

    def show_on(self, report: pytest.TestReport, config: pytest.Config, extent: str) -> None:
        """Add a section on the environments that the item used.

        ``extent`` is ``"short"``, ``"longer"`` or ``"full"``.  What the section shows is taken out
        of the captured output.
        """
        used = self.used()
        if not used:
            return
        limits = _LIMITS[extent]
        shown = [_shown(entry, limits) for entry in used]
        seeds = sorted({entry.environment.seed for entry in used})
        repeat = [f"repeat the random numbers: --lambda-lifecycle-seed={seed}" for seed in seeds]
        text = "\n\n".join([*(text for text, _ in shown), "\n".join(repeat)])
        lines = [line for _, log in shown for line in log]
        if lines:
            take_out(report, lines, _output(used), self._records, config)
        # Of all sections of a report, only those of its longrepr reach junit XML.
        add_section = getattr(report.longrepr, "addsection", None)
        if add_section is not None:
            add_section(TITLE, text)
        else:
            report.sections.append((TITLE, text))


def _output(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the output of function code in the entries, by its stream."""
    output = {"stdout": "", "stderr": ""}
    for entry in entries:
        for event in entry.events():
            if isinstance(event, FunctionLog):
                output[event.stream] = output.get(event.stream, "") + event.text
    return output


def _shown(entry: Entry, limits: _Limits) -> tuple[str, list[str]]:
    """Return the text of an entry, and the lines of the log in it.

    It never raises, since an exception would end the whole run.

    The ``repr`` of an object of function code may raise.
    """
    try:
        text, log = entry.text(limits)
    except Exception as problem:
        kind = type(problem).__name__
        return f"the timeline cannot be shown: {kind} in a repr of function code", []
    return text, log


def escape_surrogates(report: pytest.TestReport) -> None:
    """Escape lone surrogates in a report, as Python does on stderr.

    The message of an exception of function code may have some, or a local variable in the
    traceback, or a log record.  pytest-xdist cannot send them, and ends all its workers; JUnit XML
    cannot be written.
    """
    report.sections[:] = _escaped(report.sections)
    report.longrepr = _escaped(report.longrepr)


def _escaped(value: Any) -> Any:  # noqa: ANN401  # a part of a report
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_escaped, value))
    if type(value).__module__.startswith("_pytest."):
        for name, part in list(vars(value).items()):
            object.__setattr__(value, name, _escaped(part))
    return value


class Entry:
    """One environment, and the number of its events that belong to earlier items."""

    def __init__(self, environment: ExecutionEnvironment, made_at: str, number: int) -> None:
        self.environment = environment
        self.made_at = made_at
        self.number = number
        """Which of the environments of this process it is."""
        self.why: str | None = None
        """Why a next Init would run, as the report of the run has read it in the latest item."""
        self._earlier = 0
        self._is_new = True

    def item_ends(self) -> None:
        """Count the events up to now as those of earlier items."""
        self._is_new = False
        self._earlier = len(self.environment.timeline)
        self.environment._skip_judgement()

    def used(self) -> bool:
        """Say whether the running item made or used the environment."""
        return self._is_new or len(self.environment.timeline) > self._earlier

    def events(self) -> list[Event]:
        """Return the events of the running item."""
        return self.environment.timeline[self._earlier :]

    def text(self, limits: _Limits) -> tuple[str, list[str]]:
        """Return the environment's part of the section, and the lines of its log there.

        The part is a headline, the timeline and the log.
        """
        self.environment._parts.files.settle()
        events = self.events()
        lines = [self._headline()]
        if self._earlier:
            lines.append(f"  (the {self._earlier} events of earlier tests are not shown)")
        shown = [event for event in events if not isinstance(event, FunctionLog)]
        rows = render(shown).splitlines()
        lines += _shortened(rows or ["  no phase has run"], limits.events)
        log = log_text(events).splitlines()
        if log:
            lines += ["log:", *(f"  {line}" for line in _tail(log, limits.log_lines))]
        return "\n".join(lines), log[-limits.log_lines :]

    def _headline(self) -> str:
        config = self.environment.config
        facts = (
            config.function_name,
            config.runtime,
            f"{config.memory_size} MB",
            f"timeout {config.timeout} s",
        )
        return f"{config.handler} ({', '.join(facts)}), made at {self.made_at}"


def _shortened(lines: list[str], limit: int) -> list[str]:
    """Leave out lines in the middle; most of the kept ones are the last."""
    if len(lines) <= limit:
        return lines
    first = limit // 4
    last = limit - first
    return [*lines[:first], f"  ({len(lines) - limit} lines left out)", *lines[-last:]]


def _tail(lines: list[str], limit: int) -> list[str]:
    hidden = len(lines) - limit
    return lines if hidden <= 0 else [f"({hidden} lines before these)", *lines[-limit:]]


def with_frames_of_cause(
    excinfo: pytest.ExceptionInfo[BaseException],
) -> pytest.ExceptionInfo[BaseException]:
    """Return the information with a traceback that goes on into the frames of the function.

    A `FunctionError` is raised at the test's line, and its cause has the frames of the handler.
    pytest and pdb look at one traceback, so the frames of the test are put before those.
    """
    error = excinfo.value
    inner = error.__cause__.__traceback__ if error.__cause__ is not None else None
    whole = None if inner is None else joined(entries_of(excinfo.tb), inner)
    if whole is None:
        return excinfo
    return pytest.ExceptionInfo[BaseException].from_exc_info(
        (type(error), error.with_traceback(whole), whole)
    )
