"""All extensions of an environment as one participant.

They are objects in this process, and agents that speak HTTP: programs, and threads of function
code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from pytest_lambda_lifecycle.api.replies import decode_json, encode_json
from pytest_lambda_lifecycle.api.states import EXTENSION_LIMIT
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.extensions.barrier import Barrier
from pytest_lambda_lifecycle.extensions.flushing import flush_telemetry
from pytest_lambda_lifecycle.extensions.objects import Round, fault_of
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionNotified,
    ExtensionState,
    Signal,
)
from pytest_lambda_lifecycle.lifecycle.outcome import ExtensionFailed, Interrupted, Loaded, Outcome
from pytest_lambda_lifecycle.lifecycle.rules import Limit

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.endpoint import Endpoint
    from pytest_lambda_lifecycle.api.registry import Agent
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.turns import TurnRunner
    from pytest_lambda_lifecycle.extensions.objects import Objects
    from pytest_lambda_lifecycle.extensions.programs import Programs
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["ExtensionGroup"]

_FLUSH_S: Final = 1.0
"""Seconds that telemetry may take to reach its subscribers before the end (emulator)."""
_KILL_S: Final = 2.0
"""Seconds that a killed program may take to end."""
_END_LIMIT: Final = Limit(5_000_000, 5)


class ExtensionGroup:
    """Starts, notifies, awaits and ends the extensions.  Without any it costs a bound socket."""

    def __init__(
        self,
        objects: Objects,
        programs: Programs,
        *,
        endpoint: Endpoint,
        turns: TurnRunner,
        timeline: WritableTimeline,
        clock: Clock,
    ) -> None:
        self.present = False
        self.objects = objects
        self.programs = programs
        self._endpoint = endpoint
        self._turns = turns
        self._timeline = timeline
        self._clock = clock
        self._barrier = Barrier(endpoint, turns)
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.present = False
        self._ready_us = 0
        self._notified: list[str] = []
        self._round = Round()
        self._began_us = 0

    # -- the extensions that exist ----------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The extensions that start before the runtime."""
        return (*self.programs.names, *self.objects.external)

    @property
    def budget_ms(self) -> int:
        """The time of the phase Shutdown, in ms."""
        agents = self._agents if self.present else ()
        internal = sum(agent.internal for agent in agents)
        return rules.shutdown_budget_ms(
            internal_extensions=internal, external_extensions=len(agents) - internal
        )

    @property
    def _agents(self) -> tuple[Agent, ...]:
        return self._endpoint.registry.agents if self._endpoint.opened else ()

    def _remote(self) -> list[Agent]:
        """Return the agents that speak HTTP: programs, and threads of function code."""
        return [agent for agent in self._agents if agent.name not in self.objects]

    # -- Init -------------------------------------------------------------------------------------

    def start(self, limit: Limit) -> Outcome:
        """Start the external extensions and wait until all have registered.

        Objects in this process go on beside the runtime after that: `settle` accounts for it at the
        end of Init.
        """
        __tracebackhide__ = True
        self._start_afresh()
        self.objects.begin()
        self._endpoint.begin(self.names, len(self._timeline) - 2)
        if not self.names and not self.objects:
            return Loaded()
        self._endpoint.open(serve=bool(self.programs))
        began = self._clock.elapsed()
        outcome = self._launch()
        if outcome is None:
            failure, self._ready_us = self.objects.start(limit)
            outcome = self._failed(failure)
        if outcome is None and self.programs:
            outcome = self._await(
                lambda: all(agent.state != "Started" for agent in self._agents),
                self._left(limit, began),
            )
        self.collect()
        return outcome or Loaded()

    def _launch(self) -> Outcome | None:
        """Start the programs, all before any is waited for.

        The first one that cannot be started ends Init.
        """
        for index, name in enumerate(self.names):
            if index >= EXTENSION_LIMIT:
                why = f"{len(self.names)} extensions, and Lambda takes {EXTENSION_LIMIT}"
                return self._not_launched(name, "TooManyExtensions", why)
            problem = self.programs.launch(name) if name in self.programs.names else None
            if problem is not None:
                return self._not_launched(name, *problem)
        return None

    def _not_launched(self, name: str, error_type: str, why: str) -> Outcome | None:
        self._endpoint.registry.launch_failed(name, error_type)
        return self._failed(ExtensionFailed(name, "Extension.LaunchError", f"{error_type}: {why}"))

    def settle(self, limit: Limit) -> Outcome:
        """Close the registration, and wait until all are ready: the end of Init."""
        __tracebackhide__ = True
        self._endpoint.registration_closed = True  # also if it opens later
        if not self._endpoint.opened:
            return Loaded()
        clock, registry = self._clock, self._endpoint.registry
        began = clock.elapsed()
        outcome, ready_us = self.objects.start(limit, internal=True)
        registry.close_registration()
        if self._failed(outcome) is None:
            # First the remote ones: their work takes its time from this moment on, and not from the
            # moment to which the objects in this process have brought the clock.
            if self._remote():
                outcome = self._await(
                    lambda: all(map(_is_ready, self._remote())), self._left(limit, began)
                )
            clock.skip_to(max(self._ready_us, ready_us))
            self.objects.arrive()
        self._endpoint.hub.close_subscriptions()
        return outcome or Loaded()

    def report(self) -> None:
        """Record on the timeline how each extension stands at the end of Init."""
        self.collect()
        agents = self._agents
        now_us = self._clock.now_us()
        for agent in agents:
            events = tuple(sorted(agent.events))
            self._timeline.append(
                ExtensionState(now_us, agent.name, agent.state, events, agent.error_type)
            )
        self.present = bool(agents)

    # -- Invoke -----------------------------------------------------------------------------------

    def died(self) -> Outcome | None:
        """Return the failure of an extension that has ended while the environment was frozen."""
        return self._failed(self._barrier.ended()) if self._endpoint.opened else None

    def begin_invoke(self, event: dict[str, object], limit: Limit) -> int | Outcome:
        """Notify the extensions of an invoke, the programs first: they run side by side with it.

        Objects in this process run before the runtime, to their end.  Their time counts as if they
        ran beside it: in virtual time the clock is put back.  Returns the microseconds after which
        the runtime is cut, since an extension has crashed by then, or the outcome because of which
        the runtime does not run at all.
        """
        __tracebackhide__ = True
        clock = self._clock
        self._thaw()
        subscribed = [agent for agent in self._agents if "INVOKE" in agent.events]
        self._began_us = clock.now_us()
        self._notified = [agent.name for agent in subscribed]
        threads = [
            name
            for name in self._notified
            if name not in self.programs and name not in self.objects
        ]
        others = [name for name in self._notified if name not in threads]
        self._publish(others, event, with_id=True)
        self._round = round_ = self.objects.notify(subscribed, encode_json(event), limit)
        # Threads of function code live by the same clock, so it has to be back first.
        self._publish(threads, event, with_id=True)
        if isinstance(round_.failure, Interrupted):
            return round_.failure
        if not isinstance(round_.failure, ExtensionFailed):
            return limit.us
        if round_.failed_us <= clock.resolution_us:  # before the runtime can have done anything
            round_.failed_us = 0
            return self._failed(round_.failure) or round_.failure
        return round_.failed_us

    def failed_by(self, runtime_us: int) -> Outcome | None:
        """Return the failure while the runtime ran, for ``runtime_us``: its response is lost."""
        round_ = self._round
        if isinstance(round_.failure, ExtensionFailed):
            return self._failed(round_.failure) if round_.failed_us <= runtime_us else None
        return self._failed(self._barrier.ended())

    def end_invoke(self, runtime_us: int, limit: Limit) -> tuple[Outcome | None, int]:
        """Wait until all extensions have finished their share.

        ``limit`` is the rest of the runtime's time.  Returns the failure, if there was one, and how
        many microseconds the extensions took.
        """
        __tracebackhide__ = True
        clock, round_ = self._clock, self._round
        ended = clock.elapsed()
        waiting = [agent for agent in self._remote() if agent.name in self._notified]
        failure = None
        # Before the clock goes to the moment at which the objects in this process have ended.
        if round_.failure is None and waiting:
            failure = self._await(lambda: all(map(_is_ready, waiting)), limit)
        waited_us = (clock.elapsed() - ended) // 1000 if waiting else 0
        clock.skip_to(self._began_us + round_.ended_us)
        self.collect()
        overhead_us = max(waited_us, round_.ended_us - runtime_us, 0)
        return failure or self._failed(round_.failure), overhead_us

    def _publish(self, names: list[str], event: dict[str, object], *, with_id: bool) -> None:
        """Hand an event to extensions.

        Its deadline is in the time of the receiver: programs read the clock of the machine, and a
        test may have shifted or frozen the time of function code.
        """
        registry = self._endpoint.registry
        now_us = self._clock.now_us()
        ahead_ms = self._clock.function_time_ms() - RealTime.time_ns() // 1_000_000
        for_programs = event
        if abs(ahead_ms) > 1:  # otherwise it is the same time, read twice
            deadline_ms = int(str(event["deadlineMs"])) - ahead_ms
            for_programs = {**event, "deadlineMs": deadline_ms}
        for name in names:
            encoded = encode_json(for_programs if name in self.programs else event)
            decoded = cast("dict[str, object]", decode_json(encoded))
            self._timeline.append(ExtensionNotified(now_us, name, decoded))
            registry.publish([name], encoded, with_id=with_id)

    # -- between invokes --------------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop the programs, and the delivery of telemetry."""
        self._endpoint.hub.pause()
        self.programs.freeze()
        self.collect()

    def _thaw(self) -> None:
        self.programs.thaw()
        self._endpoint.hub.resume()

    def kill(self, name: str, exit_code: int) -> Outcome:
        """End an extension while the environment is frozen; return its outcome.

        Raises `LifecycleError` if there is none of this name.  A program gets SIGKILL, whatever
        ``exit_code`` says.
        """
        known = sorted(agent.name for agent in self._agents)
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise LifecycleError(
                f"cannot end {name!r}: no extension of this name is registered; {there}",
                code="LLC602",
            )
        if name in self.programs:
            self.programs.kill(name)
            until = RealTime.perf_counter() + _KILL_S
            self._endpoint.registry.wait(lambda: self._barrier.ended() is not None, until)
        else:
            self._endpoint.registry.exited(name, exit_code)
        killed = ExtensionFailed(name, "Extension.Crash", rules.exit_text(-9))
        return self._barrier.ended() or killed

    def drop_telemetry(self, name: str) -> None:
        """Stop delivering telemetry to a subscriber, as if its listener had died.

        Raises `LifecycleError` if there is none of this name.
        """
        self._endpoint.drop_telemetry(name)

    def flush_telemetry(self) -> None:
        """Deliver the telemetry that waits, as the environment is frozen; see `flushing`."""
        flush_telemetry(self._endpoint, self._timeline, self._thaw, self.freeze)

    # -- Shutdown ---------------------------------------------------------------------------------

    def shutdown(
        self, reason: str, deadline_ms: int, until_us: int
    ) -> tuple[tuple[str, ...], BaseException | None]:
        """Notify the subscribers to SHUTDOWN, and wait for their end until ``until_us``.

        Returns the names of the extensions that were killed, and an exception that is the test's
        own control flow.
        """
        __tracebackhide__ = True
        registry = self._endpoint.registry
        event = rules.shutdown_event(reason, deadline_ms)
        registry.shutting_down()
        self._thaw()
        self.collect()
        self._endpoint.hub.flush(_FLUSH_S)
        alive = [
            agent
            for agent in self._agents
            if not agent.internal and agent.exit_code is None and agent.state != "LaunchError"
        ]
        subscribed = [agent for agent in alive if "SHUTDOWN" in agent.events]
        notified = [agent for agent in subscribed if agent.name not in self.objects.cut]
        self._publish([agent.name for agent in notified], event, with_id=False)
        killed = [
            agent.name for agent in alive if agent not in subscribed and agent.name in self.programs
        ]
        for name in killed:
            self._kill(name)
        killed_here, interruption = self.objects.shut_down(alive, encode_json(event), until_us)
        programs = [agent for agent in notified if agent.name in self.programs]
        another = self._await_ends(programs, until_us, killed)
        self.collect()
        return (*killed, *killed_here), interruption or another

    def _await_ends(
        self, programs: list[Agent], until_us: int, killed: list[str]
    ) -> BaseException | None:
        """Wait for programs to end, and kill them at the end of the budget.

        Returns the exception that has interrupted the wait.
        """
        __tracebackhide__ = True
        clock, registry = self._clock, self._endpoint.registry
        left_us = max(0, until_us - clock.now_us())
        until = RealTime.perf_counter() + left_us / 1_000_000

        def wait() -> Outcome:
            registry.wait(lambda: all(agent.exit_code is not None for agent in programs), until)
            return Loaded()

        outcome: Outcome = Loaded()
        if programs:
            outcome = self._turns.run(wait, Limit(left_us, left_us / 1_000_000))
        for agent in programs:
            if agent.exit_code is None:
                killed.append(agent.name)
                self._kill(agent.name)
            ended_us = agent.exited_at_us or clock.now_us()
            took_us = max(0, ended_us - (agent.notified_at_us or ended_us))
            self._timeline.append_in_time(ExtensionDone(ended_us, agent.name, took_us))
        return outcome.exception if isinstance(outcome, Interrupted) else None

    def _kill(self, name: str) -> None:
        self.programs.kill(name)
        self._timeline.append(Signal(self._clock.now_us(), name, "SIGKILL"))

    def end(self) -> BaseException | None:
        """End all that is left, for a reset or for good; return the exception that interrupted it.

        A `LifecycleError` is not returned: it says that another thread is inside a phase.
        """
        outcome: Outcome = Loaded()
        if self._endpoint.in_use:
            outcome = self._turns.run(self._end_endpoint, _END_LIMIT)
            if isinstance(outcome, Interrupted):
                self._endpoint.end()
            self.programs.end()
            self.collect()
        self._timeline.drop_ahead()
        self._start_afresh()
        interruption = outcome.exception if isinstance(outcome, Interrupted) else None
        return None if isinstance(interruption, LifecycleError) else interruption

    def _end_endpoint(self) -> Outcome:
        self._endpoint.end()
        return Loaded()

    def close(self) -> BaseException | None:
        """Give everything back; return the exception that interrupted it."""
        interruption = self.end()
        self._endpoint.close()
        return interruption

    # -- waiting ----------------------------------------------------------------------------------

    def _left(self, limit: Limit, began: int) -> Limit:
        """Return the rest of a limit that began at a moment of `Clock.elapsed`."""
        return limit.less((self._clock.elapsed() - began) // 1000)

    def _await(self, done: Callable[[], bool], limit: Limit) -> Outcome | None:
        __tracebackhide__ = True
        outcome = self._barrier.wait(done, limit)
        self.collect()
        return self._failed(outcome)

    def _failed(self, outcome: Outcome | None) -> Outcome | None:
        """Record a failure on the timeline."""
        if isinstance(outcome, ExtensionFailed):
            self._timeline.append(fault_of(outcome, self._clock.now_us()))
        return outcome

    def collect(self) -> None:
        """Record on the timeline the reports of other threads so far."""
        self._timeline.catch_up(self._clock.now_us())


def _is_ready(agent: Agent) -> bool:
    return agent.state == "Ready"
