"""`Extension`: an extension as an object in this process, for test doubles and to run a real extension's logic."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Final, NoReturn

__all__ = [
    "Extension",
    "PostedError",
    "RecordingExtension",
    "check_extension",
    "deliver",
    "extension_name",
    "never_register",
]

EVENTS: Final = ("INVOKE", "SHUTDOWN")
"""What an extension may register for (Extensions API, "Register")."""


class PostedError(SystemExit):
    """An extension reported an error of its own and exits with status 1."""

    def __init__(self, kind: str, error_type: str) -> None:
        super().__init__(1)
        self.kind = kind
        """The platform's word for it: ``"Extension.InitError"`` or ``"Extension.ExitError"``."""
        self.error_type = error_type
        """``Lambda-Extension-Function-Error-Type``, free text."""


class Extension:
    """An extension: it registers when Init begins, is told of each invoke and of the shutdown, and may take time.

    Override `on_init`, `on_invoke` and `on_shutdown`.  What they raise is ``Extension.Crash``, as if the process had
    ended; so is `sys.exit`.  What they write is the extension's log.  Under ``lambda_clock`` their sleeping takes
    virtual time, beside the function's.  The object stands for an *external* extension, a process of its own that gets
    2,000 ms to shut down; with ``internal=True`` for one in the runtime's process.

    Given as a class (``extensions=[Flusher]``) it is made anew for each init, as the process would be.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever it is called where it is imported

    name: str = ""
    """The name under which it registers: by default that of the class."""
    subscriptions: tuple[str, ...] = EVENTS
    """What it registers for.  Without any it is told nothing, but must be ready for Init to end."""
    internal: bool = False
    """It lives in the runtime's process: registers after function init, hears of no shutdown (Extensions API)."""
    delay_ms: float = 0
    """Time that it takes for each event, before `on_invoke` or `on_shutdown`, in ms."""
    registers: bool = True
    """False: it starts and never registers, so that Init runs into its limit."""

    def __init__(
        self,
        name: str | None = None,
        events: Iterable[str] | None = None,
        *,
        internal: bool | None = None,
        delay_ms: float | None = None,
        registers: bool | None = None,
    ) -> None:
        """What is not given is as the class says."""
        self.name = name or self.name or type(self).__name__
        self.internal = self.internal if internal is None else internal
        self.subscriptions = tuple(self.subscriptions if events is None else events)
        if events is None and self.internal:
            self.subscriptions = tuple(one for one in self.subscriptions if one != "SHUTDOWN")
        self.delay_ms = self.delay_ms if delay_ms is None else delay_ms
        self.registers = self.registers if registers is None else registers

    @property
    def events(self) -> list[dict[str, object]]:
        """The events it has received, as the Extensions API gives them: ``eventType``, ``deadlineMs``, …"""
        received: list[dict[str, object]] = self.__dict__.setdefault("_events", [])
        return received

    def on_init(self) -> None:
        """Start: registration comes first, and the runtime starts when all have registered."""

    def on_invoke(self, event: dict[str, object]) -> None:
        """Be told of an invoke, when the runtime is; the event has no payload.  Return when done with it."""

    def on_shutdown(self, event: dict[str, object]) -> None:
        """Be told of the end (``shutdownReason``), until ``deadlineMs``."""

    def init_error(self, error_type: str) -> NoReturn:
        """Report that it cannot start (``/extension/init/error``), and exit.

        ``error_type`` is free text, such as ``"Extension.ConfigInvalid"``.
        """
        raise PostedError("Extension.InitError", error_type)

    def exit_error(self, error_type: str) -> NoReturn:
        """Report that it cannot go on (``/extension/exit/error``), and exit."""
        raise PostedError("Extension.ExitError", error_type)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or type(self).__name__!r}: {len(self.events)} events>"


class RecordingExtension(Extension):
    """An extension that does nothing but record: `events`."""


def deliver(extension: Extension, event: dict[str, object]) -> None:
    """Hand an event to an extension, which may take its time; raises what it raises."""
    extension.events.append(event)
    if extension.delay_ms:
        time.sleep(extension.delay_ms / 1000)
    if event["eventType"] == "INVOKE":
        extension.on_invoke(event)
    else:
        extension.on_shutdown(event)


def never_register(seconds: float) -> None:
    """Use up the time in which an extension should register."""
    time.sleep(seconds + 1)


def extension_name(extension: Extension | type[Extension]) -> str:
    """Return the name under which it will register."""
    return extension.name or (extension if isinstance(extension, type) else type(extension)).__name__


def check_extension(extension: Extension | type[Extension]) -> str:
    """Return what Lambda would refuse about it, or ``""``."""
    unknown = [event for event in extension.subscriptions if event not in EVENTS]
    if unknown:
        return f"events has {unknown[0]!r}; Lambda knows 'INVOKE' and 'SHUTDOWN'"
    if extension.internal and "SHUTDOWN" in extension.subscriptions and isinstance(extension, Extension):
        return "an internal extension cannot register for SHUTDOWN: it ends with the runtime's process"
    return ""
