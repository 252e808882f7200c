"""Leftovers: threads, processes and tasks of function code that still run when an invoke ends.

Lambda freezes them; they may continue in a later invoke.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from pytest_lambda_lifecycle.isolation.executors import is_worker
from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.parts.children import Children
from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads

__all__ = ["Leftovers"]

Found: TypeAlias = "tuple[str, str, str]"
"""Kind, name, and where it was started."""


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
                    yield kind, thread.name, where
            for thread, where in self._threads.tasks.unfinished(workers) if workers else ():
                yield "executor", thread.name, where
        if self._children.where:
            for child, where in list(self._children.where.items()):
                if child.poll() is None:
                    yield "process", _name_of(child), where
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
            return ("process", worker.name, where) if is_child and worker.is_alive() else None
        if worker.done():
            return None
        code = getattr(worker.get_coro(), "cr_code", None)
        where = f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""
        return "task", getattr(code, "co_name", worker.get_name()), where


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
    for module in _NOT_LOADED:
        if module in sys.modules:
            _find_registries()
            break
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
