"""The events of extensions, and of listeners to telemetry; see `events` for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = [
    "ExtensionDone",
    "ExtensionFault",
    "ExtensionLog",
    "ExtensionNotified",
    "ExtensionRegistered",
    "ExtensionState",
    "LogsDropped",
    "RegistrationRefused",
    "Signal",
    "TelemetrySubscription",
]


@dataclass(slots=True)
class ExtensionRegistered(Event):
    """An extension registered for ``events`` (``"INVOKE"``, ``"SHUTDOWN"``)."""

    extension: str
    events: tuple[str, ...]
    internal: bool
    name: ClassVar[str] = "extension_registered"


@dataclass(slots=True)
class RegistrationRefused(Event):
    """An internal extension registered too late: the runtime had asked for its first event."""

    extension: str
    error_type: str
    """``"Extension.RegistrationClosed"``."""
    name: ClassVar[str] = "registration_refused"


@dataclass(slots=True)
class ExtensionState(Event):
    """The state of an extension at the end of Init (``platform.extension``).

    ``error_type`` says why it did not start.
    """

    extension: str
    state: str
    """``Ready``, ``Registered``, ``Started``, ``LaunchError``, ``InitError`` or ``ExitError``."""
    events: tuple[str, ...]
    error_type: str = ""
    name: ClassVar[str] = "extension_state"


@dataclass(slots=True)
class ExtensionNotified(Event):
    """An event of the Extensions API was handed to an extension."""

    extension: str
    event: dict[str, Any]
    name: ClassVar[str] = "extension_notified"


@dataclass(slots=True)
class ExtensionDone(Event):
    """An extension asked for its next event: it finished the one before after ``duration_us``."""

    extension: str
    duration_us: int
    name: ClassVar[str] = "extension_done"


@dataclass(slots=True)
class ExtensionFault(Event):
    """An extension failed: ``error_type`` is the platform's (``"Extension.Crash"``)."""

    extension: str
    error_type: str
    detail: str
    """``"exit status 5"``, or the error type that the extension posted."""
    name: ClassVar[str] = "extension_fault"


@dataclass(slots=True)
class ExtensionLog(Event):
    """Text that an extension wrote: one or more whole lines."""

    extension: str
    text: str
    name: ClassVar[str] = "extension_log"


@dataclass(slots=True)
class TelemetrySubscription(Event):
    """An extension subscribed to telemetry (``platform.telemetrySubscription``)."""

    extension: str
    api: str
    """``"telemetry"`` or ``"logs"``."""
    types: tuple[str, ...]
    """Some of ``"platform"``, ``"function"``, ``"extension"``."""
    name: ClassVar[str] = "telemetry_subscription"


@dataclass(slots=True)
class LogsDropped(Event):
    """Records did not reach a subscriber, or were too many to keep (``platform.logsDropped``)."""

    extension: str
    records: int
    size: int
    """Bytes."""
    reason: str
    name: ClassVar[str] = "logs_dropped"


@dataclass(slots=True)
class Signal(Event):
    """A signal was sent to ``participant``: ``"runtime"``, or the name of an extension."""

    participant: str
    signal: str
    """``"SIGTERM"`` or ``"SIGKILL"``."""
    outcome: str = ""
    """The result of the signal handler, or ``""`` without one.

    ``"exit status 0"``, ``"ValueError: ..."`` or ``"returned"``, for example.
    """
    duration_us: int = 0
    """How long the participant took to end, or until it was killed."""
    name: ClassVar[str] = "signal"
