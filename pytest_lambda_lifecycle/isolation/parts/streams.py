"""`sys.stdout`, `sys.stderr` and the streams that a process starts with, of function code."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_lambda_lifecycle.errors import warn
from pytest_lambda_lifecycle.isolation.outlet import REFUSALS, Outlet, RecordOutput
from pytest_lambda_lifecycle.isolation.part import PhasePart, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.isolation.standard_streams import open_stream

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Streams", "Unbuffered", "write_to_descriptor_2"]

__stands_for__ = "bootstrap_streams"

_NAMES: Final = ("stdout", "stderr", "__stdout__", "__stderr__")
_SYS: Final[dict[str, Any]] = vars(sys)
_read: Final = itemgetter(*_NAMES)
_ABSENT: Final[Any] = object()
"""Stands for a name that function code, or the test, has deleted from `sys`."""

_Four = tuple[Any, Any, Any, Any]


class Streams(PhasePart):
    """Puts the streams of the function in place during a phase, those of the test otherwise."""

    in_place: ClassVar[list[Streams]] = []
    """Those whose streams are in place, outermost first: a handler may invoke an environment."""

    def __init__(self, record: RecordOutput) -> None:
        self._record = record
        self.held = False
        """The streams stay in place between turns."""
        self._before: _Four = (None, None, None, None)
        self._process: _OfProcess | None = None
        self._current: _Four = self._before
        """The objects that function code has left in `sys`, by the order of `_NAMES`."""
        self._refusals_reported = False

    def hold(self) -> Undo:
        """Keep the streams in place between turns, as threads of the function go on.

        The returned call ends that.
        """
        if stage.running and not stage.on_phase_thread():
            return nothing_to_undo  # this turn will be refused
        self.begin_phase()
        self.held = True
        return self._release

    def _release(self) -> None:
        self.held = False
        self.end_phase()

    @property
    def process(self) -> _OfProcess:
        """The streams of the process that runs; the first phase of a process makes them."""
        if self._process is None:
            self._process = _OfProcess(self._record)
            self._current = self._process.at_start
        return self._process

    def discard(self) -> None:
        ended, self._process = self._process, None
        if ended is None:
            return
        if self in self.in_place:
            # The process has ended while its streams are held: the next one has them from now on.
            self.process.lead_to(ended)
            _write(self._current)
        ended.end()

    def begin_phase(self) -> None:
        before = self._before = _all()
        out, err, start_out, start_err = before
        in_place = self.in_place
        if in_place:
            # A handler invokes this environment.  It is another function, so that its output is no
            # part of the output of that handler.
            self.process.lead_to(in_place[-1].process)
        else:
            process = self._process or self.process
            process.stdout.outside = out, start_out
            process.stderr.outside = err, start_err
        in_place.append(self)
        _write(self._current)

    def end_phase(self) -> None:
        self._current = _all()
        _write(self._before)
        self.in_place.remove(self)
        if self._process is not None:
            self._process.lead_nowhere()
        if REFUSALS and not self.in_place:
            self._report_refusals()

    def _report_refusals(self) -> None:
        """Warn of the first text that a stream of the test has refused, once per environment.

        That is done when no phase runs: a warning may be an error, which must not be raised into a
        handler that invokes this environment.
        """
        first = REFUSALS[0]
        REFUSALS.clear()
        if not self._refusals_reported:
            self._refusals_reported = True
            warn(f"{first}; the function goes on, and env.log has the text")


def _all() -> _Four:
    """Return the streams that are in `sys` now."""
    try:
        streams: _Four = _read(_SYS)
        return streams
    except KeyError:
        out, err, start_out, start_err = (_SYS.get(name, _ABSENT) for name in _NAMES)
        return out, err, start_out, start_err


def _write(streams: _Four) -> None:
    sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    if _ABSENT in streams:
        for name, stream in zip(_NAMES, streams, strict=True):
            if stream is _ABSENT:
                del _SYS[name]


class _OfProcess:
    """The streams of one process of the function."""

    def __init__(self, record: RecordOutput) -> None:
        self.stdout = Outlet("stdout", record)
        self.stderr = Outlet("stderr", record)
        out, err = open_stream("stdout", self.stdout), open_stream("stderr", self.stderr)
        self.at_start: _Four = (Unbuffered(out), Unbuffered(err), out, err)

    def lead_to(self, other: _OfProcess) -> None:
        """Let output go where that of another process goes."""
        self.stdout.outside = other.stdout.outside
        self.stderr.outside = other.stderr.outside

    def lead_nowhere(self) -> None:
        """Let output go to the streams of the test that are there when it is written."""
        self.stdout.outside = self.stderr.outside = None

    def end(self) -> None:
        """End with the process: text that waits in a buffer is lost, as with a killed process."""
        self.lead_nowhere()
        self.stdout.ended = self.stderr.ended = True
        self.stdout.release()
        self.stderr.release()


class Unbuffered:
    """The proxy that function code finds as `sys.stdout` or `sys.stderr`.

    It is the one that the real runtime installs (awslambdaric ``bootstrap.py``), so it has that
    name.  There is one object for each process of the function and each stream, since function code
    may keep it (a `logging.StreamHandler` does).
    """

    __module__ = "awslambdaric.bootstrap"

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stay open, as the real proxy does."""

    def __getattr__(self, attr: str) -> Any:  # noqa: ANN401  # as the stream
        return getattr(self.stream, attr)

    def write(self, msg: str) -> None:
        """Write text, and let it leave the buffers at once."""
        self.stream.write(msg)
        self.stream.flush()

    def writelines(self, msgs: Iterable[str]) -> None:
        """Write lines, and let them leave the buffers at once."""
        self.stream.writelines(msgs)
        self.stream.flush()


def write_to_descriptor_2(text: str) -> None:
    """Write as the interpreter does where it does not use `sys.stderr`, in the innermost phase."""
    if Streams.in_place:
        Streams.in_place[-1].process.stderr.deliver(text.encode("utf-8", "backslashreplace"))
