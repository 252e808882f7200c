"""`threading.excepthook` and `sys.unraisablehook`: exceptions that nobody can catch.

Python writes such an exception to `sys.stderr`.  pytest records it instead, for a warning.  Here it
is written to the stream of the function, and the hook of the test hears of it as well.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["ThreadExceptions", "UnraisableExceptions"]

_OF_PYTHON: Final[Any] = threading.__excepthook__


class _Hook(Part):
    """A hook that function code may replace; outside its process, the test has its own."""

    def __init__(self) -> None:
        self._own: Callable[[Any], object] | None = None

    def enter(self) -> Undo:
        outside = self._read()
        stand_in = self._stand_in(outside)
        self._write(self._own or stand_in)

        def leave() -> None:
            now = self._read()
            self._own = now if now is not stand_in else None
            self._write(outside)

        return leave

    def discard(self) -> None:
        self._own = None

    def _read(self) -> Callable[[Any], object]:
        raise NotImplementedError

    def _write(self, hook: Callable[[Any], object]) -> None:
        raise NotImplementedError

    def _stand_in(self, outside: Callable[[Any], object]) -> Callable[[Any], object]:
        raise NotImplementedError


class ThreadExceptions(_Hook):
    """`threading.excepthook`: ignores exits on threads, and logs exceptions of the function.

    An exit on a thread is harmless in Python, but pytest's hook reports it as an error.
    """

    def __init__(
        self,
        in_phase: Callable[[], bool],
        is_functions: Callable[[], bool],
        write: Callable[[str], None],
    ) -> None:
        """``in_phase`` says whether a phase runs, on any thread.

        ``is_functions`` says whether function code has started the current thread.  ``write`` takes
        the text of an exception of the function between phases.
        """
        super().__init__()
        self._in_phase = in_phase
        self._is_functions = is_functions
        self._log = write

    def _read(self) -> Callable[[Any], object]:
        hook: Callable[[Any], object] = getattr(threading, "excepthook", _OF_PYTHON)
        return hook

    def _write(self, hook: Callable[[Any], object]) -> None:
        threading.excepthook = hook

    def _stand_in(self, outside: Callable[[Any], object]) -> Callable[[Any], object]:
        def excepthook(args: Any) -> None:  # noqa: ANN401  # a `threading.ExceptHookArgs`
            __tracebackhide__ = True
            if issubclass(args.exc_type, (SystemExit, ProcessEnd)):
                return
            functions = self._is_functions()
            if functions and self._in_phase():
                _OF_PYTHON(args)
                if outside is _OF_PYTHON:
                    return
            elif functions:
                self._log(_text_on_thread(args))
            if not functions or _is_unicode(args):
                outside(args)

        return excepthook


class UnraisableExceptions(_Hook):
    """`sys.unraisablehook`: an exception in ``__del__``, or on a thread of `_thread`."""

    def __init__(self, in_phase: Callable[[], bool]) -> None:
        super().__init__()
        self._in_phase = in_phase

    def _read(self) -> Callable[[Any], object]:
        return getattr(sys, "unraisablehook", sys.__unraisablehook__)

    def _write(self, hook: Callable[[Any], object]) -> None:
        sys.unraisablehook = hook

    def _stand_in(self, outside: Callable[[Any], object]) -> Callable[[Any], object]:
        genuine = sys.__unraisablehook__

        def unraisablehook(unraisable: Any) -> None:  # noqa: ANN401  # `UnraisableHookArgs`
            __tracebackhide__ = True
            functions = self._in_phase()
            if functions:
                genuine(unraisable)
            if outside is genuine and functions:
                return
            if not functions or _is_unicode(unraisable):
                outside(unraisable)

        return unraisablehook


def _text_on_thread(args: Any) -> str:  # noqa: ANN401  # a `threading.ExceptHookArgs`
    text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
    text = f"Exception in thread {threading.current_thread().name}:\n{text}"
    return text.encode("utf-8", "backslashreplace").decode()


def _is_unicode(args: Any) -> bool:  # noqa: ANN401
    """Say whether the text of an exception has no lone surrogates: pytest-xdist cannot send them.

    pytest would make a text of it, and send it to the main process.
    """
    try:
        "".join(
            traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        ).encode()
    except Exception:
        return False
    return True
