"""Gives an extension that is an object in this process its turns."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pytest_lambda_lifecycle.capture import Unbuffered
from pytest_lambda_lifecycle.extension import Extension, PostedError, deliver, never_register
from pytest_lambda_lifecycle.lifecycle import exit_text
from pytest_lambda_lifecycle.outcome import ExtensionFailed, Loaded, ProcessEnd
from pytest_lambda_lifecycle.undoing import replace_attributes

__all__ = ["LocalExtension"]


class LocalExtension:
    """An `Extension` as a participant: whatever its methods raise is a value in the end."""

    def __init__(
        self, extension: Extension, *, log: Callable[[str, str], None], passes_through: Callable[[BaseException], bool]
    ) -> None:
        """``log`` takes its name and whole lines; what ``passes_through`` says yes to leaves as it was raised."""
        self.extension = extension
        self._log = log
        self._passes_through = passes_through
        self._unfinished = ""

    def init(self) -> Loaded | ExtensionFailed:
        """Start it."""
        __tracebackhide__ = True
        return self._turn(self.extension.on_init)

    def never_register(self, limit_us: int) -> Loaded | ExtensionFailed:
        """Start it, and wait for its registration in vain."""
        __tracebackhide__ = True
        return self._turn(never_register, limit_us / 1_000_000)

    def deliver(self, event: dict[str, object]) -> Loaded | ExtensionFailed:
        """Tell it of an invoke, or of the end."""
        __tracebackhide__ = True
        return self._turn(deliver, self.extension, event)

    def _turn(self, method: Callable[..., None], *arguments: object) -> Loaded | ExtensionFailed:
        __tracebackhide__ = True
        stdout, stderr = Unbuffered("stdout", self._record), Unbuffered("stderr", self._record)
        stdout.outside, stderr.outside = sys.stdout, sys.stderr
        restore = replace_attributes((sys, "stdout", stdout), (sys, "stderr", stderr))
        try:
            method(*arguments)
            return Loaded()
        except BaseException as problem:
            if self._passes_through(problem):
                raise
            return self._failed(problem)
        finally:
            restore()
            self._record("stdout", "\n" if self._unfinished else "")

    def _failed(self, problem: BaseException) -> ExtensionFailed:
        """An extension whose process ends has failed, whatever its exit code says (Extensions API)."""
        kind, message = "Extension.Crash", "exit status 1"
        if isinstance(problem, PostedError):
            kind = problem.kind
        elif isinstance(problem, ProcessEnd):
            message = exit_text(problem.exit_code)
        elif isinstance(problem, SystemExit):
            code = problem.code
            message = exit_text(code if isinstance(code, int) else 0 if code is None else 1)
        return ExtensionFailed(self.extension.name, kind, message, problem)

    def _record(self, stream: str, text: str) -> None:
        """Keep lines whole: each is a record."""
        lines, newline, self._unfinished = (self._unfinished + text).rpartition("\n")
        if newline:
            self._log(self.extension.name, lines + newline)
