"""time-machine and virtual time cannot run together: each is refused while the other is active.

time-machine replaces the C code of `time` and `datetime`, and virtual time the names and methods
above it.  So code would read one time or the other, by the way in which it asks.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.part import nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["keep_out_time_machine"]


def keep_out_time_machine() -> Undo:
    """Raise `LifecycleError` if time-machine travels; refuse its start until the returned call."""
    time_machine: Any = sys.modules.get("time_machine")
    # Version 3 has renamed the list.
    stacks = ("traveller_stack", "coordinates_stack")
    if any(getattr(time_machine, stack, None) for stack in stacks):
        raise LifecycleError(
            "cannot start virtual time (lambda_clock, or idle() without it): time-machine is "
            "travelling in this test, and both replace the functions of time and datetime: code "
            "would read two times",
            "Use lambda_clock alone (its start, move_to, advance), or leave the block of "
            "time-machine first.",
            code="LLC405",
        )
    travel = getattr(time_machine, "travel", None)
    if travel is None:
        return nothing_to_undo

    def refuse(self: object) -> NoReturn:
        raise LifecycleError(
            "cannot travel with time-machine: time is virtual in this test (lambda_clock, or "
            "idle() without it), and both replace the functions of time and datetime: code would "
            "read two times",
            "Use lambda_clock alone (its start, move_to, advance).",
            code="LLC405",
        )

    return patch_attributes((travel, "start", refuse))
