"""The folder ``/opt`` of an extension, with the content of the layers, as on Lambda.

The samples of AWS are launchers that name this folder, as in ``exec
"/opt/${LAMBDA_EXTENSION_NAME}/extension.py"``.  The user and mount namespaces of Linux give a
process an ``/opt`` of its own, without privileges.  Many containers forbid them, and other systems
have none: there, ``/opt`` is the folder of the machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pytest_lambda_lifecycle.processes.child import succeeds

__all__ = ["Opt"]

_MOUNT = '"$1" --bind "$2" /opt && shift 2 && exec "$@"'


class Opt:
    """The content of ``/opt``: the layers, unpacked over each other."""

    def __init__(self, layers: Sequence[Path], scratch: str) -> None:
        """Several layers are put together in a folder in ``scratch``; files of later ones win."""
        self._layers = [layer.resolve() for layer in layers]
        self._scratch = scratch
        self._merged: tempfile.TemporaryDirectory[str] | None = None

    def command(self, path: Path) -> list[str]:
        """Return the command that starts a program with this ``/opt``, or without if need be."""
        # The system has to refuse by itself a file that it cannot execute.
        if not self._layers or not _can_be_executed(path):
            return [str(path)]
        prefix = _prefix()
        return [*prefix, self._root(), str(path)] if prefix else [str(path)]

    def close(self) -> None:
        """Remove the folder."""
        if self._merged is not None:
            self._merged.cleanup()

    def _root(self) -> str:
        if len(self._layers) == 1:
            return str(self._layers[0])
        if self._merged is None:
            self._merged = tempfile.TemporaryDirectory(prefix="lambda-opt-", dir=self._scratch)
            for layer in self._layers:
                shutil.copytree(layer, self._merged.name, copy_function=_link, dirs_exist_ok=True)
        return self._merged.name


def _link(source: str, target: str) -> None:
    if os.path.lexists(target):
        os.unlink(target)
    os.symlink(source, target)


@lru_cache(maxsize=1)
def _prefix() -> tuple[str, ...]:
    tools = [shutil.which(name) for name in ("unshare", "sh", "mount", "true")]
    if not sys.platform.startswith("linux") or None in tools or not os.path.isdir("/opt"):
        return ()
    unshare, shell, mount, nothing = map(str, tools)
    namespaces = ("--user", "--map-root-user", "--mount")
    prefix = (unshare, *namespaces, shell, "-c", _MOUNT, "lambda-extension", mount)
    return prefix if succeeds([*prefix, "/opt", nothing]) else ()


def _can_be_executed(path: Path) -> bool:
    """Say whether the system would execute a file; a shell would try to interpret any text file."""
    if not os.access(path, os.X_OK) or path.is_dir():
        return False
    with path.open("rb") as file:
        line = file.readline(256)
    if not line.startswith(b"#!"):
        return line.startswith(b"\x7fELF")
    interpreter = line[2:].split()
    return bool(interpreter) and os.access(interpreter[0], os.X_OK)
