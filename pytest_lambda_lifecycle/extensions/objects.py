"""The extensions of an environment that are objects in this process: processes that run beside each
other, as played.

Each has its turn alone, on the thread of the phase; in virtual time the clock is put back for the
next one, and what they did takes its place on the timeline when the others have come as far.  Real
time cannot be put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.api.replies import ApiError
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.extensions.local import LocalExtension
from pytest_lambda_lifecycle.function.extension import Extension, extension_name, subscriptions_of
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

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.api.registry import Agent
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.turns import Turns
    from pytest_lambda_lifecycle.isolation.patching import Undo
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Objects", "Round", "fault_of"]


@dataclass(slots=True)
class Round:
    """What several turns beside each other came to."""

    busy_us: int = 0
    """How long the longest took."""
    failure: Outcome | None = None
    """How the first ended that failed."""
    failed_us: int = 0
    """After how long."""

    @property
    def interruption(self) -> BaseException | None:
        """What left one of them that is the test's own control flow."""
        return self.failure.exception if isinstance(self.failure, Interrupted) else None

    @property
    def ended_us(self) -> int:
        """When it was over: the first failure ends it."""
        return self.busy_us if self.failure is None else self.failed_us

    def add(self, outcome: Outcome, busy_us: int) -> None:
        """Count a turn in."""
        self.busy_us = max(self.busy_us, busy_us)
        if isinstance(self.failure, Interrupted) or type(outcome) is Loaded:
            return
        if self.failure is None or isinstance(outcome, Interrupted) or busy_us < self.failed_us:
            self.failure, self.failed_us = outcome, busy_us


