"""External extensions: executables that run beside the runtime, each in a process group of its own.

No thread here touches the environment: what happens is told by callbacks.  All waiting is real,
whatever clock a test has installed.  Processes need a POSIX system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.parts.threads import start_unwatched
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.processes.output import Output

__all__ = ["Child", "ExtensionProcess", "LaunchError", "signal_group", "succeeds"]


_HINTS: Final = {
    errno.EACCES: "make it executable: chmod +x",
    errno.ENOENT: "is the interpreter there that its first line (#!) names?",
    errno.ENOEXEC: "its first line has to name an interpreter (#!/bin/sh), or it was built for another machine",
}
_CHUNK: Final = 65_536
_CATCH_UP_S: Final = 0.5

# An environment that is entered watches these for what function code starts; a test may replace
# them as well.
_kill_group: Any = getattr(os, "killpg", None)
_wait_for: Any = getattr(os, "waitid", None)  # macOS has it since Python 3.13
_new_poll: Any = getattr(select, "poll", None)


class Child(subprocess.Popen[bytes]):
    """A process of ours: never taken for one that function code has started."""

    __init__ = subprocess.Popen.__init__


class LaunchError(Exception):
    """An extension could not be started."""

    def __init__(self, error_type: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.error_type = error_type
        """As in ``platform.extension``: ``"PermissionDenied"`` or ``"UnknownError"``."""
        self.message = message
        """As the platform's own, for example ``fork/exec /opt/extensions/agent: permission
        denied``.
        """
        self.hint = hint
        """What may be wrong with the file, or ``""``."""


class Watch(Protocol):
    """Ends process groups when this process dies: `guard.Guard`."""

    def add(self, group: int) -> None:
        """Begin to watch a group."""
        ...

    def remove(self, group: int) -> None:
        """Forget a group that has ended."""
        ...


class ExtensionProcess:
    """One extension's process.

    ``wrote`` gets its output (both streams, a line at a time), ``dropped`` the lines and bytes of
    it that were too many to keep, ``exited`` its exit code, last of all.  They are called on
    threads of this object and must not wait.  As in Lambda, where it resets the environment, the
    end of the process is also that of the others in its group.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        command: Sequence[str] = (),
        variables: Mapping[str, str],
        directory: str | Path,
        wrote: Callable[[str], None],
        exited: Callable[[int], None],
        dropped: Callable[[int, int], None] = lambda lines, size: None,
        guard: Watch | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.exit_code: int | None = None
        """As in `subprocess`, negative for a signal; None while it runs."""
        self._variables = dict(variables)
        self._directory = directory
        self._command = list(command) or [str(path)]
        self._output = Output(wrote, dropped)
        self._exited = exited
        self._guard = guard
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._waiter: threading.Thread | None = None
        self._reading = False

    @property
    def pid(self) -> int | None:
        """Number of the process and of its group; None before it was started."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start it; raises `LaunchError`, and `LifecycleError` where there are no process
        groups.
        """
        if os.name != "posix":
            raise LifecycleError(
                f"cannot start the extension {self.name!r} ({self.path}): extension processes need a POSIX system; "
                "pass an Extension object, which runs in this process"
            )
        self._child = child = self._launch()
        if self._guard is not None:
            self._guard.add(child.pid)
        awake, wake = os.pipe()
        reader = threading.Thread(
            target=self._read, args=(child, awake), name=f"output of {self.name}", daemon=True
        )
        self._waiter = threading.Thread(
            target=self._wait, args=(child, reader, wake), name=f"end of {self.name}", daemon=True
        )
        start_unwatched(reader)
        start_unwatched(self._waiter)

    def _launch(self) -> Child:
        try:
            child: Child = Child(
                self._command,
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=self._variables,
                start_new_session=True,
            )
        except OSError as problem:
            number = problem.errno or 0
            error_type = (
                "PermissionDenied" if isinstance(problem, PermissionError) else "UnknownError"
            )
            hint = "it is a folder" if self.path.is_dir() else _HINTS.get(number, "")
            message = f"fork/exec {self.path}: {os.strerror(number).lower()}"
            raise LaunchError(error_type, message, hint) from problem
        return child

    # -- what is done to it ---------------------------------------------------------------------------------------

    def terminate(self) -> None:
        """Send SIGTERM to the group; to one that is frozen it arrives when it is thawed."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the group."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the group, as Lambda does between invokes."""
        self._signal(signal.SIGSTOP)
        self._catch_up()
        self._output.settle()

    def thaw(self) -> None:
        """Let the group go on."""
        self._output.settle()
        self._signal(signal.SIGCONT)

    def _catch_up(self) -> None:
        """Wait until what it has written before it stopped is read, however busy the machine is."""
        until = RealTime.perf_counter() + _CATCH_UP_S
        with contextlib.suppress(
            ValueError, AttributeError
        ):  # it has ended, and its pipe is closed
            poll = _new_poll()
            poll.register(self._child.stdout.fileno(), select.POLLIN)  # type: ignore[union-attr]
            while (
                self._reading or dict(poll.poll(0)).values()
            ) and RealTime.perf_counter() < until:
                RealTime.sleep(0.0002)

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` s until ``exited`` was called; returns whether it was.  True if it
        never started.
        """
        if self._waiter is None:
            return True
        self._waiter.join(timeout)
        return not self._waiter.is_alive()

    def _signal(self, number: int) -> None:
        with self._lock:
            if self._child is not None and self._child.returncode is None:
                signal_group(self._child.pid, number)

    # -- its threads ----------------------------------------------------------------------------------------------

    def _wait(self, child: Child, reader: threading.Thread, wake: int) -> None:
        if _wait_for is None:
            child.wait()
        else:
            with contextlib.suppress(
                ChildProcessError
            ):  # function code has reaped it: os.wait(), or SIGCHLD ignored
                _wait_for(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:  # it is not reaped yet, so that no other process can have its number
            signal_group(child.pid, signal.SIGKILL)
            if self._guard is not None:
                self._guard.remove(child.pid)
            code = child.wait()
        os.close(wake)
        reader.join()
        self.exit_code = code
        self._exited(code)

    def _read(self, child: Child, awake: int) -> None:
        """Read until the last writer has closed, or the process is gone: one that detached may hold
        the pipe.
        """
        assert child.stdout is not None
        out, poll, chunks_left = (
            child.stdout.fileno(),
            _new_poll(),
            16,
        )  # as much as a pipe may hold
        poll.register(out, select.POLLIN)
        poll.register(awake, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if awake in ready:
                chunks_left -= 1
            if out not in ready or chunks_left < 0:
                break
            self._reading = True  # before the pipe may look empty
            chunk = os.read(out, _CHUNK)
            if not chunk:
                break
            if not self._output.feed(chunk) and awake not in ready:
                RealTime.sleep(0.001)  # a flood: let others have the processor
            self._reading = False
        self._output.end()
        self._reading = False
        child.stdout.close()
        os.close(awake)


def succeeds(command: Sequence[str]) -> bool:
    """Run a command to its end, silently; returns whether it succeeded."""
    quiet = subprocess.DEVNULL
    with Child(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd="/") as child:
        return bool(child.wait() == 0)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if it still is there (macOS refuses it for one of
    zombies).
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _kill_group(group, number)
