"""`threading.excepthook` and `sys.unraisablehook`: exceptions that nobody can catch.

Python writes such an exception to `sys.stderr`.  pytest records it instead, for a warning.  Here it
is written to the stream of the function, and the hook of the test hears of it as well.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.lifecycle.outcome import ProcessEnd

__all__ = ["IgnoredExceptions"]

_Hooks: TypeAlias = "tuple[Callable[[Any], object] | None, Callable[[Any], object] | None]"
_OF_PYTHON: Final[Any] = threading.__excepthook__


class IgnoredExceptions(Part):
    """These two hooks, which function code may replace; outside its process the test has its own.

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
        self._in_phase = in_phase
        self._is_functions = is_functions
        self._log = write
        self._own: _Hooks = (None, None)
        """The hooks that function code has set."""
        self._outside: Any = None
        """The hooks of the test."""

    def enter(self) -> Undo:
        outside = self._outside = _present()
        stand_ins = self._of_thread, self._unraisable
        own = self._own
        threading.excepthook = own[0] or stand_ins[0]
        sys.unraisablehook = own[1] or stand_ins[1]

        def leave() -> None:
            thread, unraisable = _present()
            self._own = (
                None if thread is stand_ins[0] else thread,
                None if unraisable is stand_ins[1] else unraisable,
            )
            threading.excepthook, sys.unraisablehook = outside

        return leave

    def discard(self) -> None:
        self._own = (None, None)

    def _of_thread(self, args: Any) -> None:  # noqa: ANN401  # a `threading.ExceptHookArgs`
        __tracebackhide__ = True
        if issubclass(args.exc_type, (SystemExit, ProcessEnd)):
            return
        outside = self._outside[0]
        functions = self._is_functions()
        if functions and self._in_phase():
            _OF_PYTHON(args)
            if outside is _OF_PYTHON:
                return
        elif functions:
            self._log(_text_on_thread(args))
        if not functions or _is_unicode(args):
            outside(args)

    def _unraisable(self, unraisable: Any) -> None:  # noqa: ANN401  # `sys.UnraisableHookArgs`
        __tracebackhide__ = True
        outside, genuine = self._outside[1], sys.__unraisablehook__
        functions = self._in_phase()
        if functions:
            genuine(unraisable)
            if outside is genuine:
                return
        if not functions or _is_unicode(unraisable):
            outside(unraisable)


def _present() -> Any:  # noqa: ANN401  # two hooks
    return (
        getattr(threading, "excepthook", _OF_PYTHON),
        getattr(sys, "unraisablehook", sys.__unraisablehook__),
    )


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
