"""`Extending`: what a test does with the extensions of an environment, and to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from pytest_lambda_lifecycle.errors import ConfigError, InvalidTransition, LifecycleError
from pytest_lambda_lifecycle.function.extension import (
    EVENTS,
    Extension,
    RecordingExtension,
    check_extension,
    extension_name,
)
from pytest_lambda_lifecycle.lifecycle.outcome import Exited
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.environment.assembly import Assembly

__all__ = ["Extending"]

X = TypeVar("X", bound="Extension | type[Extension]")


class Extending:
    """The part of an environment that is about its extensions."""

    _conductor: Conductor
    _parts: Assembly

    def extension(
        self,
        name: str,
        events: Iterable[str] = EVENTS,
        *,
        internal: bool = False,
        delay_ms: float = 0,
        registers: bool = True,
    ) -> RecordingExtension:
        """Add an extension that records what it receives, as `RecordingExtension.events`; ask
        before Init.

        ``delay_ms`` is how long each event keeps it busy: virtual time under ``lambda_clock``.
        With ``registers=False`` it starts and never registers.  An ``internal`` one lives in the
        runtime's process and hears of no shutdown.  Raises `ConfigError` for what Lambda would
        refuse.
        """
        if not name:
            raise ConfigError(f"name={name!r}: an extension has to have a name")
        wanted = None if events is EVENTS else events
        made = RecordingExtension(
            name, wanted, internal=internal, delay_ms=delay_ms, registers=registers
        )
        return self.add_extension(made)

    def add_extension(self, extension: X) -> X:
        """Add an extension of your own (see `Extension`), or a class that is made anew for each
        init; returns it.

        Ask before Init.  Raises `ConfigError` for what Lambda would refuse.
        """
        given: object = extension
        if not isinstance(given, Extension) and not (
            isinstance(given, type) and issubclass(given, Extension)
        ):
            raise ConfigError(f"cannot add {given!r}: it has to be an Extension object or class")
        name, group = extension_name(extension), self._parts.extensions
        self._conductor.standing.require_open(f"add the extension {name!r}")
        if self._conductor.state not in {State.NEW, State.RESET}:
            raise InvalidTransition(
                f"cannot add the extension {name!r}: Init is over, and extensions register in it; "
                "add it before the first phase, or after reset()"
            )
        problem = check_extension(extension)
        if problem:
            raise ConfigError(f"extension {name!r}: {problem}")
        if name in {*group.names, *group.objects.names}:
            raise ConfigError(
                f"extension {name!r}: there is one of this name, and names have to differ"
            )
        group.objects.given.append(extension)
        return extension

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions in this process, as the latest Init made them."""
        return self._parts.extensions.objects.made

    def crash(self, participant: str = "runtime") -> None:
        """Let a process of the frozen environment end: the runtime's (exit status 1), or that of an
        extension by name.

        As on Lambda nobody notices until the next invoke: that fails (`RuntimeExit`,
        `ExtensionError`) and resets the environment.  An extension that is a program gets SIGKILL.
        """
        self._require_running(f"crash {participant!r}")
        if participant == "runtime":
            self._conductor.endings.crash(Exited(1))
        else:
            self._conductor.endings.crash(self._parts.extensions.kill(participant, 1))

    def kill_extension(self, name: str) -> None:
        """Let an extension be killed (SIGKILL) while the environment is frozen; see `crash`."""
        self._require_running(f"kill the extension {name!r}")
        if name == "runtime":
            raise LifecycleError(
                "cannot kill the extension 'runtime': that is the runtime; use crash()"
            )
        self._conductor.endings.crash(self._parts.extensions.kill(name, -9))

    def drop_telemetry(self, name: str) -> None:
        """Let the telemetry listener of an extension go deaf: what it is sent from now on is
        dropped.

        The timeline then has `LogsDropped`, ``platform.logsDropped`` in telemetry.
        """
        self._require_running(f"drop the telemetry of {name!r}")
        self._parts.extensions.drop_telemetry(name)

    def _require_running(self, asked: str) -> None:
        self._conductor.standing.require_open(asked)
        if self._conductor.state not in {State.READY, State.CRASHED}:
            raise InvalidTransition(
                f"cannot {asked}: the environment is in state {self._conductor.state.value!r}, in which no process is "
                "frozen; call initialize() or invoke() first"
            )
