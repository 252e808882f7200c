"""Stand-ins for the waits of Python code: sleeps, conditions, locks, queues and joins.

`threading.Event`, `Semaphore`, `Barrier`, `queue.Queue`, the futures of `concurrent.futures` and
its `wait` all wait at a `Condition`.  A thread that is none of the function's waits in real time.
"""

from __future__ import annotations

import _queue
import contextlib
import functools
import math
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.clock.c_types import replace_methods
from pytest_lambda_lifecycle.clock.lines import LockLines
from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.schedule import Schedule
from pytest_lambda_lifecycle.clock.waiting import (
    LOCK_TYPE,
    RLOCK_TYPE,
    Waiting,
    raw_acquire,
    raw_acquire_rlock,
)
from pytest_lambda_lifecycle.isolation.interruption import waits_for_debugger
from pytest_lambda_lifecycle.isolation.parts.threads import (
    function_thread,
    hand_over,
    is_functions,
    start_unwatched,
    threads_of,
)
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.moments import rounded_up_us
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

__all__ = ["Waits"]

_OURS: Final = __name__.partition(".")[0]
_get_ident: Final = threading.get_ident
_SimpleQueue: Final[Any] = _queue.SimpleQueue
_SEMAPHORE_ACQUIRE: Final = threading.Semaphore.acquire.__code__
_EVENT_WAIT: Final = threading.Event.wait.__code__
_THREAD_START: Final = start_unwatched.__code__


