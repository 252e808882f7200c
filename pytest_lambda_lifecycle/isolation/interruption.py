"""Interrupts function code when its time is up, as hard as a process can interrupt itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import frames_of_function, is_own
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

__all__ = ["Interruption", "waits_for_debugger"]

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
_WAITS_BELOW: Final = frozenset({"threading", "queue", "select", "selectors", "socket"})
"""Modules through which a debugger of an editor waits for its user."""
_settrace: Final = sys.settrace
"""The real function: function code's own calls are watched while an environment is entered."""
SWALLOWED: Final = 25
"""Interruptions, 20 ms apart, that code may swallow before each of its lines is interrupted."""


class Interruption:
    """Raises `DeadlineReached` when the timer of a phase rings.

    It raises only where function code runs, since an exception in the middle of our own code would
    leave that in disorder; the signal comes again.  While a debugger shows a frame, the time stands
    still, so that the frame is not lost.
    """

    def __init__(self, *, time_is_up: Callable[[], None], forgive: Callable[[], None]) -> None:
        self._time_is_up = time_is_up
        self._forgive = forgive
        self.count = 0
        """The number of interruptions in this phase."""

    def __call__(self, frame: FrameType | None) -> None:
        """Raise `DeadlineReached` into the function code that ``frame`` belongs to."""
        __tracebackhide__ = True
        frames = frames_of_function(frame)
        if not frames:
            return
        if _is_debugging(frames):
            self._forgive()
            return
        self._time_is_up()
        if self.count == 0 and stage.running:
            stage.running[-1].time_is_up(frame)
        self.count += 1
        if self.count == SWALLOWED:
            _interrupt_each_line(frames)
        raise DeadlineReached


def waits_for_debugger() -> bool:
    """Say whether the caller waits because a debugger has stopped function code.

    The debugger of an editor (pydevd, debugpy) waits on the thread that it has stopped, by a lock.
    """
    if "pydevd" not in sys.modules:
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name not in _WAITS_BELOW and not is_own(frame):
            return name.startswith(_DEBUGGERS)
        frame = frame.f_back
    return False


def _is_debugging(frames: list[FrameType]) -> bool:
    tracer = sys.gettrace()
    names = [getattr(tracer, "__module__", "") or ""] if tracer is not None else []
    names += [str(frame.f_globals.get("__name__")) for frame in frames]
    return any(name.startswith(_DEBUGGERS) for name in names)


def _interrupt_each_line(frames: list[FrameType]) -> None:
    """Raise at every line that function code still runs.

    A loop that swallows every exception at one place (``while True: try: ... except: pass``)
    outlives any number of signals, since each raises inside its ``try``.  A trace function raises
    at the lines outside it, too.  It removes itself once the phase is back in our own code.
    """
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401
        if is_own(frame):
            _settrace(before)
            return None
        if event == "line":
            raise DeadlineReached
        return trace

    for frame in frames[:-1]:
        frame.f_trace = trace
    if threading.current_thread() is threading.main_thread():
        _settrace(trace)
