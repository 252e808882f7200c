"""The working directory: that of the function during a phase, and that of the test otherwise."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["WorkingDirectory"]

_CAN_HOLD: Final = hasattr(os, "fchdir")
"""False on Windows."""
_fchdir: Final[Any] = RealOs.fchdir
_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)
"""Many environments are open: then the path has to do."""
_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)


class _HeldDirectory:
    """A directory to return to, held open where that is possible.

    Going to an open directory takes a third of the time that its path takes.  It also works if
    somebody has renamed or removed the directory, as it does in any process that works there.
    """

    def __init__(self, path: str) -> None:
        """Raise `OSError` if there is no such directory."""
        self.path = os.path.abspath(path)
        self._descriptor: int | None = None
        if _CAN_HOLD:
            try:
                self._descriptor = RealOs.open(self.path, _FLAGS)
            except OSError as problem:
                if problem.errno not in _NO_DESCRIPTOR:
                    raise

    @classmethod
    def current(cls) -> _HeldDirectory | None:
        """Return the working directory; None if one cannot return to it."""
        with contextlib.suppress(OSError):  # somebody has removed it, or it must not be opened
            return cls(RealOs.getcwd())
        return None

    def go(self) -> None:
        """Make it the working directory; raise `OSError` if that is not possible."""
        try:
            _fchdir(self._descriptor)
        except (OSError, TypeError):
            # There is no descriptor, or function code has closed all that are not its own.
            self._descriptor = None
            RealOs.chdir(self.path)

    def release(self) -> None:
        """Close it."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                RealOs.close(self._descriptor)
            self._descriptor = None


class WorkingDirectory(PhasePart):
    """Goes to the function's directory when a phase begins, and back when it ends.

    `os.chdir` is watched, since asking for the working directory takes as long as going there.
    """

    def __init__(self, start: str) -> None:
        self._start = start
        self._path = start
        """The function's directory while the environment is out of the process."""
        self._functions: _HeldDirectory | None = None
        self._tests: _HeldDirectory | None = None
        self._in_phase = False
        self._moved = False

    def enter(self) -> Undo:
        names = [name for name in ("chdir", "fchdir") if hasattr(os, name)]
        unwatch = patch_attributes(*((os, name, self._watch(getattr(os, name))) for name in names))

        def leave() -> None:
            unwatch()
            # In a phase, a handler invokes another environment, and this one comes back.
            if not self._in_phase:
                self._release_tests()
                self._release_functions()

        return leave

    def discard(self) -> None:
        self._path = self._start
        self._release_functions()

    def begin_phase(self) -> None:
        """Go to the function's directory; raise `OSError` if that and the task root are gone."""
        if self._tests is None:
            self._tests = _HeldDirectory.current()
        functions = self._functions
        if functions is None:
            functions = self._functions = self._hold_functions()
        functions.go()
        self._in_phase = True

    def _hold_functions(self) -> _HeldDirectory:
        try:
            return _HeldDirectory(self._path)
        except OSError:
            return _HeldDirectory(self._start)

    def end_phase(self) -> None:
        self._in_phase = False
        if self._moved:
            self._moved = False
            self._release_functions()
            self._functions = _HeldDirectory.current()
            self._path = self._start if self._functions is None else self._functions.path
        if self._tests is not None:
            self._tests.go()

    def _release_functions(self) -> None:
        if self._functions is not None:
            self._functions.release()
            self._functions = None

    def _release_tests(self) -> None:
        if self._tests is not None:
            self._tests.release()
            self._tests = None

    def _watch(self, change: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(path: Any) -> None:  # noqa: ANN401  # a path, or a file descriptor
            change(path)
            if self._in_phase:
                self._moved = True
            else:
                self._release_tests()

        return watched
