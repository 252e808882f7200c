"""Who has registered as an extension, and how each one stands.

Threads of the HTTP server, threads that wait for processes and the conductor meet here and nowhere
else: one lock, held for moments.  Nothing here waits for the environment, whose thread may itself
be inside function code that is calling.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import ApiError, Gone
from pytest_lambda_lifecycle.api.waiting import wait_until
from pytest_lambda_lifecycle.function.extension import EVENTS
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionRegistered,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["Agent", "Registry"]


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
    """What it posted, or why it could not be launched."""
    exit_code: int | None = None
    """As in `subprocess`, once its process has ended."""
    exited_at_us: int | None = None
    told_at_us: int | None = None
    """When it was last told of an event."""
    done_at_us: int | None = None
    """When it last asked for its next event."""
    pending: tuple[bytes, str | None] | None = None
    """The event that waits for it, with the event's identifier."""
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
        # The lock is entered itself, as an exception out of a signal handler cannot fall between
        # its two halves.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._external: dict[str, Agent] = {}
        self._internal: dict[str, Agent] = {}
        self._by_identifier: dict[str, Agent] = {}
        self._over = True
        self._open = self._shutting_down = False
        self._fatal: tuple[str, str] | None = None

    # -- the conductor's ------------------------------------------------------------------------------------------

    def begin(self, externals: Sequence[str]) -> None:
        """Begin a generation: these external extensions are being started; earlier identifiers are
        unknown.
        """
        with self._lock:
            self._external = {name: Agent(name, internal=False) for name in externals}
            self._internal = {}
            self._by_identifier = {agent.identifier: agent for agent in self._external.values()}
            self._over, self._open, self._shutting_down, self._fatal = False, True, False, None
            self._changed.notify_all()

    def end(self) -> None:
        """End the generation: whoever waits for an event, or still calls, is `Gone`.  `agents` can
        still be read.
        """
        with self._lock:
            self._over, self._open = True, False
            self._changed.notify_all()

    def close_registration(self) -> None:
        """Refuse further internal extensions: the runtime has asked for its first event."""
        with self._lock:
            self._open = False

    def shutting_down(self) -> None:
        """From now on crashes are expected; what was fatal before is settled (emulator,
        ``rapid/shutdown.go``).
        """
        with self._lock:
            self._shutting_down, self._open, self._fatal = True, False, None

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The extensions of the present generation, external ones first."""
        with self._lock:
            return (*self._external.values(), *self._internal.values())

    @property
    def fatal(self) -> tuple[str, str] | None:
        """The first fatal error: the extension, and ``Extension.InitError``, ``ExitError``,
        ``Crash``, ``LaunchError``.

        An error that was posted is fatal for the phase only when the process has ended
        (``exit_code``; emulator).
        """
        return self._fatal

    def publish(self, names: Iterable[str], event: bytes, with_id: bool) -> None:
        """Hand *event* to each of the extensions; one that asks later finds it waiting, unless
        another replaced it.
        """
        with self._lock:
            for agent in map(self._named, names):
                agent.told_at_us = self._now_us()
                agent.pending = event, str(uuid.uuid4()) if with_id else None
                if agent.state == "Ready":
                    agent.state = "Running"
            self._changed.notify_all()

    def exited(self, name: str, exit_code: int) -> None:
        """Note that an extension's process has ended.  Not to be called for one of an earlier
        generation.
        """
        with self._lock:
            agent = self._named(name)
            if agent.exit_code is not None:
                return
            agent.exit_code, agent.exited_at_us = exit_code, self._now_us()
            if not self._shutting_down:
                self._fail(agent, "Extension.Crash")
            elif agent.state == "Running" and not agent.internal:
                agent.state = states.EXTENSION[agent.state]["kill" if exit_code else "exit"]
            self._changed.notify_all()

    def launch_failed(self, name: str, error_type: str) -> None:
        """Note that one could not be started: ``PermissionDenied``, ``TooManyExtensions``,
        ``UnknownError``.
        """
        with self._lock:
            agent = self._named(name)
            agent.state = states.step_extension(agent.state, "launch", name)
            agent.error_type = error_type
            self._fail(agent, "Extension.LaunchError")
            self._changed.notify_all()

    def wait(self, done: Callable[[], bool], until: float) -> bool:
        """Wait for ``done()``, asked under the lock at each change; False at ``until``
        (`RealTime.perf_counter`).
        """
        with self._lock:
            return wait_until(self._changed, done, until)

    # -- the extensions' ------------------------------------------------------------------------------------------

    def register(
        self, name: str, body: object, features: Iterable[str]
    ) -> tuple[str, dict[str, str]]:
        """Register an extension; returns its identifier and the answer's body.

        *body* is the request's, decoded.  Raises `ApiError` in the emulator's order of checks and
        words.
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
        config = self._config
        answer = (
            {"accountId": config.account_id}
            if "accountId" in features and config.account_id
            else {}
        )
        answer["functionName"] = config.function_name
        answer["functionVersion"] = config.function_version
        answer["handler"] = config.handler
        return agent.identifier, answer

    def arrive(self, identifier: str, *, done: bool = True) -> None:
        """Take the first half of `next_event`: the extension is ``done`` with what it had.  Raises
        `ApiError`.
        """
        with self._lock:
            agent = self._identified(identifier)
            if agent.arrived:  # also if its event is published, but on its way yet
                raise states.extension_refusal("Ready", "next", identifier)
            worked, agent.state = (
                agent.state == "Running",
                states.step_extension(agent.state, "next", identifier),
            )
            agent.arrived, agent.done_at_us = True, self._now_us()
            if worked and done and agent.told_at_us is not None and not self._shutting_down:
                busy_us = max(0, agent.done_at_us - agent.told_at_us)
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
        """Wait for the extension's next event; returns it with its identifier (None: SHUTDOWN has
        none).

        Raises `ApiError`, and `Gone` when the generation or the extension's process has ended
        meanwhile.
        """
        with self._lock:
            self.arrive(identifier)
            agent = self._identified(identifier)
            while (taken := self._take(agent)) is None:
                self._changed.wait()
                if (
                    self._by_identifier.get(identifier) is not agent
                    or self._over
                    or agent.exit_code is not None
                ):
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
            if not self._shutting_down:  # by then it has no effect (emulator)
                self._fail(agent, fatal)
                self._note(ExtensionFault(self._now_us(), agent.name, fatal, error_type))
            self._changed.notify_all()

    # -- under the lock -------------------------------------------------------------------------------------------

    def _named(self, name: str) -> Agent:
        return self._external[name] if name in self._external else self._internal[name]

    def _identified(self, identifier: str, refusal: str = "") -> Agent:
        agent = self._by_identifier.get(identifier)
        if agent is None or (
            agent.state == "Started" and not agent.internal
        ):  # nobody has been told this identifier
            message = refusal or f"Unknown extension {identifier}"
            raise ApiError(403, "Extension.UnknownExtensionIdentifier", message)
        if self._over:
            raise Gone
        return agent

    def _new_internal(self, name: str) -> Agent:
        if not self._open:
            raise ApiError(
                403, "Extension.RegistrationClosed", "Extension registration closed already"
            )
        if name in self._internal:
            message = "Extension with this name already registered"
            raise ApiError(403, "Extension.InvalidExtensionState", message)
        if len(self._by_identifier) >= states.EXTENSION_LIMIT:
            message = f"Extension limit ({states.EXTENSION_LIMIT}) reached"
            raise ApiError(403, "Extension.TooManyExtensions", message)
        agent = self._internal[name] = Agent(name, internal=True, state="Registered")
        self._by_identifier[agent.identifier] = agent
        return agent

    def _take(self, agent: Agent) -> tuple[bytes, str | None] | None:
        if agent.pending is None or not agent.arrived:
            return None
        agent.arrived, taken, agent.pending = False, agent.pending, None
        if agent.state != "Running":
            raise states.extension_refusal(agent.state, "next", agent.identifier, states.MODIFIED)
        return taken

    def _fail(self, agent: Agent, error_type: str) -> None:
        if self._fatal is None:
            self._fatal = agent.name, error_type


def _events_of(body: object) -> list[str]:
    """Return what the body of a registration subscribes to; raises `ApiError` for what is no such
    body.
    """
    fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    events = fields.get("events") or []
    if (body is not None and not isinstance(body, dict)) or not isinstance(events, list):
        raise ApiError(
            403,
            "InvalidRequestFormat",
            'the body has to be an object such as {"events": ["INVOKE"]}',
        )
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
