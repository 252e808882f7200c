"""The process's one real-time interval timer, which interrupts function code at its deadline.

The world has one such timer, one signal for it (SIGALRM) and one handler for that.  pytest-timeout
and many decorators for timeouts use them too, and function code may set a timer of its own.  A
second timer cannot be had, and a thread cannot interrupt the main thread in a system call.  So each
phase takes the timer over, sets it to the deadline that comes first (of the phase, of the function,
of the test), calls the handler that the deadline belongs to, and restores the test's timer as far
as it has run.

Measured on CPython 3.10 to 3.13: an exception that the handler of the signal raises interrupts
Python code, sleeps, locks, sockets and `asyncio.run` within a millisecond.  A single C call that
polls no signals (sorting, summing) goes on to its end.  Code on other threads is not interrupted.
"""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import signal
import threading
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import is_step
from pytest_lambda_lifecycle.isolation.held_signals import is_noted, set_handler
from pytest_lambda_lifecycle.isolation.interruption import Interruption
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["AVAILABLE", "Alarm"]

AVAILABLE: Final = hasattr(signal, "setitimer")
"""False on Windows."""

_REPEAT: Final = 0.02
"""Seconds after which code that has swallowed the interruption is interrupted again."""
_SOON: Final = 1e-6
"""Seconds: the shortest time that the timer takes, since 0 would stop it."""
_RINGING: Final = 0.05
"""Seconds; a timer that has more left has not rung, however coarse its clock."""

_get_ident: Final = threading.get_ident
_MAIN_THREAD: Final = threading.main_thread().ident
_setitimer: Final[Any] = getattr(_fast, "setitimer", None)
_REAL: Final[Any] = getattr(_fast, "ITIMER_REAL", None)


