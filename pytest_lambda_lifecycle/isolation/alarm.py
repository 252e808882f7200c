"""The process's one real-time interval timer: it cuts function code at its deadline, and is shared
with everybody else.

pytest-timeout and many timeout decorators use the same timer and SIGALRM, so each phase takes them
over and gives them back as far as they have run.  Measured on CPython 3.10 to 3.13: an exception
raised by the handler of the signal interrupts Python code, sleeps, locks, sockets and `asyncio.run`
within a millisecond; a single C call that polls no signals (sorting, summing) goes on to its end,
and code on other threads is not interrupted.
"""

from __future__ import annotations

import _signal as _fast  # type: ignore[import-not-found]  # `signal` makes enum members of all answers: 20 times slower
import signal
import threading
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.interruption import Interruption
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["AVAILABLE", "Alarm"]

AVAILABLE: Final = hasattr(signal, "setitimer")
"""False on Windows."""

_REPEAT: Final = 0.02
"""Seconds after which code that has swallowed the interruption is interrupted again."""
_SOON: Final = 1e-6
_RINGING: Final = 0.05
"""Seconds; a timer that has more left has not rung, however coarse its clock."""
_get_ident: Final = threading.get_ident
_setitimer: Final[Any] = getattr(_fast, "setitimer", None)
_REAL: Final[Any] = getattr(_fast, "ITIMER_REAL", None)


