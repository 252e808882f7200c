"""The report of a failed test: a section on its environments, and the frames of the handler."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_lambda_lifecycle.lifecycle.events import FunctionLog
from pytest_lambda_lifecycle.lifecycle.platform_lines import log_text
from pytest_lambda_lifecycle.lifecycle.timeline_table import render

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment

__all__ = ["FailureReports", "escape_surrogates", "with_frames_of_cause"]

TITLE: Final = "Lambda lifecycle"
_ENDED: Final = "closed"
_MAX_EVENTS: Final = 60
_MAX_LOG_LINES: Final = 25


class FailureReports:
    """The environments of a test run, each with the number of events of earlier tests."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(self, environment: ExecutionEnvironment, made_at: str) -> None:
        """Add a new environment, and the line of the test that made it."""
        self._entries.append(_Entry(environment, made_at))

    def item_ends(self) -> None:
        """Forget the events of the item that ends, and environments that have ended."""
        self._entries = [entry for entry in self._entries if entry.environment.state != _ENDED]
        for entry in self._entries:
            entry.item_ends()

    def judge(self) -> None:
        """Check the settings that limit a test, in the environments that the item used.

        Fails the test with all that is exceeded.  This frame is not hidden: the text alone is
        shown, and pytest would add a line about a traceback whose frames are all hidden.
        """
        failures: list[str] = []
        for entry in self._entries:
            try:
                entry.environment._judge()
            except AssertionError as failure:
                failures.append(str(failure))
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def show_on(self, report: pytest.TestReport) -> None:
        """Add a section on the environments that the item used."""
        used = [entry for entry in self._entries if entry.used()]
        if not used:
            return
        seeds = sorted({entry.environment.seed for entry in used})
        repeat = [f"repeat the random numbers: --lambda-lifecycle-seed={seed}" for seed in seeds]
        text = "\n\n".join([*map(_shown, used), "\n".join(repeat)])
        # Of all sections of a report, only those of its longrepr reach junit XML.
        add_section = getattr(report.longrepr, "addsection", None)
        if add_section is not None:
            add_section(TITLE, text)
        else:
            report.sections.append((TITLE, text))


def _shown(entry: _Entry) -> str:
    """Return the text of an entry; never raise, since an exception would end the whole run.

    The ``repr`` of an object of function code may raise.
    """
    try:
        return entry.text()
    except Exception as problem:
        return f"the timeline cannot be shown: {type(problem).__name__} in a repr of function code"


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


class _Entry:
    """One environment, and the number of its events that belong to earlier items."""

    def __init__(self, environment: ExecutionEnvironment, made_at: str) -> None:
        self.environment = environment
        self._made_at = made_at
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

    def text(self) -> str:
        """Return the environment's part of the section: a headline, its timeline and its log."""
        self.environment._parts.files.settle()
        events = list(self.environment.timeline)[self._earlier :]
        lines = [self._headline()]
        if self._earlier:
            lines.append(f"  (the {self._earlier} events of earlier tests are not shown)")
        shown = [event for event in events if not isinstance(event, FunctionLog)]
        rows = render(shown).splitlines()
        lines += _shortened(rows or ["  no phase has run"], _MAX_EVENTS)
        log = log_text(events).splitlines()
        if log:
            lines += ["log:", *(f"  {line}" for line in _tail(log, _MAX_LOG_LINES))]
        return "\n".join(lines)

    def _headline(self) -> str:
        config = self.environment.config
        facts = (
            config.function_name,
            config.runtime,
            f"{config.memory_size} MB",
            f"timeout {config.timeout} s",
        )
        return f"{config.handler} ({', '.join(facts)}), made at {self._made_at}"


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
    joined = error.__cause__.__traceback__ if error.__cause__ is not None else None
    if joined is None:
        return excinfo
    outer: list[TracebackType] = []
    traceback: TracebackType | None = excinfo.tb
    while traceback is not None:
        outer.append(traceback)
        traceback = traceback.tb_next
    for part in reversed(outer):
        joined = TracebackType(joined, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return pytest.ExceptionInfo[BaseException].from_exc_info(
        (type(error), error.with_traceback(joined), joined)
    )
