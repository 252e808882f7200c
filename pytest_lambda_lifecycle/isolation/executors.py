"""Tasks that function code gives to executors: which of them are unfinished, and where they began.

The workers of a `ThreadPoolExecutor` wait for the next task when they have done one, so a thread
that is alive says nothing.  Nor does the line that has started the thread: another line may have
submitted the task that it runs now.  So ``submit`` is watched from the first worker on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["ExecutorTasks", "ShutDownExecutors", "is_worker", "line_of_function"]

_ENDING_S: Final = 0.1
"""Seconds that idle workers together have to end."""


def is_worker(thread: threading.Thread) -> bool:
    """Say whether a thread belongs to an executor of `concurrent.futures`."""
    target = getattr(thread, "_target", None)
    return getattr(target, "__module__", "") == "concurrent.futures.thread"


def line_of_function(frame: FrameType) -> str:
    """Return ``file:line`` of the nearest caller that is neither installed nor ours.

    If there is none, it is that of ``frame``.
    """
    found: FrameType | None = frame
    while found is not None:
        file = found.f_code.co_filename
        if not file.startswith("<") and not is_own(found) and not is_installed(folder_of(file)):
            break
        found = found.f_back
    found = found or frame
    return f"{found.f_code.co_filename}:{found.f_lineno}"


class ExecutorTasks:
    """The tasks of one process of the function."""

    def __init__(self) -> None:
        self._tasks: WeakKeyDictionary[Any, tuple[int, str]] = WeakKeyDictionary()
        """The futures, each with the id of its executor, and the line that has submitted it."""
        self._run: CodeType | None = None
        """The code in which a worker runs one task."""
        self._class: Any = None
        """The class of executors, once function code has used it."""
        self._undo: Undo | None = None

    def note_worker(self, worker: threading.Thread, caller: FrameType | None) -> None:
        """Note a worker that begins, and the task that it begins for."""
        namespace: dict[str, Any] = getattr(vars(worker)["_target"], "__globals__", {})
        self._class = namespace.get("ThreadPoolExecutor")
        self._run = getattr(getattr(namespace.get("_WorkItem"), "run", None), "__code__", None)
        self.enter()
        for _ in range(3):
            if caller is None:
                break
            if caller.f_code.co_name == "submit":  # this call is not watched yet
                found = caller.f_locals
                if "f" in found:
                    self._tasks[found["f"]] = id(found["self"]), line_of_function(caller)
                break
            caller = caller.f_back

    def enter(self) -> None:
        """Watch ``submit``, if function code has used an executor."""
        if self._undo is not None or not isinstance(self._class, type):
            return
        original: Any = vars(self._class)["submit"]
        tasks = self._tasks

        def submit(self: Any, /, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = True
            future = original(self, *arguments, **keywords)
            tasks[future] = id(self), line_of_function(sys._getframe(1))
            return future

        self._undo = patch_attributes((self._class, "submit", submit))

    def leave(self) -> None:
        """Watch no longer."""
        if self._undo is not None:
            self._undo()
            self._undo = None

    def line_of_current(self) -> str:
        """Return the line that has submitted the task of the current thread; ``""`` if unknown."""
        future = self._future_in(sys._getframe(1))
        return "" if future is None else self._tasks.get(future, (0, ""))[1]

    def unfinished(
        self, workers: Iterable[tuple[threading.Thread, str]]
    ) -> Iterator[tuple[threading.Thread, str]]:
        """Return the workers that have something to do, each with the line that has submitted it.

        ``workers`` are given with the lines that have started them.
        """
        frames = sys._current_frames()
        frames.pop(threading.get_ident(), None)  # our own frame would hold itself
        pending = {
            id(future): task for future, task in list(self._tasks.items()) if not future.done()
        }
        others: list[threading.Thread] = []
        for worker, where in workers:
            future = self._future_in(frames.get(worker.ident or 0))
            if future is None:
                others.append(worker)
            elif not future.done():
                yield worker, pending.pop(id(future), (0, where))[1]
        for worker in others:  # idle, or about to take a task
            executor = id(vars(worker).get("_args", [id])[0]())
            task = next((key for key, one in pending.items() if one[0] == executor), None)
            if task is not None:
                yield worker, pending.pop(task)[1]

    def _future_in(self, frame: FrameType | None) -> Any:  # noqa: ANN401
        while frame is not None:
            if frame.f_code is self._run:
                return getattr(frame.f_locals.get("self"), "future", None)
            frame = frame.f_back
        return None


class ShutDownExecutors:
    """Executors of a process that ends, which have been shut down so that their workers end.

    One of them may be that of a shared library (motor has one in a module), which the next process
    uses as well.  So it takes tasks again once the process has ended.
    """

    def __init__(self) -> None:
        self._workers: dict[threading.Thread, Any] = {}

    def add(self, executor: Any, worker: threading.Thread) -> None:  # noqa: ANN401
        """Shut the executor of a worker down."""
        executor.shutdown(wait=False, cancel_futures=True)
        self._workers[worker] = executor

    def open_again(self) -> None:
        """Let the executors take tasks again, on workers of their own."""
        until = RealTime.perf_counter() + _ENDING_S
        for worker in self._workers:  # an idle one ends once it has seen that it should
            worker.join(max(0.0, until - RealTime.perf_counter()))
        for executor in self._workers.values():
            executor._threads = set()
            executor._work_queue = type(executor._work_queue)()
            executor._idle_semaphore = threading.Semaphore(0)
            executor._shutdown = False
        self._workers = {}
