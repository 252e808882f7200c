"""`Extension`: an extension as an object in this process, for test doubles and to run a real
extension's logic.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NoReturn

from pytest_lambda_lifecycle.errors import ConfigError

__all__ = [
    "EVENTS",
    "Extension",
    "PostedError",
    "RecordingExtension",
    "check_extension",
    "extension_name",
    "subscriptions_of",
]

__stands_for__ = "bootstrap"

EVENTS: Final = ("INVOKE", "SHUTDOWN")
"""What an extension may register for, an internal one for the first alone (Extensions API,
"Register").
"""


class PostedError(SystemExit):
    """An extension reported an error of its own and exits with status 1."""

    def __init__(self, call: str, error_type: str) -> None:
        super().__init__(1)
        self.call = call
        """``"init/error"`` or ``"exit/error"``."""
        self.error_type = error_type
        """``Lambda-Extension-Function-Error-Type``, free text."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.call, self.error_type)


class Extension:
    """An extension: it registers when Init begins, is told of each invoke and of the shutdown, and
    may take time.

    Override `on_init`, `on_invoke` and `on_shutdown`.  What they raise is ``Extension.Crash``, as
    if the process had ended; so is `sys.exit`.  What they write is the extension's log.  Under
    ``lambda_clock`` their sleeping takes virtual time, beside the function's.  The object stands
    for an *external* extension, a process of its own that gets 2,000 ms to shut down; with
    ``internal=True`` for one in the runtime's process.

    Given as a class (``extensions=[Flusher]``) it is made anew for each init, as the process would
    be.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever it is called where it is imported

    name: str = ""
    """The name under which it registers: by default that of the class."""
    subscriptions: tuple[str, ...] = EVENTS
    """What it registers for; by default ``INVOKE`` and, unless internal, ``SHUTDOWN``.

    Without any it is told nothing, but must be ready for Init to end.
    """
    internal: bool = False
    """It lives in the runtime's process: registers after function init, hears of no shutdown
    (Extensions API).
    """
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
        """What is not given is as the class says; a subclass need not call this."""
        self.name = extension_name(self) if name is None else name
        self.internal = self.internal if internal is None else internal
        if events is not None:
            self.subscriptions = (events,) if isinstance(events, str) else tuple(events)
        self.subscriptions = subscriptions_of(self)
        self.delay_ms = self.delay_ms if delay_ms is None else delay_ms
        self.registers = self.registers if registers is None else registers

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "events" in vars(cls):
            raise ConfigError(
                f"class {cls.__qualname__} sets events, which are what the extension has received; "
                "what it registers for is called subscriptions"
            )

    @property
    def events(self) -> list[dict[str, object]]:
        """The events it has received, as the Extensions API gives them: ``eventType``,
        ``deadlineMs``, …
        """
        received: list[dict[str, object]] = self.__dict__.setdefault("_events", [])
        return received

    def on_init(self) -> None:
        """Start: registration comes first, and the runtime starts when all have registered."""

    def on_invoke(self, event: dict[str, object]) -> None:
        """Be told of an invoke, when the runtime is; the event has no payload.  Return when done
        with it.
        """

    def on_shutdown(self, event: dict[str, object]) -> None:
        """Be told of the end (``shutdownReason``), until ``deadlineMs``."""

    def init_error(self, error_type: str) -> NoReturn:
        """Report that it cannot start (``/extension/init/error``), and exit.

        ``error_type`` is free text, such as ``"Extension.ConfigInvalid"``.  Only before the first
        event, as on Lambda.
        """
        raise PostedError("init/error", error_type)

    def exit_error(self, error_type: str) -> NoReturn:
        """Report that it cannot go on (``/extension/exit/error``), and exit."""
        raise PostedError("exit/error", error_type)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {extension_name(self)!r}: {len(self.events)} events>"


class RecordingExtension(Extension):
    """An extension that does nothing but record: `events`."""


# Whoever calls an extension's own code is one of these: what runs above them can be interrupted
# (see `interruption`).


def extension_name(extension: Extension | type[Extension]) -> str:
    """Return the name under which it will register."""
    return (
        extension.name or (extension if isinstance(extension, type) else type(extension)).__name__
    )


def subscriptions_of(extension: Extension | type[Extension]) -> tuple[str, ...]:
    """Return what it will register for: an internal one cannot for SHUTDOWN, and does not unless it
    says so.
    """
    default = extension.subscriptions is EVENTS
    return ("INVOKE",) if default and extension.internal else tuple(extension.subscriptions)


def check_extension(extension: Extension | type[Extension]) -> str:
    """Return what Lambda would refuse about it, or what is no value at all; or ``""``."""
    name: object = extension.name
    if not isinstance(name, str) or extension_name(extension) == "runtime":
        return f"name={name!r} has to be text, and not 'runtime', which is what the runtime is called here"
    given: object = extension.subscriptions
    if isinstance(given, str):
        return f"subscriptions={given!r} has to be a tuple of names"
    subscriptions = subscriptions_of(extension)
    unknown = [event for event in subscriptions if event not in EVENTS]
    if unknown:
        return f"events has {unknown[0]!r}; Lambda knows 'INVOKE' and 'SHUTDOWN'"
    if extension.internal and "SHUTDOWN" in subscriptions:
        return (
            "an internal extension cannot register for SHUTDOWN: it ends with the runtime's process"
        )
    delay_ms: object = extension.delay_ms
    number = (
        delay_ms
        if isinstance(delay_ms, (int, float)) and not isinstance(delay_ms, bool)
        else math.nan
    )
    if not math.isfinite(number) or number < 0:
        return f"delay_ms={delay_ms!r} has to be a number of milliseconds, and not negative"
    for method in ("on_init", "on_invoke", "on_shutdown"):
        if inspect.iscoroutinefunction(getattr(extension, method)):
            return (
                f"{method} is a coroutine function, and nobody awaits it; let it call asyncio.run"
            )
    return ""
