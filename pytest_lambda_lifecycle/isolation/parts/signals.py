"""Handlers and timers that function code sets through `signal`."""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import _thread
import math
import signal
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.alarm import Alarm
from pytest_lambda_lifecycle.isolation.held_signals import (
    callable_handlers,
    get_handler,
    set_handler,
)
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.signal_handlers import (
    TIMER_OF,
    InterruptHandler,
    TimerHandler,
    unwrapped,
)
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["Signals"]

_ALARM: Final = getattr(signal, "SIGALRM", None)
_REAL_TIMER: Final = getattr(signal, "ITIMER_REAL", None)
_SIGNAL_OF: Final[dict[Any, Any]] = {
    _REAL_TIMER: _ALARM,
    **{timer: number for number, timer in TIMER_OF.items()},
}
_interrupt_main: Final[Any] = _thread.interrupt_main
_PENDING: Final[list[Undo]] = []
"""Restores signal handlers on the main thread, for environments that left on another thread.

Python forbids setting a handler there.
"""


class Signals(Part):
    """The function's signal handlers; it also tells a real Ctrl-C from a `KeyboardInterrupt`.

    The functions of `signal` are watched, since a test may install handlers as well, which must
    stay (`asyncio.run` installs one for SIGINT).  SIGALRM and its timer are shared with the
    deadline: see `Alarm`.

    A timer without its handler ends pytest, since the default action of its signal ends the
    process.  So timers stop before their handlers are taken away, and are frozen with the
    environment: they go on with the time that was left once their handlers are back.

    A real Ctrl-C raises `KeyboardInterrupt` in function code, which may catch it (``except
    BaseException``) or have a handler of its own.  So it is noted in `stage.interrupted`, and is
    raised once more at the end of the phase.  A SIGINT that function code sends to itself is not:
    some decorators for timeouts do that, and catch it; if nobody does, it ends the function's
    process (`send_interrupt`).
    """

    _real: Final = {
        name: getattr(signal, name)
        for name in ("signal", "getsignal", "alarm", "setitimer", "getitimer", "pthread_kill")
        if hasattr(signal, name)
    }

    def __init__(
        self,
        in_phase: Callable[[], bool],
        is_functions: Callable[[], bool],
        alarm: Alarm,
        ended: Callable[[int], None] = lambda exit_code: None,
    ) -> None:
        """``is_functions`` tells of the current thread whether it runs code of the function.

        ``ended`` is called with the exit code where a signal ends the process of the function and
        no exception can be raised in its phase.
        """
        self._in_phase = in_phase
        self._is_functions = is_functions
        self._alarm = alarm
        self._ended = ended
        self._own: dict[int, Any] = {}
        self._outside: dict[int, Any] = {}
        self._own_timers: dict[int, tuple[float, float]] = {}
        """Seconds left and interval of the function's timers, while the environment is away."""
        self._outside_timers: dict[int, tuple[float, float]] = {}
        """The same of the test's timers that the function has replaced."""
        self._sends_interrupt = False
        """Function code is about to send a SIGINT to itself."""

    def enter(self) -> Undo:
        if not _on_main_thread():
            return self._enter_on_another_thread()
        while _PENDING:
            _PENDING.pop()()
        self._outside = {}
        others = [number for number in callable_handlers() if number != _ALARM]
        stage.hold = any(map(_may_raise, map(get_handler, others))) or callable(
            self._alarm.get_handler()
        )
        if get_handler(_fast.SIGINT) is signal.default_int_handler:
            set_handler(_fast.SIGINT, self._on_interrupt)
        for number, handler in self._own.items():
            self._outside[number] = set_handler(number, handler)
        watched = ((signal, name, getattr(self, f"_watched_{name}")) for name in self._real)
        unwatch = patch_attributes(
            *watched, (_thread, "interrupt_main", self._watched_interrupt_main), yielding=True
        )
        self._start_timers(self._own_timers)

        def leave() -> None:
            stage.hold = False
            self._own_timers = self._stop_timers()
            unwatch()
            self._own = {number: get_handler(number) for number in self._outside}
            if _on_main_thread():
                self._restore()
            else:
                _PENDING.append(self._restore)

        return leave

    def _enter_on_another_thread(self) -> Undo:
        """Watch the timers, which any thread may set; Python sets handlers on the main thread."""
        if _REAL_TIMER is None:
            return nothing_to_undo
        unwatch = patch_attributes(
            (signal, "setitimer", self._watched_setitimer),
            (signal, "alarm", self._watched_alarm),
            (signal, "pthread_kill", self._watched_pthread_kill),
            (_thread, "interrupt_main", self._watched_interrupt_main),
            yielding=True,
        )

        def leave() -> None:
            self._stop_timers()
            unwatch()

        return leave

    def discard(self) -> None:
        self._own = {}
        self._own_timers = {}

    def _start_timers(self, timers: dict[int, tuple[float, float]]) -> None:
        for which, timer in timers.items():
            self._outside_timers[which] = self._real["setitimer"](which, *timer)

    def _stop_timers(self) -> dict[int, tuple[float, float]]:
        """Restore the test's timers; return those of the function that run."""
        own = {}
        for which in list(self._outside_timers):
            timer = self._real["setitimer"](which, *self._outside_timers.pop(which))
            if timer[0]:
                own[which] = timer
        return own

    def functions_own(self, number: int) -> Any:  # noqa: ANN401  # signal.getsignal's type
        """Return the handler that function code has installed for a signal, by default SIG_DFL."""
        if number in self._outside:
            return unwrapped(get_handler(number))
        return unwrapped(self._own.get(number, signal.SIG_DFL))

    def apart(self) -> Undo:
        """Begin the turn of another process in the same phase.

        The returned call ends that turn, and forgets the handlers and timers of that process.
        """
        timers = self._stop_timers()
        own = {number: get_handler(number) for number in self._outside}

        def end() -> None:
            self._stop_timers()
            for number in self._outside.keys() - own.keys():
                set_handler(number, self._outside.pop(number))
            for number, handler in own.items():
                if get_handler(number) is not handler:
                    set_handler(number, handler)
            self._start_timers(timers)

        return end

    def _restore(self) -> None:
        for number, handler in self._outside.items():
            if handler is not None:  # Python cannot restore one that C code had installed
                set_handler(number, handler)
        self._outside = {}
        if get_handler(_fast.SIGINT) == self._on_interrupt:
            set_handler(_fast.SIGINT, signal.default_int_handler)

    # -- SIGINT ------------------------------------------------------------------------------------

    def send_interrupt(self, send: Callable[[], object]) -> None:
        """Let function code send a SIGINT to its own process; ``send`` is the genuine call.

        If the function has no handler for it, `KeyboardInterrupt` is raised at once: the test may
        ignore the signal or have a handler, and Python handles signals on the main thread, which
        need not be that of the phase.
        """
        __tracebackhide__ = __function_code_above__ = True
        if not self._is_functions():
            send()
        elif self._interrupt_handler() is not signal.default_int_handler:
            self._sends_interrupt = True
            send()
        elif self._in_phase():
            raise KeyboardInterrupt
        elif stage.running and stage.thread == threading.main_thread().ident and self._hears():
            self._sends_interrupt = True
            send()
        else:
            self._ended(-signal.SIGINT)

    def _interrupt_handler(self) -> Any:  # noqa: ANN401  # signal.getsignal's type
        """Return the handler of SIGINT in the process of the function."""
        is_set = signal.SIGINT in self._outside or signal.SIGINT in self._own
        return self.functions_own(signal.SIGINT) if is_set else signal.default_int_handler

    def _hears(self) -> bool:
        """Say whether SIGINT calls a handler of ours."""
        handler = get_handler(_fast.SIGINT)
        return handler == self._on_interrupt or isinstance(handler, InterruptHandler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        sent = self._note_interrupt()
        in_step = self._alarm.in_step(frame)
        if sent and (in_step or not stage.on_phase_thread()):
            self._ended(-number)
        # While parts change the process, Ctrl-C waits for the end of the phase, which raises it.
        elif not (stage.interrupted and in_step):
            signal.default_int_handler(number, frame)

    def _note_interrupt(self) -> bool:
        """Note a Ctrl-C, to raise it at the end of the phase.

        Return whether it is none, as function code has sent the signal.
        """
        sent = self._sends_interrupt
        self._sends_interrupt = False
        if not sent and stage.on_phase_thread():
            stage.interrupted = True
        return sent

    # -- functions that stand in `signal` while the environment is entered -------------------------

    def _shares_timer(self) -> bool:
        return self._alarm.active and self._is_functions()

    def _watched_signal(self, signalnum: int, handler: Any) -> Any:  # noqa: ANN401  # as signal's
        in_phase = self._in_phase()
        if not in_phase and _may_raise(handler):
            stage.hold = True
        if signalnum == _ALARM and self._alarm.installed:
            return self._alarm.set_handler(handler)
        if in_phase:
            handler = self._wrapped(signalnum, handler)
        elif signalnum == signal.SIGINT and handler is signal.default_int_handler:
            handler = self._on_interrupt  # the test restores what it has found
        before = set_handler(signalnum, handler)
        if in_phase:
            self._outside.setdefault(int(signalnum), before)
        return self._shown(before)

    def _wrapped(self, number: int, handler: Any) -> Any:  # noqa: ANN401
        """Return our stand-in for a handler of function code, or the handler itself."""
        acts = callable(handler) or handler == signal.SIG_DFL
        if number in TIMER_OF and acts:
            return TimerHandler(handler, self._in_phase)
        if number != signal.SIGINT:
            return handler
        if self._hears() and (acts or handler == signal.SIG_IGN):
            return InterruptHandler(handler, self._note_interrupt)
        return handler

    def _watched_interrupt_main(self, *signalnum: int) -> None:
        __tracebackhide__ = __function_code_above__ = True
        if signalnum in ((), (signal.SIGINT,)):
            self.send_interrupt(_interrupt_main)
        else:
            _interrupt_main(*signalnum)

    def _watched_pthread_kill(self, thread_id: int, signalnum: int) -> None:
        __tracebackhide__ = __function_code_above__ = True
        send = partial(self._real["pthread_kill"], thread_id, signalnum)
        if signalnum == signal.SIGINT:
            self.send_interrupt(send)
        else:
            send()

    def _watched_getsignal(self, signalnum: int) -> Any:  # noqa: ANN401
        shared = signalnum == _ALARM and self._alarm.installed
        handler = self._alarm.get_handler() if shared else self._shown(get_handler(signalnum))
        return signal.Handlers(handler) if isinstance(handler, int) else handler

    def _shown(self, handler: Any) -> Any:  # noqa: ANN401  # signal.getsignal's type
        """Return a handler as function code and the test have set it."""
        return signal.default_int_handler if handler == self._on_interrupt else unwrapped(handler)

    def _watched_alarm(self, seconds: int) -> int:
        if not self._is_functions():
            return int(self._real["alarm"](seconds))
        left: float = self._watched_setitimer(_REAL_TIMER, seconds)[0]
        return math.ceil(left)

    def _watched_setitimer(self, which: Any, seconds: float, interval: float = 0.0) -> Any:  # noqa: ANN401
        if which == _REAL_TIMER and self._shares_timer():
            return self._alarm.set_timer(seconds, interval)
        if not self._is_functions():
            return self._real["setitimer"](which, seconds, interval)
        number = _SIGNAL_OF.get(which)
        if number is not None and get_handler(number) == signal.SIG_DFL:
            if not _on_main_thread():
                # The signal would end pytest, and no handler can be set on this thread.
                return self._real["getitimer"](which)
            self._watched_signal(number, signal.SIG_DFL)
        before = self._real["setitimer"](which, seconds, interval)
        self._outside_timers.setdefault(which, before)
        return before

    def _watched_getitimer(self, which: int) -> Any:  # noqa: ANN401
        shared = which == _REAL_TIMER and self._shares_timer()
        return self._alarm.get_timer() if shared else self._real["getitimer"](which)


def _may_raise(handler: object) -> bool:
    return callable(handler) and handler is not signal.default_int_handler


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
