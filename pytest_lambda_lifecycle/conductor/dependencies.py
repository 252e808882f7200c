"""`Dependencies`: the objects that a conductor gets, its participants among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Audit, Extensions, Process, Runtime
    from pytest_lambda_lifecycle.conductor.turns import TurnRunner
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["Dependencies"]


class Dependencies:
    """One environment's participants, its clock and its timeline.

    A plain class: `dataclasses` would take half a millisecond to make it.
    """

    def __init__(
        self,
        config: FunctionConfig,
        *,
        runtime: Runtime,
        extensions: Extensions,
        process: Process,
        turns: TurnRunner,
        timeline: WritableTimeline,
        clock: Clock,
        renew: Callable[[], str],
        audit: Audit | None,
    ) -> None:
        """``renew`` makes a new ``/tmp`` and log stream, and returns the name of the latter."""
        self.config = config
        self.runtime = runtime
        self.extensions = extensions
        self.process = process
        self.turns = turns
        self.timeline = timeline
        self.clock = clock
        self.renew = renew
        self.audit = audit
