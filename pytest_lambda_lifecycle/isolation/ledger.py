"""What function code may change in this process, taken over and given back: the ledger.

An environment *enters* the process at its first phase and *leaves* it at the end of the pytest
phase; meanwhile its modules, variables, logging tree and so on are the process's.  Each change is
one `Part`: entering it returns its undo in the same statement, so whatever raises in between, what
was changed is given back, last change first.  At most one environment is entered at a time.
Streams, working directory, folder for temporary files, warnings filters and event loop are the
environment's only while function code runs (`ProcessSlice.run`).
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pytest_lambda_lifecycle.errors import InvalidTransition, LifecycleError
from pytest_lambda_lifecycle.isolation.event_loop import NO_LOOP, hide_loop, restore_loop
from pytest_lambda_lifecycle.isolation.patching import UNSETTLED, Undo, renew_attributes
from pytest_lambda_lifecycle.isolation.stage import Part, Surrounding, stage
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Raised

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.alarm import Alarm
    from pytest_lambda_lifecycle.isolation.streams import Unbuffered

__all__ = ["ProcessSlice"]

T = TypeVar("T")
_real_exit, _getpid = os._exit, os.getpid  # a test may have replaced them


class ProcessSlice:
    """One environment's share of the process."""

    def __init__(
        self,
        parts: Sequence[Part],
        surroundings: Sequence[Surrounding],
        alarm: Alarm,
        streams: Sequence[Unbuffered],
        label: str,
    ) -> None:
        self.label = label
        self.closed = False
        self.entry = 0
        """Which entry of all environments its latest was; 0: it never was in the process."""
        self.exit_code: int | None = None
        """Set when a thread of the function's ended the process, while the handler itself runs
        on.
        """
        self._pid = _getpid()
        self._parts = tuple(parts)
        self._begins = tuple(one.phase_begins for one in surroundings)
        self._ends = tuple(one.phase_ends for one in surroundings)
        self._alarm = alarm
        self._undo: list[Undo] = []
        self._streams = tuple(streams)
        self._held = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._context = contextvars.Context()
        self._stdout: Any = self._streams[0]
        self._stderr: Any = self._streams[1]
        self._filters: list[Any] = []
        self._loop = NO_LOOP
        self._tempdir: str | None = None

    # -- the process as a whole -----------------------------------------------------------------------------------

    def take_process(self) -> None:
        """Enter every part; if one raises, those before it are given back."""
        try:
            for part in self._parts:
                self._undo.append(part.enter())
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Undo every change, last one first, also when an undo raises."""
        problems: list[Exception] = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as problem:
                problems.append(problem)
        if problems:
            raise LifecycleError(
                f"{self.label}: not everything could be restored: {problems!r}"
            ) from problems[0]

    def discard(self) -> None:
        """End the function's process: what it had changed is gone."""
        if stage.current is self:
            stage.leave()
        self._discard_parts()
        self.exit_code = None
        self._streams = tuple(stream.afresh() for stream in self._streams)
        self._start_afresh()

    def close(self) -> None:
        """Leave for good."""
        self.closed = True
        if stage.current is self:
            stage.leave()
        self._discard_parts()
        self._parts = self._begins = (
            self._ends
        ) = ()  # they know us: what is closed and forgotten is freed at once
        for stream in self._streams:
            stream.release()
        self._context = contextvars.Context()

    def _discard_parts(self) -> None:
        with freeing():
            for part in self._parts:
                part.discard()

    # -- one phase ------------------------------------------------------------------------------------------------

    def run(self, function: Callable[[], T], /, limit: float | None = None) -> T:
        """Run function code as the environment's own: on this thread, in its context, directory and
        streams.

        After ``limit`` s of real time it is interrupted by `DeadlineReached`, where that is
        possible.
        """
        __tracebackhide__ = True
        self._claim_thread()
        before = stage.current
        try:
            if before is not self:
                stage.enter(self)
            outside, ended = self._phase_begins(), _UNFINISHED
            try:
                self._alarm.begin(None if limit is None else max(limit, 1e-6))
                ended = self._context.run(function)
                return ended
            finally:
                try:
                    self._alarm.end()
                except (
                    BaseException
                ):  # raised by a handler of the test's: pytest-timeout's, or that of Ctrl-C
                    self._alarm.end()
                    raise
                finally:
                    if (
                        _getpid() != self._pid
                    ):  # a child that function code forked must not go on as a second pytest
                        _real_exit(_exit_code(ended))
                    self._phase_ends(outside)
        finally:
            stage.running.pop()
            if stage.running and before is not None and before is not self:
                stage.enter(before)  # the environment whose handler invoked this one goes on

    def _claim_thread(self) -> None:
        running, thread = stage.running, threading.get_ident()
        if running and stage.thread != thread:
            raise InvalidTransition(
                f"cannot run a phase of {self.label} on thread {threading.current_thread().name!r}: "
                f"{running[-1].label} is inside a phase on another thread, and environments share this process; "
                "invoke them one after another"
            )
        stage.thread = thread
        running.append(self)

    def hold_streams(self) -> Undo:
        """Keep the function's streams in place between turns, as its threads go on; the returned
        call ends that.
        """
        if (
            stage.running and not stage.on_phase_thread()
        ):  # of another thread: the turn will be refused
            return lambda: None
        outside, self._held = self._take_streams(), True

        def release() -> None:
            self._held = False
            self._return_streams(outside)

        return release

    def _take_streams(self) -> tuple[Any, Any]:
        outside = sys.stdout, sys.stderr
        stdout, stderr = self._streams
        if (
            len(stage.running) > 1
        ):  # what a handler invokes is another function: its output is no part of the handler's
            outer = cast(ProcessSlice, stage.running[-2])._streams
            stdout.outside, stderr.outside = outer[0].outside, outer[1].outside
        else:
            stdout.outside, stderr.outside = outside
        sys.stdout, sys.stderr = self._stdout, self._stderr
        return outside

    def _return_streams(self, outside: tuple[Any, Any]) -> None:
        stdout, stderr = self._streams
        self._stdout, self._stderr = sys.stdout, sys.stderr
        if self._stdout is not stdout:
            _flush(self._stdout)
        if self._stderr is not stderr:
            _flush(self._stderr)
        sys.stdout, sys.stderr = outside
        stdout.outside = stderr.outside = None

    def _phase_begins(self) -> tuple[Any, ...]:
        if UNSETTLED:
            renew_attributes()
        for begins in self._begins:  # before the rest: the folder may be gone
            begins()
        streams, filters = None if self._held else self._take_streams(), warnings.filters
        warnings.filters = inside = [*self._filters, *filters]
        # Between phases it is the test's: pytest would put `tmp_path` of the whole run where it
        # ends with us.
        tempdir, tempfile.tempdir = tempfile.tempdir, self._tempdir
        return streams, filters, inside, len(inside), tempdir, hide_loop(self._loop)

    def _phase_ends(self, outside: tuple[Any, ...]) -> None:
        streams, filters, inside, count, tempdir, loop = outside
        self._loop = restore_loop(loop)
        self._tempdir, tempfile.tempdir = tempfile.tempdir, tempdir
        if streams is not None:
            self._return_streams(streams)
        if warnings.filters is not inside or len(inside) != count:
            self._filters = [entry for entry in warnings.filters if entry not in filters]
            getattr(warnings, "_filters_mutated", lambda: None)()
        warnings.filters = filters
        for ends in self._ends:
            ends()


_UNFINISHED: Any = object()


def _exit_code(ended: object) -> int:
    """Return the exit code of a forked child: what a runtime that ends so would have."""
    if isinstance(ended, Exited):
        return ended.exit_code if ended.exit_code >= 0 else 128 - ended.exit_code
    return 1 if ended is _UNFINISHED or isinstance(ended, Raised) else 0


def _flush(stream: object) -> None:
    """Write out what waits in a wrapper that function code has put in place of its stream.

    On Lambda it waits on, until there are 8 KB of it: a test would look for it in vain.
    """
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(ValueError, OSError):  # closed, or a full disk
            stream.flush()
