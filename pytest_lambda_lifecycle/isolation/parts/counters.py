"""The numbers in the names of threads, pools and child processes: each process counts from 1.

Python counts in the modules, which the test and all environments share.  So a log line with the
name of a thread would have another number in each test.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Final, NamedTuple

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


class _Counter(NamedTuple):
    """The place of a counter, and what makes a new one."""

    module: str
    cls: str
    name: str
    fresh: Callable[[], Any]

    def owner(self) -> Any:  # noqa: ANN401  # a module or a class
        """Return the owner of the attribute; None if nobody has imported the module."""
        module = held_module(self.module)
        return getattr(module, self.cls) if self.cls and module is not None else module


POOLS: Final = "concurrent.futures.thread"
"""The module with the class of pools."""
_POOLS: Final = _Counter(
    POOLS, "ThreadPoolExecutor", "_counter", lambda: itertools.count().__next__
)
_COUNTERS: Final = (
    _Counter("threading", "", "_counter", lambda: itertools.count(1).__next__),
    _POOLS,
    _Counter("multiprocessing.process", "", "_process_counter", partial(itertools.count, 1)),
)


class Counters(Part):
    """Gives the process counters of its own; those of the test go on where they were."""

    def __init__(self) -> None:
        self._pools = _PoolNumbers()
        self._own: dict[_Counter, Any] = {_POOLS: self._pools}
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
        outside: dict[_Counter, Any] = {}
        for counter in _COUNTERS:
            owner = counter.owner()
            if owner is not None:
                outside[counter] = getattr(owner, counter.name, None)
                setattr(owner, counter.name, self._own.get(counter) or counter.fresh())

        def leave() -> None:
            self._entered = False
            for counter in _COUNTERS:
                owner = counter.owner()
                if owner is not None:
                    if counter is not _POOLS:
                        self._own[counter] = getattr(owner, counter.name, None)
                    setattr(owner, counter.name, outside.get(counter) or counter.fresh())

        return leave

    def discard(self) -> None:
        self._pools = _PoolNumbers()
        self._own = {_POOLS: self._pools}
