"""Which environment is entered in this process, and on which thread a phase runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol, TypeAlias

from pytest_lambda_lifecycle.isolation.held_signals import Held

__all__ = ["Listener", "Slice", "Stage", "VirtualTime", "stage"]


Listener: TypeAlias = Callable[[str, tuple[Any, ...]], "Exception | None"]
"""Takes an event of a call that changes files, and its arguments (`isolation/audit_hook.py`).

It returns the exception with which the call is to fail, or None.
"""


class Slice(Protocol):
    """One environment's share of the process (`isolation.ledger.ProcessSlice`)."""

    label: str
    closed: bool
    entry: int
    files: Listener | None
    api_rests: Callable[[], bool] | None

    def take_process(self) -> None:
        """Enter every part."""
        ...

    def give_back(self) -> None:
        """Undo every change."""
        ...

    def time_is_up(self, frame: FrameType | None) -> None:
        """Note where function code is at its deadline."""
        ...


class VirtualTime(Protocol):
    """Virtual time, as far as the threads and timers of a process live by it."""

    timers: Any
    """Starts and stops interval timers (`clock/timers.py`)."""

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait on the thread of the phase, in virtual time, up to the deadline."""
        ...

    def thread_for_signal(self, number: int) -> int:
        """Return the thread that gets a signal that is blocked, and wake it if it waits for one."""
        ...

    def end_threads(self, threads: Iterable[threading.Thread]) -> None:
        """End threads whose process has ended, where they wait in virtual time."""
        ...


class Stage:
    """Which environment is entered, and on which thread a phase runs.

    There is one process, so there is one stage.
    """

    def __init__(self) -> None:
        self.current: Slice | None = None
        self.thread: int | None = None
        self.running: list[Slice] = []
        """Environments inside a phase, outermost first: a handler may invoke another one."""
        self.interrupted = False
        """A Ctrl-C arrived in the phase that runs; its end raises it, if function code has not."""
        self.hold = False
        """A signal handler of the test may raise, so that signals wait in warm invokes as well."""
        self.virtual_time: VirtualTime | None = None
        """Set while a clock runs."""
        self._entries = 0

    def on_phase_thread(self) -> bool:
        """Say whether the current thread is the one on which a phase runs."""
        return bool(self.running) and self.thread == threading.get_ident()

    def enter(self, slice_: Slice) -> None:
        """Enter an environment; another one that is entered leaves first."""
        if self.current is slice_:
            return
        with Held():
            self.leave()
            slice_.take_process()
            self.current = slice_
            self._entries += 1
            slice_.entry = self._entries

    def leave(self) -> Slice | None:
        """Let the entered environment leave the process; return it, for `resume`."""
        slice_ = self.current
        if slice_ is not None:
            with Held():
                self.current = None
                slice_.give_back()
        return slice_

    def resume(self, slice_: Slice | None) -> None:
        """Enter again the environment that `leave` returned, unless it has been closed since."""
        if slice_ is not None and not slice_.closed:
            self.enter(slice_)

    @contextmanager
    def left(self) -> Iterator[None]:
        """Let the entered environment leave for a while; it enters again whatever raises."""
        slice_ = self.current
        try:
            self.leave()
            yield
        finally:
            self.resume(slice_)


stage = Stage()
