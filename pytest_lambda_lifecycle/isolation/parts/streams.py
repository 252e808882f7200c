"""`sys.stdout`, `sys.stderr` and the streams that a process starts with, of function code."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_lambda_lifecycle.errors import warn
from pytest_lambda_lifecycle.isolation.outlet import REFUSALS, Outlet, Places, RecordOutput
from pytest_lambda_lifecycle.isolation.part import PhasePart, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.isolation.standard_streams import is_unused, open_stream

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Streams", "Unbuffered", "write_to_descriptor_2"]

__stands_for__ = "bootstrap_streams"

_NAMES: Final = ("stdout", "stderr", "__stdout__", "__stderr__")
_SYS: Final[dict[str, Any]] = sys.__dict__
_read: Final = itemgetter(*_NAMES)
_Four = tuple[Any, Any, Any, Any]
_NONE: Final[_Four] = (None, None, None, None)


class _Absent:
    """Stands for a name that function code, or the test, has deleted from `sys`."""


class Streams(PhasePart):
    """Puts the streams of the function in place during a phase, those of the test otherwise."""

    in_place: ClassVar[list[Streams]] = []
    """Those whose streams are in place, outermost first: a handler may invoke an environment."""

    def __init__(self, record: RecordOutput) -> None:
        self._record = record
        self.held = False
        """The streams stay in place between turns."""
        self._process: _OfProcess | None = None
        self._before: _Four = _NONE
        self._current: _Four = _NONE
        """The objects that function code has left in `sys`, by the order of `_NAMES`."""
        self._gaps = False
        """Function code, or the test, has deleted a stream at some time."""
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
            self._process = _OfProcess.begin(self._record)
            self._current = self._process.at_start
        return self._process

    def discard(self) -> None:
        ended, self._process = self._process, None
        if ended is None:
            return
        self._current = _NONE
        if self not in self.in_place:
            self._before = _NONE
        else:
            # The process has ended while its streams are held: the next one has them from now on.
            self.process.places.of_test = ended.places.of_test
            _write(self._current)
        ended.end()

    def begin_phase(self) -> None:
        try:
            before = _read(_SYS)
        except KeyError:
            before = _present()
            self._gaps = True
        self._before = before
        process = self._process or self.process
        in_place = self.in_place
        # A handler may invoke this environment.  It is another function, so that its output is no
        # part of the output of that handler.
        process.places.of_test = in_place[-1].process.places.of_test if in_place else before
        in_place.append(self)
        current = self._current
        if self._gaps:
            _write(current)
        else:
            sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = current  # type: ignore[misc]

    def end_phase(self) -> None:
        try:
            self._current = _read(_SYS)
        except KeyError:
            self._current = _present()
            self._gaps = True
        before = self._before
        if self._gaps:
            _write(before)
        else:
            sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        self.in_place.remove(self)
        if self._process is not None:
            self._process.places.of_test = None
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


def _present() -> _Four:
    """Return the streams that are in `sys` now, where one of them was deleted."""
    out, err, start_out, start_err = (_SYS.get(name, _Absent()) for name in _NAMES)
    return out, err, start_out, start_err


def _write(streams: _Four) -> None:
    for name, stream in zip(_NAMES, streams, strict=True):
        if type(stream) is _Absent:
            _SYS.pop(name, None)
        else:
            _SYS[name] = stream


class _OfProcess:
    """The streams of one process of the function.

    To make and to free them takes 3 % of a cold start, so the next process gets those of one that
    has ended, if nobody has used or kept them.
    """

    _spare: ClassVar[list[_OfProcess]] = []

    def __init__(self) -> None:
        self.places = Places()
        self.outlets = Outlet("stdout", self.places), Outlet("stderr", self.places)
        out, err = map(open_stream, ("stdout", "stderr"), self.outlets)
        self.at_start: _Four = (Unbuffered(out), Unbuffered(err), out, err)
        del out, err
        self._holders = self._count_holders()

    @classmethod
    def begin(cls, record: RecordOutput) -> _OfProcess:
        """Return the streams of a new process; *record* takes their output."""
        process = cls._spare.pop() if cls._spare else None
        # Only now, as other parts hold them a moment longer than their process.
        if process is None or process._count_holders() != process._holders:
            process = cls()
        for outlet in process.outlets:
            outlet.begin(record)
        return process

    def end(self) -> None:
        """End with the process: text that waits in a buffer is lost, as with a killed process."""
        self.places.of_test = None
        for outlet in self.outlets:
            outlet.end()
        if not self._spare and self._is_as_new():
            self._spare.append(self)

    def _is_as_new(self) -> bool:
        """Say whether the streams can serve another process; nobody has written to them."""
        out, err, out_text, err_text = self.at_start
        return (
            is_unused(out_text)
            and is_unused(err_text)
            and vars(out) == {"stream": out_text}
            and vars(err) == {"stream": err_text}
            and type(out) is type(err) is Unbuffered
        )

    def _count_holders(self) -> list[int]:
        return list(map(sys.getrefcount, (*self.at_start, *(o.buffer for o in self.at_start[2:]))))


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
        Streams.in_place[-1].process.outlets[1].deliver(text.encode("utf-8", "backslashreplace"))
