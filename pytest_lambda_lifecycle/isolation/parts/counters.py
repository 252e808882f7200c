"""The numbers in the names of threads, pools and child processes: each process counts from 1.

Python counts in the modules, which the test and all environments share.  So a log line with the
name of a thread would have another number in each test.
"""

from __future__ import annotations

import itertools
import threading
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["POOLS", "Counters"]


class _PoolNumbers:
    """The counter of `ThreadPoolExecutor`.

    From Python 3.12 on, the runtime makes such a pool for each event that it waits for.
    """

    __slots__ = ("made", "polls")

    def __init__(self) -> None:
        self.made = 0
        self.polls = 0

    def __call__(self) -> int:
        number = self.made + self.polls
        self.made += 1
        return number


POOLS: Final = "concurrent.futures.thread"
"""The module with the class of pools."""
_PROCESSES: Final = "multiprocessing.process"


class Counters(Part):
    """Gives the process counters of its own; those of the test go on where they were."""

    def __init__(self) -> None:
        self._pools = _PoolNumbers()
        self._threads: Any = None
        self._processes: Any = None
        self._entered = False

    def watch(self, pools: ModuleType) -> None:
        """Set the counter of pools in a module that has just been imported."""
        if self._entered:
            pools.ThreadPoolExecutor._counter = self._pools

    def poll(self) -> None:
        """Note that the runtime waits for an event, on a thread of a pool of its own."""
        self._pools.polls += 1

    def enter(self) -> Undo:
        self._entered = True
        names: Any = threading
        outside = names._counter
        names._counter = self._threads or itertools.count(1).__next__
        pools: Any = held_module(POOLS)
        outside_pools = None
        if pools is not None:
            outside_pools = pools.ThreadPoolExecutor._counter
            pools.ThreadPoolExecutor._counter = self._pools
        processes: Any = held_module(_PROCESSES)
        outside_processes = None
        if processes is not None:
            outside_processes = processes._process_counter
            processes._process_counter = self._processes or itertools.count(1)

        def leave() -> None:
            self._entered = False
            self._threads = names._counter
            names._counter = outside
            pools: Any = held_module(POOLS)
            if pools is not None:
                pools.ThreadPoolExecutor._counter = outside_pools or itertools.count().__next__
            processes: Any = held_module(_PROCESSES)
            if processes is not None:
                self._processes = processes._process_counter
                processes._process_counter = outside_processes or itertools.count(1)

        return leave

    def discard(self) -> None:
        self._pools = _PoolNumbers()
        self._threads = self._processes = None
