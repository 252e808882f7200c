"""Runs an extension that is an object in this process."""

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
from pytest_lambda_lifecycle.isolation.outlet import Outlet, Places
from pytest_lambda_lifecycle.isolation.parts.streams import Unbuffered
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.standard_streams import open_stream
from pytest_lambda_lifecycle.lifecycle.outcome import ExtensionFailed, Loaded
from pytest_lambda_lifecycle.lifecycle.rules import exit_text
from pytest_lambda_lifecycle.runtimes.process_end import process_exit

__all__ = ["LocalExtension", "TurnOutcome", "deliver", "initialize", "make", "never_register"]

__stands_for__ = "bootstrap"

TurnOutcome: TypeAlias = Loaded | ExtensionFailed
_POSTED: Final = {"init/error": "Extension.InitError", "exit/error": "Extension.ExitError"}
"""The platform's error types for the reports that an extension posts (emulator)."""


class LocalExtension:
    """An `Extension` as a participant: every exception of its methods becomes an outcome."""

    def __init__(
        self,
        given: Extension | type[Extension],
        *,
        post: Callable[[str, str, str], bool],
        log: Callable[[str, str], None],
        apart: Callable[[], Undo],
        passes_through: Callable[[BaseException], bool],
    ) -> None:
        """``log`` takes its name and whole lines.

        ``post`` takes its name, a call (``"init/error"``) and an error type, and returns whether
        the API accepts that.  ``apart`` begins the turn of another process than the function's, and
        returns the call that ends it.  An exception for which ``passes_through`` is true leaves the
        turn as it was raised.
        """
        self.name = extension_name(given)
        self.internal = given.internal
        self.identifier = ""
        """Its identifier in this generation, once it has registered."""
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

    # -- turns ------------------------------------------------------------------------------------

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
                f"its objects are called {extension_name(made)!r} and have "
                f"internal={made.internal}; both have to be known before there is an object, so "
                "set them as attributes of the class"
            )
        if problem:
            raise ConfigError(f"extension {self.name!r}: {problem}", code="LLC207")
        made.name = self.name  # a subclass need not call the constructor that sets it
        self._made = made
        if not made.registers:
            never_register(limit_us / 1_000_000)

    def init(self) -> TurnOutcome:
        """Let the extension initialise, now that it has registered."""
        __tracebackhide__ = True
        return self._turn(initialize, self._object)

    def deliver(self, event: bytes) -> TurnOutcome:
        """Deliver an event: an invoke, or the shutdown."""
        __tracebackhide__ = True
        return self._turn(deliver, self._object, decode_json(event))

    @property
    def _object(self) -> Extension:
        assert self._made is not None
        return self._made

    def _turn(self, method: Callable[..., None], *arguments: object) -> TurnOutcome:
        __tracebackhide__ = True
        places = Places()
        places.of_test = sys.stdout, sys.stderr, None, None
        stdout, stderr = (
            Unbuffered(open_stream(name, self._outlet(name, places)))
            for name in ("stdout", "stderr")
        )
        undo = self._apart()
        restore = patch_attributes((sys, "stdout", stdout), (sys, "stderr", stderr))
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

    def _outlet(self, name: str, places: Places) -> Outlet:
        outlet = Outlet(name, places)
        outlet.begin(self._record)
        return outlet

    def _failed(self, problem: BaseException) -> ExtensionFailed:
        """Return the failure of an extension whose process has ended (Extensions API).

        It has failed whatever its exit code says.  A Python process writes the traceback to stderr.
        """
        kind = "Extension.Crash"
        if isinstance(problem, PostedError) and self._post(
            self.name, problem.call, problem.error_type
        ):
            kind = _POSTED[problem.call]
        code = process_exit(problem).exit_code
        return ExtensionFailed(self.name, kind, exit_text(code), problem, code)

    def _record(self, stream: str, text: str) -> None:
        """Record whole lines: each is a record of telemetry."""
        lines, newline, self._unfinished = (self._unfinished + text).rpartition("\n")
        if newline:
            self._log(self.name, lines + newline)


def make(kind: type[Extension]) -> Extension:
    """Make an extension of a class; raise the exception that its constructor raises."""
    __function_code_above__ = True
    return kind()


def initialize(extension: Extension) -> None:
    """Let an extension initialise; raise the exception that it raises."""
    __function_code_above__ = True
    extension.on_init()


def deliver(extension: Extension, event: dict[str, object]) -> None:
    """Hand an event to an extension, which may take time; raise the exception that it raises."""
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
