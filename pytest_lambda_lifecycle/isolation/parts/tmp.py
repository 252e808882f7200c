"""The function's ``/tmp``: a folder of the environment's own, made at its first use.

Most functions never write there.  A folder that is made and removed for each environment would take
a seventh of a cold start, half of it afterwards: on ext4 each removal slows down calls that open
files during the next millisecond.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.parts.tmp_folders import (
    PREFIX,
    make_folder,
    remove_folder,
    sweep_folders,
)
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["OUTSIDE_TMP", "EphemeralStorage"]

# Asked once: during a phase, `tempfile` answers with the folder of an environment.
OUTSIDE_TMP: Final = tempfile.gettempdir()
_FIND: Final = "_get_default_tempdir"
"""The function that `tempfile` calls while its ``tempdir`` is None, as in a fresh process."""
_find_outside: Final[Callable[..., str]] = getattr(tempfile, _FIND)


class EphemeralStorage(PhasePart):
    """The folder, and `tempfile.tempdir`, which leads to it during a phase."""

    _swept: ClassVar[set[str]] = set()
    """Where folders of earlier sessions have been looked for."""

    def __init__(self) -> None:
        if OUTSIDE_TMP not in self._swept:
            self._swept.add(OUTSIDE_TMP)
            sweep_folders(OUTSIDE_TMP)
        self._path = os.path.join(OUTSIDE_TMP, f"{PREFIX}{secrets.token_hex(8)}")
        self._removal: weakref.finalize[[str], EphemeralStorage] | None = None
        """Removes the folder; None until there is one."""
        self._closed = False
        self._tempdir: str | None = None
        """`tempfile.tempdir` as function code has left it; None in a fresh process."""
        self._tests_tempdir: str | None = None

    @property
    def location(self) -> str:
        """The path of the folder, whether or not there is one yet."""
        return self._path

    @property
    def path(self) -> Path:
        """The folder; there is none once this is closed."""
        if self._removal is None and not self._closed:
            make_folder(self._path)
            self._removal = weakref.finalize(self, remove_folder, self._path)
        return Path(self._path)

    def enter(self) -> Undo:
        return patch_attributes((tempfile, _FIND, self._find))

    def begin_phase(self) -> None:
        # Between phases the test has its own `tempfile.tempdir`: pytest would otherwise put
        # `tmp_path` of the whole run into a folder that ends with the environment.
        self._tests_tempdir = tempfile.tempdir
        tempfile.tempdir = self._tempdir

    def end_phase(self) -> None:
        self._tempdir = getattr(tempfile, "tempdir", None)
        tempfile.tempdir = self._tests_tempdir

    def discard(self) -> None:
        """Forget the function's setting; the folder survives a reset."""
        self._tempdir = None

    def empty(self) -> None:
        """Remove the contents of the folder."""
        if self._removal is not None:
            remove_folder(self._path)
            make_folder(self._path)

    def close(self) -> None:
        """Remove the folder.  This may be called again."""
        self._closed = True
        if self._removal is not None:
            self._removal()

    def _find(self, *arguments: Any) -> str:  # noqa: ANN401
        return str(self.path) if stage.running else _find_outside(*arguments)
