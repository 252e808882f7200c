"""Progress of long work on the terminal, behind what pytest has written of the running test.

pytest shows the percentage of tests that have ended.  A test that sends a thousand events adds the
percentage of its own work, and takes it away again before pytest writes the result.

While a test runs, pytest captures what is written to its own terminal writer as well.  To suspend
the capture, as live logs do, would take streams away on which the environment has put its own.  So
the text goes to the file descriptor of the terminal, which the capture keeps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import pytest

from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.progress import Progress

__all__ = ["ProgressLine", "begin_test", "end_phase"]

_PATIENCE_S: Final = 1.0
"""Work that is shorter shows nothing."""
_EVERY_S: Final = 0.1
_key: Final[pytest.StashKey[ProgressLine | None]] = pytest.StashKey()


class ProgressLine:
    """A text at the end of the terminal's line, until it is cleared."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        room: Callable[[], int],
        counts: bool,
        now: Callable[[], float] = RealTime.monotonic,
    ) -> None:
        """``room`` returns the columns that are left; ``counts`` shows numbers, not percentages."""
        self._write = write
        self._room = room
        self._counts = counts
        self._now = now
        self._shown = ""
        self._began: float | None = None
        self._latest = 0.0

    def __call__(self, work: str, done: int, whole: int | None) -> None:
        """Show how far the work of a test has come, unless that was shown just now."""
        now = self._now()
        if self._began is None:
            self._began = now
        if now - self._began < _PATIENCE_S or now - self._latest < _EVERY_S:
            return
        self._latest = now
        text = f" {work} {self._amount(done, whole)}"
        if len(text) < self._room():
            self._replace(text)

    def _amount(self, done: int, whole: int | None) -> str:
        if not whole or done > whole:
            return f"[{done}]"
        if self._counts:
            return f"[{done:{len(str(whole))}d}/{whole}]"
        return f"[{done * 100 // whole:3d}%]"

    def clear(self) -> None:
        """Take the text away; the work is over."""
        self._began = None
        if self._shown:
            self._replace("")

    def _replace(self, text: str) -> None:
        before, self._shown = self._shown, text
        erased = " " * max(len(before) - len(text), 0)
        self._write("\b" * len(before) + text + erased + "\b" * len(erased))


def begin_test(config: pytest.Config) -> None:
    """Let long work of a test show its progress, if pytest writes to a terminal."""
    if _key not in config.stash:
        config.stash[_key] = _line_for(config)
        config.add_cleanup(_forget)
    Progress.listener = config.stash[_key]


def end_phase(config: pytest.Config) -> None:
    """Take the progress away before pytest writes the result."""
    line = config.stash.get(_key, None)
    if line is not None:
        line.clear()


def _forget() -> None:
    Progress.listener = None


def _line_for(config: pytest.Config) -> ProgressLine | None:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty or config.get_verbosity() < 0:
        return None
    style = str(config.getini("console_output_style"))
    descriptor = _terminal(config)
    if style in ("classic", "none") or descriptor is None:
        return None
    writer: Any = config.get_terminal_writer()

    def write(text: str) -> None:
        try:
            os.write(descriptor, text.encode("ascii", "replace"))
        except OSError:  # the terminal is gone
            Progress.listener = None

    return ProgressLine(
        write,
        room=lambda: int(writer.fullwidth - writer.width_of_current_line),
        counts=style == "count",
    )


def _terminal(config: pytest.Config) -> int | None:
    """Return the file descriptor of the terminal; None with ``-s``, where the test writes to it."""
    if config.getoption("capture", "no") == "no":
        return None
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    captured = getattr(getattr(manager, "_global_capturing", None), "out", None)
    descriptor: int = getattr(captured, "targetfd_save", 1)
    return descriptor if os.isatty(descriptor) else None
