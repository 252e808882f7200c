"""What `multiprocessing` keeps for the whole process: its folder for sockets, and the server that
it forks from.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["ForkServer"]


class ForkServer(Part):
    """The environment's own server, since it hands its variables (Lambda's) to each of its
    children.

    Its socket lies in the environment's ``/tmp``, so the outside could not even connect to it
    afterwards.
    """

    _real_kill = staticmethod(os.kill)

    def __init__(self) -> None:
        self._own: _Kept = None, {}

    def enter(self) -> Undo:
        outside = _read()
        _write(self._own)

        def leave() -> None:
            self._own = _read()
            _write(outside)

        return leave

    def discard(self) -> None:
        """End the server, as the end of the process does."""
        (folder, server), self._own = self._own, (None, {})
        _cancel_removal(folder)
        descriptor, pid = server.get("_forkserver_alive_fd"), server.get("_forkserver_pid")
        with contextlib.suppress(OSError):  # it has ended by itself
            if descriptor is not None:
                os.close(descriptor)
            if pid is not None:
                self._real_kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


_Kept = tuple[str | None, dict[str, Any]]
"""The folder, and the attributes of the server."""


def _cancel_removal(folder: str | None) -> None:
    """Keep the interpreter from removing at its end what goes with the environment's ``/tmp``."""
    util: Any = sys.modules.get("multiprocessing.util")
    if folder is not None and util is not None:
        for finalizer in [
            one for one in util._finalizer_registry.values() if folder in (one._args or ())
        ]:
            finalizer.cancel()


def _configuration() -> dict[str, Any]:
    process: Any = sys.modules.get("multiprocessing.process")
    return {} if process is None else process._current_process._config


def _read() -> _Kept:
    forkserver: Any = sys.modules.get("multiprocessing.forkserver")
    return _configuration().get("tempdir"), {} if forkserver is None else _state_of(
        forkserver._forkserver
    )


def _write(kept: _Kept) -> None:
    folder, server = kept
    configuration = _configuration()
    if folder is not None:
        configuration["tempdir"] = folder
    else:
        configuration.pop("tempdir", None)
    forkserver: Any = sys.modules.get("multiprocessing.forkserver")
    if forkserver is not None:
        vars(forkserver._forkserver).update(server or _state_of(forkserver.ForkServer()))


def _state_of(server: object) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(server).items()
        if name.startswith(("_forkserver", "_preload"))
    }
