"""The file system as function code finds it: read-only but for ``/tmp``, whose size is limited.

The audit hook tells of each call that changes files.  A guard answers with the error of Lambda
(``filesystem = "read-only"``), or records the call and lets it through (``"report"``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation import audit_hook
from pytest_lambda_lifecycle.isolation.file_attempts import Attempt, attempt, no_space
from pytest_lambda_lifecycle.isolation.file_places import Place, Places
from pytest_lambda_lifecycle.isolation.frames import calls_function_code, is_own
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.tracebacks import chain_of
from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal, StorageExceeded, TmpWrite
from pytest_lambda_lifecycle.observation.calls.recorder import CallRecorder
from pytest_lambda_lifecycle.observation.calls.recorder import Place as Moment

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.observation.writers import Writer, Writers

__all__ = ["FileGuard", "Folders", "hint_at_refusal"]

_getframe: Final = sys._getframe  # a test may spy on it
_HINT: Final = "_lambda_lifecycle_hint"
"""The attribute of an exception with the advice to the test, which Lambda would not give.

The event cannot keep the exception in its stead: the exception has frames that lead to the
timeline.
"""
_MB: Final = 1024 * 1024


class Folders(NamedTuple):
    """Folders that only the test framework knows."""

    of_test: tuple[Path, ...] = ()
    """Folders for files of tests: pytest's temporary folder."""
    project: tuple[Path, ...] = ()
    """Folders with the project's files: pytest's rootdir."""


class FileGuard(Part):
    """Judges the calls of one environment's function code that change files."""

    def __init__(
        self,
        config: FunctionConfig,
        code: Iterable[Path],
        *,
        writers: Writers,
        recorder: CallRecorder,
        own_tmp: str,
        machine_tmp: str,
        folders: Callable[[], Folders],
    ) -> None:
        """``code`` are the task root and the layers."""
        self._mode = config.filesystem
        self._source = config.source_of("filesystem")
        self._code = tuple(code)
        self._writers = writers
        self._recorder = recorder
        self._own_tmp = own_tmp
        self._machine_tmp = machine_tmp
        self._find_folders = folders
        self._places: Places | None = None
        self._refusals: set[tuple[object, ...]] = set()
        self.lines: dict[str, str] | None = None
        """For the state audit: the paths written in ``/tmp``, with the lines of function code."""
        self._storage = _Storage(own_tmp, config.ephemeral_storage * _MB)

    @property
    def written(self) -> Mapping[str, TmpWrite]:
        """The paths in the machine's temporary folder that function code has written to."""
        return self._storage.literal

    def enter(self) -> Undo:
        if self._mode != "open":
            audit_hook.install()
        return self._forget_places

    def _forget_places(self) -> None:
        self._places = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> Exception | None:
        """Return the exception with which a call is to fail; None if it is to go on."""
        frame = _getframe(2)  # below us is the audit hook
        if event == "socket.bind" and is_own(frame) and frame.f_back is not None:
            frame = frame.f_back  # our stand-in for the method
        if is_own(frame) and not calls_function_code(frame):
            return None
        if not self._recorder.runs_function_code():
            return None
        try:
            if event == "open" and _is_relative_elsewhere(arguments, frame):
                return None
            tried = attempt(event, arguments, self._place_of)
        except Exception:  # arguments that the call itself refuses, with an error of its own
            return None
        if tried is None or tried.place is Place.WRITABLE:
            return None
        if tried.place is Place.OWN_TMP:
            if self.lines is not None:
                moment = self._recorder.place()
                self.lines[tried.path] = moment.where if moment is not None else ""
            return self._write_to_tmp(tried, arguments) if tried.adds else None
        writer = self._writers.function_at(frame)
        if writer is None:
            return None
        if tried.place is Place.READ_ONLY:
            return self._refuse(tried, writer)
        return self._write_to_machine_tmp(tried, arguments, writer) if tried.adds else None

    def _place_of(self, path: str) -> Place:
        if self._places is None:
            folders = self._find_folders()
            self._places = Places(
                self._code,
                own_tmp=self._own_tmp,
                machine_tmp=self._machine_tmp,
                project=folders.project,
                of_test=folders.of_test,
            )
        return self._places.place_of(path)

    # -- read-only places -------------------------------------------------------------------------

    def _refuse(self, tried: Attempt, writer: Writer) -> Exception | None:
        moment = self._moment(writer)
        refused = self._mode == "read-only"
        key = (*moment[1:], tried.path, tried.asked)
        if moment.phase and key not in self._refusals:
            self._refusals.add(key)
            self._recorder.timeline.append(FileRefusal(*moment, tried.path, tried.asked, refused))
        if not refused:
            return None
        if tried.error is not None:
            setattr(tried.error, _HINT, self._advice(tried, moment.where))
        return tried.error

    def _advice(self, tried: Attempt, where: str) -> str:
        at = f" at {where}" if where else ""
        return (
            f"function code tried to {tried.asked} {tried.path}{at}.\n"
            "On Lambda every folder but /tmp is read-only. Write below tempfile.gettempdir(), "
            "which is env.tmp in a test, or below tmp_path.\n"
            "To let such calls through with a warning, set lambda_lifecycle_filesystem = report "
            f"(filesystem='read-only' comes from {self._source})."
        )

    def _moment(self, writer: Writer) -> Moment:
        """Return phase and line of a call; outside a phase, the phase is ``""``."""
        recorder = self._recorder
        moment = recorder.place() or Moment(recorder.clock.now_us(), "", None, "")
        frame = writer.frame
        if frame is None or moment.where:
            return moment
        return moment._replace(where=f"{frame.f_code.co_filename}:{frame.f_lineno}")

    # -- /tmp -------------------------------------------------------------------------------------

    def _write_to_machine_tmp(
        self, tried: Attempt, arguments: tuple[Any, ...], writer: Writer
    ) -> Exception | None:
        known = self._storage.literal
        if tried.path not in known:
            known[tried.path] = made = TmpWrite(*self._moment(writer), tried.path)
            if made.phase:
                self._recorder.timeline.append(made)
        return self._write_to_tmp(tried, arguments)

    def _write_to_tmp(self, tried: Attempt, arguments: tuple[Any, ...]) -> Exception | None:
        """Measure ``/tmp`` now and then, and refuse to fill it further once it is full."""
        storage = self._storage
        if not storage.is_full():
            storage.recorded = False
            return None
        self._record_full()
        refused = self._mode == "read-only" and tried.asked in ("write", "make the folder")
        return no_space(arguments[0]) if refused else None

    def _record_full(self) -> None:
        storage = self._storage
        if not storage.recorded:
            storage.recorded = True
            limit = storage.limit // _MB
            now = self._recorder.clock.now_us()
            self._recorder.timeline.append(StorageExceeded(now, storage.used, limit))

    def settle(self) -> None:
        """Measure ``/tmp``, and mark files that stay in that of the machine: a test has ended."""
        storage = self._storage
        if storage.writes:
            if storage.is_full(now=True):
                self._record_full()
            for path, event in storage.literal.items():
                event.stays = os.path.lexists(path)


