"""`History`: what has happened in an environment so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.api.telemetry.records import records
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle import projections
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.phases import Init, Phases

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["History"]


class History:
    """The part of an environment that only tells, and changes nothing."""

    _conductor: Conductor

    @property
    def state(self) -> str:
        """Where the environment stands: ``"new"``, ``"init"``, ``"ready"``, ``"invoke"``,
        ``"reset"``, ``"closed"``…
        """
        return str(self._conductor.state.value)

    @property
    def timeline(self) -> Timeline:
        """All events so far; its ``repr`` is a readable table."""
        return self._conductor.timeline

    @property
    def phases(self) -> Phases:
        """All phases so far; compares equal to a list of names."""
        return Phases(self._conductor.phases)

    @property
    def inits(self) -> list[Init]:
        """All runs of Init."""
        return [phase for phase in self._conductor.phases if isinstance(phase, Init)]

    @property
    def init_count(self) -> int:
        """How often the function's module-level code was run (or tried)."""
        return len(self.inits)

    @property
    def init(self) -> Init:
        """The latest Init; raises `LifecycleError` if there was none."""
        inits = self.inits
        if not inits:
            raise LifecycleError(
                "there was no Init yet: the first invoke() runs it, or initialize()"
            )
        return inits[-1]

    @property
    def invocations(self) -> list[Invocation]:
        """All invokes, also failed ones."""
        return [phase for phase in self._conductor.phases if isinstance(phase, Invocation)]

    @property
    def log(self) -> str:
        """What CloudWatch shows: the function's output and the platform's START, END, REPORT and
        other lines.
        """
        return projections.log_text(self.timeline)

    @property
    def telemetry(self) -> list[dict[str, object]]:
        """The records of the Telemetry API so far: ``{"time": ..., "type": "platform.start",
        "record": {...}}``.
        """
        return records(self.timeline, self._conductor.config)