class Objects:
    """Makes them, and gives them their turns."""

    def __init__(
        self,
        given: Iterable[Extension | type[Extension]],
        *,
        endpoint: Endpoint,
        turns: Turns,
        timeline: Timeline,
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
        """Those that overran a limit: they never come back to ask for an event."""

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they start."""
        return tuple(map(extension_name, self.given))

    @property
    def external(self) -> tuple[str, ...]:
        """Those that start before the runtime."""
        return tuple(extension_name(one) for one in self.given if not one.internal)

    @property
    def made(self) -> tuple[Extension, ...]:
        """The objects of the latest generation."""
        return tuple(one.extension for one in self._locals.values() if one.extension is not None)

    def __contains__(self, name: str) -> bool:
        return name in self._locals

    def __bool__(self) -> bool:
        return bool(self.given)

    # -- Init -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a generation of processes."""
        self.cut = set()
        made = [
            LocalExtension(
                one,
                post=self._post,
                log=self._log,
                apart=self._apart,
                passes_through=self._passes_through,
            )
            for one in self.given
        ]
        self._locals = {one.name: one for one in made}

    def start(
        self, limit_us: int, limit: float, *, internal: bool = False
    ) -> tuple[Outcome | None, int]:
        """Start those of one kind; returns what failed, and the moment when all are done with their
        `on_init`.

        Registration comes first, and what follows runs beside the runtime's init: the clock is back
        there then.
        """
        __tracebackhide__ = True
        clock, began = self._clock, self._clock.elapsed()
        chosen = [one for one in self._locals.values() if one.internal is internal]
        starts = self._round(
            chosen, partial(LocalExtension.start, limit_us=limit_us), limit_us, limit
        )
        clock.skip_to(clock.now_us() + starts.ended_us)
        failure = starts.failure or self._register(chosen)
        if failure is not None:
            return failure, 0
        left_us, began_us = limit_us - (clock.elapsed() - began) // 1000, clock.now_us()
        inits = self._round(chosen, LocalExtension.init, left_us, limit)
        if inits.failure is not None:
            clock.skip_to(began_us + inits.failed_us)
        return inits.failure, began_us + inits.busy_us

    def _register(self, chosen: Iterable[LocalExtension]) -> Outcome | None:
        for one in chosen:
            assert one.extension is not None
            events = {"events": list(subscriptions_of(one.extension))}
            try:
                one.identifier, _ = self._endpoint.registry.register(one.name, events, ())
            except ApiError as refusal:
                return Interrupted(
                    LifecycleError(f"extension {one.name!r} cannot register: {refusal.message}")
                )
        return None

    def arrive(self) -> None:
        """Let all ask for their first event: the end of Init."""
        for one in self._locals.values():
            if one.identifier:
                self._endpoint.registry.arrive(one.identifier)

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def tell(self, told: Iterable[Agent], event: bytes, limit_us: int, limit: float) -> Round:
        """Let those who were told of an invoke do their share; the clock is back then for the
        runtime's.
        """
        __tracebackhide__ = True
        registry = self._endpoint.registry
        chosen = [self._locals[agent.name] for agent in told if agent.name in self._locals]
        for one in chosen:
            registry.take(one.identifier)

        def done(one: LocalExtension, outcome: Outcome, busy_us: int) -> None:
            if type(outcome) is Loaded:
                registry.arrive(one.identifier)

        turns = self._round(
            chosen, partial(LocalExtension.deliver, event=event), limit_us, limit, done
        )
        if turns.interruption is not None:  # the test's own doing: all go on with the next event
            for agent in told:
                if agent.name in self._locals and agent.exit_code is None and not agent.arrived:
                    registry.arrive(agent.identifier, done=False)
        return turns

    # -- the end --------------------------------------------------------------------------------------------------

    def shut_down(
        self, alive: Iterable[Agent], event: bytes, until_us: int
    ) -> tuple[list[str], BaseException | None]:
        """Let all do what they do at the end, until a moment; returns who was killed, and what is
        to be raised.

        Who has not subscribed is killed at once, who has not come back from an event when the time
        is up.
        """
        __tracebackhide__ = True
        clock, began_us = self._clock, self._clock.now_us()
        known = [agent for agent in alive if agent.name in self._locals]
        subscribed = [agent for agent in known if "SHUTDOWN" in agent.events]
        killed = [(began_us, agent.name) for agent in known if agent not in subscribed]
        killed += [(until_us, agent.name) for agent in subscribed if agent.name in self.cut]

        def ended(one: LocalExtension, outcome: Outcome, busy_us: int) -> None:
            now_us = clock.now_us()
            self._timeline.append_in_time(ExtensionDone(now_us, one.name, busy_us))
            if isinstance(outcome, TimedOut):
                killed.append((now_us, one.name))
            elif isinstance(outcome, ExtensionFailed) and outcome.exit_code:
                self._timeline.append_in_time(fault_of(outcome, now_us))
            elif type(outcome) is Loaded:
                self._endpoint.registry.exited(one.name, 0)

        told = [self._locals[agent.name] for agent in subscribed if agent.name not in self.cut]
        left_us = max(0, until_us - began_us)
        turn = partial(LocalExtension.deliver, event=event)
        turns = self._round(told, turn, left_us, left_us / 1_000_000, ended, goes_on=True)
        clock.skip_to(max([began_us + turns.busy_us, *(at for at, _ in killed)]))
        for at, name in killed:
            self._timeline.append_in_time(Signal(min(at, clock.now_us()), name, "SIGKILL"))
        self._timeline.catch_up(clock.now_us())
        return [name for _, name in killed], turns.interruption

    # -- turns ----------------------------------------------------------------------------------------------------

    def _round(
        self,
        chosen: Iterable[LocalExtension],
        turn: Callable[[LocalExtension], Outcome],
        limit_us: int,
        limit: float,
        ended: Callable[[LocalExtension, Outcome, int], None] = lambda one, outcome, busy_us: None,
        *,
        goes_on: bool = False,
    ) -> Round:
        """Give each its turn, all from the same moment, at which the clock is again afterwards.

        ``ended`` is called with how one ended and after how many microseconds, when the clock is
        there.  What is the test's own control flow keeps the others from their turns, unless the
        round ``goes_on``.
        """
        __tracebackhide__ = True
        clock, timeline, turns = self._clock, self._timeline, Round()
        began_us, all_began = clock.now_us(), clock.elapsed()
        for one in chosen:
            began = clock.elapsed()
            left_us = max(0, limit_us - (began - all_began) // 1000)  # real time cannot be put back
            outcome = self._turns.run(partial(turn, one), left_us, limit)
            busy_us = (clock.elapsed() - began) // 1000
            turns.add(outcome, busy_us)
            if isinstance(outcome, ExtensionFailed) and (one.identifier or not one.internal):
                self._endpoint.registry.exited(one.name, outcome.exit_code)
            elif isinstance(outcome, TimedOut):
                self.cut.add(one.name)
            ended(one, outcome, busy_us)
            timeline.take_in()
            clock.rewind(began_us)
            timeline.catch_up(clock.now_us())
            if turns.interruption is not None and not goes_on:
                break
        return turns

    def _post(self, name: str, call: str, error_type: str) -> bool:
        registry, identifier = self._endpoint.registry, self._locals[name].identifier
        try:
            (registry.init_error if call == "init/error" else registry.exit_error)(
                identifier, error_type
            )
        except ApiError:  # not in this state, or not before it has registered
            return False
        return True

    def _log(self, name: str, lines: str) -> None:
        self._timeline.append_in_time(ExtensionLog(self._clock.now_us(), name, lines))


def fault_of(outcome: ExtensionFailed, at_us: int) -> ExtensionFault:
    """Return the event that tells of it."""
    detail, exception = outcome.message, outcome.exception
    if exception is not None and not isinstance(exception, (SystemExit, ProcessEnd)):
        detail += f" ({type(exception).__name__}: {exception})"
    return ExtensionFault(at_us, outcome.extension, outcome.error_type, detail)
