"""Threads that function code has started, and the lines that have started them."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from pytest_lambda_lifecycle.errors import is_own_file
from pytest_lambda_lifecycle.isolation.executors import (
    ExecutorTasks,
    ShutDownExecutors,
    is_worker,
    line_of_function,
)
from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = [
    "StartedThreads",
    "end_threads",
    "function_thread",
    "hand_over",
    "is_functions",
    "owner_of",
    "start_unwatched",
    "threads_of",
    "waits_at_our_socket",
    "work_for",
    "workers_of_libraries",
]

start_unwatched: Final = threading.Thread.start
"""Starts a thread of this package; `StartedThreads` attributes others to the function."""

_WAITED_AT: Final = "__socket_of_function__"
"""The local variable, in our frames, with the socket at which a thread of the function waits."""

# `threading.current_thread` would make an object for a thread of `_thread`.
_ACTIVE: Final[dict[int, threading.Thread]] = vars(threading)["_active"]
_DUMMY: Final[Any] = vars(threading)["_DummyThread"]
_OWNERS: WeakKeyDictionary[threading.Thread, Any] = WeakKeyDictionary()
_ENDED: WeakSet[threading.Thread] = WeakSet()
"""Threads that run on although their process has ended."""
_LIMBO: Final[dict[threading.Thread, Any]] = vars(threading).get("_limbo", {})
"""Threads that are about to start."""


def function_thread() -> Any:  # noqa: ANN401  # the owner: a ProcessSlice
    """Return the process whose function has started the current thread, or None."""
    return _OWNERS.get(threading.current_thread())


def threads_of(owners: Sequence[Any]) -> list[threading.Thread]:
    """Return the threads that the functions of some processes have started and that go on."""
    if not _OWNERS:
        return []
    return [
        thread
        for thread, owner in list(_OWNERS.items())
        if owner in owners and thread not in _ENDED and (thread.is_alive() or thread in _LIMBO)
    ]


def workers_of_libraries(owners: Sequence[Any]) -> list[threading.Thread]:
    """Return threads of shared libraries that functions of other processes have started.

    A library may keep them, and give them work of any process (the threads of trio and anyio).
    """
    if not _OWNERS:
        return []
    return [
        thread
        for thread, owner in list(_OWNERS.items())
        if owner not in owners and _is_of_library(thread) and thread.is_alive()
    ]


def work_for(owner: Any) -> None:  # noqa: ANN401
    """Let the current thread work for a process, if a shared library keeps it."""
    thread = threading.current_thread()
    if _is_of_library(thread):
        hand_over(thread, owner)


def _is_of_library(thread: Any) -> bool:  # noqa: ANN401  # a private attribute of Thread
    target = getattr(thread, "_target", None) or type(thread).run
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    if code is None or is_own_file(code.co_filename):  # such as a stand-in of `time.sleep`
        return False
    return is_installed(folder_of(code.co_filename))


def owner_of(thread: threading.Thread) -> Any:  # noqa: ANN401
    """Return the process whose function has started a thread, or None."""
    return _OWNERS.get(thread)


def is_functions(thread: threading.Thread) -> bool:
    """Say whether function code has started a thread."""
    return thread in _OWNERS


def waits_at_our_socket(frame: FrameType) -> bool:
    """Say whether a frame waits at a socket of the function, such as for the next event."""
    return _WAITED_AT in frame.f_code.co_varnames


def hand_over(thread: threading.Thread, owner: Any) -> None:  # noqa: ANN401
    """Let a worker that the function of one process has started work for another one."""
    if thread in _OWNERS:
        _OWNERS[thread] = owner
        _ENDED.discard(thread)


def end_threads(
    threads: Iterable[threading.Thread],
    awaited: Iterable[threading.Thread],
    release: Callable[[], None],
    timeout: float,
) -> None:
    """End threads of the function with their process, as far as a thread can be ended.

    ``release`` wakes those that wait for one of our sockets, which then meet `SystemExit`.  The
    ``awaited`` ones together get ``timeout`` s to end.  Exceptions of all ``threads`` are ignored
    from now on.

    (Python could raise an exception in each thread, but CPython 3.11 hangs after that as soon as
    the thread is traced, as by coverage, until it runs.)
    """
    for thread in threads:
        _ignore_exceptions(thread)
    release()
    until = RealTime.perf_counter() + timeout
    for thread in awaited:
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - RealTime.perf_counter()))


def _ignore_exceptions(thread: Any) -> None:  # noqa: ANN401  # a private attribute of Thread
    """Let a running thread end in silence, whatever it raises.

    Such a thread may end when its environment has long left.  Then `threading.excepthook` is the
    hook of pytest, which reports an exit as an error of some later test.  The thread calls the hook
    through an attribute of its own, and that is the one place that belongs to this thread alone.
    """
    thread._invoke_excepthook = _report_nothing


def _report_nothing(thread: threading.Thread) -> None:
    """Ignore an exception on a thread."""


def _start_as_daemon(thread: Any, start: Callable[[threading.Thread], None]) -> None:  # noqa: ANN401
    """Start a non-daemon thread as a daemon without telling it.

    On Lambda it dies with its process.  Here one that cannot be ended would keep pytest from
    exiting, as the interpreter waits for its threads.  Function code that asks finds
    ``daemon=False`` all the same: Python reads the private attribute while the thread starts (3.13
    passes it to C, earlier versions register the lock to wait for), and never again.
    """
    __tracebackhide__ = __function_code_above__ = True
    asked = vars(thread).get("_daemonic")
    if asked is not False:
        return start(thread)
    thread._daemonic = True
    try:
        start(thread)
    except BaseException:
        vars(threading).get("_limbo", {}).pop(thread, None)  # it is listed as about to start
        raise
    finally:
        thread._daemonic = asked


def _let_interpreter_exit(thread: threading.Thread) -> None:
    """Let the interpreter end without this thread of a process that has ended; cancel its tasks.

    `concurrent.futures` joins its threads when the interpreter exits, daemons as well.  It finds
    them in a registry of its own: that of workers, or that of threads that manage processes.  The
    executor itself goes on: it may be that of a library, which the next environment uses too.
    """
    code = thread._target if is_worker(thread) else type(thread).run  # type: ignore[attr-defined]
    namespace: dict[str, Any] = getattr(code, "__globals__", {})
    tasks = namespace.get("_threads_queues", {}).pop(thread, None)
    namespace.get("_threads_wakeups", {}).pop(thread, None)
    if tasks is None:
        return
    while not tasks.empty():
        with contextlib.suppress(Exception):  # the worker has taken the last one in the meantime
            task = tasks.get_nowait()
            if task is not None:
                task.future.cancel()
    tasks.put(None)  # the worker looks whether its executor has been shut down


class StartedThreads(Part):
    """Watches `threading.Thread.start` while the environment is entered."""

    def __init__(self, owner: Callable[[], Any], in_phase: Callable[[], bool]) -> None:
        """``owner`` returns the process that the threads belong to."""
        self._owner = owner
        self._in_phase = in_phase
        self.where: WeakKeyDictionary[threading.Thread, str] = WeakKeyDictionary()
        """The threads of this process, with the file and line that has started each."""
        self.tasks: ExecutorTasks | None = None
        """Those of executors, once function code has used one."""
        self._shut_down = ShutDownExecutors()

    def line_of_current(self) -> str:
        """Return the line that has started the current thread, or has given a worker its task.

        ``""`` if that is unknown.
        """
        thread = threading.current_thread()
        if is_worker(thread):
            return "" if self.tasks is None else self.tasks.line_of_current()
        return self.where.get(thread, "")

    def is_of_test(self, is_function_code: Callable[[dict[str, Any]], bool]) -> bool:
        """Say whether the current thread is one of the test's own, such as that of a server.

        So is one that runs on although its process has ended: it writes on no log any more.
        It is none where phases run on it, or where function code has started it.  Neither is it one
        while it runs function code: a library that the test uses too may have given it a task of
        the function, and nobody sees who starts a thread of `_thread`.  When such a thread dies,
        Python calls one of our hooks on it, and nothing else.  ``is_function_code`` says of the
        globals of a frame whether they are those of function code.
        """
        ident = threading.get_ident()
        if ident == stage.thread:
            return False
        thread = _ACTIVE.get(ident)
        if thread is not None and thread in _OWNERS:
            return thread in _ENDED or _OWNERS[thread] is not self._owner()
        frame = sys._getframe(1)
        while not is_function_code(frame.f_globals):
            if frame.f_back is None:
                return (thread is not None and not isinstance(thread, _DUMMY)) or not is_own(frame)
            frame = frame.f_back
        return False

    def enter(self) -> Undo:
        original: Any = threading.Thread.start
        watch = self

        def start(self: threading.Thread) -> None:
            __tracebackhide__ = __function_code_above__ = True
            if watch._in_phase() or _OWNERS.get(threading.current_thread()) is watch._owner():
                _OWNERS[self] = watch._owner()
                frame = sys._getframe(1)
                watch.where[self] = line_of_function(frame)
                if is_worker(self):
                    watch.tasks = watch.tasks or ExecutorTasks()
                    watch.tasks.note_worker(self, frame)
                _start_as_daemon(self, original)
            else:
                original(self)

        undo = patch_attributes((threading.Thread, "start", start))
        if self.tasks is not None:
            self.tasks.enter()

        def leave() -> None:
            if self.tasks is not None:
                self.tasks.leave()
            undo()

        return leave

    def alive(self) -> list[threading.Thread]:
        """Return the threads that run, without the workers of executors.

        A worker would log the exception that ends it, so its executor is shut down instead.
        """
        running = [one for one in list(self.where) if one.is_alive()]
        for worker in filter(is_worker, running):
            with contextlib.suppress(Exception):  # it has ended in the meantime
                self._shut_down.add(vars(worker)["_args"][0](), worker)
        return [one for one in running if not is_worker(one)]

    def waiting_at(self, port: int) -> set[threading.Thread]:
        """Return the threads that wait for an answer from one of our ports."""
        frames = sys._current_frames()
        # Our own frame would hold itself, and so the environment.
        frames.pop(threading.get_ident(), None)
        found = set[threading.Thread]()
        for thread in list(self.where):
            frame = frames.get(thread.ident or 0)
            if frame is not None and _WAITED_AT in frame.f_code.co_varnames:
                with contextlib.suppress(Exception):  # the thread goes on in the meantime
                    if frame.f_locals[_WAITED_AT].getpeername()[1] == port:
                        found.add(thread)
        return found

    def discard(self) -> None:
        running = [thread for thread in list(self.where) if thread.is_alive()]
        for thread in running:
            _let_interpreter_exit(thread)
        _ENDED.update(running)
        own = [thread for thread in running if not _is_of_library(thread)]
        if own and stage.virtual_time is not None:
            for thread in own:
                _ignore_exceptions(thread)
            stage.virtual_time.end_threads(own)
        self.where.clear()
        self.tasks = None
        self._shut_down.open_again()
