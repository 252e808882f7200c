"""The extensions of an environment that are objects in this process: simulated processes that run
side by side.

Each has its turn alone, on the thread of the phase.  In virtual time the clock is put back for the
next one, and its events take their places on the timeline when the others have come as far.  Real
time cannot be put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.api.replies import ApiError
from pytest_lambda_lifecycle.errors import ConfigError, LifecycleError
from pytest_lambda_lifecycle.extensions.local import LocalExtension
from pytest_lambda_lifecycle.function.extension import (
    Extension,
    check_extension,
    extension_name,
    subscriptions_of,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionLog,
    Signal,
)
from pytest_lambda_lifecycle.lifecycle.outcome import (
    ExtensionFailed,
    Interrupted,
    Loaded,
    Outcome,
    ProcessEnd,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.rules import Limit

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.api.registry import Agent
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.turns import TurnRunner
    from pytest_lambda_lifecycle.isolation.patching import Undo
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["Objects", "Round", "fault_of"]


@dataclass(slots=True)
class Round:
    """The result of several turns side by side."""

    busy_us: int = 0
    """The microseconds of the longest turn."""
    failure: Outcome | None = None
    """The outcome of the first turn that failed."""
    failed_us: int = 0
    """The microseconds after which it ended."""

    @property
    def interruption(self) -> BaseException | None:
        """The exception in one of the turns that is the test's own control flow."""
        return self.failure.exception if isinstance(self.failure, Interrupted) else None

    @property
    def ended_us(self) -> int:
        """When the round was over: the first failure ends it."""
        return self.busy_us if self.failure is None else self.failed_us

    def add(self, outcome: Outcome, busy_us: int) -> None:
        """Add the outcome of a turn."""
        self.busy_us = max(self.busy_us, busy_us)
        if isinstance(self.failure, Interrupted) or type(outcome) is Loaded:
            return
        if self.failure is None or isinstance(outcome, Interrupted) or busy_us < self.failed_us:
            self.failure = outcome
            self.failed_us = busy_us


