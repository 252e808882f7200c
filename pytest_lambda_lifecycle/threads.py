"""Which threads function code has started, and where."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.real_time import RealTime
from pytest_lambda_lifecycle.undoing import Undo, replace_attributes

__all__ = ["StartedThreads", "end_threads", "function_thread", "start_unwatched"]

start_unwatched: Final = threading.Thread.start
"""The real one, for threads of ours: an entered environment takes each that is started for the function's."""

_READING: Final = frozenset({"socket", "ssl", "http.client", "selectors"})

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
    """End threads of the function's with their process, as far as a thread can be ended.

    `SystemExit` is put into each, which it meets when it next runs Python code, and nobody hears of; ``release`` wakes
    those that wait for us.  The ``awaited`` ones together get ``timeout`` s to end.
    """
    awaited = {thread for thread in awaited if thread is not threading.current_thread()}
    others = awaited.union(threads) - {threading.current_thread()}
    until = RealTime.perf_counter() + timeout
    while others:
        frames = sys._current_frames()
        running = {thread for thread in others if _can_be_cut(frames.get(thread.ident or 0))}
        for thread in running:
            vars(thread)["_invoke_excepthook"] = _ended_with_its_process
            _raise_exit_in(thread)
        others = {thread for thread in others - running if thread.is_alive()}
        if not others or RealTime.perf_counter() > until:
            break
        RealTime.sleep(0.001)  # they are being started, or start others, or are about to end
    release()
    for thread in awaited:
        thread.join(max(0.0, until - RealTime.perf_counter()))


def _raise_exit_in(thread: threading.Thread) -> None:
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def _can_be_cut(frame: FrameType | None) -> bool:
    """Say whether a thread can be cut: not while it is being started, or starts another, which would hang either."""
    stack: list[FrameType] = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    if len(stack) < 3 or any(one.f_code is start_unwatched.__code__ for one in stack):
        return False
    first = stack[-3]  # after _bootstrap and _bootstrap_inner
    return first.f_code.co_name == "run" or first.f_globals.get("__name__") != "threading"


def _ended_with_its_process(thread: threading.Thread) -> None:
    """Report nothing: pytest's own hook takes an exit for an error."""


def _start_as_daemon(thread: Any, start: Callable[[threading.Thread], None]) -> None:  # noqa: ANN401
    """Start a thread that the interpreter does not wait for at its end, and which does not know.

    On Lambda it ends with its process; here one that cannot be ended would keep the test session from ending.
    """
    asked = vars(thread).get("_daemonic")
    if asked is not False:
        return start(thread)
    thread._daemonic = True  # read while it starts, and never again
    try:
        start(thread)
    finally:
        thread._daemonic = asked


def _is_worker(thread: threading.Thread) -> bool:
    return getattr(getattr(thread, "_target", None), "__module__", "") == "concurrent.futures.thread"


class StartedThreads:
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

        return replace_attributes((threading.Thread, "start", start))

    def alive(self) -> list[threading.Thread]:
        """Return those that run, but for workers of executors: these would log what ends them."""
        return [one for one in list(self.where) if one.is_alive() and not _is_worker(one)]

    def reading(self) -> list[threading.Thread]:
        """Return those that wait for bytes from a socket, as far as Python code shows: in the library's own modules."""
        if not self.where:
            return []
        frames = sys._current_frames()
        alive = [(thread, frames.get(thread.ident or 0)) for thread in list(self.where) if thread.is_alive()]
        return [thread for thread, frame in alive if frame and frame.f_globals.get("__name__") in _READING]

    def waiting_at(self, port: int) -> set[threading.Thread]:
        """Return those that wait for an answer from a port, by the library's own sockets (`http.client`, urllib3)."""
        frames, found = sys._current_frames(), set[threading.Thread]()
        for thread in self.reading():
            frame = frames.get(thread.ident or 0)
            with contextlib.suppress(Exception):  # it goes on meanwhile; or the socket is another library's
                if frame and frame.f_locals["self"]._sock.getpeername()[1] == port:
                    found.add(thread)
        return found

    def discard(self) -> None:
        self.where.clear()
