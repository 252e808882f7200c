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
    phase = _NAMES.get(conductor.state)
    if phase is None:
        return None
    if phase != "invoke":
        return phase, None
    return phase, sum(isinstance(past, Invocation) for past in conductor.phases)