class Alarm(Part):
    """One timer for three deadlines: that of the phase, of function code and of the test.

    Function code sets its timer through `set_handler`, `set_timer` and `get_timer`.  A timer that
    it leaves running is frozen with the environment and goes on in the next phase.  Where there are
    no interval timers, and off the main thread, nothing is interrupted: then the phase compares its
    duration with the limit when it ends.
    """

    def __init__(self, fire: Interruption) -> None:
        self._fire = fire
        self._installed = False
        self._active = False
        self._deadline_at = 0.0
        self._ending = threading.Lock()
        self._dropping = False
        self._dropped = False
        """A signal came while they were dropped."""
        self._own_handler: Any = signal.SIG_DFL
        self._own_left = 0.0
        self._own_interval = 0.0
        self._own_at = 0.0
        self._virtual: Any = None
        """The timer of function code in virtual time, in a phase."""
        self._rang: tuple[FrameType | None] | None = None
        """It has rung, in this frame, and its handler has not been called."""
        self._test_handler: Any = None
        self._test_interval = 0.0
        self._test_at = 0.0

    # -- the process -------------------------------------------------------------------------------

    def enter(self) -> Undo:
        """Put our handler in place; the returned call restores the handler of the test."""
        if not AVAILABLE or _get_ident() != _MAIN_THREAD:
            return nothing_to_undo
        self._test_handler = set_handler(_fast.SIGALRM, self._signalled)
        self._installed = True
        return self._leave

    def _leave(self) -> None:
        self._installed = False
        handler = self._test_handler
        if _get_ident() == _MAIN_THREAD and handler is not None:
            set_handler(_fast.SIGALRM, handler)

    def begin(self, limit: float | None) -> None:
        """Take the timer over; after ``limit`` s interrupt the running frame, again and again."""
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
        # This comes before the timer is set: each signal after that is for this phase.
        self._active = True
        left, self._test_interval = _setitimer(_REAL, limit, _REPEAT)
        if left or self._own_left:
            self._test_at = now + left if left else 0.0
            if self._own_left:
                self._start_own(self._own_left)
            self._set()

    def end(self) -> None:
        """Keep the timer of the function; restore the timer of the test as far as it has run.

        If a handler of the test raises in here, call this method again.
        """
        if not self._active:
            return
        with self._ending:
            self._dropped = False
            self._dropping = True
            _setitimer(_REAL, 0)
            now = RealTime.perf_counter()
            rings = self._deadline_at and now + _RINGING >= self._deadline_at
            if self._own_at or self._test_at or rings:
                _handle_signals()
            self._active = self._dropping = False
        # No deadline has sent a signal that came meanwhile: the test has, or the timer of the test
        # had rung before `begin`, and the system was slow to say so.
        is_others = self._dropped and not (rings or self._is_due(now))
        if self._virtual is not None:
            self._own_left = self._stop_virtual()[0]
        if self._own_at or self._test_at:
            if self._own_at:
                self._own_left = max(self._own_at - now, _SOON)
            if self._test_at:
                # One that has rung while signals are held back is not to ring twice.
                left = max(self._test_at - now, _SOON)
                if now >= self._test_at and is_noted(_fast.SIGALRM):
                    left = self._test_interval
                _setitimer(_REAL, left, self._test_interval)
            self._own_at = self._test_at = 0.0
        if is_others and callable(self._test_handler):
            _call(self._test_handler, None)

    def _is_due(self, now: float) -> bool:
        return any(at and now + _RINGING >= at for at in (self._own_at, self._test_at))

    def cut(self) -> None:
        """Interrupt the phase now, from any thread, because something else has ended it.

        Without a deadline, do nothing.
        """
        # With the lock: a timer that is set once our handler is gone would end the test session.
        with self._ending:
            if self._active and self._deadline_at:
                self._deadline_at = RealTime.perf_counter()
                _setitimer(_REAL, _SOON, _REPEAT)

    def discard(self) -> None:
        """Forget the function's handler and timer."""
        self._own_handler = signal.SIG_DFL
        self._own_left = 0.0
        self._own_interval = 0.0
        self._own_at = 0.0
        self._rang = None
        if self._virtual is not None:
            self._stop_virtual()

    # -- calls of function code --------------------------------------------------------------------

    @property
    def installed(self) -> bool:
        """Say whether our handler is in place, so that no other may be set."""
        return self._installed

    @property
    def active(self) -> bool:
        """Say whether a phase has the timer."""
        return self._active

    def in_step(self, frame: FrameType | None) -> bool:
        """Say whether a phase begins or ends, and parts change the process."""
        return self._installed and not self._active and is_step(frame)

    def set_handler(self, handler: Any) -> Any:  # noqa: ANN401  # signal.signal's own types
        """Stand in for `signal.signal` with SIGALRM; return the handler before."""
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
        """Stand in for `signal.setitimer` with ITIMER_REAL, in s; return the timer before."""
        before = self.get_timer()
        if seconds < 0 or interval < 0:
            raise signal.ItimerError(22, "Invalid argument")
        self._own_at = 0.0
        self._own_left = seconds
        self._own_interval = interval if seconds else 0.0
        if self._virtual is not None:
            self._stop_virtual()
        if seconds:
            self._start_own(seconds)
        self._set()
        return before

    def get_timer(self) -> tuple[float, float]:
        """Stand in for `signal.getitimer` with ITIMER_REAL."""
        if self._virtual is not None and stage.virtual_time is not None:
            left, interval = stage.virtual_time.timers.left(self._virtual)
            return left, interval if left else 0.0
        left = max(self._own_at - RealTime.perf_counter(), _SOON) if self._own_at else 0.0
        return left, self._own_interval

    def _start_own(self, seconds: float) -> None:
        """Start the timer of function code: in virtual time, if a clock runs."""
        if stage.virtual_time is None:
            self._own_at = RealTime.perf_counter() + seconds
        else:
            timers = stage.virtual_time.timers
            self._virtual = timers.start(seconds, self._own_interval, self._ring)

    def _stop_virtual(self) -> tuple[float, float]:
        """Stop the timer in virtual time; return the seconds that are left, and the interval."""
        timer, self._virtual = self._virtual, None
        if stage.virtual_time is None:
            return 0.0, 0.0
        left: tuple[float, float] = stage.virtual_time.timers.left(timer)
        stage.virtual_time.timers.stop(timer)
        return left

    def _ring(self, frame: FrameType | None) -> None:
        """Send the signal: the timer of function code has rung in virtual time.

        So the system keeps a blocked one, and tells the file of `signal.set_wakeup_fd` (asyncio).
        """
        __tracebackhide__ = __function_code_above__ = True
        self._rang = (frame,)
        blocked = _fast.SIGALRM in _fast.pthread_sigmask(_fast.SIG_BLOCK, ())
        if blocked and stage.virtual_time is not None:
            # A signal to the process would go to any thread that has not blocked it, as pytest's.
            thread = stage.virtual_time.thread_for_signal(_fast.SIGALRM)
            _fast.pthread_kill(thread, _fast.SIGALRM)
        else:
            _fast.raise_signal(_fast.SIGALRM)
            _handle_signals()

    def _call_own(self, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        handler = self._own_handler
        _call(_killed if handler == signal.SIG_DFL else handler, frame)

    # -- the real timer ----------------------------------------------------------------------------

    def _set(self) -> None:
        now = RealTime.perf_counter()
        delays = [max(at - now, _SOON) for at in (self._own_at, self._test_at) if at]
        if self._deadline_at:
            # Once the deadline has passed, code that has survived it is given time to unwind.
            delays.append(self._deadline_at - now if self._deadline_at > now else _REPEAT)
        _setitimer(_REAL, min(delays, default=0.0), _REPEAT)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if self._dropping:
            self._dropped = True
            return  # `end` finds out which deadline it was for
        if not self._active:
            _call(self._test_handler, frame)
            return
        now = RealTime.perf_counter()
        times = [at for at in (self._deadline_at, self._own_at, self._test_at) if at]
        if self._rang is not None:
            (waits_at,), self._rang = self._rang, None
            self._call_own(waits_at)
            if now < min(times, default=now + 1):
                return
        if now < min(times, default=now + 1):
            # Too early: the timer goes on.  Or the timer of the test rang as `begin` took it over.
            if now + _RINGING < min(times, default=now + 1) and callable(self._test_handler):
                _call(self._test_handler, frame)
            return
        handlers = []
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
            # Lambda has killed the process: no timer of function code rings while it unwinds, nor
            # after that, in code of ours.
            self._own_at = self._own_left = 0.0
            self._fire(frame)


def _call(handler: Any, frame: FrameType | None) -> None:  # noqa: ANN401  # signal.signal's types
    __tracebackhide__ = True
    if callable(handler):
        handler(_fast.SIGALRM, frame)
    elif handler == signal.SIG_DFL:
        # A timer without a handler ends the process; it would without us.
        _fast.signal(_fast.SIGALRM, _fast.SIG_DFL)
        _fast.raise_signal(_fast.SIGALRM)


def _handle_signals() -> None:
    """Let Python call the handlers of all signals that have arrived.

    Python calls them at some later bytecode, when the state that they look at may be another one.
    """
    _fast.pthread_sigmask(_fast.SIG_BLOCK, ())


def _killed(number: int, frame: FrameType | None) -> None:
    __tracebackhide__ = True
    raise ProcessEnd(-number)  # the default action of SIGALRM