class Waits:
    """The waits of function code under a clock, while installed."""

    def __init__(self, clock: MovingClock, schedule: Schedule) -> None:
        self._clock = clock
        self.schedule = schedule
        self._lines = LockLines(clock, schedule)
        self._asked = (0, 0)
        """The thread that has waited for 0 s latest, and the moment."""
        self._getting: dict[int, list[tuple[Waiting, threading.Thread]]] = {}
        """Threads that wait for an item of a queue, by the id of the queue."""

    def install(self) -> Undo:
        """Put the stand-ins in place; the returned call restores what was there."""
        restore_c = replace_methods(
            *((cls, name, self._lock_method(cls)) for cls, name in _LOCK_METHODS),
            (_SimpleQueue, "get", self._queue_get()),
            (_SimpleQueue, "put", self._queue_put(_SimpleQueue.put)),
            (_SimpleQueue, "put_nowait", self._queue_put(_SimpleQueue.put_nowait)),
        )
        try:
            restore = patch_attributes(
                (threading.Condition, "wait", self._condition_wait()),
                (threading.Thread, "join", self._thread_join()),
            )
        except BaseException:
            restore_c()
            raise

        def undo() -> None:
            restore()
            restore_c()

        return undo

    def applies(self) -> bool:
        """Say whether function code asks: on the thread of a phase, or on one that it started."""
        asks = not self._clock.ended and (stage.on_phase_thread() or function_thread() is not None)
        return asks and not waits_for_debugger()

    def until(self, seconds: float) -> int:
        """Return the moment after so many seconds.

        It is never the present one: a loop that waits for the rest of a span would not end.
        """
        return self._clock.now_us() + max(1, rounded_up_us(min(seconds, threading.TIMEOUT_MAX)))

    # -- sleeping ----------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Stand in for `time.sleep`."""
        __tracebackhide__ = True
        # `subprocess` sleeps until a child has ended, which takes real time.  For a bad argument
        # the C function raises the right error.
        for_child = sys._getframe(2).f_globals.get("__name__") == "subprocess"
        if for_child or not self.applies() or not math.isfinite(seconds) or seconds <= 0:
            RealTime.sleep(seconds)
        else:
            self.pass_time(max(1, rounded_up_us(seconds)))

    def pass_time(self, span_us: int) -> None:
        """Let ``span_us`` pass, up to the deadline; raise `DeadlineReached` there."""
        __tracebackhide__ = True
        until = self._clock.now_us() + span_us
        on_phase = stage.on_phase_thread()
        if on_phase and not self.schedule.timers.any and not threads_of(stage.running):
            if self._clock.reaches_deadline(until):
                stage.running[-1].time_is_up(sys._getframe(1))
                raise DeadlineReached
        else:
            self.schedule.wait(Waiting(until))

    # -- conditions and joins ----------------------------------------------------------------------

    def _condition_wait(self) -> Callable[..., bool]:
        original: Any = threading.Condition.wait
        waits = self

        @functools.wraps(original)
        def wait(self: Any, timeout: float | None = None) -> bool:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            in_time = timeout is None or 0 < timeout < math.inf or waits._asks_again(timeout)
            if not in_time or not waits.applies() or not self._is_owned():
                return bool(original(self, timeout))
            if _asked_by_us():
                return bool(waits._in_real_time(original, self, timeout))
            due_us = None if timeout is None else waits.until(timeout)
            waiting = Waiting(due_us, may_be_told=True)
            waiting.joins = functools.partial(waits._lines.join, self._lock)
            self._waiters.append(waiting)
            state = self._release_save()
            try:
                waits.schedule.wait(waiting)
            finally:
                waits._take_again(self, state, waiting)
                if not waiting.told and waiting in self._waiters:
                    self._waiters.remove(waiting)
            if waiting.told or waiting.timed_out:
                return waiting.told
            return bool(original(self, timeout))  # the clock has ended

        return wait

    def _in_real_time(self, wait: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Call something that waits at locks, in real time."""
        with self.schedule.in_real_time():
            return wait(*arguments)

    def _asks_again(self, timeout: float) -> bool:
        """Say whether the thread waits for 0 s once more at the same moment.

        `concurrent.futures.as_completed` does so until less than 0 s are left, and waits for ever
        if time stands still.  `Semaphore.acquire` only asks.
        """
        if timeout != 0 or sys._getframe(2).f_code is _SEMAPHORE_ACQUIRE:
            return False
        asks = _get_ident(), self._clock.now_us()
        before, self._asked = self._asked, asks
        return asks == before

    def _take_again(self, condition: Any, state: Any, waiting: Waiting) -> None:  # noqa: ANN401
        """Take the lock of a condition as it was before, at the deadline as well."""
        lock = condition._lock
        if type(lock) not in (LOCK_TYPE, RLOCK_TYPE):
            condition._acquire_restore(state)
            return
        took = False
        with contextlib.suppress(DeadlineReached):
            took = self._lines.take(lock, None, waiting)
        if not took:  # it is the deadline, or the clock has ended
            (raw_acquire if type(lock) is LOCK_TYPE else raw_acquire_rlock)(lock)
            self._lines.holders[id(lock)] = _get_ident()
        if type(lock) is RLOCK_TYPE and state[0] > 1:
            lock.release()
            condition._acquire_restore(state)

    def _thread_join(self) -> Callable[..., Any]:
        original: Any = threading.Thread.join
        waits = self

        @functools.wraps(original)
        def join(self: threading.Thread, timeout: float | None = None) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            short = timeout is not None and not 0 < timeout < math.inf
            waits_here = not short and self.is_alive() and waits.applies()
            if not waits_here or self is threading.current_thread():
                return original(self, timeout)
            if _asked_by_us():
                return waits._in_real_time(original, self, timeout)
            ended = Waiting(
                None if timeout is None else waits.until(timeout), lambda: not self.is_alive()
            )
            waits.schedule.wait(ended, looks=True)
            if waits._clock.ended or not self.is_alive():
                return original(self, timeout)
            return None

        return join

    # -- locks -------------------------------------------------------------------------------------

    def _lock_method(self, cls: Any) -> Callable[..., bool]:  # noqa: ANN401
        """Return the stand-in for `acquire` and ``__enter__`` of one of the two kinds of lock."""
        original = cls.acquire
        waits, real, lines = self, self.schedule.real, self._lines
        holders = lines.holders

        def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            if original(self, False):
                holders[id(self)] = _get_ident()
                return True
            forever = timeout == -1
            in_time = blocking and (forever or 0 < timeout < math.inf)
            if not in_time or _get_ident() in real or not waits.applies():
                return bool(original(self, blocking, timeout))
            until = None if forever else waits.until(timeout)
            if lines.take(self, until, object()):
                return True
            return waits._clock.ended and bool(original(self, blocking, timeout))

        return acquire

    # -- queues ------------------------------------------------------------------------------------

    def _queue_get(self) -> Callable[..., Any]:
        original = _SimpleQueue.get
        waits = self

        def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            bad = timeout is not None and not 0 < timeout < math.inf
            if not block or bad or not self.empty() or not waits.applies():
                return original(self, block, timeout)
            until = None if timeout is None else waits.until(timeout)
            while True:
                waiting = Waiting(until, lambda: not self.empty())
                getting = waits._getting.setdefault(id(self), [])
                entry = waiting, threading.current_thread()
                getting.append(entry)
                try:
                    has_time = waits.schedule.wait(waiting)
                finally:
                    getting.remove(entry)
                    if not getting:
                        waits._getting.pop(id(self), None)
                if waits._clock.ended:
                    return original(self, block, timeout)
                try:
                    return original(self, False)
                except _queue.Empty:
                    if not has_time:
                        raise

        return get

    def _queue_put(self, original: Any) -> Callable[..., None]:  # noqa: ANN401
        waits = self

        def put(self: Any, item: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401
            original(self, item, *arguments, **keywords)
            for waiting, thread in waits._getting.get(id(self), ()):
                if not waiting.woken:
                    owner = stage.running[-1] if stage.on_phase_thread() else function_thread()
                    if owner is not None:
                        hand_over(thread, owner)
                    waiting.wake()
                    break

        return put


_LOCK_METHODS: Final = tuple(
    (cls, name)
    for cls in (LOCK_TYPE, RLOCK_TYPE)
    for name in ("acquire", "acquire_lock", "__enter__")
    if name in cls.__dict__
)


def _asked_by_us() -> bool:
    """Say whether the caller of a stand-in is this package, whose own waits are real.

    So is the wait for a thread that starts and is none of the function's.
    """
    frame = sys._getframe(2)
    name = frame.f_globals.get("__name__")
    if frame.f_code is _EVENT_WAIT and frame.f_back is not None:
        starting = frame.f_back
        if starting.f_code is _THREAD_START:
            return not is_functions(starting.f_locals["self"])
    return isinstance(name, str) and name.startswith(_OURS)
