"""Leftovers: threads, processes and tasks of function code that still run when an invoke ends.

Lambda freezes them; they may continue in a later invoke.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import FrameType
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from pytest_lambda_lifecycle.isolation.executors import is_worker
from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed, namespace_of
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.parts.children import Children
from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads

__all__ = ["Leftovers"]

Found: TypeAlias = "tuple[str, str, str, bool]"
"""Kind, name, where it was started, and whether it is idle."""

_WAITS: Final = frozenset({"threading", "queue"})
"""Modules of the standard library in which a thread waits for another one."""


class Leftovers:
    """Finds threads, timers, executors, child processes and asyncio tasks that are still alive."""

    def __init__(
        self,
        threads: StartedThreads,
        children: Children,
        resting: Callable[[], Collection[threading.Thread]] = frozenset,
    ) -> None:
        """``resting`` are threads of extensions, which wait for their next event."""
        self._threads = threads
        self._resting = resting
        self._children = children
        self._of_function: WeakSet[Any] = WeakSet()
        self._of_others = _NONE
        # Weak dictionaries compute their length in Python.  The plain dictionaries inside them
        # answer in a tenth of the time, and each warm invoke asks.
        self._started = [vars(watched.where)["data"] for watched in (threads, children)]

    def begin(self) -> None:
        """Note the tasks and processes that exist before function code runs."""
        registered = _all_tasks()
        self._of_others = (
            frozenset(registered).difference(self._of_function) if registered else _NONE
        )

    def end(self) -> Iterable[Found]:
        """Return the leftovers of function code that has just run."""
        registered = _all_tasks()
        if registered or any(self._started):
            return self._find(registered)
        return ()

    def _find(self, registered: Sequence[Any]) -> Iterator[Found]:
        if self._threads.where:
            resting = self._resting()
            alive = [one for one in list(self._threads.where.items()) if one[0].is_alive()]
            workers = [one for one in alive if is_worker(one[0])]
            for thread, where in alive:
                if thread not in resting and not is_worker(thread):
                    kind = "timer" if isinstance(thread, threading.Timer) else "thread"
                    yield kind, thread.name, where, _is_idle(thread)
            tasks = self._threads.tasks
            for thread, where in tasks.unfinished(workers) if tasks is not None else ():
                yield "executor", thread.name, where, False
        if self._children.where:
            for child, where in list(self._children.where.items()):
                if child.poll() is None:
                    yield "process", _name_of(child), where, False
        if registered:
            self._of_function.update(
                worker for worker in registered if worker not in self._of_others
            )
            yield from filter(None, map(self._describe, list(self._of_function)))

    def _describe(self, worker: Any) -> Found | None:  # noqa: ANN401
        """Describe an `asyncio.Task` or a `Process`, without importing either."""
        if hasattr(worker, "is_alive"):
            # A forked child still has the list of its parent's children.
            where = self._children.processes.get(worker, "")
            is_child = worker._parent_pid == os.getpid()
            alive = is_child and worker.is_alive()
            return ("process", worker.name, where, False) if alive else None
        if worker.done():
            return None
        coroutine = worker.get_coro()
        code = getattr(coroutine, "cr_code", None)
        label = getattr(code, "co_name", worker.get_name())
        return "task", label, _line_of_task(coroutine), False


def _line_of_task(coroutine: Any) -> str:  # noqa: ANN401
    """Return the innermost line of function code at which a coroutine waits.

    For a coroutine of a library it is the first line of that.
    """
    code = getattr(coroutine, "cr_code", None)
    where = "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None)
        if frame is None:
            break
        file = frame.f_code.co_filename
        if not is_installed(folder_of(file)):
            where = f"{file}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "cr_await", None)
    return where


def _is_idle(thread: threading.Thread) -> bool:
    """Say whether a library keeps the thread, and waits in it for work from another thread.

    A thread that runs a function of the function's own code, or a timer, may be cut off at any
    moment, whatever it waits for.
    """
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None or isinstance(thread, threading.Timer):
        return False
    if frame.f_globals.get("__name__") not in _WAITS:
        return False
    libraries = 0
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_installed(folder_of(file)):
            return False
        libraries += frame.f_globals.get("__name__") not in _WAITS
        frame = frame.f_back
    return libraries > 0


def _name_of(child: subprocess.Popen[Any]) -> str:
    arguments: Any = child.args
    return f"{arguments if isinstance(arguments, str) else arguments[0]} (pid {child.pid})"


_NONE: Final[frozenset[Any]] = frozenset()


_REGISTRIES: Final[list[Any]] = []
"""The registries of asyncio and multiprocessing, once these are loaded."""
_NOT_LOADED: Final = {
    "asyncio.tasks": ("_all_tasks", "_scheduled_tasks"),  # the name differs by version
    "multiprocessing.process": ("_children",),
}
"""The names of registries, by the module that has one of them and was not loaded so far."""


def _all_tasks() -> Sequence[Any]:
    """Return the tasks that asyncio, and the processes that multiprocessing has registered.

    A warm invoke calls this twice.
    """
    if not sys.modules.keys().isdisjoint(_NOT_LOADED):
        _find_registries()
    for registry in _REGISTRIES:
        if getattr(registry, "data", registry):  # cheaper than the length of a weak set
            return [worker for registry in _REGISTRIES for worker in registry]
    return ()


def _find_registries() -> None:
    for module, names in list(_NOT_LOADED.items()):
        known = namespace_of(held_module(module)) or {}
        found = [known[name] for name in names if name in known]
        if found:  # otherwise another thread is importing the module
            _REGISTRIES.append(found[-1])
            del _NOT_LOADED[module]
