"""What interrupts or ends this process: signals, `os._exit` and its like, `atexit`."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, cast

from pytest_lambda_lifecycle.isolation.frames import globals_of_caller
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["Exits", "ThreadExits"]


class ThreadExits(Part):
    """`threading.excepthook`: an exit on a thread is harmless in Python, but pytest's hook reports
    it as an error.

    What a thread of the function's raises is written where Python would: to the function's standard
    error stream.
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
                trace = traceback.format_exception(
                    args.exc_type, args.exc_value, args.exc_traceback
                )
                self._write(
                    f"Exception in thread {threading.current_thread().name}:\n{''.join(trace)}"
                )
            outside(args)

        threading.excepthook = self._own or quiet

        def leave() -> None:
            self._own = threading.excepthook if threading.excepthook is not quiet else None
            threading.excepthook = outside

        return leave

    def discard(self) -> None:
        self._own = None


class Exits(Part):
    """What would end this process: `os._exit` and its like become `ProcessEnd`, `atexit`
    registrations are noted.

    Only for function code: on the thread of the phase, or where the caller's module is the
    function's own.  A forked child keeps the real ones, and so does everybody else (pytest-timeout
    ends a hung session by `os._exit`).
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
        return patch_attributes(
            (os, "_exit", self._replace_exit),
            (os, "abort", self._replace_abort),
            (os, "kill", self._replace_kill),
            (signal, "raise_signal", self._replace_raise_signal),
            (atexit, "register", self._replace_register),
            yielding=True,
        )

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
        return number in _FATAL and (
            number == signal.SIGKILL or signal.getsignal(number) == signal.SIG_DFL
        )

    def _replace_register(
        self, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Any:  # noqa: ANN401
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
