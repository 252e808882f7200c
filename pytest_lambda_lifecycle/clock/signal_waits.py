"""Stand-ins for the waits for signals: a timer of function code rings in virtual time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.waiting import Waiting
from pytest_lambda_lifecycle.clock.waits import Waits
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["SignalWaits"]

_select: Final = select.select
_MOST: Final = 4096
"""More bytes than a pipe of signals has."""


class SignalWaits:
    """The waits for signals under a clock, while installed."""

    def __init__(self, clock: MovingClock, waits: Waits) -> None:
        self._clock = clock
        self._waits = waits

    def install(self) -> Undo:
        """Put the stand-ins in place; the returned call restores what was there."""
        waits: tuple[tuple[str, Callable[[Any], Callable[..., Any]]], ...] = (
            ("pause", self._pause),
            ("sigwait", self._wait_for_set),
            ("sigwaitinfo", self._wait_for_set),
            ("sigtimedwait", self._wait_for_set),
        )
        return patch_attributes(
            *(
                (signal, name, stand_in(getattr(signal, name)))
                for name, stand_in in waits
                if hasattr(signal, name)
            )
        )

    def _pause(self, original: Any) -> Callable[[], None]:  # noqa: ANN401
        def pause() -> None:
            __tracebackhide__ = __function_code_above__ = True
            here = threading.current_thread() is threading.main_thread()
            if not here or not self._waits.applies():
                return original()  # type: ignore[no-any-return]
            with _handled_signals() as handled:
                self._waits.schedule.wait(Waiting(None, handled), looks=True)
            return None

        return pause

    def _wait_for_set(self, original: Any) -> Callable[..., Any]:  # noqa: ANN401
        """Stand in for a wait for one of a set of signals, which no handler is called for."""

        def wait(sigset: Any, *timeout: Any) -> Any:  # noqa: ANN401  # as the C functions
            __tracebackhide__ = __function_code_above__ = True
            if not self._waits.applies() or any(not seconds > 0 for seconds in timeout):
                return original(sigset, *timeout)
            numbers = set(sigset)
            due_us = self._waits.until(timeout[0]) if timeout else None
            # A signal that is not blocked would call its handler.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            try:
                schedule = self._waits.schedule
                waiting = Waiting(due_us, lambda: not numbers.isdisjoint(signal.sigpending()))
                ident = threading.get_ident()
                schedule.signal_waits[ident] = numbers, waiting
                try:
                    schedule.wait(waiting, looks=True)
                finally:
                    del schedule.signal_waits[ident]
                return original(numbers, *(timeout if self._clock.ended else [0] * len(timeout)))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        return wait


@contextlib.contextmanager
def _handled_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether any signal has called a handler since.

    Python tells nobody but the file descriptor of `signal.set_wakeup_fd`.
    """
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield lambda: bool(_select([reader], [], [], 0)[0])
        finally:
            signal.set_wakeup_fd(before)
            if before >= 0 and _select([reader], [], [], 0)[0]:
                with contextlib.suppress(OSError):  # that one is full
                    os.write(before, os.read(reader, _MOST))
    finally:
        os.close(reader)
        os.close(writer)
