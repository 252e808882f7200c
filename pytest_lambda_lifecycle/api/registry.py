"""The registered extensions, and the state of each.

Threads of the HTTP server, threads that wait for processes and the conductor share this object
alone, under one lock that is held for moments.  Nothing here waits for the environment: its thread
may be inside function code that calls this API.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import ApiError, Gone
from pytest_lambda_lifecycle.api.waiting import wait_until
from pytest_lambda_lifecycle.function.extension import EVENTS
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionLog,
    ExtensionRegistered,
    RegistrationRefused,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["Agent", "Registry"]

_CLOSED: Final = "Extension.RegistrationClosed"
_TOO_LATE: Final = (
    f"{_CLOSED}: the extension asked to be registered when Init had ended, and takes no part. "
    "A thread of a module races with the end of Init, on Lambda as well: let the module wait "
    "until the thread has registered, such as at a threading.Event.\n"
)
"""A line of the log."""


@dataclass(slots=True, eq=False)
class Agent:
    """One extension of the present generation.  Its registry alone changes it."""

    name: str
    internal: bool
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: frozenset[str] = frozenset()
    state: str = "Started"
    """As in `states.EXTENSION`.  It is ``Running`` from the moment an event is published for it."""
    error_type: str = ""
    """The error type that it posted, or the reason why it could not be launched."""
    exit_code: int | None = None
    """As in `subprocess`, once its process has ended."""
    exited_at_us: int | None = None
    ended_early: bool = False  # its process has ended before the shutdown
    notified_at_us: int | None = None
    """The moment of the latest event that was published for it."""
    done_at_us: int | None = None
    """The moment at which it last asked for its next event."""
    pending: tuple[bytes, str | None] | None = None
    """The event that waits for it, and the identifier of the event."""
    arrived: bool = False
    """It has asked for an event and has none yet."""


class Registry:
    """The extensions of an environment, generation by generation.

    ``note`` takes events from any thread and must neither block nor call back.
    """

    def __init__(
        self, config: FunctionConfig, *, note: Callable[[Event], None], now_us: Callable[[], int]
    ) -> None:
        self._config = config
        self._note = note
        self._now_us = now_us
        # Methods enter the lock and not the condition, which is written in Python: an exception out
        # of a signal handler could fall between the two halves of its `__enter__`.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._external: dict[str, Agent] = {}
        self._internal: dict[str, Agent] = {}
        self._by_identifier: dict[str, Agent] = {}
        self._over = True
        self._open = False
        self._shutting_down = False
        self._fatal: tuple[str, str] | None = None

    # -- calls of the conductor -------------------------------------------------------------------

    def begin(self, externals: Sequence[str]) -> None:
        """Begin a generation, whose external extensions are being started.

        Identifiers of earlier generations become unknown.
        """
        with self._lock:
            self._external = {name: Agent(name, internal=False) for name in externals}
            self._internal = {}
            self._by_identifier = {agent.identifier: agent for agent in self._external.values()}
            self._over = False
            self._open = True
            self._shutting_down = False
            self._fatal = None
            self._changed.notify_all()

    def end(self) -> None:
        """End the generation: its calls, also waiting ones, raise `Gone`; `agents` can be read."""
        with self._lock:
            self._over = True
            self._open = False
            self._changed.notify_all()

    def close_registration(self) -> None:
        """Refuse further internal extensions: the runtime has asked for its first event."""
        with self._lock:
            self._open = False

    def shutting_down(self) -> None:
        """Expect ends of processes from now on, and forget an earlier fatal error.

        Source: emulator, ``rapid/shutdown.go``.
        """
        with self._lock:
            self._shutting_down = True
            self._open = False
            self._fatal = None

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The extensions of the present generation, external ones first."""
        with self._lock:
            return (*self._external.values(), *self._internal.values())

    def internal_ones_rest(self) -> bool:
        """Say whether there are internal extensions, and each waits for an event."""
        with self._lock:
            internal = self._internal.values()
            return bool(internal) and all(
                agent.arrived and agent.pending is None for agent in internal
            )

    @property
    def fatal(self) -> tuple[str, str] | None:
        """The first fatal error: the name of the extension, and the error type.

        That is ``Extension.InitError``, ``ExitError``, ``Crash`` or ``LaunchError``.  An error that
        was posted is fatal for the phase only when the process has ended (``exit_code``; emulator).
        """
        return self._fatal

    def publish(self, names: Iterable[str], event: bytes, with_id: bool) -> None:
        """Hand *event* to extensions; it waits for one that asks later, until the next event."""
        with self._lock:
            for agent in map(self._named, names):
                agent.notified_at_us = self._now_us()
                agent.pending = event, str(uuid.uuid4()) if with_id else None
                if agent.state == "Ready":
                    agent.state = "Running"
            self._changed.notify_all()

    def exited(self, name: str, exit_code: int) -> None:
        """Note that the process of an extension of the present generation has ended."""
        with self._lock:
            agent = self._named(name)
            if agent.exit_code is not None:
                return
            agent.exit_code = exit_code
            agent.exited_at_us, agent.ended_early = self._now_us(), not self._shutting_down
            if not self._shutting_down:
                self._fail(agent, "Extension.Crash")
            elif agent.state == "Running" and not agent.internal:
                agent.state = states.EXTENSION[agent.state]["kill" if exit_code else "exit"]
            self._changed.notify_all()

    def launch_failed(self, name: str, error_type: str) -> None:
        """Note that an extension could not be started.

        ``error_type`` is ``PermissionDenied``, ``TooManyExtensions`` or ``UnknownError``.
        """
        with self._lock:
            agent = self._named(name)
            agent.state = states.step_extension(agent.state, "launch", name)
            agent.error_type = error_type
            self._fail(agent, "Extension.LaunchError")
            self._changed.notify_all()

    def wait(self, done: Callable[[], bool], until: float) -> bool:
        """Wait as `wait_until` does; ``done`` is called under the lock."""
        with self._lock:
            return wait_until(self._changed, done, until)

    # -- calls of the extensions ------------------------------------------------------------------

    def register(
        self, name: str, body: object, features: Iterable[str]
    ) -> tuple[str, dict[str, str]]:
        """Register an extension; return its identifier and the body of the answer.

        *body* is the decoded body of the request.  Raises `ApiError`, by the checks of the emulator
        in their order, and in its words.
        """
        if not name:
            raise ApiError(403, *states.NO_NAME)
        events = _events_of(body)
        with self._lock:
            if self._over:
                raise Gone
            agent = self._external.get(name)
            if agent is not None:
                _check_events(events, internal=False)
                agent.state = states.step_extension(agent.state, "register", name)
            else:
                _check_events(events, internal=True)
                agent = self._new_internal(name)
            agent.events = frozenset(events)
            subscribed = tuple(dict.fromkeys(events))
            self._note(ExtensionRegistered(self._now_us(), name, subscribed, agent.internal))
            self._changed.notify_all()
        return agent.identifier, self._facts("accountId" in features)

    def arrive(self, identifier: str, *, done: bool = True) -> None:
        """Take the first half of `next_event`: the extension is ``done`` with its latest event.

        Raises `ApiError`.
        """
        with self._lock:
            agent = self._identified(identifier)
            if agent.arrived:  # an event may be published, but not taken yet
                raise states.extension_refusal("Ready", "next", identifier)
            worked = agent.state == "Running"
            agent.state = states.step_extension(agent.state, "next", identifier)
            agent.arrived = True
            agent.done_at_us = self._now_us()
            if worked and done and agent.notified_at_us is not None and not self._shutting_down:
                busy_us = max(0, agent.done_at_us - agent.notified_at_us)
                self._note(ExtensionDone(agent.done_at_us, agent.name, busy_us))
            if agent.pending is not None:
                agent.state = "Running"
            self._changed.notify_all()

    def take(self, identifier: str) -> bytes | None:
        """Take the second half of `next_event` without waiting; None if there is no event."""
        with self._lock:
            taken = self._take(self._identified(identifier))
            return None if taken is None else taken[0]

    def next_event(self, identifier: str) -> tuple[bytes, str | None]:
        """Wait for the next event of an extension; return it with its identifier.

        SHUTDOWN has no identifier.  Raises `ApiError`, and `Gone` if the generation or the process
        of the extension ends while it waits.
        """
        with self._lock:
            self.arrive(identifier)
            agent = self._identified(identifier)
            while (taken := self._take(agent)) is None:
                self._changed.wait()
                is_known = self._by_identifier.get(identifier) is agent
                if not is_known or self._over or agent.exit_code is not None:
                    raise Gone
            return taken

    def name_of(self, identifier: str) -> str:
        """Return the name of an extension; raises `ApiError` for an unknown identifier."""
        with self._lock:
            return self._identified(identifier).name

    def init_error(self, identifier: str, error_type: str) -> None:
        """Note that an extension could not initialise; a repetition changes nothing."""
        self._report(identifier, "init/error", "Extension.InitError", error_type)

    def exit_error(self, identifier: str, error_type: str) -> None:
        """Note that an extension is about to exit with an error; a repetition changes nothing."""
        self._report(identifier, "exit/error", "Extension.ExitError", error_type)

    def _report(self, identifier: str, call: str, fatal: str, error_type: str) -> None:
        with self._lock:
            agent = self._identified(identifier, "Unknown Lambda-Extension-Identifier")
            before = agent.state
            agent.state = states.step_extension(before, call, identifier)
            if before == agent.state:
                return
            agent.error_type = error_type
            if not self._shutting_down:  # during a shutdown it has no effect (emulator)
                self._fail(agent, fatal)
                self._note(ExtensionFault(self._now_us(), agent.name, fatal, error_type))
            self._changed.notify_all()

    def _facts(self, with_account: bool) -> dict[str, str]:
        """Return the body of the answer to a registration."""
        config = self._config
        facts = {"accountId": config.account_id} if with_account and config.account_id else {}
        facts["functionName"] = config.function_name
        facts["functionVersion"] = config.function_version
        facts["handler"] = config.handler
        return facts

    # -- under the lock ---------------------------------------------------------------------------

    def _named(self, name: str) -> Agent:
        return self._external[name] if name in self._external else self._internal[name]

    def _identified(self, identifier: str, refusal: str = "") -> Agent:
        agent = self._by_identifier.get(identifier)
        # An external extension that has not registered did not get its identifier.
        if agent is None or (agent.state == "Started" and not agent.internal):
            message = refusal or f"Unknown extension {identifier}"
            raise ApiError(403, "Extension.UnknownExtensionIdentifier", message)
        if self._over:
            raise Gone
        return agent

    def _new_internal(self, name: str) -> Agent:
        if not self._open:
            now_us = self._now_us()
            self._note(RegistrationRefused(now_us, name, _CLOSED))
            self._note(ExtensionLog(now_us, name, _TOO_LATE))
            message = "Extension registration closed already"
            raise ApiError(403, _CLOSED, message)
        if name in self._internal:
            message = "Extension with this name already registered"
            raise ApiError(403, "Extension.InvalidExtensionState", message)
        if len(self._by_identifier) >= states.EXTENSION_LIMIT:
            message = f"Extension limit ({states.EXTENSION_LIMIT}) reached"
            raise ApiError(403, "Extension.TooManyExtensions", message)
        agent = Agent(name, internal=True, state="Registered")
        self._internal[name] = agent
        self._by_identifier[agent.identifier] = agent
        return agent

    def _take(self, agent: Agent) -> tuple[bytes, str | None] | None:
        if agent.pending is None or not agent.arrived:
            return None
        taken = agent.pending
        agent.arrived = False
        agent.pending = None
        if agent.state != "Running":
            raise states.extension_refusal(agent.state, "next", agent.identifier, states.MODIFIED)
        return taken

    def _fail(self, agent: Agent, error_type: str) -> None:
        if self._fatal is None:
            self._fatal = agent.name, error_type


def _events_of(body: object) -> list[str]:
    """Return the events to which the body of a registration subscribes; raises `ApiError`."""
    fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    events = fields.get("events") or []
    if (body is not None and not isinstance(body, dict)) or not isinstance(events, list):
        text = 'the body has to be an object such as {"events": ["INVOKE"]}'
        raise ApiError(403, "InvalidRequestFormat", text)
    if not all(isinstance(event, str) for event in cast("list[object]", events)):
        raise ApiError(403, "InvalidRequestFormat", "each event has to be a string")
    if fields.get("configurationKeys"):
        text = "configurationKeys are deprecated; use environment variables instead"
        raise ApiError(403, "InvalidRequestFormat", text)
    return cast("list[str]", events)


def _check_events(events: Iterable[str], *, internal: bool) -> None:
    for event in events:
        if event not in EVENTS:
            raise ApiError(403, "Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
        if internal and event == "SHUTDOWN":
            text = "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
            raise ApiError(403, "Extension.InvalidEventType", text)
