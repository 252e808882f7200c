"""Stand-ins for the signal handlers that function code has set."""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["TIMER_OF", "InterruptHandler", "TimerHandler", "unwrapped"]

TIMER_OF: Final[dict[int, int]] = {
    getattr(signal, number): getattr(signal, timer)
    for number, timer in (("SIGPROF", "ITIMER_PROF"), ("SIGVTALRM", "ITIMER_VIRTUAL"))
    if hasattr(signal, number)
}
"""The timers of CPU time, by the numbers of their signals; there are none on Windows."""
_SOON: Final = 0.01
"""Seconds of CPU time after which a timer that has rung between phases rings again."""


class _Handler:
    """Stands in for a handler that function code has set."""

    def __init__(self, handler: Any) -> None:  # noqa: ANN401  # signal.signal's type
        self.handler = handler


class InterruptHandler(_Handler):
    """The handler of SIGINT that function code has set: a Ctrl-C is noted as well."""

    def __init__(self, handler: Any, note: Callable[[], bool]) -> None:  # noqa: ANN401
        super().__init__(handler)
        self._note = note

    def __call__(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        __function_code_above__ = True
        self._note()
        if callable(self.handler):
            self.handler(number, frame)
        elif self.handler == signal.SIG_DFL:
            signal.default_int_handler(number, frame)


class TimerHandler(_Handler):
    """The handler of a timer of CPU time, which function code has set or left at its default.

    It acts during phases alone: between them, the process of the function would be frozen.
    """

    def __init__(self, handler: Any, in_phase: Callable[[], bool]) -> None:  # noqa: ANN401
        super().__init__(handler)
        self._in_phase = in_phase

    def __call__(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        __function_code_above__ = True
        if not self._in_phase():
            which = TIMER_OF[number]
            if not _fast.getitimer(which)[0]:
                _fast.setitimer(which, _SOON)
        elif self.handler == signal.SIG_DFL:
            raise ProcessEnd(-number)
        else:
            self.handler(number, frame)


def unwrapped(handler: Any) -> Any:  # noqa: ANN401  # signal.getsignal's type
    """Return the handler that function code has set."""
    return handler.handler if isinstance(handler, _Handler) else handler
