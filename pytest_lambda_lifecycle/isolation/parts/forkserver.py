"""The fork server of `multiprocessing`: one for each environment.

Python starts one fork server for the whole process at the first use of the start method
``forkserver``, which on Linux is the default since Python 3.14.  The server forks every later child
from itself, with the variables and the working directory that it has found, and its socket lies in
the temporary folder.  Without this part, a handler that starts a `multiprocessing.Process` would
leave a server with Lambda's variables to the rest of the test session, and the removal of the
environment's ``/tmp`` would take the socket away: every later use raises `FileNotFoundError`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, TypeAlias

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["ForkServer"]

_State: TypeAlias = tuple[str | None, dict[str, Any]]
"""The folder for sockets, and the attributes of `multiprocessing.forkserver._forkserver`."""


class ForkServer(Part):
    """The environment's own fork server, and the folder where `multiprocessing` makes sockets."""

    def __init__(self) -> None:
        self._own: _State = (None, {})

    def enter(self) -> Undo:
        outside = _read()
        _write(self._own)

        def leave() -> None:
            self._own = _read()
            _write(outside)

        return leave

    def discard(self) -> None:
        """End the server, as the end of the process does."""
        folder, server = self._own
        self._own = (None, {})
        _cancel_removal(folder)
        descriptor = server.get("_forkserver_alive_fd")
        pid = server.get("_forkserver_pid")
        with contextlib.suppress(OSError):  # it has ended by itself
            if descriptor is not None:
                os.close(descriptor)
            if pid is not None:
                RealOs.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _cancel_removal(folder: str | None) -> None:
    """Cancel the removal at the interpreter's end: the folder goes with the environment's /tmp."""
    util: Any = held_module("multiprocessing.util")
    if folder is None or util is None:
        return
    for finalizer in list(util._finalizer_registry.values()):
        if folder in (finalizer._args or ()):
            finalizer.cancel()


def _configuration() -> dict[str, Any]:
    process: Any = held_module("multiprocessing.process")
    return {} if process is None else process._current_process._config


def _read() -> _State:
    folder = _configuration().get("tempdir")
    forkserver: Any = held_module("multiprocessing.forkserver")
    return folder, {} if forkserver is None else _attributes_of(forkserver._forkserver)


def _write(state: _State) -> None:
    folder, server = state
    configuration = _configuration()
    if folder is not None:
        configuration["tempdir"] = folder
    else:
        configuration.pop("tempdir", None)
    forkserver: Any = held_module("multiprocessing.forkserver")
    if forkserver is not None:
        vars(forkserver._forkserver).update(server or _attributes_of(forkserver.ForkServer()))


def _attributes_of(server: object) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(server).items()
        if name.startswith(("_forkserver", "_preload"))
    }
