"""The participants and the tools that a conductor works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Extensions, Process, Runtime
    from pytest_lambda_lifecycle.conductor.turns import TurnRunner
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Cast"]


@dataclass(frozen=True)
class Cast:
    """One environment's participants, its clock and its timeline."""

    config: FunctionConfig
    runtime: Runtime
    extensions: Extensions
    process: Process
    turns: TurnRunner
    timeline: Timeline
    clock: Clock
    renew: Callable[[], str]
    """Make new whatever a new environment has of its own (``/tmp``, log stream); return the name
    of its log stream."""