class _Storage:
    """The files of the function in ``/tmp``: the folder of the environment, and literal paths."""

    def __init__(self, own_tmp: str, limit: int) -> None:
        self._own_tmp = own_tmp
        self.limit = limit
        self.used = 0
        """Bytes, as last measured."""
        self.writes = 0
        self.literal: dict[str, TmpWrite] = {}
        """The paths outside `own_tmp`."""
        self.recorded = False

    def is_full(self, *, now: bool = False) -> bool:
        """Say whether the files are larger than the limit; one more is about to be written.

        They are measured at each doubling of the number of writes, and at each write once they are
        too large.  Each write tells nothing of its size, and to measure a folder at each of them
        would take the square of their number.
        """
        if not now:
            self.writes += 1
        if now or self.used > self.limit or self.writes & (self.writes - 1) == 0:
            self.used = sum(self._sizes())
        return self.used > self.limit

    def _sizes(self) -> Iterator[int]:
        for folder, _, names in os.walk(self._own_tmp):
            yield from (_size(os.path.join(folder, name)) for name in names)
        yield from map(_size, self.literal)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:  # it has been removed
        return 0


def _is_relative_elsewhere(arguments: tuple[Any, ...], frame: FrameType) -> bool:
    """Say whether `os.open` may take a relative path from another folder than the current one.

    Of all calls with an argument ``dir_fd``, this one alone does not tell the hook of it.  The
    caller's code shows whether it gives one: a keyword's name is a constant of the code.
    """
    path, mode, _ = arguments
    if mode is not None or os.path.isabs(path):
        return False
    return any(
        isinstance(constant, tuple) and "dir_fd" in constant for constant in frame.f_code.co_consts
    )


def hint_at_refusal(error: BaseException | None) -> str:
    """Return the advice for a failure that a refusal has caused, however often it was wrapped."""
    for one in chain_of(error):
        hint = vars(one).get(_HINT)
        if hint:
            return str(hint)
    return ""
