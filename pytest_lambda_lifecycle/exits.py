"""What interrupts or ends this process: signals, `os._exit` and its like, `atexit`."""

from __future__ import annotations

import _signal as _fast  # type: ignore[import-not-found]  # `signal` makes enum members of all answers: 20 times slower
import atexit
import math
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final, NoReturn, cast

from pytest_lambda_lifecycle.alarm import Alarm
from pytest_lambda_lifecycle.isolation.frames import globals_of_caller
from pytest_lambda_lifecycle.outcome import ProcessEnd
from pytest_lambda_lifecycle.undoing import Undo, replace_attributes

__all__ = ["Exits", "Signals", "ThreadExits"]


class Signals:
    """Python signal handlers that function code installs; and a real Ctrl-C is told from a raised one.

    The functions of `signal` are watched, as a test may install handlers too, and these must stay (`asyncio.run` does
    for SIGINT).  SIGALRM and its timer are shared with the deadline: see `Alarm`.
    """

    _real: Final = {
        name: getattr(signal, name)
        for name in ("signal", "getsignal", "alarm", "setitimer", "getitimer")
        if hasattr(signal, name)
    }

    def __init__(self, in_phase: Callable[[], bool], alarm: Alarm) -> None:
        self._in_phase = in_phase
        self._alarm = alarm
        self._own: dict[int, Any] = {}
        self._outside: dict[int, Any] = {}
        self.interrupted = False
        """A SIGINT arrived while the environment was entered."""

    def enter(self) -> Undo:
        if not _on_main_thread():
            return lambda: None
        while _PENDING:
            _PENDING.pop()()
        self._outside = {}
        if _fast.getsignal(_fast.SIGINT) is signal.default_int_handler:
            _fast.signal(_fast.SIGINT, self._on_interrupt)
        for number, handler in self._own.items():
            self._outside[number] = self._real["signal"](number, handler)
        watched = ((signal, name, getattr(self, f"_watched_{name}")) for name in self._real)
        unwatch = replace_attributes(*watched, yielding=True)

        def leave() -> None:
            unwatch()
            self._own = {number: self._real["getsignal"](number) for number in self._outside}
            if _on_main_thread():
                self._give_back()
            else:
                _PENDING.append(self._give_back)

        return leave

    def discard(self) -> None:
        self._own = {}

    def functions_own(self, number: int) -> Any:  # noqa: ANN401  # signal.getsignal's type
        """Return the handler that function code has installed for a signal; SIG_DFL if it has none."""
        if number in self._outside:
            return self._real["getsignal"](number)
        return self._own.get(number, signal.SIG_DFL)

    def apart(self) -> Undo:
        """Begin the turn of another process in the same phase; the returned call ends it, and forgets its handlers."""
        own = {number: self._real["getsignal"](number) for number in self._outside}

        def end() -> None:
            for number in self._outside.keys() - own.keys():
                self._real["signal"](number, self._outside.pop(number))
            for number, handler in own.items():
                if self._real["getsignal"](number) is not handler:
                    self._real["signal"](number, handler)

        return end

    def _give_back(self) -> None:
        for number, handler in self._outside.items():
            if handler is not None:  # one that C code had installed cannot be put back from Python
                self._real["signal"](number, handler)
        self._outside = {}
        if _fast.getsignal(_fast.SIGINT) == self._on_interrupt:
            _fast.signal(_fast.SIGINT, signal.default_int_handler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        self.interrupted = True
        signal.default_int_handler(number, frame)

    # -- what stands in `signal` while the environment is entered -------------------------------------------------

    def _shares_timer(self) -> bool:
        return self._alarm.active and self._in_phase()

    def _watched_signal(self, signalnum: int, handler: Any) -> Any:  # noqa: ANN401  # signal.signal's own types
        if signalnum == _ALARM and self._alarm.installed:
            return self._alarm.set_handler(handler)
        before = self._real["signal"](signalnum, handler)
        if self._in_phase():
            self._outside.setdefault(int(signalnum), before)
        return before

    def _watched_getsignal(self, signalnum: int) -> Any:  # noqa: ANN401
        shared = signalnum == _ALARM and self._alarm.installed
        return self._alarm.get_handler() if shared else self._real["getsignal"](signalnum)

    def _watched_alarm(self, seconds: int) -> int:
        if not self._shares_timer():
            return int(self._real["alarm"](seconds))
        return math.ceil(self._alarm.set_timer(seconds)[0])

    def _watched_setitimer(self, which: int, seconds: float, interval: float = 0.0) -> Any:  # noqa: ANN401
        if which == _REAL_TIMER and self._shares_timer():
            return self._alarm.set_timer(seconds, interval)
        return self._real["setitimer"](which, seconds, interval)

    def _watched_getitimer(self, which: int) -> Any:  # noqa: ANN401
        shared = which == _REAL_TIMER and self._shares_timer()
        return self._alarm.get_timer() if shared else self._real["getitimer"](which)


_ALARM: Final = getattr(signal, "SIGALRM", None)
_REAL_TIMER: Final = getattr(signal, "ITIMER_REAL", None)
_PENDING: Final[list[Undo]] = []
"""Handlers to put back as soon as the main thread comes by: an environment left on another thread, which may not."""


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


class ThreadExits:
    """`threading.excepthook`: an exit on a thread is harmless in Python, but pytest's hook reports it as an error.

    What a thread of the function's raises is written where Python would: to the function's standard error stream.
    """

    def __init__(self, is_functions: Callable[[], bool], write: Callable[[str], None]) -> None:
        """``is_functions`` says whether the current thread is one of the function's."""
        self._is_functions = is_functions
        self._write = write
        self._own: Callable[[threading.ExceptHookArgs], object] | None = None

    def enter(self) -> Undo:
        outside = threading.excepthook

        def quiet(args: threading.ExceptHookArgs) -> None:
            if issubclass(args.exc_type, (SystemExit, ProcessEnd)):
                return
            if self._is_functions():
                trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
                self._write(f"Exception in thread {threading.current_thread().name}:\n{''.join(trace)}")
            outside(args)

        threading.excepthook = self._own or quiet

        def leave() -> None:
            self._own = threading.excepthook if threading.excepthook is not quiet else None
            threading.excepthook = outside

        return leave

    def discard(self) -> None:
        self._own = None


class Exits:
    """What would end this process: `os._exit` and its like become `ProcessEnd`, `atexit` registrations are noted.

    Only for function code: on the thread of the phase, or where the caller's module is the function's own.  A forked
    child keeps the real ones, and so does everybody else (pytest-timeout ends a hung session by `os._exit`).
    """

    _exit: Callable[[int], NoReturn] = staticmethod(os._exit)
    _abort: Callable[[], NoReturn] = staticmethod(os.abort)
    _kill = staticmethod(os.kill)
    _raise_signal = staticmethod(signal.raise_signal)
    _register = staticmethod(cast("Callable[..., Any]", atexit.register))

    def __init__(
        self,
        *,
        in_phase: Callable[[], bool],
        is_function_code: Callable[[dict[str, Any]], bool],
        ended: Callable[[int], None],
        ignored: Callable[[str], None],
    ) -> None:
        self._in_phase = in_phase
        self._is_function_code = is_function_code
        self._ended = ended
        self._ignored = ignored
        self._pid = os.getpid()

    def enter(self) -> Undo:
        return replace_attributes(
            (os, "_exit", self._replace_exit),
            (os, "abort", self._replace_abort),
            (os, "kill", self._replace_kill),
            (signal, "raise_signal", self._replace_raise_signal),
            (atexit, "register", self._replace_register),
            yielding=True,
        )

    def discard(self) -> None:
        """Nothing of a process's end outlives it."""

    def _applies(self) -> bool:
        if os.getpid() != self._pid:
            return False
        return self._in_phase() or self._is_function_code(globals_of_caller())

    def _end(self, exit_code: int) -> NoReturn:
        __tracebackhide__ = True
        if not self._in_phase():  # another thread: the phase learns of it when the handler returns
            self._ended(exit_code)
            raise SystemExit(exit_code)
        raise ProcessEnd(exit_code)

    def _replace_exit(self, status: int = 0) -> NoReturn:
        __tracebackhide__ = True
        if self._applies():
            self._end(status & 0xFF)
        self._exit(status)

    def _replace_abort(self) -> NoReturn:
        __tracebackhide__ = True
        if self._applies():
            self._end(-signal.SIGABRT)
        self._abort()

    def _replace_kill(self, pid: int, number: int) -> None:
        __tracebackhide__ = True
        if pid == os.getpid() and self._is_fatal(number) and self._applies():
            self._end(-number)
        self._kill(pid, number)

    def _replace_raise_signal(self, number: int) -> None:
        __tracebackhide__ = True
        if self._is_fatal(number) and self._applies():
            self._end(-number)
        self._raise_signal(number)

    def _is_fatal(self, number: int) -> bool:
        return number in _FATAL and (number == signal.SIGKILL or signal.getsignal(number) == signal.SIG_DFL)

    def _replace_register(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        if self._is_function_code(globals_of_caller()):
            self._ignored(getattr(function, "__qualname__", repr(function)))
            return function
        return self._register(function, *arguments, **keywords)


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(int(getattr(signal, name)) for name in names if hasattr(signal, name))


_FATAL: Final = _numbers(
    "SIGHUP SIGINT SIGQUIT SIGILL SIGABRT SIGFPE SIGKILL SIGSEGV SIGPIPE SIGALRM SIGTERM SIGUSR1 SIGUSR2".split()
)
"""Signals whose default action ends the process (POSIX, "Signal Concepts")."""
