"""Which threads function code has started, and where."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["StartedThreads", "end_threads", "function_thread", "is_worker", "start_unwatched"]

start_unwatched: Final = threading.Thread.start
"""The real one, for threads of ours: an entered environment takes each that is started for the
function's.
"""

_WAITED_AT: Final = "__socket_of_function__"
"""The local variable, in a frame of ours, that holds the socket at which a thread of function code
waits.
"""

_OWNERS: WeakKeyDictionary[threading.Thread, Any] = WeakKeyDictionary()


def function_thread() -> Any:  # noqa: ANN401  # the owner: a ProcessSlice
    """Return the process to whose function the current thread belongs, or None."""
    return _OWNERS.get(threading.current_thread())


def end_threads(
    threads: Iterable[threading.Thread],
    awaited: Iterable[threading.Thread],
    release: Callable[[], None],
    timeout: float,
) -> None:
    """Let threads of the function's end with their process, as far as a thread can be ended.

    ``release`` wakes those that wait for us, which then meet `SystemExit`; the ``awaited`` ones
    together get ``timeout`` s to end.  Nobody hears any more of what the ``threads`` raise.
    (Python could put an exception into each, but CPython 3.11 then hangs as soon as it is traced,
    as by coverage, until that thread runs.)
    """
    for thread in threads:
        vars(thread)["_invoke_excepthook"] = _ended_with_its_process
    release()
    until = RealTime.perf_counter() + timeout
    for thread in awaited:
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - RealTime.perf_counter()))


def _ended_with_its_process(thread: threading.Thread) -> None:
    """Report nothing: pytest's own hook takes an exit for an error."""


def _start_as_daemon(thread: Any, start: Callable[[threading.Thread], None]) -> None:  # noqa: ANN401
    """Start a thread that the interpreter does not wait for at its end, and which does not know.

    On Lambda it ends with its process; here one that cannot be ended would keep the test session
    from ending.
    """
    asked = vars(thread).get("_daemonic")
    if asked is not False:
        return start(thread)
    thread._daemonic = True  # read while it starts, and never again
    try:
        start(thread)
    finally:
        thread._daemonic = asked


def is_worker(thread: threading.Thread) -> bool:
    """Say whether a thread is one of an executor."""
    return (
        getattr(getattr(thread, "_target", None), "__module__", "") == "concurrent.futures.thread"
    )


class StartedThreads(Part):
    """Watches `threading.Thread.start` while the environment is entered.  A part of the process."""

    def __init__(self, owner: Callable[[], Any], in_phase: Callable[[], bool]) -> None:
        self._owner = owner
        self._in_phase = in_phase
        self.where: WeakKeyDictionary[threading.Thread, str] = WeakKeyDictionary()

    def enter(self) -> Undo:
        original: Any = threading.Thread.start
        watch = self

        def start(self: threading.Thread) -> None:
            if watch._in_phase() or _OWNERS.get(threading.current_thread()) is watch._owner():
                _OWNERS[self] = watch._owner()
                frame = sys._getframe(1)
                watch.where[self] = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                _start_as_daemon(self, original)
            else:
                original(self)

        return patch_attributes((threading.Thread, "start", start))

    def alive(self) -> list[threading.Thread]:
        """Return those that run, but for workers of executors: these would log what ends them, and
        are told to end.
        """
        running = [one for one in list(self.where) if one.is_alive()]
        for worker in filter(is_worker, running):
            with contextlib.suppress(Exception):  # it has ended meanwhile
                executor: Any = vars(worker)["_args"][0]()
                executor.shutdown(wait=False, cancel_futures=True)
        return [one for one in running if not is_worker(one)]

    def waiting_at(self, port: int) -> set[threading.Thread]:
        """Return those that wait for an answer from a port of ours."""
        frames, found = sys._current_frames(), set[threading.Thread]()
        frames.pop(
            threading.get_ident(), None
        )  # this one would hold itself, and the environment with it
        for thread in list(self.where):
            frame = frames.get(thread.ident or 0)
            if frame is not None and _WAITED_AT in frame.f_code.co_varnames:
                with contextlib.suppress(Exception):  # it goes on meanwhile
                    if frame.f_locals[_WAITED_AT].getpeername()[1] == port:
                        found.add(thread)
        return found

    def discard(self) -> None:
        self.where.clear()
