"""The end of extension processes that would live longer than this process, or that detached.

If a signal kills this process, nothing inside it can end them.  So the guard is another process: a
shell, in a session of its own, which Ctrl-C does not reach.  It reads the numbers of the process
groups from a pipe.  If the pipe ends without the word ``end``, this process has died, and the guard
kills the groups.

A process may have left its group (``setsid``, a double fork).  Such a process is found by the value
of ``AWS_LAMBDA_RUNTIME_API`` in its environment.  That needs ``/proc``, so it works on Linux alone,
and it does not find a process that has cleared its environment.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import weakref
from pathlib import Path
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.real import RealOs, RealTime
from pytest_lambda_lifecycle.processes.child import Child

__all__ = ["Guard"]

_SCRIPT: Final = r"""
trap '' HUP INT QUIT TERM
groups=
while read -r word group; do
    case $word in
        add) groups="$groups $group" ;;
        remove)
            rest=
            for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done
            groups=$rest ;;
        end) exit 0 ;;
    esac
done
for one in $groups; do kill -s KILL -- "-$one"; done
for file in $(grep -lsxzF "AWS_LAMBDA_RUNTIME_API=$1" /proc/[0-9]*/environ); do
    grep -qsz '^_HANDLER=' "$file" && continue
    process=${file#/proc/}
    kill -s KILL "${process%/environ}"
done
"""
_PROC: Final = Path("/proc")
_PATIENCE: Final = 2.0
"""Seconds in which a killed process ends, unless it waits in the kernel (a dead network drive)."""

_open_process: Any = getattr(os, "pidfd_open", None)
_send_signal: Any = getattr(signal, "pidfd_send_signal", None)
_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """Watches the extension processes of one environment; the first of them starts the shell."""

    def __init__(self, address: str) -> None:
        """``address`` is the value of ``AWS_LAMBDA_RUNTIME_API`` of the processes."""
        self._address = address
        self._child: Child | None = None

    def add(self, group: int) -> None:
        """Kill this group if this process dies."""
        if self._child is None:
            self._child = Child(
                ["/bin/sh", "-c", _SCRIPT, "lambda-extension-guard", self._address],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                start_new_session=True,
            )
            _guards.add(self)
        self._send(f"add {group}")

    def remove(self, group: int) -> None:
        """Forget a group that has ended: another group may get its number."""
        self._send(f"remove {group}")

    def close(self) -> None:
        """End the guard; the processes have to be over."""
        child = self._child
        self._child = None
        if child is not None and child.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                child.stdin.write(b"end\n")
            child.stdin.close()
            child.wait()

    def end_strays(self) -> list[int]:
        """Kill the processes that detached, and wait for their end; return their numbers."""
        ended: list[int] = []
        until = RealTime.perf_counter() + _PATIENCE
        while found := [pid for pid in _processes_of(self._address) if _end(pid, self._address)]:
            ended += found  # before their end they may have started others
            if RealTime.perf_counter() > until:
                break
        return ended

    def _send(self, line: str) -> None:
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):  # the guard may have been killed
                self._child.stdin.write(f"{line}\n".encode())

    def _forget(self) -> None:
        """Close the pipe in a forked child, since it must end with the parent."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            self._child.returncode = 0  # it is no child of the forked process
            self._child = None


def _forget_all() -> None:
    for guard in list(_guards):
        guard._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _processes_of(address: str) -> list[int]:
    if not (_PROC / "self").exists():
        return []
    numbers = [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    return [pid for pid in numbers if _belongs(pid, address)]


def _belongs(pid: int, address: str) -> bool:
    """Say whether an extension started a process, and not function code."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it belongs to another user, or has ended
        return False
    has_address = f"AWS_LAMBDA_RUNTIME_API={address}".encode() in variables
    return has_address and not any(variable.startswith(b"_HANDLER=") for variable in variables)


def _end(pid: int, address: str) -> bool:
    """Kill a process and wait for its end; return whether it was there.

    A handle makes sure that the signal does not reach a later process with the same number.
    """
    if _open_process is None:
        return _end_by_number(pid)
    try:
        handle = _open_process(pid)
    except ProcessLookupError:
        return False
    except OSError:  # a kernel before Linux 5.3
        return _end_by_number(pid)
    try:
        if not _belongs(pid, address):
            return False
        _send_signal(handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll(_PATIENCE * 1000)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    with contextlib.suppress(ChildProcessError):
        # In a container this process may be number 1, whose children all orphans become.
        os.waitpid(pid, os.WNOHANG)
    return True


def _end_by_number(pid: int) -> bool:
    try:
        RealOs.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    RealTime.sleep(0.001)
    return True
