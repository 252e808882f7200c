"""Sleeping without waiting: `time.sleep` and timers of event loops move the virtual clock.

Other waits (events, queues, locks, sockets) take real time: they may end because another thread,
process or machine acts, and these act in real time.
"""

from __future__ import annotations

import math
import selectors
import sys
import threading
import time
from typing import Any, Final

from pytest_lambda_lifecycle.clock.virtual import VirtualClock
from pytest_lambda_lifecycle.isolation.parts.threads import function_thread
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.moments import rounded_up_us
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

__all__ = ["VirtualSleep"]

IO_PATIENCE: Final = 0.05
"""Seconds of real time that a loop waits for executors, children and sockets before it jumps."""


class VirtualSleep:
    """Puts `time.sleep` and the event loops of function code under a clock while installed."""

    _sleep = staticmethod(RealTime.sleep)

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._stand_in = self.sleep  # one object: it is found by its identity
        self.captured: Final = ((VirtualSleep._sleep, self._stand_in),)
        """`time.sleep` and its stand-in, where a module has captured it."""

    def install(self) -> Undo:
        """Replace both; the returned call restores them."""
        # freezegun has loaded asyncio already, and a run without a clock need not load it.
        from asyncio import selector_events

        loop_class: Any = selector_events.BaseSelectorEventLoop
        original_init = loop_class.__init__
        virtual = self

        def init(loop: Any, selector: Any = None) -> None:  # noqa: ANN401
            if not virtual.applies():
                original_init(loop, selector)
                return
            real = selectors.DefaultSelector() if selector is None else selector
            original_init(loop, _VirtualSelector(real, loop, virtual))
            loop.time = lambda: virtual._clock.now_us() / 1_000_000
            # asyncio's nanosecond vanishes in a float of this size: a timer that is due would never
            # fire.
            loop._clock_resolution = 1e-6
            _count_executors(loop)

        return patch_attributes((time, "sleep", self._stand_in), (loop_class, "__init__", init))

    def applies(self) -> bool:
        """Say whether function code asks: on the thread of a phase, or on one that it started."""
        return not self._clock.ended and (stage.on_phase_thread() or function_thread() is not None)

    def sleep(self, seconds: float, /) -> None:
        """Stand in for `time.sleep`."""
        # `subprocess` sleeps until a child has ended, which takes real time.  For a bad argument
        # the C function raises the right error.
        for_child = sys._getframe(1).f_globals.get("__name__") == "subprocess"
        if for_child or not self.applies() or not math.isfinite(seconds) or seconds < 0:
            self._sleep(seconds)
        else:
            self.wait(rounded_up_us(seconds))

    def wait(self, span_us: int) -> None:
        """Let ``span_us`` pass, up to the deadline; raise `DeadlineReached` there."""
        clock = self._clock
        until = self._clock.now_us() + span_us
        if stage.on_phase_thread():
            if clock.reaches_deadline(until):
                stage.running[-1].time_is_up(sys._getframe(1))
                raise DeadlineReached
            return
        owner = function_thread()
        clock.wait_on_other_thread(until, lambda: owner in stage.running, _PhaseThread().waits)
        running = stage.running
        if clock.turn.cut and running:  # this thread has come to the deadline, and not the phase's
            running[-1].time_is_up(sys._current_frames().get(stage.thread or 0))


class _PhaseThread:
    """Says whether the thread of the phase waits; only then may another thread move the clock.

    If that thread is merely slow (the machine is busy), a clock that moves would bring it to its
    deadline although it has spent no virtual time.
    """

    _WAITING = (
        "threading",
        "queue",
        "selectors",
        "socket",
        "ssl",
        "subprocess",
        "concurrent.",
        "multiprocessing.",
    )
    _LOOKS = 100
    """Looks at the same instruction, `VirtualClock.PATIENCE` apart, that mean a wait in C code."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._count = 0

    def waits(self) -> bool:
        frame = sys._current_frames().get(stage.thread or 0)
        if frame is None:
            return True
        if frame.f_globals.get("__name__", "").startswith(self._WAITING):
            return True
        seen = (id(frame), frame.f_lasti)
        self._count = self._count + 1 if seen == self._seen else 0
        self._seen = seen
        return self._count >= self._LOOKS


class _VirtualSelector(selectors.BaseSelector):
    """A selector that moves the clock instead of waiting for a timer, if nothing else can come."""

    def __init__(self, real: Any, loop: Any, virtual: VirtualSleep) -> None:  # noqa: ANN401
        self._real = real
        self._loop = loop
        self._virtual = virtual

    def select(self, timeout: float | None = None) -> list[Any]:
        events: list[Any] = self._real.select(0)
        if events or timeout == 0 or (timeout is not None and timeout < 0):
            return events
        if timeout is None:
            return self._real.select(None)  # type: ignore[no-any-return]  # only I/O can end this wait
        if self._in_flight():
            events = self._real.select(IO_PATIENCE)
            if events:
                return events
        self._virtual.wait(math.ceil(timeout * 1_000_000))
        return self._real.select(0)  # type: ignore[no-any-return]

    def _in_flight(self) -> bool:
        """Say whether anything but the loop's wake-up pipe may make it ready in real time."""
        children = any("waitpid" in thread.name for thread in threading.enumerate())
        return children or self._loop._lambda_executors > 0 or len(self._real.get_map() or ()) > 1

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:  # noqa: ANN401
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> Any:  # noqa: ANN401
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any:  # noqa: ANN401
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Any:  # noqa: ANN401
        return self._real.get_map()


def _count_executors(loop: Any) -> None:  # noqa: ANN401  # an event loop with two attributes more
    """Count the calls in executors; an idle worker thread is no sign of work."""
    loop._lambda_executors = 0
    run_in_executor, shutdown = loop.run_in_executor, loop.shutdown_default_executor

    def done(_: object) -> None:
        loop._lambda_executors -= 1

    def counted(executor: Any, function: Any, *arguments: Any) -> Any:  # noqa: ANN401
        future = run_in_executor(executor, function, *arguments)
        loop._lambda_executors += 1
        future.add_done_callback(done)
        return future

    async def counted_shutdown(*arguments: Any) -> None:  # noqa: ANN401
        loop._lambda_executors += 1  # on 3.13 it waits with a timer of 300 s, which must not jump
        try:
            await shutdown(*arguments)
        finally:
            loop._lambda_executors -= 1

    loop.run_in_executor = counted
    loop.shutdown_default_executor = counted_shutdown
