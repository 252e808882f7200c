"""Gives an extension that is an object in this process its turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from pytest_lambda_lifecycle.api.replies import decode_json
from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.extension import (
    Extension,
    PostedError,
    check_extension,
    extension_name,
)
from pytest_lambda_lifecycle.isolation.parts.streams import Unbuffered
from pytest_lambda_lifecycle.isolation.patching import Undo, replace_attributes
from pytest_lambda_lifecycle.lifecycle.outcome import ExtensionFailed, Loaded
from pytest_lambda_lifecycle.lifecycle.rules import exit_text
from pytest_lambda_lifecycle.runtimes.faults import process_exit

__all__ = ["LocalExtension", "TurnOutcome", "deliver", "initialize", "make", "never_register"]

__stands_for__ = "bootstrap"

TurnOutcome: TypeAlias = Loaded | ExtensionFailed
_POSTED: Final = {"init/error": "Extension.InitError", "exit/error": "Extension.ExitError"}
"""The platform's words for what an extension has posted before it exits (emulator,
``fatalerror``).
"""


class LocalExtension:
    """An `Extension` as a participant: whatever its methods raise is a value in the end."""

    def __init__(
        self,
        given: Extension | type[Extension],
        *,
        post: Callable[[str, str, str], bool],
        log: Callable[[str, str], None],
        apart: Callable[[], Undo],
        passes_through: Callable[[BaseException], bool],
    ) -> None:
        """``log`` takes its name and whole lines; what ``passes_through`` says yes to leaves as it
        was raised.

        ``apart`` begins what is another process's than the function's, and returns what ends it.

        ``post`` takes its name, a call (``"init/error"``) and an error type, and says whether the
        API accepts that.
        """
        self.name = extension_name(given)
        self.internal = given.internal
        self.identifier = ""
        """Of this generation, once it has registered."""
        self._given = given
        self._post = post
        self._log = log
        self._apart = apart
        self._passes_through = passes_through
        self._unfinished = ""
        self._made: Extension | None = None

    @property
    def extension(self) -> Extension | None:
        """The object, once there is one."""
        return self._made

    # -- turns ----------------------------------------------------------------------------------------------------

    def start(self, limit_us: int) -> TurnOutcome:
        """Start its process.  One that never registers then uses the time up."""
        __tracebackhide__ = True
        return self._turn(self._start, limit_us)

    def _start(self, limit_us: int) -> None:
        __tracebackhide__ = True
        made = make(self._given) if isinstance(self._given, type) else self._given
        problem = check_extension(made)
        if not problem and (extension_name(made), made.internal) != (self.name, self.internal):
            problem = (
                f"its objects are called {extension_name(made)!r} and have internal={made.internal}; what has to be "
                "known before there is one is an attribute of the class"
            )
        if problem:
            raise ConfigError(f"extension {self.name!r}: {problem}")
        made.name = self.name  # a subclass need not call the constructor that sets it
        self._made = made
        if not made.registers:
            never_register(limit_us / 1_000_000)

    def init(self) -> TurnOutcome:
        """Let it initialise, now that it has registered."""
        __tracebackhide__ = True
        return self._turn(initialize, self._object)

    def deliver(self, event: bytes) -> TurnOutcome:
        """Tell it of an invoke, or of the end."""
        __tracebackhide__ = True
        return self._turn(deliver, self._object, decode_json(event))

    @property
    def _object(self) -> Extension:
        assert self._made is not None
        return self._made

    def _turn(self, method: Callable[..., None], *arguments: object) -> TurnOutcome:
        __tracebackhide__ = True
        stdout, stderr = Unbuffered("stdout", self._record), Unbuffered("stderr", self._record)
        stdout.outside, stderr.outside = sys.stdout, sys.stderr
        undo, restore = (
            self._apart(),
            replace_attributes((sys, "stdout", stdout), (sys, "stderr", stderr)),
        )
        try:
            method(*arguments)
            return Loaded()
        except BaseException as problem:
            if self._passes_through(problem):
                raise
            return self._failed(problem)
        finally:
            restore()
            undo()
            self._record("stdout", "\n" if self._unfinished else "")

    def _failed(self, problem: BaseException) -> ExtensionFailed:
        """An extension whose process ends has failed, whatever its exit code says (Extensions API).

        It ends as a Python process does, with the traceback on its stderr.
        """
        kind = "Extension.Crash"
        if isinstance(problem, PostedError) and self._post(
            self.name, problem.call, problem.error_type
        ):
            kind = _POSTED[problem.call]
        code = process_exit(problem).exit_code
        return ExtensionFailed(self.name, kind, exit_text(code), problem, code)

    def _record(self, stream: str, text: str) -> None:
        """Keep lines whole: each is a record."""
        lines, newline, self._unfinished = (self._unfinished + text).rpartition("\n")
        if newline:
            self._log(self.name, lines + newline)


def make(kind: type[Extension]) -> Extension:
    """Make one of a class that was given; raises what it raises."""
    __function_code_above__ = True
    return kind()


def initialize(extension: Extension) -> None:
    """Let an extension initialise; raises what it raises."""
    __function_code_above__ = True
    extension.on_init()


def deliver(extension: Extension, event: dict[str, object]) -> None:
    """Hand an event to an extension, which may take its time; raises what it raises."""
    __function_code_above__ = True
    extension.events.append(event)
    if extension.delay_ms:
        time.sleep(extension.delay_ms / 1000)
    if event["eventType"] == "INVOKE":
        extension.on_invoke(event)
    else:
        extension.on_shutdown(event)


def never_register(seconds: float) -> None:
    """Use up the time in which an extension should register."""
    __function_code_above__ = True
    time.sleep(seconds + 1)
