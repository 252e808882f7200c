"""`Extension`: an extension as an object in this process.

It serves as a test double, and runs the logic of a real extension.
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
"""The events that an extension may register for (Extensions API, "Register").

An internal extension may register for the first alone.
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
    """An extension: it registers when Init begins, and receives each invoke and the shutdown.

    Override `on_init`, `on_invoke` and `on_shutdown`.  An exception in one of them, `SystemExit`
    included, is ``Extension.Crash``, as if the process had ended.  Their output is the extension's
    log.  Under ``lambda_clock`` their sleeping takes virtual time, side by side with the function.
    The object stands for an *external* extension, a process of its own that gets 2,000 ms to shut
    down; with ``internal=True`` for one in the runtime's process.

    A class (``extensions=[Flusher]``) is instantiated anew for each init, as a process would be
    started anew.
    """

    # pytest would collect a subclass that a test module calls TestSomething.
    __test__: ClassVar[bool] = False

    name: str = ""
    """The name under which it registers; by default the name of the class."""
    subscriptions: tuple[str, ...] = EVENTS
    """The events for which it registers; by default ``INVOKE`` and, unless internal, ``SHUTDOWN``.

    Without any it receives no event, but must be ready for Init to end.
    """
    internal: bool = False
    """Whether it lives in the runtime's process.

    Such an extension registers after function init and receives no shutdown (Extensions API).
    """
    delay_ms: float = 0
    """The time that each event takes before `on_invoke` or `on_shutdown` is called, in ms."""
    registers: bool = True
    """False: the extension starts and never registers, so that Init runs into its limit."""

    def __init__(
        self,
        name: str | None = None,
        events: Iterable[str] | None = None,
        *,
        internal: bool | None = None,
        delay_ms: float | None = None,
        registers: bool | None = None,
    ) -> None:
        """Set what is given; the rest is as the class has it.  A subclass need not call this."""
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
                f"class {cls.__qualname__} sets events, the list of the received events; the tuple "
                "of events for which it registers is called subscriptions",
                code="LLC207",
            )

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that it has received, as the Extensions API gives them.

        Each has ``eventType``, ``deadlineMs`` and so on.
        """
        received: list[dict[str, Any]] = self.__dict__.setdefault("_events", [])
        return received

    def on_init(self) -> None:
        """Start; it has registered, and the runtime starts when all extensions have."""

    def on_invoke(self, event: dict[str, Any]) -> None:
        """Receive an invoke, at the same time as the runtime; the event has no payload.

        The extension is ready for the next event when this returns.
        """

    def on_shutdown(self, event: dict[str, Any]) -> None:
        """Receive the shutdown, with its ``shutdownReason``; it may take until ``deadlineMs``."""

    def init_error(self, error_type: str) -> NoReturn:
        """Report that it cannot start (``/extension/init/error``), and exit.

        Call it before the first event only, as on Lambda.  ``error_type`` is free text, such as
        ``"Extension.ConfigInvalid"``.
        """
        raise PostedError("init/error", error_type)

    def exit_error(self, error_type: str) -> NoReturn:
        """Report that it cannot go on (``/extension/exit/error``), and exit."""
        raise PostedError("exit/error", error_type)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {extension_name(self)!r}: {len(self.events)} events>"


class RecordingExtension(Extension):
    """An extension that does nothing but record: `events`."""


def extension_name(extension: Extension | type[Extension]) -> str:
    """Return the name under which an extension will register."""
    cls = extension if isinstance(extension, type) else type(extension)
    return extension.name or cls.__name__


def subscriptions_of(extension: Extension | type[Extension]) -> tuple[str, ...]:
    """Return the events for which an extension will register.

    An internal one cannot register for ``SHUTDOWN``, so it does not by default.
    """
    default = extension.subscriptions is EVENTS
    return ("INVOKE",) if default and extension.internal else tuple(extension.subscriptions)


def check_extension(extension: Extension | type[Extension]) -> str:
    """Return the problem that Lambda, or Python, has with an extension; ``""`` if there is none."""
    return (
        _problem_with_name(extension)
        or _problem_with_subscriptions(extension)
        or _problem_with_delay(extension.delay_ms)
        or _problem_with_methods(extension)
    )


def _problem_with_name(extension: Extension | type[Extension]) -> str:
    name: object = extension.name
    if isinstance(name, str) and extension_name(extension) != "runtime":
        return ""
    return f"name={name!r} has to be text, and not 'runtime', the name of the runtime itself"


def _problem_with_subscriptions(extension: Extension | type[Extension]) -> str:
    given: object = extension.subscriptions
    if isinstance(given, str):
        return f"subscriptions={given!r} has to be a tuple of names"
    subscriptions = subscriptions_of(extension)
    unknown = [event for event in subscriptions if event not in EVENTS]
    if unknown:
        return f"events has {unknown[0]!r}; Lambda has 'INVOKE' and 'SHUTDOWN'"
    if extension.internal and "SHUTDOWN" in subscriptions:
        return (
            "an internal extension cannot register for SHUTDOWN: it ends with the runtime's process"
        )
    return ""


def _problem_with_delay(delay_ms: object) -> str:
    if isinstance(delay_ms, bool) or not isinstance(delay_ms, int | float):
        fits = False
    else:
        fits = math.isfinite(delay_ms) and delay_ms >= 0
    if fits:
        return ""
    return f"delay_ms={delay_ms!r} has to be a number of milliseconds, and not negative"


def _problem_with_methods(extension: Extension | type[Extension]) -> str:
    for method in ("on_init", "on_invoke", "on_shutdown"):
        if inspect.iscoroutinefunction(getattr(extension, method)):
            return (
                f"{method} is a coroutine function, and nobody awaits it; let it call asyncio.run"
            )
    return ""
