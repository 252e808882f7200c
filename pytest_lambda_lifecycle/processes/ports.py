"""The processes that listen at a port of this machine, and the environments that they belong to.

It reads ``/proc``, so on other systems than Linux nobody is found.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["Listener", "listeners_at", "listeners_of_extensions"]

_PROC: Final = Path("/proc")
_TABLES: Final = (_PROC / "net" / "tcp", _PROC / "net" / "tcp6")
_LISTENS: Final = "0A"
"""The state of a socket in the kernel's tables (``TCP_LISTEN``)."""
_ADDRESS: Final = "AWS_LAMBDA_RUNTIME_API"


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens at a port."""

    port: int
    pid: int
    command: str
    variables: dict[str, str]

    @property
    def address(self) -> str:
        """The value of ``AWS_LAMBDA_RUNTIME_API`` of an extension; ``""`` for other processes."""
        return "" if "_HANDLER" in self.variables else self.variables.get(_ADDRESS, "")

    def __str__(self) -> str:
        """Describe it in words, such as ``process 314 (collector) of another environment ...``."""
        if self.pid == RealOs.getpid():
            return "this process: another environment that is open, the function or the test"
        text = f"process {self.pid} ({self.command})"
        if not self.address:
            return text
        function = self.variables.get("AWS_LAMBDA_FUNCTION_NAME", "")
        text += f", an extension of another environment (function {function!r}"
        worker = self.variables.get("PYTEST_XDIST_WORKER", "")
        text += f", worker {worker}" if worker else ""
        test = self.variables.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        return text + (f", test {test})" if test else ")")


def listeners_at(port: int) -> list[Listener]:
    """Return the processes that listen at a port, as far as this user may see them."""
    sockets = {link: at for link, at in _listening().items() if at == port}
    return [_listener(port, pid) for pid in _processes() if _ports(pid, sockets)] if sockets else []


def listeners_of_extensions(address: str) -> list[Listener]:
    """Return the extensions that listen somewhere, without those of the API at ``address``."""
    sockets = _listening()
    found: list[Listener] = []
    for pid in _processes():
        others = _variables(pid)
        if others.get(_ADDRESS, address) != address and "_HANDLER" not in others:
            found += [_listener(port, pid) for port in sorted(_ports(pid, sockets))]
    return found


def _listening() -> dict[str, int]:
    """Return the ports of all sockets that listen, by the text of a link to each."""
    found: dict[str, int] = {}
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS:
                    found[f"socket:[{fields[9]}]"] = int(fields[1].rpartition(":")[2], 16)
    return found


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for name in os.listdir(_PROC):
            if name.isdecimal():
                yield int(name)


def _ports(pid: int, sockets: dict[str, int]) -> set[int]:
    """Return the ports of those sockets that a process has."""
    found = set[int]()
    folder = f"{_PROC}/{pid}/fd"
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                port = sockets.get(os.readlink(f"{folder}/{name}"))
                if port is not None:
                    found.add(port)
    return found


def _listener(port: int, pid: int) -> Listener:
    command = ""
    with contextlib.suppress(OSError):
        command = (_PROC / str(pid) / "comm").read_text().strip()
    return Listener(port, pid, command, _variables(pid))


def _variables(pid: int) -> dict[str, str]:
    try:
        content = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (os.fsdecode(line).partition("=") for line in content.split(b"\0") if line)
    return {name: value for name, _, value in pairs}
