"""Interrupts function code when its time is up, as hard as a process can do it to itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import frames_of_function, is_own
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

__all__ = ["Interruption"]

_DEBUGGERS: Final = (
    "bdb",
    "pdb",
    "IPython.",
    "ipdb",
    "pudb",
    "pydevd",
    "_pydevd",
    "_pytest.debugging",
)
SWALLOWED: Final = 25
"""Interruptions that code may swallow, 20 ms apart, before it is interrupted at each of its
lines.
"""


class Interruption:
    """What happens when the timer of a phase rings.

    Our own frames must not be torn up, so it raises only where function code runs; the signal comes
    again.  A debugger stops the clock: whoever looks at a frame must not lose it.
    """

    def __init__(self, *, time_is_up: Callable[[], None], forgive: Callable[[], None]) -> None:
        self._time_is_up = time_is_up
        self._forgive = forgive
        self.count = 0
        """How often it has happened in this phase."""

    def __call__(self, frame: FrameType | None) -> None:
        """Raise `DeadlineReached` into the function code that ``frame`` belongs to."""
        __tracebackhide__ = True
        frames = frames_of_function(frame)
        if not frames:
            return
        if _debugging(frames):
            self._forgive()
            return
        self._time_is_up()
        self.count += 1
        if self.count == SWALLOWED:
            _interrupt_each_line(frames)
        raise DeadlineReached


def _debugging(frames: list[FrameType]) -> bool:
    tracer = sys.gettrace()
    names = [getattr(tracer, "__module__", "") or ""] if tracer is not None else []
    names += [str(frame.f_globals.get("__name__")) for frame in frames]
    return any(name.startswith(_DEBUGGERS) for name in names)


def _interrupt_each_line(frames: list[FrameType]) -> None:
    """Raise at every line that function code still runs: outside the ``try`` too that swallows at
    one place.

    The tracer removes itself as soon as the phase is back in our own code.
    """
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401  # a trace function
        if is_own(frame):
            sys.settrace(before)
            return None
        if event == "line":
            raise DeadlineReached
        return trace

    for frame in frames[:-1]:
        frame.f_trace = trace
    if threading.current_thread() is threading.main_thread():
        sys.settrace(trace)