class Alarm(Part):
    """One timer for three: the deadline of a phase, the timer that function code sets, and the
    test's own.

    During a phase the real timer is set to whichever comes first, and our handler calls the one it
    was for.  Function code sets its own through `set_handler`, `set_timer` and `get_timer`; what it
    leaves running is frozen with the environment and goes on in the next phase.  Where there are no
    interval timers, and off the main thread, nothing is interrupted: the phase looks at the clock
    when it ends.
    """

    def __init__(self, fire: Interruption) -> None:
        self._fire = fire
        self._installed = False
        self._active = False
        self._deadline_at = 0.0
        self._ending = threading.Lock()
        self._dropping = False
        self._own_handler: Any = signal.SIG_DFL
        self._own_left = self._own_interval = self._own_at = 0.0
        self._test_handler: Any = None
        self._test_interval = self._test_at = 0.0

    # -- the process ----------------------------------------------------------------------------------------------

    def enter(self) -> Undo:
        """Put our handler in place of the test's; the returned call puts the test's back."""
        if not AVAILABLE or threading.get_ident() != _MAIN_THREAD:
            return lambda: None
        self._test_handler = _fast.signal(_fast.SIGALRM, self._signalled)
        self._installed = True

        def leave() -> None:
            self._installed = False
            handler = self._test_handler
            if threading.get_ident() == _MAIN_THREAD and handler is not None:
                # The C function knows the two special handlers as plain numbers.
                _fast.signal(_fast.SIGALRM, int(handler) if isinstance(handler, int) else handler)

        return leave

    def begin(self, limit: float | None) -> None:
        """Take the timer over; after ``limit`` s the interrupted frame is fired at, again and
        again.
        """
        if not self._installed or _get_ident() != _MAIN_THREAD:
            return
        self._fire.count = 0
        now = RealTime.perf_counter()
        if limit is None:
            limit = self._deadline_at = 0.0
        else:
            limit = limit if limit > _SOON else _SOON
            self._deadline_at = now + limit
        self._own_at = self._test_at = 0.0
        self._active = True  # before the timer is ours: from then on, a signal is
        left, self._test_interval = _setitimer(_REAL, limit, _REPEAT)
        if left or self._own_left:
            self._test_at = now + left if left else 0.0
            self._own_at = now + self._own_left if self._own_left else 0.0
            self._set()

    def end(self) -> None:
        """Keep what the function leaves, and give the test's timer back as far as it has run.

        If a handler of the test's raises amid this, it is to be called again.
        """
        if not self._active:
            return
        with self._ending:
            self._dropping = True
            _setitimer(_REAL, 0)
            now = RealTime.perf_counter()
            if (
                self._own_at
                or self._test_at
                or (self._deadline_at and now + _RINGING >= self._deadline_at)
            ):
                _handle_signals()
            self._active = self._dropping = False
        if self._own_at or self._test_at:
            self._own_left = max(self._own_at - now, _SOON) if self._own_at else 0.0
            if self._test_at:
                _setitimer(_REAL, max(self._test_at - now, _SOON), self._test_interval)
            self._own_at = self._test_at = 0.0

    def cut(self) -> None:
        """Interrupt the phase now, from any thread: something else has ended it.  Without a
        deadline, do nothing.
        """
        with (
            self._ending
        ):  # a timer that is set when our handler is gone would end the test session
            if self._active and self._deadline_at:
                self._deadline_at = RealTime.perf_counter()
                _setitimer(_REAL, _SOON, _REPEAT)

    def discard(self) -> None:
        """Forget the function's handler and timer."""
        self._own_handler = signal.SIG_DFL
        self._own_left = self._own_interval = self._own_at = 0.0

    # -- what function code asks for --------------------------------------------------------------------------------

    @property
    def installed(self) -> bool:
        """Our handler is in place, so that nobody else's may be set."""
        return self._installed

    @property
    def active(self) -> bool:
        """A phase has the timer."""
        return self._active

    def set_handler(self, handler: Any) -> Any:  # noqa: ANN401  # signal.signal's own types
        """Stand in for `signal.signal` with SIGALRM; returns the handler before."""
        before = self.get_handler()
        if self._active:
            self._own_handler = handler
        else:
            self._test_handler = handler
        return before

    def get_handler(self) -> Any:  # noqa: ANN401
        """Stand in for `signal.getsignal` with SIGALRM."""
        return self._own_handler if self._active else self._test_handler

    def set_timer(self, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        """Stand in for `signal.setitimer` with ITIMER_REAL, in s; returns the timer before."""
        before = self.get_timer()
        if seconds < 0 or interval < 0:
            raise signal.ItimerError(22, "Invalid argument")
        self._own_at = RealTime.perf_counter() + seconds if seconds else 0.0
        self._own_left, self._own_interval = seconds, interval if seconds else 0.0
        self._set()
        return before

    def get_timer(self) -> tuple[float, float]:
        """Stand in for `signal.getitimer` with ITIMER_REAL."""
        return (
            max(self._own_at - RealTime.perf_counter(), _SOON) if self._own_at else 0.0
        ), self._own_interval

    # -- the real timer -------------------------------------------------------------------------------------------

    def _set(self) -> None:
        now = RealTime.perf_counter()
        delays = [max(at - now, _SOON) for at in (self._own_at, self._test_at) if at]
        if (
            self._deadline_at
        ):  # once it has passed, the code that outlives it is given time to unwind
            delays.append(self._deadline_at - now if self._deadline_at > now else _REPEAT)
        _setitimer(_REAL, min(delays, default=0.0), _REPEAT)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if self._dropping:  # whose it was is looked at when the timer is given back
            return
        if not self._active:
            _call(self._test_handler, frame)
            return
        now, handlers = RealTime.perf_counter(), []
        if not any(at and now >= at for at in (self._deadline_at, self._own_at, self._test_at)):
            return  # the timer goes on
        if self._test_at and now >= self._test_at:
            self._test_at = now + self._test_interval if self._test_interval else 0.0
            handlers.append(self._test_handler)
        if self._own_at and now >= self._own_at:
            self._own_at = now + self._own_interval if self._own_interval else 0.0
            self._own_left = 0.0
            handlers.append(_killed if self._own_handler == signal.SIG_DFL else self._own_handler)
        self._set()
        for handler in handlers:
            _call(handler, frame)
        if self._deadline_at and now >= self._deadline_at:
            self._fire(frame)


_MAIN_THREAD: Final = threading.main_thread().ident


def _call(handler: Any, frame: FrameType | None) -> None:  # noqa: ANN401  # signal.signal's own types
    __tracebackhide__ = True
    if callable(handler):
        handler(_fast.SIGALRM, frame)
    elif handler == signal.SIG_DFL:  # a timer without a handler ends the process, also without us
        _fast.signal(_fast.SIGALRM, _fast.SIG_DFL)
        _fast.raise_signal(_fast.SIGALRM)


def _handle_signals() -> None:
    """Let Python handle what has arrived: it calls handlers when it comes by, which may be when
    they mean others.
    """
    _fast.pthread_sigmask(_fast.SIG_BLOCK, ())


def _killed(number: int, frame: FrameType | None) -> None:
    __tracebackhide__ = True
    raise ProcessEnd(-number)  # SIGALRM's default action
