"""Calls that would end this process: `os._exit` and its like, and `atexit`."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NoReturn, cast

from pytest_lambda_lifecycle.isolation.frames import globals_of_caller
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealOs
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["Exits"]


class Exits(Part):
    """Turns `os._exit` and its like into `ProcessEnd`, and notes `atexit` registrations.

    It does so for function code alone: on the thread of the phase, on a thread that function code
    has started, or where the calling module belongs to the function.  A forked child keeps the real
    functions, and so does everybody else: pytest-timeout ends a hung session by `os._exit`.

    A signal to the process group of pytest reaches the function's process alone.  On Lambda, the
    function has a group of its own.
    """

    _raise_signal = staticmethod(signal.raise_signal)
    _register = staticmethod(cast("Callable[..., Any]", atexit.register))

    def __init__(
        self,
        *,
        in_phase: Callable[[], bool],
        is_function_code: Callable[[dict[str, Any]], bool],
        on_function_thread: Callable[[], bool],
        ended: Callable[[int], None],
        interrupt: Callable[[Callable[[], object]], None],
        ignored: Callable[[str], None],
    ) -> None:
        """``is_function_code`` takes the globals of the caller.

        ``on_function_thread`` says whether function code has started the current thread.
        ``ended`` is called with the exit code if a thread of the function ends the process,
        ``interrupt`` with the genuine call where it sends SIGINT to its process, and ``ignored``
        with the name of each function that is registered with `atexit`.
        """
        self._in_phase = in_phase
        self._is_function_code = is_function_code
        self._on_function_thread = on_function_thread
        self._ended = ended
        self._interrupt = interrupt
        self._ignored = ignored
        self._pid = RealOs.getpid()

    def enter(self) -> Undo:
        groups = [(os, "killpg", self._stand_in_for_killpg)] if hasattr(os, "killpg") else []
        return patch_attributes(
            (os, "_exit", self._stand_in_for_exit),
            (os, "abort", self._stand_in_for_abort),
            (os, "kill", self._stand_in_for_kill),
            *groups,
            (signal, "raise_signal", self._stand_in_for_raise_signal),
            (atexit, "register", self._stand_in_for_register),
            yielding=True,
        )

    def _applies(self) -> bool:
        if RealOs.getpid() != self._pid:
            return False
        return (
            self._in_phase()
            or self._on_function_thread()
            or self._is_function_code(globals_of_caller())
        )

    def _end(self, exit_code: int) -> NoReturn:
        __tracebackhide__ = True
        if not self._in_phase():
            # Another thread: the phase looks for the exit code when the handler returns.
            self._ended(exit_code)
            raise SystemExit(exit_code)
        raise ProcessEnd(exit_code)

    def _stand_in_for_exit(self, status: int = 0) -> NoReturn:
        __tracebackhide__ = True
        if self._applies():
            self._end(status & 0xFF)
        RealOs.exit(status)

    def _stand_in_for_abort(self) -> NoReturn:
        __tracebackhide__ = True
        if self._applies():
            self._end(-signal.SIGABRT)
        RealOs.abort()

    def _stand_in_for_kill(self, pid: int, number: int) -> None:
        __tracebackhide__ = __function_code_above__ = True
        own = RealOs.getpid()
        if (pid == own or _is_own_group(pid)) and self._applies():
            if _is_fatal(number):
                self._end(-number)
            pid = own
            if number == signal.SIGINT:
                return self._interrupt(partial(RealOs.kill, pid, number))
        return RealOs.kill(pid, number)

    def _stand_in_for_killpg(self, group: int, number: int) -> None:
        __tracebackhide__ = __function_code_above__ = True
        if _is_own_group(-group) and self._applies():
            self._stand_in_for_kill(RealOs.getpid(), number)
        else:
            RealOs.killpg(group, number)

    def _stand_in_for_raise_signal(self, number: int) -> None:
        __tracebackhide__ = __function_code_above__ = True
        if self._applies():
            if _is_fatal(number):
                self._end(-number)
            if number == signal.SIGINT:
                return self._interrupt(partial(self._raise_signal, number))
        return self._raise_signal(number)

    def _stand_in_for_register(
        self,
        function: Callable[..., Any],
        *arguments: Any,  # noqa: ANN401  # as the original
        **keywords: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if self._is_function_code(globals_of_caller()):
            self._ignored(getattr(function, "__qualname__", repr(function)))
            return function
        return self._register(function, *arguments, **keywords)


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(int(getattr(signal, name)) for name in names if hasattr(signal, name))


_FATAL: Final = _numbers(
    "SIGHUP SIGINT SIGQUIT SIGILL SIGABRT SIGFPE SIGKILL SIGSEGV SIGPIPE SIGALRM SIGTERM SIGUSR1 "
    "SIGUSR2".split()
)
"""Signals whose default action ends the process (POSIX, "Signal Concepts")."""


def _is_own_group(pid: int) -> bool:
    """Say whether `os.kill` takes a number for the process group of the caller, or for all."""
    return pid in (0, -1) or (pid < -1 and pid == -RealOs.getpgrp())


def _is_fatal(number: int) -> bool:
    """Say whether a signal ends the process, as nobody handles it."""
    return number in _FATAL and (
        number == signal.SIGKILL or signal.getsignal(number) == signal.SIG_DFL
    )
