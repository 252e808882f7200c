"""Handlers that function code installs through `signal`."""

from __future__ import annotations

# `signal` makes enum members of all answers, which takes 20 times as long.
import _signal as _fast  # type: ignore[import-not-found]
import math
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.alarm import Alarm
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["Signals"]

_ALARM: Final = getattr(signal, "SIGALRM", None)
_REAL_TIMER: Final = getattr(signal, "ITIMER_REAL", None)
_PENDING: Final[list[Undo]] = []
"""Restores signal handlers on the main thread, for environments that left on another thread.

Python forbids setting a handler there.
"""


class Signals(Part):
    """The function's signal handlers; it also tells a real Ctrl-C from a `KeyboardInterrupt`.

    The functions of `signal` are watched, since a test may install handlers as well, which must
    stay (`asyncio.run` installs one for SIGINT).  SIGALRM and its timer are shared with the
    deadline: see `Alarm`.
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
            return nothing_to_undo
        while _PENDING:
            _PENDING.pop()()
        self._outside = {}
        if _fast.getsignal(_fast.SIGINT) is signal.default_int_handler:
            _fast.signal(_fast.SIGINT, self._on_interrupt)
        for number, handler in self._own.items():
            self._outside[number] = self._real["signal"](number, handler)
        watched = ((signal, name, getattr(self, f"_watched_{name}")) for name in self._real)
        unwatch = patch_attributes(*watched, yielding=True)

        def leave() -> None:
            unwatch()
            self._own = {number: self._real["getsignal"](number) for number in self._outside}
            if _on_main_thread():
                self._restore()
            else:
                _PENDING.append(self._restore)

        return leave

    def discard(self) -> None:
        self._own = {}

    def functions_own(self, number: int) -> Any:  # noqa: ANN401  # signal.getsignal's type
        """Return the handler that function code has installed for a signal, by default SIG_DFL."""
        if number in self._outside:
            return self._real["getsignal"](number)
        return self._own.get(number, signal.SIG_DFL)

    def apart(self) -> Undo:
        """Begin the turn of another process in the same phase.

        The returned call ends that turn, and forgets the handlers of that process.
        """
        own = {number: self._real["getsignal"](number) for number in self._outside}

        def end() -> None:
            for number in self._outside.keys() - own.keys():
                self._real["signal"](number, self._outside.pop(number))
            for number, handler in own.items():
                if self._real["getsignal"](number) is not handler:
                    self._real["signal"](number, handler)

        return end

    def _restore(self) -> None:
        for number, handler in self._outside.items():
            if handler is not None:  # Python cannot restore one that C code had installed
                self._real["signal"](number, handler)
        self._outside = {}
        if _fast.getsignal(_fast.SIGINT) == self._on_interrupt:
            _fast.signal(_fast.SIGINT, signal.default_int_handler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        self.interrupted = True
        signal.default_int_handler(number, frame)

    # -- functions that stand in `signal` while the environment is entered -------------------------

    def _shares_timer(self) -> bool:
        return self._alarm.active and self._in_phase()

    def _watched_signal(self, signalnum: int, handler: Any) -> Any:  # noqa: ANN401  # as signal's
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


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
