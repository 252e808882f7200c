"""External extensions: programs that run beside the runtime, each in a process group of its own.

No thread here touches the environment: they report through callbacks.  All waiting is in real time,
also under a virtual clock.  Processes need a POSIX system.
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
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.processes.output import Output
from pytest_lambda_lifecycle.processes.shebang import ends_with_carriage_return

__all__ = ["Child", "ExtensionProcess", "LaunchError", "signal_group", "succeeds"]

_HINTS: Final = {
    errno.EACCES: "make it executable: chmod +x",
    errno.ENOENT: "is the interpreter there that its first line (#!) names?",
    errno.ENOEXEC: (
        "its first line has to name an interpreter (#!/bin/sh), or it was built for another machine"
    ),
}
_CARRIAGE_RETURN: Final = (
    "its first line ends with a carriage return, as on Windows, which belongs to the name of the "
    "interpreter: save it with LF line ends (dos2unix, or eol=lf in .gitattributes)"
)
_CHUNK: Final = 65_536
_CATCH_UP_S: Final = 0.5
_CHUNKS_AFTER_THE_END: Final = 16
"""Chunks that are read after the end of a process: a pipe may hold as much."""

# An environment that is entered replaces these functions, and a test may do so as well.
_kill_group: Any = getattr(os, "killpg", None)
_wait_for: Any = getattr(os, "waitid", None)  # macOS has it since Python 3.13
_new_poll: Any = getattr(select, "poll", None)


class Child(subprocess.Popen[bytes]):
    """A process that this package starts.

    Its constructor is that of `Popen` at import time: the environment replaces it later, to find
    the processes that function code starts.
    """

    __init__ = subprocess.Popen.__init__


class LaunchError(Exception):
    """An extension could not be started."""

    def __init__(self, error_type: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.error_type = error_type
        """As in ``platform.extension``: ``"PermissionDenied"`` or ``"UnknownError"``."""
        self.message = message
        """The words of the platform: ``fork/exec /opt/extensions/agent: permission denied``."""
        self.hint = hint
        """A guess at the cause, or ``""``."""


class Watch(Protocol):
    """The part of `guard.Guard` that is needed here."""

    def add(self, group: int) -> None:
        """Begin to watch a group."""
        ...

    def remove(self, group: int) -> None:
        """Forget a group that has ended."""
        ...


class ExtensionProcess:
    """The process of one extension.

    ``wrote`` gets its output (both streams, a line at a time), ``dropped`` the numbers of lines and
    bytes that were too many to keep, and ``exited``, as the last call, the exit code.  They are
    called on threads of this object and must not wait.  When the process ends, the others in its
    group are killed, as by the reset of the environment on Lambda.
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
        """Start it; raises `LaunchError`, and `LifecycleError` if the system is not POSIX."""
        if os.name != "posix":
            raise LifecycleError(
                f"cannot start the extension {self.name!r} ({self.path}): extension processes need "
                "a POSIX system; pass an Extension object, which runs in this process",
                code="LLC604",
            )
        child = self._launch()
        self._child = child
        if self._guard is not None:
            self._guard.add(child.pid)
        awake, wake = os.pipe()
        reader = self._thread("output", self._read, child, awake)
        self._waiter = self._thread("end", self._wait, child, reader, wake)
        start_unwatched(reader)
        start_unwatched(self._waiter)

    def _thread(self, kind: str, target: Callable[..., None], *args: object) -> threading.Thread:
        title = f"{kind} of {self.name}"
        return threading.Thread(target=target, args=args, name=title, daemon=True)

    def _launch(self) -> Child:
        # With /usr/bin/env in between, its interpreter would fail instead of the launch.
        if os.access(self.path, os.X_OK) and ends_with_carriage_return(self.path):
            raise self._not_launched(errno.ENOENT, _CARRIAGE_RETURN)
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
            hint = "it is a folder" if self.path.is_dir() else _HINTS.get(number, "")
            raise self._not_launched(number, hint) from problem
        return child

    def _not_launched(self, number: int, hint: str) -> LaunchError:
        is_denied = number in {errno.EACCES, errno.EPERM}
        error_type = "PermissionDenied" if is_denied else "UnknownError"
        return LaunchError(
            error_type, f"fork/exec {self.path}: {os.strerror(number).lower()}", hint
        )

    # -- calls of the environment -----------------------------------------------------------------

    def terminate(self) -> None:
        """Send SIGTERM to the group; in a frozen group it arrives with the thaw."""
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
        """Wait until all output is read that it wrote before it stopped."""
        until = RealTime.perf_counter() + _CATCH_UP_S
        # These errors mean that it has ended, so that its pipe is closed.
        with contextlib.suppress(ValueError, AttributeError):
            poll = _new_poll()
            poll.register(self._child.stdout.fileno(), select.POLLIN)  # type: ignore[union-attr]
            while (self._reading or poll.poll(0)) and RealTime.perf_counter() < until:
                RealTime.sleep(0.0002)

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` s for the call of ``exited``; return False if there was none.

        A process that never started needs no wait.
        """
        if self._waiter is None:
            return True
        self._waiter.join(timeout)
        return not self._waiter.is_alive()

    def _signal(self, number: int) -> None:
        with self._lock:
            if self._child is not None and self._child.returncode is None:
                signal_group(self._child.pid, number)

    # -- the two threads --------------------------------------------------------------------------

    def _wait(self, child: Child, reader: threading.Thread, wake: int) -> None:
        if _wait_for is None:
            child.wait()
        else:
            # Function code may have reaped it: by `os.wait()`, or by ignoring SIGCHLD.
            with contextlib.suppress(ChildProcessError):
                _wait_for(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # It is not reaped yet, so that no other process can have its number.
        with self._lock:
            signal_group(child.pid, signal.SIGKILL)
            if self._guard is not None:
                self._guard.remove(child.pid)
            code = child.wait()
        os.close(wake)
        reader.join()
        self.exit_code = code
        self._exited(code)

    def _read(self, child: Child, awake: int) -> None:
        """Read until the last writer has closed the pipe, or the process has ended.

        A process that detached from the group may hold the pipe open.
        """
        assert child.stdout is not None
        out = child.stdout.fileno()
        chunks_left = _CHUNKS_AFTER_THE_END
        poll = _new_poll()
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
                RealTime.sleep(0.001)  # leave the processor to others during a flood
            self._reading = False
        self._output.end()
        self._reading = False
        child.stdout.close()
        os.close(awake)


def succeeds(command: Sequence[str]) -> bool:
    """Run a command to its end, without output; return whether it succeeded."""
    quiet = subprocess.DEVNULL
    with Child(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd="/") as child:
        return bool(child.wait() == 0)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if there is one; macOS refuses it for zombies."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _kill_group(group, number)