class Objects:
    """Makes the objects, and gives them their turns."""

    def __init__(
        self,
        given: Iterable[Extension | type[Extension]],
        *,
        endpoint: Endpoint,
        turns: TurnRunner,
        timeline: WritableTimeline,
        clock: Clock,
        apart: Callable[[], Undo],
        passes_through: Callable[[BaseException], bool],
    ) -> None:
        """``apart`` and ``passes_through`` are as for `LocalExtension`."""
        self.given = list(given)
        self._endpoint = endpoint
        self._turns = turns
        self._timeline = timeline
        self._clock = clock
        self._apart = apart
        self._passes_through = passes_through
        self._locals: dict[str, LocalExtension] = {}
        if self.given:
            endpoint.load()
        self.cut: set[str] = set()
        """Extensions that overran a limit: they never ask for another event."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order in which the extensions start."""
        return tuple(map(extension_name, self.given))

    @property
    def external(self) -> tuple[str, ...]:
        """The extensions that start before the runtime."""
        return tuple(
            extension_name(extension) for extension in self.given if not extension.internal
        )

    @property
    def made(self) -> tuple[Extension, ...]:
        """The objects of the latest generation."""
        return tuple(
            local.extension for local in self._locals.values() if local.extension is not None
        )

    def __contains__(self, name: str) -> bool:
        return name in self._locals

    def __bool__(self) -> bool:
        return bool(self.given)

    def add(self, extension: Extension | type[Extension], names: Iterable[str]) -> None:
        """Add an extension; raise `ConfigError` for one that Lambda would refuse.

        ``names`` are those of the extensions that are no objects in this process.
        """
        name = extension_name(extension)
        problem = check_extension(extension)
        if problem:
            raise ConfigError(f"extension {name!r}: {problem}", code="LLC207")
        if name in {*names, *self.names}:
            raise ConfigError(
                f"extension {name!r}: there is one of this name, and names have to differ",
                code="LLC207",
            )
        self.given.append(extension)

    # -- Init -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a generation of processes."""
        self.cut = set()
        made = [
            LocalExtension(
                extension,
                post=self._post,
                log=self._log,
                apart=self._apart,
                passes_through=self._passes_through,
            )
            for extension in self.given
        ]
        self._locals = {local.name: local for local in made}

    def start(self, limit: Limit, *, internal: bool = False) -> tuple[Outcome | None, int]:
        """Start the external or the internal ones.

        Returns the failure, if there was one, and the moment when all are done with their
        `on_init`.  Registration comes first, and everything after it runs beside the runtime's
        init: the clock is put back to that moment.
        """
        __tracebackhide__ = True
        clock = self._clock
        began = self._clock.elapsed()
        chosen = [local for local in self._locals.values() if local.internal is internal]
        starts = self._round(chosen, partial(LocalExtension.start, limit_us=limit.us), limit)
        clock.skip_to(clock.now_us() + starts.ended_us)
        failure = starts.failure or self._register(chosen)
        if failure is not None:
            return failure, 0
        left = limit.less((clock.elapsed() - began) // 1000)
        began_us = clock.now_us()
        inits = self._round(chosen, LocalExtension.init, left)
        if inits.failure is not None:
            clock.skip_to(began_us + inits.failed_us)
        return inits.failure, began_us + inits.busy_us

    def _register(self, chosen: Iterable[LocalExtension]) -> Outcome | None:
        for local in chosen:
            assert local.extension is not None
            events = {"events": list(subscriptions_of(local.extension))}
            try:
                local.identifier, _ = self._endpoint.registry.register(local.name, events, ())
            except ApiError as refusal:
                text = f"extension {local.name!r} cannot register: {refusal.message}"
                return Interrupted(LifecycleError(text, code="LLC605"))
        return None

    def arrive(self) -> None:
        """Let all ask for their first event: the end of Init."""
        for local in self._locals.values():
            if local.identifier:
                self._endpoint.registry.arrive(local.identifier)

    # -- Invoke -----------------------------------------------------------------------------------

    def notify(self, agents: Iterable[Agent], event: bytes, limit: Limit) -> Round:
        """Deliver an invoke to the agents that are objects; afterwards the clock is put back."""
        __tracebackhide__ = True
        registry = self._endpoint.registry
        here = [agent for agent in agents if agent.name in self._locals]
        chosen = [self._locals[agent.name] for agent in here]
        for local in chosen:
            registry.take(local.identifier)

        def done(local: LocalExtension, outcome: Outcome, busy_us: int) -> None:
            if type(outcome) is Loaded:
                registry.arrive(local.identifier)

        action = partial(LocalExtension.deliver, event=event)
        round_ = self._round(chosen, action, limit, done)
        if round_.interruption is not None:  # the test's own doing: all go on with the next event
            for agent in here:
                if agent.exit_code is None and not agent.arrived:
                    registry.arrive(agent.identifier, done=False)
        return round_

    # -- the end ----------------------------------------------------------------------------------

    def shut_down(
        self, alive: Iterable[Agent], event: bytes, until_us: int
    ) -> tuple[list[str], BaseException | None]:
        """Deliver the shutdown, and let all handle it until a moment.

        Returns the names of those that were killed, and an exception that is control flow of the
        test.  An extension without a subscription is killed at once.  An extension that has not
        come back from an earlier event is killed when the time is up.
        """
        __tracebackhide__ = True
        clock = self._clock
        began_us = self._clock.now_us()
        here = [agent for agent in alive if agent.name in self._locals]
        subscribed = [agent for agent in here if "SHUTDOWN" in agent.events]
        killed = [(began_us, agent.name) for agent in here if agent not in subscribed]
        killed += [(until_us, agent.name) for agent in subscribed if agent.name in self.cut]

        def ended(local: LocalExtension, outcome: Outcome, busy_us: int) -> None:
            now_us = clock.now_us()
            self._timeline.append_in_time(ExtensionDone(now_us, local.name, busy_us))
            if isinstance(outcome, TimedOut):
                killed.append((now_us, local.name))
            elif isinstance(outcome, ExtensionFailed) and outcome.exit_code:
                self._timeline.append_in_time(fault_of(outcome, now_us))
            elif type(outcome) is Loaded:
                self._endpoint.registry.exited(local.name, 0)

        notified = [self._locals[agent.name] for agent in subscribed if agent.name not in self.cut]
        left_us = max(0, until_us - began_us)
        action = partial(LocalExtension.deliver, event=event)
        limit = Limit(left_us, left_us / 1_000_000)
        round_ = self._round(notified, action, limit, ended, goes_on=True)
        clock.skip_to(max([began_us + round_.busy_us, *(at for at, _ in killed)]))
        for at, name in killed:
            self._timeline.append_in_time(Signal(min(at, clock.now_us()), name, "SIGKILL"))
        self._timeline.catch_up(clock.now_us())
        return [name for _, name in killed], round_.interruption

    # -- turns ------------------------------------------------------------------------------------

    def _round(
        self,
        chosen: Iterable[LocalExtension],
        action: Callable[[LocalExtension], Outcome],
        limit: Limit,
        ended: Callable[[LocalExtension, Outcome, int], None] | None = None,
        *,
        goes_on: bool = False,
    ) -> Round:
        """Give each a turn, all from the same moment, to which the clock is put back afterwards.

        ``ended`` is called with the outcome and the length of each turn, while the clock is at its
        end.  The test's own control flow keeps the others from their turns, unless the round
        ``goes_on``.
        """
        __tracebackhide__ = True
        clock = self._clock
        timeline = self._timeline
        round_ = Round()
        began_us = clock.now_us()
        all_began = clock.elapsed()
        for local in chosen:
            began = clock.elapsed()
            spent_us = (began - all_began) // 1000  # real time cannot be put back
            left = Limit(max(0, limit.us - spent_us), limit.seconds)
            outcome = self._turns.run(partial(action, local), left)
            busy_us = (clock.elapsed() - began) // 1000
            round_.add(outcome, busy_us)
            if isinstance(outcome, ExtensionFailed) and (local.identifier or not local.internal):
                self._endpoint.registry.exited(local.name, outcome.exit_code)
            elif isinstance(outcome, TimedOut):
                self.cut.add(local.name)
            if ended is not None:
                ended(local, outcome, busy_us)
            timeline.take_in()
            clock.rewind(began_us)
            timeline.catch_up(clock.now_us())
            if round_.interruption is not None and not goes_on:
                break
        return round_

    def _post(self, name: str, call: str, error_type: str) -> bool:
        registry, identifier = self._endpoint.registry, self._locals[name].identifier
        post = registry.init_error if call == "init/error" else registry.exit_error
        try:
            post(identifier, error_type)
        except ApiError:  # not in this state, or not before it has registered
            return False
        return True

    def _log(self, name: str, lines: str) -> None:
        self._timeline.append_in_time(ExtensionLog(self._clock.now_us(), name, lines))


def fault_of(outcome: ExtensionFailed, at_us: int) -> ExtensionFault:
    """Return the event that reports a failure."""
    detail, exception = outcome.message, outcome.exception
    if exception is not None and not isinstance(exception, (SystemExit, ProcessEnd)):
        detail += f" ({type(exception).__name__}: {exception})"
    return ExtensionFault(at_us, outcome.extension, outcome.error_type, detail)
