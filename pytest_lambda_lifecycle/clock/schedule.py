"""The threads of the function in virtual time: who waits, and for which moment.

Virtual time moves only when every thread of the function waits; then it moves to the moment that is
due first, and the thread that waits for it runs.  Until it waits again, time stands still.  So the
order of events is that of their moments, however fast or slow the machine is.

All waits of Python code come through here while a clock runs (`waits`).  Other real ways to find
out who waits were tried.  The frames of other threads do not tell a wait in C from a computation,
and a patience of some milliseconds takes a slow machine for a wait.

The thread of the phase looks after the others while it waits: a thread that ends, a lock that is
released and a socket that becomes ready do not tell us.
"""

from __future__ import annotations

import itertools
import sys
import threading
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.real_work import RealWork
from pytest_lambda_lifecycle.clock.timers import Timers
from pytest_lambda_lifecycle.clock.waiting import Mutex, Waiting, raw_acquire
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.parts.threads import (
    function_thread,
    threads_of,
    work_for,
    workers_of_libraries,
)
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Schedule"]

_FIRST_LOOK: Final = 0.0002
_LAST_LOOK: Final = 0.01
"""Seconds of real time between two looks at the others, which become longer and longer."""
_FOR_OTHERS: Final = 0.25
"""Seconds of real time before a wait that is no sleep lasts until the deadline.

Somebody outside of the function may end it, such as a thread of the test.
"""

_TO_END: Final = 0.2
"""Seconds of real time in which threads of a process that has ended are to end."""


