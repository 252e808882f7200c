"""Child processes that function code starts, through `subprocess` or `multiprocessing`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.child_output import ChildOutput, can_read_children
from pytest_lambda_lifecycle.isolation.executors import line_of_function
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.outlet import outlet_of
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import AttributePatch, Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["MULTIPROCESSING", "Children"]

MULTIPROCESSING: Final = "multiprocessing.process"
_PATIENCE: Final = 1.0
"""Seconds in which a killed process ends, unless it waits in the kernel."""
_POSITIONAL: Final = ("args", "bufsize", "executable", "stdin", "stdout", "stderr")
"""The first parameters of `Popen`."""


class Outputs(Protocol):
    """The streams of the function (`Streams`)."""

    def open_child(self, name: str) -> ChildOutput:
        """Return the place for the output of a child of the function, for one stream."""
        ...

    def forked(self, outputs: Mapping[str, ChildOutput]) -> AbstractContextManager[None]:
        """Let a child that is forked meanwhile write to ``outputs``, by names of streams."""
        ...


class Children(Part):
    """Watches `subprocess.Popen` and `multiprocessing` while the environment is entered.

    On Lambda, the children end with the function's process.  Here one that went on would outlive
    pytest, and `multiprocessing` would wait for its own when the interpreter exits.
    """

    def __init__(
        self, in_phase: Callable[[], bool], outputs: Callable[[], Outputs | None] = lambda: None
    ) -> None:
        """``in_phase`` says whether the current thread runs function code.

        ``outputs`` returns the streams of the function.
        """
        self._in_phase = in_phase
        self._outputs = outputs
        self._reading: list[ChildOutput] = []
        self._read: WeakKeyDictionary[Any, list[ChildOutput]] | None = None
        """The output of each child; None before the first one."""
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
            patches: list[AttributePatch] = [(popen, "__init__", self._watched_popen(popen))]
            system = os.system
            if type(system) is BuiltinFunctionType:  # and no stand-in of the test
                patches.append((os, "system", partial(self._system, popen, system)))
            self._undo.append(patch_attributes(*patches))
            if self._read is not None:
                self._watch_wait(popen)
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
            if not watch._in_phase():
                original(self, *arguments, **keywords)
                return
            given = dict(zip(_POSITIONAL, arguments, strict=False)) | keywords
            outputs = watch._inherited(given)
            rest = arguments[len(_POSITIONAL) :]
            try:
                if outputs and not rest:
                    original(self, **given)
                else:
                    original(self, *arguments, **keywords)
            finally:
                watch._begin(outputs)
            if outputs:
                watch._note(popen, self, outputs)
            watch.where[self] = line_of_function(sys._getframe(1))

        return __init__

    def _note(self, popen: Any, child: Any, outputs: list[ChildOutput]) -> None:  # noqa: ANN401
        """Note a child with output; the first one makes us watch for the end of each."""
        if self._read is None:
            self._read = WeakKeyDictionary()
            self._watch_wait(popen)
        self._read[child] = outputs

    def _watch_wait(self, popen: Any) -> None:  # noqa: ANN401
        """Deliver the output of a child before function code goes on after its end."""
        original, read = popen.wait, self._read
        assert read is not None

        def wait(self: subprocess.Popen[Any], timeout: float | None = None) -> int:
            __tracebackhide__ = __function_code_above__ = True
            code: int = original(self, timeout=timeout)
            for output in read.get(self, ()):
                output.catch_up()
            return code

        self._undo.append(patch_attributes((popen, "wait", wait)))

    def _inherited(self, given: dict[str, Any]) -> list[ChildOutput]:
        """Put pipes into the arguments of `Popen` in the place of the function's own streams."""
        streams = self._outputs() if can_read_children else None
        if streams is None:
            return []
        made: dict[str, ChildOutput] = {}
        for name in ("stdout", "stderr"):
            wanted = _stream_of_function(given.get(name), name)
            if wanted:
                output = made.get(wanted) or made.setdefault(wanted, streams.open_child(wanted))
                given[name] = output.writer
        return list(made.values())

    def _begin(self, outputs: Iterable[ChildOutput]) -> None:
        for output in outputs:
            output.begin()
        self._reading = [output for output in self._reading if output.open]
        self._reading += outputs

    def _system(self, popen: Any, original: Any, command: Any) -> int:  # noqa: ANN401
        """Run a command as `os.system` does; its output is that of a child of the function."""
        __tracebackhide__ = __function_code_above__ = True
        if not self._in_phase():
            return int(original(command))
        sys.audit("os.system", command)
        with popen(command, shell=True) as child:
            code: int = child.wait()
        return code << 8 if code >= 0 else -code

    def watch(self, module: ModuleType) -> None:
        """Watch `multiprocessing.process`, which may be imported while a phase runs."""
        if not self._entered:
            return
        cls: Any = vars(module)["BaseProcess"]
        original, watch = cls.start, self

        def start(self: Any) -> None:  # noqa: ANN401
            if not watch._in_phase():
                original(self)
                return
            streams = watch._outputs() if can_read_children else None
            if streams is None:
                original(self)
            else:
                # A process that is forked has the streams of the function; any other one finds
                # pipes that nobody writes to.
                outputs = {name: streams.open_child(name) for name in ("stdout", "stderr")}
                try:
                    with streams.forked(outputs):
                        original(self)
                finally:
                    watch._begin(outputs.values())
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
        for output in self._reading:
            output.join()
        self._reading = []
        self._read = None
        self.where.clear()
        self.processes.clear()


def _stream_of_function(given: object, name: str) -> str:
    """Return the stream of the function that a child would write to; ``""`` if it is another file.

    ``given`` is the argument ``name`` of `Popen`.
    """
    if given is None:
        return name
    if type(given) is int:
        return {1: "stdout", 2: "stderr"}.get(given, "")
    outlet = outlet_of(given)
    return "" if outlet is None else outlet.name
