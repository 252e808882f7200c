"""The phase in which something happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor

__all__ = ["present_phase"]

_NAMES: Final = {
    State.INIT: "init",
    State.RESTORE: "restore",
    State.INVOKE: "invoke",
    State.SHUTDOWN: "shutdown",
}


def present_phase(conductor: Conductor) -> tuple[str, int | None] | None:
    """Return the name of the phase that runs, and the index of the invoke; None between phases."""
    state = conductor.environment_state
    phase = _NAMES.get(state.current)
    if phase is None:
        return None
    if phase != "invoke":
        return phase, None
    phases, (seen, invocations) = state.phases, state.counted
    if seen != len(phases):  # each call of function code asks, and there may be thousands of phases
        invocations += sum(isinstance(past, Invocation) for past in phases[seen:])
        state.counted = len(phases), invocations
    return phase, invocations
