"""What a failed test shows of its environments, and how a debugger gets into them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final

import pytest

from pytest_lambda_lifecycle.lifecycle import projections
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment

__all__ = ["Journal", "with_frames_of_cause"]

TITLE: Final = "Lambda lifecycle"
_MAX_EVENTS: Final = 60
_MAX_LOG_LINES: Final = 25


class Journal:
    """The environments of a test run, and up to where the timeline of each has been told."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(self, environment: ExecutionEnvironment, made_at: str) -> None:
        """Note a new environment, and where a test made it."""
        self._entries.append(_Entry(environment, made_at))

    def item_ends(self) -> None:
        """Forget what belongs to the item that ends, and environments that have ended."""
        self._entries = [entry for entry in self._entries if not entry.ended()]
        for entry in self._entries:
            entry.told = len(entry.environment.timeline)

    def show_on(self, report: pytest.TestReport) -> None:
        """Add a section on the environments that the item used."""
        text = "\n\n".join(entry.text() for entry in self._entries if entry.used())
        if not text:
            return
        # Of all sections of a report, only those of its longrepr reach junit XML.
        add_section = getattr(report.longrepr, "addsection", None)
        if add_section is not None:
            add_section(TITLE, text)
        else:
            report.sections.append((TITLE, text))


class _Entry:
    def __init__(self, environment: ExecutionEnvironment, made_at: str) -> None:
        self.environment = environment
        self.made_at = made_at
        self.told = 0
        self.new = True

    def used(self) -> bool:
        return self.new or len(self.environment.timeline) > self.told

    def ended(self) -> bool:
        self.new = False
        return self.environment.state == "closed"

    def text(self) -> str:
        config = self.environment.config
        events = list(self.environment.timeline)[self.told :]
        head = (
            f"{config.handler} ({config.function_name}, {config.runtime}, {config.memory_size} MB, "
            f"timeout {config.timeout} s), made at {self.made_at}"
        )
        lines = [head]
        if self.told:
            lines.append(f"  (the {self.told} events of earlier tests are not shown)")
        told = projections.render(e for e in events if not isinstance(e, FunctionLog)).splitlines()
        lines += _shortened(told or ["  no phase has run"], _MAX_EVENTS)
        log = projections.log_text(events).splitlines()
        if log:
            lines += ["log:", *(f"  {line}" for line in _tail(log))]
        return "\n".join(lines)


def _shortened(lines: list[str], limit: int) -> list[str]:
    if len(lines) <= limit:
        return lines
    begin, end = lines[: limit // 4], lines[-(limit - limit // 4) :]
    return [*begin, f"  ({len(lines) - limit} lines left out)", *end]


def _tail(lines: list[str]) -> list[str]:
    hidden = len(lines) - _MAX_LOG_LINES
    return lines if hidden <= 0 else [f"({hidden} lines before these)", *lines[-_MAX_LOG_LINES:]]


def with_frames_of_cause(
    excinfo: pytest.ExceptionInfo[BaseException],
) -> pytest.ExceptionInfo[BaseException]:
    """Let the traceback go on from the test's frames into the function's, where its failure
    began.
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
