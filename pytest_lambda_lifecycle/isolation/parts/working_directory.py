"""The working directory: the function's during a phase, the test's otherwise.  A part of the
process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["WorkingDirectory"]

_chdir, _getcwd, _open, _close = os.chdir, os.getcwd, os.open, os.close  # a test may replace them
_fchdir: Final = getattr(os, "fchdir", None)
_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)


class _Place:
    """A directory to come back to.

    It is held open where that is possible: going to an open directory costs a third of looking its
    path up, and works when it has been renamed or removed meanwhile, as in any process that works
    in it.
    """

    def __init__(self, path: str) -> None:
        """Raises `OSError` if there is no such directory."""
        self.path = os.path.abspath(path)
        self._fd = _open(self.path, _FLAGS) if _fchdir is not None else None

    @classmethod
    def here(cls) -> _Place | None:
        """Return where the process is; None if nobody can come back to it."""
        with contextlib.suppress(OSError):  # it was deleted, or may not be opened
            return cls(_getcwd())
        return None

    def go(self) -> None:
        """Make it the working directory; raises `OSError`."""
        if self._fd is not None and _fchdir is not None:
            try:
                _fchdir(self._fd)
            except OSError:  # function code has closed all descriptors that it does not know
                self._fd = None
        if self._fd is None:
            _chdir(self.path)

    def drop(self) -> None:
        """Hold it no longer."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                _close(self._fd)
            self._fd = None


class WorkingDirectory(PhasePart):
    """Goes where the function was when a phase begins, and back to where the test was when it ends.

    `os.chdir` is watched, since asking where we are costs as much as going there.
    """

    def __init__(self, start: str) -> None:
        self._start = start
        self._path = start
        """Where the function is, while the environment is out of the process."""
        self._functions: _Place | None = None
        self._tests: _Place | None = None
        self._in_phase = False
        self._moved = False

    def enter(self) -> Undo:
        names = [name for name in ("chdir", "fchdir") if hasattr(os, name)]
        unwatch = patch_attributes(
            *((os, name, self._watch(getattr(os, name))) for name in names)
        )

        def leave() -> None:
            unwatch()
            if (
                not self._in_phase
            ):  # else a handler invokes another environment, and this one comes back
                self._drop_tests()
                self._drop_functions()

        return leave

    def discard(self) -> None:
        self._path = self._start
        self._drop_functions()

    def begin_phase(self) -> None:
        """Go where the function was; raises `OSError` if that and the task root are gone."""
        if self._tests is None:
            self._tests = _Place.here()
        if self._functions is None:
            try:
                self._functions = _Place(self._path)
            except OSError:
                self._functions = _Place(self._start)
        self._functions.go()
        self._in_phase = True

    def end_phase(self) -> None:
        """Go where the test was."""
        self._in_phase = False
        if self._moved:
            self._moved = False
            self._drop_functions()
            self._functions = _Place.here()
            self._path = self._start if self._functions is None else self._functions.path
        if self._tests is not None:
            self._tests.go()

    def _drop_functions(self) -> None:
        if self._functions is not None:
            self._functions.drop()
            self._functions = None

    def _drop_tests(self) -> None:
        if self._tests is not None:
            self._tests.drop()
            self._tests = None

    def _watch(self, change: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(path: Any) -> None:  # noqa: ANN401  # a path, or a file descriptor
            change(path)
            if self._in_phase:
                self._moved = True
            else:
                self._drop_tests()

        return watched
