"""The outcomes of a turn: a closed union, matched exhaustively.

In a *turn* the runtime runs between two calls of ``/runtime/invocation/next``: it loads the
function, or runs the handler once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

__all__ = [
    "EXIT_ERROR",
    "TIMED_OUT",
    "DeadlineReached",
    "Exited",
    "ExtensionFailed",
    "Interrupted",
    "Loaded",
    "Outcome",
    "ProcessEnd",
    "Raised",
    "Request",
    "Returned",
    "TimedOut",
]


EXIT_ERROR: Final = "Runtime.ExitError"
TIMED_OUT: Final = "Sandbox.Timedout"
"""The platform's error types (Troubleshooting invocation issues; Runtime Interface Emulator)."""


# No error, so its name has no such suffix.
class ProcessEnd(SystemExit):
    """Carries an end of the process (`os._exit`, `os.abort`, `os.kill`) out of function code.

    It is a `SystemExit`, which event loops let through: they log any other exception of a callback.
    """

    __module__ = __name__.partition(".")[0]

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code
        """Exit code of the process; negative = ended by that signal, as in `subprocess`."""


# No error either.
class DeadlineReached(BaseException):
    """Interrupts function code when its time is up.  A `BaseException` passes through asyncio."""

    __module__ = __name__.partition(".")[0]  # reports show it as the cause of a timeout

    def __str__(self) -> str:
        return "the time was up here"


@dataclass(slots=True)
class Request:
    """One response of ``/runtime/invocation/next``: body and headers, by their exact names."""

    body: bytes
    headers: dict[str, str | None]
    """A header of None is missing."""
    request_id: str = ""
    """The identifier that the platform uses, whatever the headers say."""
    trace_id: str = ""
    ordinary: bool = False
    """The headers are those that each request has, as Lambda makes them, and no others."""


@dataclass(slots=True)
class Loaded:
    """Function init succeeded; the runtime waits for its first event."""

    status: ClassVar[str] = "success"
    error_type: ClassVar[str] = ""


@dataclass(slots=True)
class Returned:
    """The runtime posted a response."""

    body: bytes
    content_type: str

    status: ClassVar[str] = "success"
    error_type: ClassVar[str] = ""


@dataclass(slots=True)
class Raised:
    """The runtime posted an error object.

    It went to ``/invocation/{id}/error``, ``/init/error`` or ``/restore/error``.
    """

    body: bytes
    """The error object as posted: JSON, UTF-8."""
    error: dict[str, object]
    """The same, decoded: ``errorMessage``, ``errorType``, ``requestId``, ``stackTrace``."""
    exception: BaseException | None = None
    """The exception of function code; None where the runtime itself found the fault."""
    fault_type: str = ""
    """``Lambda-Runtime-Function-Error-Type`` of init and restore errors; otherwise ``""``."""
    exit_code: int | None = None
    """The exit code of a process that ended after the post: 1, or 64 and 65 for SnapStart hooks."""

    status: ClassVar[str] = "error"

    @property
    def error_type(self) -> str:
        """``errorType`` of the error object."""
        return str(self.error.get("errorType", ""))


@dataclass(slots=True)
class Exited:
    """The runtime process ended without posting anything."""

    exit_code: int
    """As in `subprocess`: negative = ended by that signal."""
    exception: BaseException | None = None
    """The exception that carried the end out (`SystemExit`, `ProcessEnd`, another one)."""
    stderr: str = field(default="", repr=False)
    """The text that the interpreter writes at its end: a traceback, or ``sys.exit(text)``."""

    status: ClassVar[str] = "error"
    error_type: ClassVar[str] = EXIT_ERROR


@dataclass(slots=True)
class TimedOut:
    """The runtime had not finished after ``limit`` seconds, and was killed."""

    limit: float
    where: str = field(default="", compare=False)
    """The innermost line of function code at that moment, as ``"shop/app.py:12"``; ``""`` if it is
    unknown.
    """
    interruption: BaseException | None = field(default=None, repr=False, compare=False)
    """The exception that interrupted function code, with its traceback; None if there was none."""

    status: ClassVar[str] = "timeout"
    error_type: ClassVar[str] = TIMED_OUT


@dataclass(slots=True)
class ExtensionFailed:
    """An extension failed, and the phase with it."""

    extension: str
    error_type: str
    """``Extension.Crash``, ``.InitError``, ``.ExitError`` or ``.LaunchError``."""
    message: str
    """``"exit status 1"``, ``"exit code 0"``, ``"signal: killed"`` (Runtime Interface Emulator)."""
    exception: BaseException | None = None
    """The exception of an extension in this process."""
    exit_code: int = 1
    """As in `subprocess`."""
    status: ClassVar[str] = "error"


@dataclass(slots=True)
class Interrupted:
    """The turn ended with an exception that does not belong to function code.

    Examples are `pytest.fail`, a real Ctrl-C, and misuse of this library.
    """

    exception: BaseException
    stuck: bool = False
    """The watchdog ended it: its code may still be in the middle of something, so it is reset."""
    status: ClassVar[str] = "error"

    @property
    def error_type(self) -> str:
        """The name of the exception's class."""
        return type(self.exception).__name__


Outcome: TypeAlias = Loaded | Returned | Raised | Exited | TimedOut | ExtensionFailed | Interrupted
