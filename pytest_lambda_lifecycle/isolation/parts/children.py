"""Child processes that function code starts, through `subprocess` or `multiprocessing`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.executors import line_of_function
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["MULTIPROCESSING", "Children"]

MULTIPROCESSING: Final = "multiprocessing.process"
_PATIENCE: Final = 1.0
"""Seconds in which a killed process ends, unless it waits in the kernel."""


class Children(Part):
    """Watches `subprocess.Popen` and `multiprocessing` while the environment is entered.

    On Lambda, the children end with the function's process.  Here one that went on would outlive
    pytest, and `multiprocessing` would wait for its own when the interpreter exits.
    """

    def __init__(self, in_phase: Callable[[], bool]) -> None:
        self._in_phase = in_phase
        self.where: WeakKeyDictionary[subprocess.Popen[Any], str] = WeakKeyDictionary()
        """The children of this process, with the file and line that has started each."""
        self.processes: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        """Those of `multiprocessing`, in the same way."""
        self._undo: list[Undo] = []
        self._entered = False

    def enter(self) -> Undo:
        self._entered = True
        popen: Any = subprocess.Popen
        # Otherwise it is a stand-in of the test, which starts no processes.
        if issubclass(type(popen), type) and hasattr(popen, "poll"):
            self._undo.append(patch_attributes((popen, "__init__", self._watched_popen(popen))))
        module = held_module(MULTIPROCESSING)
        if module is not None:
            self.watch(module)
        return self._leave

    def _leave(self) -> None:
        self._entered = False
        while self._undo:
            self._undo.pop()()

    def _watched_popen(self, popen: Any) -> Callable[..., None]:  # noqa: ANN401
        original = popen.__init__
        watch = self

        def __init__(self: subprocess.Popen[Any], *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401
            original(self, *arguments, **keywords)
            if watch._in_phase():
                watch.where[self] = line_of_function(sys._getframe(1))

        return __init__

    def watch(self, module: ModuleType) -> None:
        """Watch `multiprocessing.process`, which may be imported while a phase runs."""
        if not self._entered:
            return
        cls: Any = vars(module)["BaseProcess"]
        original, watch = cls.start, self

        def start(self: Any) -> None:  # noqa: ANN401
            original(self)
            if watch._in_phase():
                watch.processes[self] = line_of_function(sys._getframe(1))

        self._undo.append(patch_attributes((cls, "start", start)))

    def discard(self) -> None:
        """Kill the children, and wait until they are gone."""
        for child in list(self.where):
            if child.poll() is None:
                child.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_PATIENCE)
        for process in list(self.processes):
            # A forked child still has the list of its parent's children.
            if process._parent_pid == RealOs.getpid() and process.is_alive():
                process.kill()
                process.join(_PATIENCE)
        self.where.clear()
        self.processes.clear()
