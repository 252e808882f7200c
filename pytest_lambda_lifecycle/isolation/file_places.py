"""Places in the file system: which folders are read-only on Lambda, and which are its ``/tmp``."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.isolation.folders import inside, real

__all__ = ["LAMBDA_FOLDERS", "Place", "Places"]


class Place(enum.Enum):
    """The kind of place in which a path lies."""

    READ_ONLY = enum.auto()
    OWN_TMP = enum.auto()
    """The folder of the environment: ``env.tmp``."""
    MACHINE_TMP = enum.auto()
    """The temporary folder of the machine, which function code reaches by a literal ``/tmp/x``."""
    WRITABLE = enum.auto()


LAMBDA_FOLDERS: Final = frozenset({"/var/task", "/opt", "/var/runtime", "/var/lang"})
"""Folders that Lambda has, whether or not this machine has them."""

_WRITABLE: Final = ("/dev", "/proc", "/sys", "/mnt")
"""Devices and the kernel; Lambda mounts file systems of EFS and S3 below ``/mnt``."""

_STARTED_IN: Final = Path.cwd() if os.path.isdir(os.curdir) else Path("/")
_HOME: Final = os.path.expanduser("~")


class Places:
    """Says in which kind of place a path lies: the longest folder that contains it decides.

    Everything is read-only, as on Lambda, but for temporary folders, devices and ``/mnt``.  Below
    these, the function's code, the project, installed packages and the home directory are read-only
    as well, where a machine has them there.  Folders of the test (pytest's ``tmp_path``) are
    writable wherever they lie, unless they hold function code.
    """

    def __init__(
        self,
        code: Iterable[Path],
        *,
        own_tmp: str,
        machine_tmp: str,
        project: Iterable[Path] = (),
        of_test: Iterable[Path] = (),
    ) -> None:
        """``code`` are the task root and the layers; ``of_test`` are pytest's temporary folders."""
        folders: dict[str, Place] = {_folded(folder): Place.WRITABLE for folder in _WRITABLE}
        temporary = [_folded(real(folder)) for folder in (machine_tmp, "/tmp")]
        tests = [_folded(real(str(folder))) for folder in of_test]
        for folder in (_STARTED_IN, *project, sys.prefix, sys.base_prefix, _HOME):
            path = _folded(real(str(folder)))
            if not any(inside(path, test) for test in tests):
                folders[path] = Place.READ_ONLY
        folders |= dict.fromkeys(temporary, Place.MACHINE_TMP)
        folders |= dict.fromkeys(tests, Place.WRITABLE)
        folders[_folded(real(own_tmp))] = Place.OWN_TMP
        folders |= {_folded(real(str(folder))): Place.READ_ONLY for folder in code}
        folders["/"] = Place.READ_ONLY
        self._folders = sorted(folders.items(), key=lambda item: -len(item[0]))

    def place_of(self, path: str) -> Place:
        """Return the place of a path without symbolic links."""
        folded = _folded(path)
        return next(place for folder, place in self._folders if inside(folded, folder))


def _folded(path: str) -> str:
    """Return a path as the file system compares it: that of macOS takes no notice of case."""
    return path.casefold() if sys.platform == "darwin" else path
