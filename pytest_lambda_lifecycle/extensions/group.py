"""All extensions of an environment as one participant: those in this process, and those that speak
HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from pytest_lambda_lifecycle.api.replies import decode_json, encode_json
from pytest_lambda_lifecycle.api.states import EXTENSION_LIMIT
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.extensions.barrier import Barrier
from pytest_lambda_lifecycle.extensions.objects import Round, fault_of
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionNotified,
    ExtensionState,
    Signal,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.outcome import ExtensionFailed, Interrupted, Loaded, Outcome

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.api.registry import Agent
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.turns import Turns
    from pytest_lambda_lifecycle.extensions.objects import Objects
    from pytest_lambda_lifecycle.extensions.programs import Programs
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["ExtensionGroup"]

_FLUSH_S: Final = 1.0
"""Seconds that telemetry may take to reach its subscribers before they are told of the end
(emulator).
"""


class ExtensionGroup:
    """Starts, tells, waits for and ends the extensions.  Without any it costs a bound socket."""

    def __init__(
        self,
        objects: Objects,
        programs: Programs,
        *,
        endpoint: Endpoint,
        turns: Turns,
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self.present = False
        self.objects = objects
        self._programs = programs
        self._endpoint = endpoint
        self._turns = turns
        self._timeline = timeline
        self._clock = clock
        self._barrier = Barrier(endpoint, turns, clock)
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.present = False
        self._ready_us = 0
        self._told: list[str] = []
        self._round = Round()
        self._began_us = 0

    # -- what there is --------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Those that start before the runtime."""
        return (*self._programs.names, *self.objects.external)

    @property
    def budget_ms(self) -> int:
        """What the shutdown may take, in ms."""
        agents = self._agents if self.present else ()
        internal = sum(agent.internal for agent in agents)
        return rules.shutdown_budget_ms(
            internal_extensions=internal, external_extensions=len(agents) - internal
        )

    @property
    def _agents(self) -> tuple[Agent, ...]:
        return self._endpoint.registry.agents if self._endpoint.opened else ()

    # -- Init -----------------------------------------------------------------------------------------------------

    def start(self, limit_us: int, limit: float) -> Outcome:
        """Start the external ones and wait until all have registered.

        What those in this process do after that, they do beside the runtime: it is settled at the
        end of Init.
        """
        __tracebackhide__ = True
        self._start_afresh()
        self.objects.begin()
        self._endpoint.begin(self.names, len(self._timeline) - 2)
        if not self.names and not self.objects:
            return Loaded()
        self._endpoint.open(serve=bool(self._programs))
        began = self._clock.elapsed()
        outcome = self._launch()
        if outcome is None:
            failure, self._ready_us = self.objects.start(limit_us, limit)
            outcome = self._failed(failure)
        if outcome is None and self._programs:
            left_us = limit_us - (self._clock.elapsed() - began) // 1000
            outcome = self._await(
                lambda: all(agent.state != "Started" for agent in self._agents),
                limit_us=left_us,
                limit=limit,
            )
        self.collect()
        return outcome or Loaded()

    def _launch(self) -> Outcome | None:
        """Start the programs, all before any is waited for; the first that cannot be started ends
        Init.
        """
        for index, name in enumerate(self.names):
            if index >= EXTENSION_LIMIT:
                return self._not_launched(
                    name,
                    "TooManyExtensions",
                    f"{len(self.names)} extensions, and Lambda takes {EXTENSION_LIMIT}",
                )
            problem = self._programs.launch(name) if name in self._programs.names else None
            if problem is not None:
                return self._not_launched(name, *problem)
        return None

    def _not_launched(self, name: str, error_type: str, why: str) -> Outcome | None:
        self._endpoint.registry.launch_failed(name, error_type)
        return self._failed(ExtensionFailed(name, "Extension.LaunchError", f"{error_type}: {why}"))

    def settle(self, limit_us: int, limit: float) -> Outcome:
        """Close the registration, and wait until all are ready: the end of Init."""
        __tracebackhide__ = True
        if not self._endpoint.opened:
            return Loaded()
        clock, registry = self._clock, self._endpoint.registry
        began = clock.elapsed()
        outcome, ready_us = self.objects.start(limit_us, limit, internal=True)
        registry.close_registration()
        if self._failed(outcome) is None:
            if self._remote():  # first: what they do takes its time from now on, not from where the others have ended
                left_us = limit_us - (clock.elapsed() - began) // 1000
                outcome = self._await(
                    lambda: all(map(_is_ready, self._remote())), limit_us=left_us, limit=limit
                )
            clock.skip_to(max(self._ready_us, ready_us))
            self.objects.arrive()
        self._endpoint.hub.close_subscriptions()
        return outcome or Loaded()

    def report(self) -> None:
        """Put on the timeline how each stands at the end of Init."""
        self.collect()
        agents, now_us = self._agents, self._clock.now_us()
        for one in agents:
            self._timeline.append(
                ExtensionState(
                    now_us, one.name, one.state, tuple(sorted(one.events)), one.error_type
                )
            )
        self.present = bool(agents)

    # -- Invoke ---------------------------------------------------------------------------------------------------

    def died(self) -> Outcome | None:
        """Return how one has ended meanwhile."""
        return self._failed(self._barrier.ended()) if self._endpoint.opened else None

    def begin_invoke(self, event: dict[str, object], limit_us: int, limit: float) -> int | Outcome:
        """Tell of an invoke, the programs first: they run meanwhile.

        Those in this process run to their end before the runtime does, and their time beside it: in
        virtual time the clock is put back.  Returns the microseconds after which the runtime is to
        be cut, as one has crashed by then; or why it is not to run at all.
        """
        __tracebackhide__ = True
        clock = self._clock
        self._thaw()
        told = [agent for agent in self._agents if "INVOKE" in agent.events]
        self._began_us = clock.now_us()
        self._told = [agent.name for agent in told]
        threads = [
            name for name in self._told if name not in self._programs and name not in self.objects
        ]
        self._publish([name for name in self._told if name not in threads], event, with_id=True)
        self._round = turns = self.objects.tell(told, encode_json(event), limit_us, limit)
        self._publish(
            threads, event, with_id=True
        )  # they live by the same clock, so it has to be back first
        if isinstance(turns.failure, Interrupted):
            return turns.failure
        if not isinstance(turns.failure, ExtensionFailed):
            return limit_us
        if (
            turns.failed_us <= clock.resolution_us
        ):  # at once, before the runtime can have done anything
            turns.failed_us = 0
            return self._failed(turns.failure) or turns.failure
        return turns.failed_us

    def failed_by(self, runtime_us: int) -> Outcome | None:
        """Return what has failed while the runtime ran, which took so many microseconds: then its
        answer is lost.
        """
        turns = self._round
        if isinstance(turns.failure, ExtensionFailed):
            return self._failed(turns.failure) if turns.failed_us <= runtime_us else None
        return self._failed(self._barrier.ended())

    def end_invoke(
        self, runtime_us: int, limit_us: int, limit: float
    ) -> tuple[Outcome | None, int]:
        """Wait until all have finished their share.

        ``limit_us`` is what the runtime has left.  Returns what failed, and how many microseconds
        it took.
        """
        __tracebackhide__ = True
        clock, turns = self._clock, self._round
        ended = clock.elapsed()
        waiting = [agent for agent in self._remote() if agent.name in self._told]
        failure = None
        if (
            turns.failure is None and waiting
        ):  # before the clock goes to where those in this process have ended
            failure = self._await(
                lambda: all(map(_is_ready, waiting)), limit_us=limit_us, limit=limit
            )
        waited_us = (clock.elapsed() - ended) // 1000 if waiting else 0
        clock.skip_to(self._began_us + turns.ended_us)
        self.collect()
        return failure or self._failed(turns.failure), max(
            waited_us, turns.ended_us - runtime_us, 0
        )

    def _publish(self, names: list[str], event: dict[str, object], *, with_id: bool) -> None:
        """Hand an event out.  Programs have the machine's time, whatever a test has done to the
        function's.
        """
        registry, now_us = self._endpoint.registry, self._clock.now_us()
        ahead_ms = self._clock.function_time_ms() - RealTime.time_ns() // 1_000_000
        shifted = abs(ahead_ms) > 1  # else it is the same time, read twice
        real = (
            {**event, "deadlineMs": int(str(event["deadlineMs"])) - ahead_ms} if shifted else event
        )
        for name in names:
            encoded = encode_json(real if name in self._programs else event)
            self._timeline.append(
                ExtensionNotified(now_us, name, cast("dict[str, object]", decode_json(encoded)))
            )
            registry.publish([name], encoded, with_id=with_id)

    # -- between invokes ------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop the programs, and the delivery of telemetry: nothing of a frozen environment
        runs.
        """
        self._endpoint.hub.pause()
        self._programs.freeze()
        self.collect()

    def _thaw(self) -> None:
        self._programs.thaw()
        self._endpoint.hub.resume()

    def kill(self, name: str, exit_code: int) -> Outcome:
        """End one of them now, while the environment is frozen; returns how.

        Raises `LifecycleError` if there is none of this name.  A program gets SIGKILL, whatever
        ``exit_code`` says.
        """
        known = sorted(agent.name for agent in self._agents)
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise LifecycleError(
                f"cannot end {name!r}: no extension of this name is registered; {there}"
            )
        if name in self._programs:
            self._programs.kill(name)
            self._endpoint.registry.wait(
                lambda: self._barrier.ended() is not None, RealTime.perf_counter() + 2.0
            )
        else:
            self._endpoint.registry.exited(name, exit_code)
        return self._barrier.ended() or ExtensionFailed(
            name, "Extension.Crash", rules.exit_text(-9)
        )

    def drop_telemetry(self, name: str) -> None:
        """Let the deliveries to a subscriber fail; raises `LifecycleError` if there is none of this
        name.
        """
        subscribers = sorted({one.extension for one in self._timeline.of(TelemetrySubscription)})
        if name not in subscribers:
            there = f"there are {', '.join(subscribers)}" if subscribers else "nobody has"
            raise LifecycleError(
                f"cannot drop the telemetry of {name!r}: it has not subscribed; {there}"
            )
        self._endpoint.hub.drop_destination(name)

    # -- Shutdown -------------------------------------------------------------------------------------------------

    def shutdown(
        self, reason: str, deadline_ms: int, until_us: int
    ) -> tuple[tuple[str, ...], BaseException | None]:
        """Tell of the end those who subscribed; returns who was killed, and what is to be raised in
        the end.
        """
        __tracebackhide__ = True
        registry, event = self._endpoint.registry, rules.shutdown_event(reason, deadline_ms)
        registry.shutting_down()
        self._thaw()
        self.collect()
        self._endpoint.hub.flush(_FLUSH_S)
        alive = [one for one in self._agents if not one.internal and one.exit_code is None]
        alive = [one for one in alive if one.state != "LaunchError"]
        subscribed = [agent for agent in alive if "SHUTDOWN" in agent.events]
        told = [agent for agent in subscribed if agent.name not in self.objects.cut]
        self._publish([agent.name for agent in told], event, with_id=False)
        killed = [
            agent.name
            for agent in alive
            if agent not in subscribed and agent.name in self._programs
        ]
        for name in killed:
            self._kill(name)
        killed_here, interruption = self.objects.shut_down(alive, encode_json(event), until_us)
        another = self._await_ends(
            [agent for agent in told if agent.name in self._programs], until_us, killed
        )
        self.collect()
        return (*killed, *killed_here), interruption or another

    def _await_ends(
        self, programs: list[Agent], until_us: int, killed: list[str]
    ) -> BaseException | None:
        """Wait for programs to end, and kill them at the end of the budget; returns what has
        interrupted that.
        """
        __tracebackhide__ = True
        clock, registry = self._clock, self._endpoint.registry
        left_us = max(0, until_us - clock.now_us())
        until = RealTime.perf_counter() + left_us / 1_000_000

        def wait() -> Outcome:
            registry.wait(lambda: all(agent.exit_code is not None for agent in programs), until)
            return Loaded()

        outcome = self._turns.run(wait, left_us, left_us / 1_000_000) if programs else Loaded()
        for agent in programs:
            if agent.exit_code is None:
                killed.append(agent.name)
                self._kill(agent.name)
            ended_us = agent.exited_at_us or clock.now_us()
            done = ExtensionDone(
                ended_us, agent.name, max(0, ended_us - (agent.told_at_us or ended_us))
            )
            self._timeline.append_in_time(done)
        return outcome.exception if isinstance(outcome, Interrupted) else None

    def _kill(self, name: str) -> None:
        self._programs.kill(name)
        self._timeline.append(Signal(self._clock.now_us(), name, "SIGKILL"))

    def end(self) -> BaseException | None:
        """End all that is left, for a reset or for good; returns what has interrupted that."""
        outcome: Outcome = Loaded()
        if self._endpoint.in_use:
            outcome = self._turns.run(self._ending, 5_000_000, 5)
            if isinstance(outcome, Interrupted):  # or refused, as another thread is inside a phase
                self._endpoint.end()
            self._programs.end()
            self.collect()
        self._timeline.drop_ahead()
        self._start_afresh()
        interruption = outcome.exception if isinstance(outcome, Interrupted) else None
        return None if isinstance(interruption, LifecycleError) else interruption

    def _ending(self) -> Outcome:
        self._endpoint.end()
        return Loaded()

    def close(self) -> BaseException | None:
        """Give everything back; returns what has interrupted that."""
        interruption = self.end()
        self._endpoint.close()
        return interruption

    # -- waiting --------------------------------------------------------------------------------------------------

    def _remote(self) -> list[Agent]:
        """Those that speak HTTP: programs, and threads of the function's."""
        return [agent for agent in self._agents if agent.name not in self.objects]

    def _await(self, done: Callable[[], bool], *, limit_us: int, limit: float) -> Outcome | None:
        __tracebackhide__ = True
        outcome = self._barrier.wait(done, limit_us=limit_us, limit=limit)
        self.collect()
        return self._failed(outcome)

    def _failed(self, outcome: Outcome | None) -> Outcome | None:
        """Put a failure on the timeline."""
        if isinstance(outcome, ExtensionFailed):
            self._timeline.append(fault_of(outcome, self._clock.now_us()))
        return outcome

    def collect(self) -> None:
        """Put on the timeline what other threads have reported so far."""
        self._timeline.catch_up(self._clock.now_us())


def _is_ready(agent: Agent) -> bool:
    return agent.state == "Ready"
