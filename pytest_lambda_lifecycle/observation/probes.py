"""The probes of an environment: spies, patches, and calls that take virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import SpyCall
from pytest_lambda_lifecycle.lifecycle.rules import State
from pytest_lambda_lifecycle.observation.patches import Patches
from pytest_lambda_lifecycle.observation.placements import Placement, Probe, Substitute
from pytest_lambda_lifecycle.observation.present_phase import present_phase
from pytest_lambda_lifecycle.observation.spies import CallProbe, RecordCall, Spy
from pytest_lambda_lifecycle.observation.targets import Target

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Probes"]


class Probes:
    """Makes the probes that a test asks for, and records the calls that they see."""

    def __init__(
        self,
        world: World,
        patches: Patches,
        conductor: Conductor,
        process: ProcessSlice,
        line: Callable[[], str],
    ) -> None:
        """``line`` returns the line of function code that is running."""
        self._world = world
        self._patches = patches
        self._conductor = conductor
        self._process = process
        self._line = line
        self._spied: dict[str, CallProbe] = {}
        self._early: dict[str, Placement] = {}
        """The spies that were asked for before the first phase, by target."""

    def spy(self, target: str) -> Spy:
        """Record the calls of a target while phases run."""
        __tracebackhide__ = True
        place = Target.parse(target, self._world)
        probe = self._spied.get(target)
        if probe is None:
            probe = self._spied[target] = self._probe(target, self._record)
        placement = self._patches.add(place, probe)
        conductor = self._conductor
        if conductor.state is State.NEW and not conductor.phases and target not in self._early:
            self._watch(target, placement)

        def unseen() -> str:
            ran = any(phase.name == "init" for phase in conductor.phases)
            return placement.unseen() if ran else ""

        return Spy(target, lambda: conductor.timeline.of(SpyCall), unseen)

    def watches(self, target: str) -> bool:
        """Say whether a spy on the target was asked for before the first phase."""
        return target in self._early

    def unseen_in_test(self, target: str) -> str:
        """Return why not all calls of the present test can have been seen."""
        placement = self._early[target]
        return placement.unseen() or placement.displaced_in_test

    def forget_test(self) -> None:
        """Forget the displacements that were found in invokes of the present test."""
        for placement in self._early.values():
            placement.displaced_in_test = ""

    def unseen(self, target: str) -> str:
        """Return why not all calls of such a target can have been seen; ``""`` if they can."""
        placement = self._early[target]
        return placement.unseen() or placement.displaced

    def patch(self, target: str, value: object) -> None:
        """Replace a target by a value; a spy on the target sees the calls of the value."""
        __tracebackhide__ = True
        self._add(target, Substitute(value))
        self._patches.values.add(target)
        if target in self._spied and callable(value):
            # A probe of its own: `Patches` applies each probe once, and the first is beneath now.
            probe = self._spied[target] = self._probe(target, self._record)
            placement = self._add(target, probe)
            if target in self._early:
                self._watch(target, placement)

    def latency(self, target: str, spend: Callable[[], None]) -> None:
        """Call ``spend`` before each call of a target by a phase."""
        __tracebackhide__ = True

        def record(target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if stage.running:
                spend()

        Target.parse(target, self._world)
        self._add(target, self._probe(target, record))

    def _watch(self, target: str, placement: Placement) -> None:
        """Take a spy that sees the calls from init on; it has to stay in place to see them."""
        watched, before = self._patches.watched, self._early.get(target)
        self._early[target] = placement
        watched[:] = [*(other for other in watched if other is not before), placement]

    def _probe(self, target: str, record: RecordCall) -> CallProbe:
        return CallProbe(target, record, self._patches.captures.may_instrument)

    def _add(self, target: str, probe: Probe) -> Placement:
        __tracebackhide__ = True
        return self._patches.add(Target.parse(target, self._world), probe)

    def _record(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        conductor = self._conductor
        present = present_phase(conductor)
        if present is None or self._process not in stage.running:
            return None  # between phases, or this package calls the target itself
        phase, index = present
        now_us = conductor.clock.now_us()
        call = SpyCall(now_us, target, phase, index, args, kwargs, where=self._line())
        conductor.timeline.append(call)
        return call
