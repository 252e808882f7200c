"""The machine as an extension finds it: ``/opt`` with the content of the layers, and its hosts.

The samples of AWS are launchers that name ``/opt``, as in ``exec
"/opt/${LAMBDA_EXTENSION_NAME}/extension.py"``, and extensions in any language listen at
``sandbox.localdomain``.  The user and mount namespaces of Linux give a process an ``/opt`` and an
``/etc/hosts`` of its own, without privileges.  Many containers forbid them, and other systems have
none: there, both are those of the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.isolation.parts.tmp_folders import (
    PREFIX,
    make_folder,
    remove_folder,
)
from pytest_lambda_lifecycle.processes.child import succeeds
from pytest_lambda_lifecycle.processes.shebang import can_be_executed

__all__ = ["Opt", "has_own_hosts"]

_OPT: Final = Path("/opt")
_HOSTS: Final = Path("/etc/hosts")
_SANDBOX: Final = "127.0.0.1 sandbox sandbox.localdomain\n"
_SCRIPT: Final = """\
mount=$1 hosts=$2 root=$3
shift 3
[ -z "$hosts" ] || "$mount" --bind "$hosts" /etc/hosts || exit 126
while [ "$1" != -- ]; do
    "$mount" --rbind "/opt/$1" "$root/$1" || exit 126
    shift
done
shift
[ -z "$root" ] || "$mount" --rbind "$root" /opt || exit 126
exec "$@"
"""
"""Mounts the hosts, then folders of the machine's ``/opt`` in the new one, then the new one."""


class Opt:
    """The mounts of the programs of one environment."""

    def __init__(self, layers: Sequence[Path], scratch: str) -> None:
        """``layers`` are unpacked over each other, and files of later ones win.

        ``scratch`` is a place for a folder of this object.
        """
        self._layers = [layer.resolve() for layer in layers]
        self._folder = Path(scratch, f"{PREFIX}{secrets.token_hex(8)}")
        """Made at its first use; that of a session that was killed is swept by the next one."""
        self._merged = False

    def command(self, path: Path) -> list[str]:
        """Return the command that starts a program with these mounts, or without if need be."""
        # The system has to refuse by itself a file that it cannot execute.
        prefix = _prefix() if can_be_executed(path, self._layers) else ()
        if not prefix:
            return [str(path)]
        hosts = str(self._hosts()) if has_own_hosts() else ""
        if not self._layers or not _OPT.is_dir():
            return [*prefix, hosts, "", "--", str(path)]
        kept = self._kept(path)
        root = self._root(kept)
        own = Path("extensions", path.name)
        known = os.path.realpath(Path(root, own)) == os.path.realpath(path)
        return [*prefix, hosts, root, *kept, "--", str(_OPT / own if known else path)]

    def close(self) -> None:
        """Remove the folder."""
        if self._folder.exists():
            remove_folder(str(self._folder))

    @property
    def _place(self) -> Path:
        if not self._folder.exists():
            make_folder(str(self._folder))
        return self._folder

    def _hosts(self) -> Path:
        """Return the file with the hosts of the machine and the names of the sandbox."""
        file = self._place / "hosts"
        if not file.exists():
            file.write_bytes(_HOSTS.read_bytes().rstrip(b"\n") + b"\n" + _SANDBOX.encode())
            file.chmod(0o644)
        return file

    def _kept(self, path: Path) -> list[str]:
        """Return the folders of the machine's ``/opt`` that a program needs.

        They have this Python (that of GitHub's runners is in ``/opt/hostedtoolcache``), the layers
        or the program in them.  A layer's folder of the same name covers them.
        """
        needed = [Path(sys.prefix), Path(sys.base_prefix), path, *self._layers]
        names = {
            place.relative_to(_OPT).parts[0]
            for one in needed
            for place in {one.absolute(), one.resolve()}
            if place.is_relative_to(_OPT) and place != _OPT
        }
        return sorted(
            name
            for name in names
            if (_OPT / name).is_dir() and not any((layer / name).exists() for layer in self._layers)
        )

    def _root(self, kept: Sequence[str]) -> str:
        if len(self._layers) == 1 and not kept:
            return str(self._layers[0])
        root = self._place / "opt"
        if not self._merged:
            self._merged = True
            for layer in self._layers:
                shutil.copytree(layer, root, copy_function=_link, dirs_exist_ok=True)
        for name in kept:
            (root / name).mkdir(exist_ok=True)
        return str(root)


def _link(source: str, target: str) -> None:
    if os.path.lexists(target):
        os.unlink(target)
    os.symlink(source, target)


@lru_cache(maxsize=1)
def _prefix() -> tuple[str, ...]:
    """Return the beginning of a command with mounts of its own; it is empty where there are none.

    The arguments of `_SCRIPT` follow.
    """
    tools = [shutil.which(name) for name in ("unshare", "sh", "mount", "true")]
    if not sys.platform.startswith("linux") or None in tools:
        return ()
    unshare, shell, mount, nothing = map(str, tools)
    namespaces = ("--user", "--map-root-user", "--mount")
    prefix = (unshare, *namespaces, shell, "-c", _SCRIPT, "lambda-extension", mount)
    root = str(_OPT) if _OPT.is_dir() else ""
    return prefix if succeeds([*prefix, "", root, "--", nothing]) else ()


@lru_cache(maxsize=1)
def has_own_hosts() -> bool:
    """Say whether a program finds the names of the sandbox in ``/etc/hosts``."""
    prefix, nothing = _prefix(), shutil.which("true")
    if not prefix or nothing is None or not os.access(_HOSTS, os.R_OK):
        return False
    return succeeds([*prefix, str(_HOSTS), "", "--", nothing])