class Schedule:
    """What is due, over all threads of the function."""

    def __init__(self, clock: MovingClock) -> None:
        self._clock = clock
        self.timers = Timers(clock, self.next_number)
        self._mutex = Mutex()
        self._waiting: dict[int, Waiting] = {}
        self._work = RealWork(clock.watchdog / 2)
        self._numbers = itertools.count(1)
        self.signal_waits: dict[int, tuple[set[int], Waiting]] = {}
        """Threads that wait for signals, with the numbers."""
        self.real: set[int] = set()
        """Threads that wait for locks in real time now."""

    @contextmanager
    def in_real_time(self) -> Iterator[None]:
        """Let the current thread wait for locks in real time."""
        ident = threading.get_ident()
        outer = ident in self.real
        self.real.add(ident)
        try:
            yield
        finally:
            if not outer:
                self.real.discard(ident)

    def next_number(self) -> int:
        """Return a number for something that is due: of two at one moment, the older is first."""
        return next(self._numbers)

    def wait(self, waiting: Waiting, *, looks: bool = False) -> bool:
        """Wait; return False if the time has come, and True if anything else has.

        ``looks`` is for waits for something that tells nobody when it is ready.  On the thread of
        the phase, the deadline raises `DeadlineReached`.
        """
        ident = threading.get_ident()
        in_phase = stage.on_phase_thread()
        self._check(waiting, in_phase)
        if not in_phase and stage.running and function_thread() not in stage.running:
            work_for(stage.running[-1])
        self._work.forget(ident)
        waiting.number = self.next_number()
        outer = self._waiting.get(ident)
        self._waiting[ident] = waiting
        try:
            self._look()
            while True:
                self._until_woken(waiting, looks=looks or in_phase)
                if waiting.ring is None:
                    break
                # A signal handler of the function, which may wait as well, or raise.
                ring, waiting.ring = waiting.ring, None
                del self._waiting[ident]
                ring(_frame_of_function())
                self._check(waiting, in_phase)
                self._waiting[ident] = waiting
                waiting.again()
                self._look()
        finally:
            if outer is not None:
                self._waiting[ident] = outer
            else:
                self._waiting.pop(ident, None)
        if waiting.cut:
            self._note_place()
            raise DeadlineReached
        if waiting.exits:
            raise SystemExit
        return not waiting.timed_out

    def _check(self, waiting: Waiting, in_phase: bool) -> None:
        if in_phase and self._clock.turn.cut:
            with self.in_real_time():
                if waiting.goes_on():
                    return
            self._note_place()
            raise DeadlineReached

    def _note_place(self) -> None:
        """Note where function code is at its deadline."""
        with self.in_real_time():
            stage.running[-1].time_is_up(sys._getframe(1))

    def _until_woken(self, waiting: Waiting, *, looks: bool) -> None:
        if not looks:
            raw_acquire(waiting.lock)
            return
        pause = _FIRST_LOOK
        while not raw_acquire(waiting.lock, True, pause):
            pause = min(pause * 2, _LAST_LOOK)
            with self.in_real_time():
                goes_on = waiting.goes_on()
            if not goes_on:
                self._look()

    def thread_for_signal(self, number: int) -> int:
        """Return the thread that gets a signal that is blocked, and wake it if it waits for one."""
        for ident, (numbers, waiting) in list(self.signal_waits.items()):
            if number in numbers:
                waiting.wake()
                return ident
        return threading.get_ident()

    def end_threads(self, threads: Iterable[threading.Thread]) -> None:
        """Let threads whose process has ended meet `SystemExit` where they wait."""
        ended = []
        for thread in threads:
            waiting = self._waiting.get(thread.ident or 0)
            if waiting is not None:
                waiting.exits = True
                waiting.wake()
                ended.append(thread)
        until = RealTime.perf_counter() + _TO_END
        for thread in ended:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - RealTime.perf_counter()))

    def end(self) -> None:
        """Wake all: the clock has ended."""
        with self._mutex:
            for waiting in list(self._waiting.values()):
                waiting.wake()

    # -- who goes on -------------------------------------------------------------------------------

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until something is true, for this package; `DeadlineReached` ends it at the latest.

        It is for the thread of the phase.
        """
        __tracebackhide__ = True
        if not ready():
            self.wait(Waiting(None, ready))

    def _look(self) -> None:
        """Let somebody go on, if every thread of the function waits."""
        with self._mutex, self.in_real_time():
            phase = self._waiting.get(stage.thread or 0)
            if phase is None or not stage.running:
                return
            everybody = self._who_waits(phase)
            # A thread that was at work in the first look may have woken one that waited then.
            if everybody and everybody == self._who_waits(phase):
                self._move(phase, everybody)

    def _who_waits(self, phase: Waiting) -> list[Waiting]:
        """Return how each thread waits; nothing if one of them runs, or will run without us."""
        runs = phase.goes_on()
        threads = threads_of(stage.running)
        idents = {stage.thread, *(thread.ident for thread in threads)}
        everybody = [phase]
        for thread in threads:
            waiting = self._waiting.get(thread.ident or 0)
            if waiting is None:
                runs = self._work.holds_time(thread) or runs
            elif waiting.goes_on():
                runs = True
            else:
                everybody.append(waiting)
        for thread in workers_of_libraries(stage.running):
            waiting = self._waiting.get(thread.ident or 0)
            if waiting is None:
                runs = self._work.holds_time(thread) or runs
            elif waiting.goes_on():
                runs = True
        now = RealTime.perf_counter()
        for waiting in everybody:
            patience = waiting.stands_still
            if waiting.holder is not None and waiting.holder() not in idents:
                patience = _FOR_OTHERS  # the lock belongs to somebody outside of the function
            runs = runs or (patience > 0 and now - waiting.since < patience)
        return [] if runs else everybody

    def _move(self, phase: Waiting, everybody: list[Waiting]) -> None:
        """Move time to the moment that is due first, and let its thread go on."""
        clock = self._clock
        due = [(one.due_us, one.number, one) for one in everybody if one.due_us is not None]
        first = min(due, default=None, key=lambda one: one[:2])
        timer = self.timers.next()
        deadline = clock.turn.deadline_us
        if timer is not None and (first is None or timer.key < first[:2]):
            if deadline is None or timer.due_us <= deadline:
                clock.move(timer.due_us)
                phase.ring = timer.ring
                phase.wake()
                return
            first = None
        if first is not None and (deadline is None or first[0] <= deadline):
            clock.move(first[0])
            first[2].timed_out = True
            first[2].wake()
        elif deadline is not None:
            sleeps = phase.due_us is not None and phase.ready is None and not phase.may_be_told
            if not sleeps and RealTime.perf_counter() - phase.since < _FOR_OTHERS:
                return
            clock.move(deadline)
            clock.turn.cut = phase.cut = True
            phase.wake()


def _frame_of_function() -> FrameType | None:
    """Return the frame that a signal handler is given: that of function code, or of a library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_own(frame):
        frame = frame.f_back
    return frame
