"""What interrupts or ends this process: signals, `os._exit` and its like, `atexit`."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.getsignal makes an enum member of each answer: 20 times slower
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType, ModuleType
from typing import Any, Final, NoReturn, cast

from pytest_lambda_lifecycle.outcome import ProcessEnd

__all__ = ["Alarm", "Exits", "Signals", "ThreadExits"]

Undo = Callable[[], None]


class Signals:
    """Python signal handlers that function code installs; and a real Ctrl-C is told from a raised one.

    `signal.signal` is watched, as a test may install handlers too, and these must stay (`asyncio.run` does for SIGINT).
    """

    _signal: Callable[[int, Any], Any] = staticmethod(signal.signal)

    def __init__(self, in_phase: Callable[[], bool]) -> None:
        self._in_phase = in_phase
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
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._signal(signal.SIGINT, self._on_interrupt)
        for number, handler in self._own.items():
            self._outside[number] = self._signal(number, handler)
        signal.signal = self._watched  # type: ignore[assignment]

        def leave() -> None:
            signal.signal = self._signal
            self._own = {number: signal.getsignal(number) for number in self._outside}
            if _on_main_thread():
                self._give_back()
            else:
                _PENDING.append(self._give_back)

        return leave

    def discard(self) -> None:
        self._own = {}

    def _watched(self, signalnum: int, handler: Any) -> Any:  # noqa: ANN401  # signal.signal's own types
        before = self._signal(signalnum, handler)
        if signalnum != _ALARM and self._in_phase():  # that one is switched phase by phase: see `Alarm`
            self._outside.setdefault(int(signalnum), before)
        return before

    def _give_back(self) -> None:
        for number, handler in self._outside.items():
            if handler is not None:  # one that C code had installed cannot be put back from Python
                self._signal(number, handler)
        self._outside = {}
        if signal.getsignal(signal.SIGINT) == self._on_interrupt:
            self._signal(signal.SIGINT, signal.default_int_handler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.default_int_handler(number, frame)


_ALARM: Final = getattr(signal, "SIGALRM", None)
_PENDING: Final[list[Undo]] = []
"""Handlers to put back as soon as the main thread comes by: an environment left on another thread, which may not."""


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


class Alarm:
    """The process's one real-time interval timer and its handler: the function's during a phase, the test's otherwise.

    pytest-timeout and many timeout decorators use it.  A timer that function code leaves running is frozen with the
    environment and goes on in the next phase, unless the test has one of its own then.
    """

    _GRACE = 0.005  # s by which a timer that nobody touched may differ from what is left of it

    def __init__(self) -> None:
        self._timer = (0.0, 0.0)
        self._handler: Any = None
        self._outside: tuple[Any, float, float, float] | None = None

    def phase_begins(self) -> None:
        """Put the function's timer in place, if it left one."""
        if not _on_main_thread():
            return
        left, interval = _signal.getitimer(_signal.ITIMER_REAL)
        self._outside = (_signal.getsignal(_signal.SIGALRM), left, interval, _clock() if left else 0.0)
        if self._handler is not None and not left:
            _signal.signal(_signal.SIGALRM, self._handler)
            _signal.setitimer(_signal.ITIMER_REAL, *self._timer)

    def phase_ends(self) -> None:
        """Take the function's timer away, and give the test's back as far as it has run."""
        if self._outside is None:
            return
        handler, left, interval, began = self._outside
        now, own = _signal.getitimer(_signal.ITIMER_REAL), _signal.getsignal(_signal.SIGALRM)
        expected = max(left - (_clock() - began), 1e-6) if left else 0.0
        if own is not handler or abs(now[0] - expected) > self._GRACE:
            self._timer, self._handler = now, own
            _signal.setitimer(_signal.ITIMER_REAL, expected, interval)
            _signal.signal(_signal.SIGALRM, _signal.SIG_DFL if handler is None else handler)

    def discard(self) -> None:
        self._timer, self._handler = (0.0, 0.0), None


_clock = time.perf_counter


class ThreadExits:
    """`threading.excepthook`: an exit on a thread is harmless in Python, but pytest's hook reports it as an error."""

    def __init__(self) -> None:
        self._own: Callable[[threading.ExceptHookArgs], object] | None = None

    def enter(self) -> Undo:
        outside = threading.excepthook

        def quiet(args: threading.ExceptHookArgs) -> None:
            if not issubclass(args.exc_type, (SystemExit, ProcessEnd)):
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
        replacements: list[tuple[ModuleType, str, Any]] = [
            (os, "_exit", self._replace_exit),
            (os, "abort", self._replace_abort),
            (os, "kill", self._replace_kill),
            (atexit, "register", self._replace_register),
        ]
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
        for owner, name, replacement in replacements:
            setattr(owner, name, replacement)

        def leave() -> None:
            for owner, name, original in originals:
                setattr(owner, name, original)

        return leave

    def discard(self) -> None:
        """Nothing of a process's end outlives it."""

    def _applies(self) -> bool:
        if os.getpid() != self._pid:
            return False
        if self._in_phase():
            return True
        return self._is_function_code(sys._getframe(2).f_globals)

    def _end(self, exit_code: int) -> NoReturn:
        if not self._in_phase():  # another thread: the phase learns of it when the handler returns
            self._ended(exit_code)
            raise SystemExit(exit_code)
        raise ProcessEnd(exit_code)

    def _replace_exit(self, status: int = 0) -> NoReturn:
        if self._applies():
            self._end(status & 0xFF)
        self._exit(status)

    def _replace_abort(self) -> NoReturn:
        if self._applies():
            self._end(-signal.SIGABRT)
        self._abort()

    def _replace_kill(self, pid: int, number: int) -> None:
        fatal = number in _FATAL and (number == signal.SIGKILL or signal.getsignal(number) == signal.SIG_DFL)
        if fatal and pid == os.getpid() and self._applies():
            self._end(-number)
        self._kill(pid, number)

    def _replace_register(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        if self._is_function_code(sys._getframe(1).f_globals):
            self._ignored(getattr(function, "__qualname__", repr(function)))
            return function
        return self._register(function, *arguments, **keywords)


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(int(getattr(signal, name)) for name in names if hasattr(signal, name))


_FATAL: Final = _numbers(
    "SIGHUP SIGINT SIGQUIT SIGILL SIGABRT SIGFPE SIGKILL SIGSEGV SIGPIPE SIGALRM SIGTERM SIGUSR1 SIGUSR2".split()
)
"""Signals whose default action ends the process (POSIX, "Signal Concepts")."""
