"""All extensions of an environment as one participant: those in this process, and those that speak HTTP."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle import lifecycle
from pytest_lambda_lifecycle.api.replies import ApiError
from pytest_lambda_lifecycle.api.states import EXTENSION_LIMIT
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.events import Event
from pytest_lambda_lifecycle.extension import Extension, extension_name
from pytest_lambda_lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionState,
    Signal,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.extensions.local import LocalExtension
from pytest_lambda_lifecycle.outcome import DeadlineReached, ExtensionFailed, Interrupted, Loaded, Outcome, TimedOut
from pytest_lambda_lifecycle.real_time import RealTime

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.api.registry import Agent
    from pytest_lambda_lifecycle.clock import Clock
    from pytest_lambda_lifecycle.extensions.programs import Programs
    from pytest_lambda_lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.turns import Turns

__all__ = ["ExtensionGroup"]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_FLUSH_S: Final = 1.0
"""Seconds that telemetry may take to reach its subscribers before they are told of the end (emulator)."""


class ExtensionGroup:
    """Starts, tells, waits for and ends the extensions.  Without any it costs a bound socket."""

    def __init__(
        self,
        *,
        given: Iterable[Extension | type[Extension]],
        programs: Programs,
        endpoint: Endpoint,
        turns: Turns,
        timeline: Timeline,
        clock: Clock,
        passes_through: Callable[[BaseException], bool],
    ) -> None:
        """What ``passes_through`` says yes to leaves an extension in this process as it was raised."""
        self.present = False
        self.given = list(given)
        self._programs = programs
        self._endpoint = endpoint
        self._turns = turns
        self._timeline = timeline
        self._clock = clock
        self._passes_through = passes_through
        self._mail: deque[Event] = endpoint.mail
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.present = False
        self._locals: dict[str, LocalExtension] = {}
        self._identifiers: dict[str, str] = {}
        self._ready_us = 0
        self._told: dict[str, int] = {}
        self._early: tuple[int, Outcome] | None = None
        self._overhead_us: int | None = None
        self._gone: set[str] = set()
        """Those in this process whose own has ended."""

    # -- what there is --------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Those that start before the runtime."""
        return (*self._programs.names, *(extension_name(one) for one in self.given if not one.internal))

    @property
    def all_names(self) -> tuple[str, ...]:
        """All that there will be, but for those that function code registers."""
        return (*self._programs.names, *map(extension_name, self.given))

    @property
    def objects(self) -> tuple[Extension, ...]:
        """Those in this process, as they run now."""
        return tuple(one.extension for one in self._locals.values())

    @property
    def budget_ms(self) -> int:
        """What the shutdown may take, in ms."""
        agents = self._agents if self.present else ()
        internal = sum(agent.internal for agent in agents)
        return lifecycle.shutdown_budget_ms(internal_extensions=internal, external_extensions=len(agents) - internal)

    @property
    def overhead_us(self) -> int | None:
        """How much longer than the runtime they took in the last invoke; None if none was told of it."""
        return self._overhead_us

    @property
    def _agents(self) -> tuple[Agent, ...]:
        return self._endpoint.registry.agents if self._endpoint.opened else ()

    # -- Init -----------------------------------------------------------------------------------------------------

    def start(self, limit_us: int, limit: float) -> Outcome:
        """Start the external ones and wait until all have registered.

        What `on_init` does then, it does beside the runtime: its time is settled at the end of Init.
        """
        __tracebackhide__ = True
        self._start_afresh()
        made = [one() if isinstance(one, type) else one for one in self.given]
        self._locals = {
            one.name: LocalExtension(one, log=self._log, passes_through=self._passes_through) for one in made
        }
        self._endpoint.begin(self.names, len(self._timeline) - 2)
        if not self.names and not made:
            return Loaded()
        self._endpoint.open(serve=bool(self._programs))
        outcome = self._launch() or self._start_locals(limit_us, limit)
        if outcome is None and self._programs:
            outcome = self._await(
                lambda: all(agent.state != "Started" for agent in self._agents), limit_us=limit_us, limit=limit
            )
        self._drain()
        return outcome or Loaded()

    def _launch(self) -> Outcome | None:
        """Start the programs, all before any is waited for; the first that cannot be started ends Init."""
        for index, name in enumerate(self.names):
            if index >= EXTENSION_LIMIT:
                return self._not_launched(
                    name, "TooManyExtensions", f"{len(self.names)} extensions, and Lambda takes {EXTENSION_LIMIT}"
                )
            problem = self._programs.launch(name) if name in self._programs.names else None
            if problem is not None:
                return self._not_launched(name, *problem)
        return None

    def _not_launched(self, name: str, error_type: str, why: str) -> Outcome:
        self._endpoint.registry.launch_failed(name, error_type)
        return self._failed(ExtensionFailed(name, "Extension.LaunchError", f"{error_type}: {why}"))

    def _start_locals(self, limit_us: int, limit: float, *, internal: bool = False) -> Outcome | None:
        __tracebackhide__ = True
        began_us, began = self._clock.now_us(), self._clock.elapsed()
        for name, local in self._locals.items():
            if local.extension.internal is not internal:
                continue
            left_us = limit_us - (self._clock.elapsed() - began) // 1000
            if local.extension.registers:
                self._register(name, local.extension)
                outcome = self._turns.run(local.init, limit_us=left_us, limit=limit)
            else:
                outcome = self._turns.run(local.never_register, left_us, limit_us=left_us, limit=limit)
            if type(outcome) is not Loaded:
                self._gone.add(name)
                return self._failed(outcome)
            self._ready_us = max(self._ready_us, self._clock.now_us())
            self._clock.rewind(began_us)
        return None

    def _register(self, name: str, extension: Extension) -> None:
        try:
            body = {"events": list(extension.subscriptions)}
            self._identifiers[name], _ = self._endpoint.registry.register(name, body, ())
        except ApiError as refusal:
            raise LifecycleError(f"extension {name!r} cannot register: {refusal.message}") from refusal

    def settle(self, limit_us: int, limit: float) -> Outcome:
        """Close the registration, and wait until all are ready: the end of Init."""
        __tracebackhide__ = True
        if not self._endpoint.opened:
            return Loaded()
        began = self._clock.elapsed()
        outcome = self._start_locals(limit_us, limit, internal=True)
        registry = self._endpoint.registry
        registry.close_registration()
        self._clock.skip_to(self._ready_us)
        for name in self._locals:
            if name in self._identifiers:
                registry.arrive(self._identifiers[name])
        if outcome is None and self._remote():
            left_us = limit_us - (self._clock.elapsed() - began) // 1000
            outcome = self._await(lambda: all(map(_is_ready, self._remote())), limit_us=left_us, limit=limit)
        self._endpoint.hub.close_subscriptions()
        return outcome or Loaded()

    def report(self) -> None:
        """Put on the timeline how each stands at the end of Init."""
        self._drain()
        for agent in self._agents:
            events = tuple(sorted(agent.events))
            state = ExtensionState(self._clock.now_us(), agent.name, agent.state, events, agent.error_type)
            self._timeline.append(state)
        self.present = bool(self._agents)

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def died(self) -> Outcome | None:
        """Return how one has ended while the environment was frozen."""
        found = self._ended_agent()
        return self._failed(found) if found is not None else None

    def begin_invoke(self, event: dict[str, object], limit_us: int, limit: float) -> int | Outcome:
        """Tell of an invoke, the programs first: they run meanwhile.

        Those in this process run to their end before the runtime does, and their time beside it: in virtual time the
        clock is put back.  Returns the microseconds after which the runtime is to be cut, as one has crashed by then;
        or why it is not to run at all.
        """
        __tracebackhide__ = True
        clock, registry = self._clock, self._endpoint.registry
        self._thaw()
        told = [agent for agent in self._agents if "INVOKE" in agent.events]
        began_us = clock.now_us()
        self._told = {agent.name: began_us for agent in told}
        self._began_us = began_us
        self._busy_us = 0
        early: tuple[int, Outcome] | None = None
        for agent in told:
            self._timeline.append(ExtensionNotified(began_us, agent.name, event))
        registry.publish([agent.name for agent in told], _encode(event).encode(), with_id=True)
        for agent in told:
            local = self._locals.get(agent.name)
            if local is None:
                continue
            registry.take(agent.identifier)
            turn_began = clock.elapsed()
            outcome = self._turns.run(local.deliver, event, limit_us=limit_us, limit=limit)
            busy_us = (clock.elapsed() - turn_began) // 1000
            clock.rewind(began_us)
            self._busy_us = max(self._busy_us, busy_us)
            if isinstance(outcome, Interrupted):
                return outcome
            if type(outcome) is not Loaded:
                self._gone.add(agent.name)
                if early is None or busy_us < early[0]:
                    early = busy_us, outcome
                continue
            registry.arrive(agent.identifier)
            self._told.pop(agent.name)
            self._timeline.append(ExtensionDone(began_us + busy_us, agent.name, busy_us))
        self._early = early
        return limit_us if early is None or isinstance(early[1], TimedOut) else early[0]

    def end_invoke(self, runtime_us: int, limit_us: int, limit: float) -> tuple[Outcome | None, Outcome | None]:
        """Wait until all have finished their share; returns what failed before the runtime's answer, and after it."""
        __tracebackhide__ = True
        self._overhead_us = None
        clock = self._clock
        ended_us, ended = clock.now_us(), clock.elapsed()
        if self._early is not None:
            busy_us, outcome = self._early
            if not isinstance(outcome, TimedOut) and busy_us <= runtime_us:
                return self._failed(outcome), None
        clock.skip_to(self._began_us + self._busy_us)
        behind_us = max(0, self._busy_us - runtime_us)
        if self._early is not None:
            self._overhead_us = behind_us
            return None, self._failed(self._early[1])
        failure: Outcome | None = None
        waiting = [agent for agent in self._remote() if agent.name in self._told]
        if waiting:
            left_us = limit_us - behind_us
            failure = self._await(lambda: all(map(_is_ready, waiting)), limit_us=left_us, limit=limit)
        self._overhead_us = max(behind_us, (clock.elapsed() - ended) // 1000) if waiting else behind_us
        for agent in waiting:
            if _is_ready(agent):
                done_us = agent.done_at_us or clock.now_us()
                self._timeline.append(ExtensionDone(done_us, agent.name, max(0, done_us - self._told[agent.name])))
        self._drain()
        if isinstance(failure, ExtensionFailed) and self._crashed_before(failure.extension, ended_us):
            return failure, None
        return None, failure

    def _crashed_before(self, name: str, moment_us: int) -> bool:
        agent = next(one for one in self._agents if one.name == name)
        return agent.exited_at_us is not None and agent.exited_at_us < moment_us

    # -- between invokes ------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop the programs, and the delivery of telemetry: nothing of a frozen environment runs."""
        self._drain()
        self._endpoint.hub.pause()
        self._programs.freeze()

    def _thaw(self) -> None:
        self._programs.thaw()
        self._endpoint.hub.resume()

    def kill(self, name: str, exit_code: int) -> Outcome:
        """End one of them now, while the environment is frozen; returns how.

        Raises `LifecycleError` if there is none of this name.  A program gets SIGKILL, whatever ``exit_code`` says.
        """
        known = {agent.name for agent in self._agents} | {"runtime"}
        if name not in known:
            raise LifecycleError(
                f"cannot end {name!r}: no extension of this name is registered; there are {', '.join(sorted(known))}"
            )
        if name in self._programs:
            self._programs.kill(name)
            self._endpoint.registry.wait(lambda: self._ended_agent() is not None, RealTime.perf_counter() + 2.0)
            return self._ended_agent() or ExtensionFailed(name, "Extension.Crash", lifecycle.exit_text(-9))
        self._gone.add(name)
        return ExtensionFailed(name, "Extension.Crash", lifecycle.exit_text(exit_code))

    def drop_telemetry(self, name: str) -> None:
        """Let the deliveries to a subscriber fail; raises `LifecycleError` if there is none of this name."""
        subscribers = sorted({one.extension for one in self._timeline.of(TelemetrySubscription)})
        if name not in subscribers:
            there = f"there are {', '.join(subscribers)}" if subscribers else "nobody has"
            raise LifecycleError(f"cannot drop the telemetry of {name!r}: it has not subscribed; {there}")
        self._endpoint.hub.drop_destination(name)

    # -- Shutdown -------------------------------------------------------------------------------------------------

    def shutdown(self, reason: str, deadline_ms: int, until_us: int) -> tuple[str, ...]:
        """Tell of the end those who subscribed; returns who was killed."""
        __tracebackhide__ = True
        registry, clock = self._endpoint.registry, self._clock
        registry.shutting_down()
        self._thaw()
        self._drain()
        self._endpoint.hub.flush(_FLUSH_S)
        event = lifecycle.shutdown_event(reason, deadline_ms)
        alive = [one for one in self._agents if not one.internal and one.exit_code is None]
        alive = [one for one in alive if one.state != "LaunchError" and one.name not in self._gone]
        told = [agent for agent in alive if "SHUTDOWN" in agent.events]
        for agent in told:
            self._timeline.append(ExtensionNotified(clock.now_us(), agent.name, event))
        registry.publish([agent.name for agent in told], _encode(event).encode(), with_id=False)
        killed = [agent.name for agent in alive if agent not in told and agent.name in self._programs]
        for name in killed:
            self._kill(name)
        interruption = self._shut_locals_down(told, event, until_us, killed)
        self._await_ends(told, until_us, killed)
        self._drain()
        if interruption is not None:
            raise interruption
        return tuple(killed)

    def _shut_locals_down(
        self, told: list[Agent], event: dict[str, object], until_us: int, killed: list[str]
    ) -> BaseException | None:
        __tracebackhide__ = True
        clock, began_us, last_us = self._clock, self._clock.now_us(), 0
        interruption: BaseException | None = None
        for agent in told:
            local = self._locals.get(agent.name)
            if local is None:
                continue
            began, left_us = clock.elapsed(), max(0, until_us - clock.now_us())
            outcome = self._turns.run(local.deliver, event, limit_us=left_us, limit=left_us / 1_000_000)
            duration_us = (clock.elapsed() - began) // 1000
            last_us = max(last_us, clock.now_us())
            self._timeline.append(ExtensionDone(clock.now_us(), agent.name, duration_us))
            if isinstance(outcome, TimedOut):
                killed.append(agent.name)
                self._timeline.append(Signal(clock.now_us(), agent.name, "SIGKILL"))
            elif isinstance(outcome, Interrupted):
                interruption = outcome.exception
            elif isinstance(outcome, ExtensionFailed) and not _is_exit(outcome.exception):
                self._failed(outcome)
            clock.rewind(began_us)
        clock.skip_to(last_us)
        return interruption

    def _await_ends(self, told: list[Agent], until_us: int, killed: list[str]) -> None:
        """Wait for the programs to end, and kill them at the end of the budget."""
        clock, registry = self._clock, self._endpoint.registry
        programs = [agent for agent in told if agent.name in self._programs]
        if not programs:
            return
        began = clock.elapsed()
        until = RealTime.perf_counter() + max(0, until_us - clock.now_us()) / 1_000_000
        registry.wait(lambda: all(agent.exit_code is not None for agent in programs), until)
        for agent in programs:
            if agent.exit_code is None:
                killed.append(agent.name)
                self._kill(agent.name)
            ended_us = agent.exited_at_us or clock.now_us()
            self._timeline.append(ExtensionDone(ended_us, agent.name, (clock.elapsed() - began) // 1000))

    def _kill(self, name: str) -> None:
        self._programs.kill(name)
        self._timeline.append(Signal(self._clock.now_us(), name, "SIGKILL"))

    def end(self) -> None:
        """End all that is left, for a reset or for good; the next start begins anew."""
        if self._endpoint.opened:
            self._turns.run(self._ending, limit_us=5_000_000, limit=5)
            self._programs.end()
            self._drain()
        self._start_afresh()

    def _ending(self) -> Outcome:
        self._endpoint.end()
        return Loaded()

    def close(self) -> None:
        """Give everything back."""
        self.end()
        self._endpoint.close()

    # -- waiting --------------------------------------------------------------------------------------------------

    def _remote(self) -> list[Agent]:
        """Those that speak HTTP: programs, and threads of the function's."""
        return [agent for agent in self._agents if agent.name not in self._locals]

    def _await(self, done: Callable[[], bool], *, limit_us: int, limit: float) -> Outcome | None:
        """Wait until ``done``, or one has ended, or the time is up; None if all is well."""
        __tracebackhide__ = True
        until = RealTime.perf_counter() + self._clock.real_limit(limit_us)
        outcome = self._turns.run(self._waiting, done, until, limit_us=limit_us, limit=limit)
        self._drain()
        ended = self._ended_agent()
        if ended is not None and not isinstance(outcome, Interrupted):
            return self._failed(ended)
        return None if type(outcome) is Loaded else outcome

    def _waiting(self, done: Callable[[], bool], until: float) -> Outcome:
        """Wait inside the environment: threads of the function's may be what is waited for."""
        __tracebackhide__ = True
        clock = self._clock
        self._endpoint.registry.wait(lambda: done() or self._ended_agent() is not None or clock.cut, until)
        if done() or self._ended_agent() is not None:
            return Loaded()
        if not clock.cut:
            clock.real_time_is_up()
        raise DeadlineReached

    def _ended_agent(self) -> ExtensionFailed | None:
        """The first whose process has ended; what it had posted before says why."""
        registry = self._endpoint.registry
        ended = [agent for agent in registry.agents if agent.exit_code is not None]
        if not ended:
            return None
        agent = min(ended, key=lambda one: one.exited_at_us or 0)
        kind = registry.fatal[1] if registry.fatal is not None else "Extension.Crash"
        return ExtensionFailed(agent.name, kind, lifecycle.exit_text(agent.exit_code or 0))

    def _failed(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, ExtensionFailed):
            detail = outcome.message
            if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
                detail += f" ({type(outcome.exception).__name__}: {outcome.exception})"
            self._timeline.append(ExtensionFault(self._clock.now_us(), outcome.extension, outcome.error_type, detail))
        return outcome

    # -- what threads report ----------------------------------------------------------------------------------------

    def _log(self, name: str, lines: str) -> None:
        self._timeline.append(ExtensionLog(self._clock.now_us(), name, lines))

    def _drain(self) -> None:
        """Put on the timeline what other threads have reported: only the conductor's thread may."""
        mail = self._mail
        while mail:
            self._timeline.append(mail.popleft())


def _is_ready(agent: Agent) -> bool:
    return agent.state == "Ready"


def _is_exit(exception: BaseException | None) -> bool:
    return isinstance(exception, SystemExit) and not exception.code
