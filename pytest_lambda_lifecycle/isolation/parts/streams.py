"""`sys.stdout` and `sys.stderr`: output of function code goes to the timeline and to the test."""

from __future__ import annotations

# `signal.getsignal` is replaced while an environment is entered.
import _signal  # type: ignore[import-not-found]
import codecs
import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from pytest_lambda_lifecycle.errors import warn
from pytest_lambda_lifecycle.isolation.part import PhasePart, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.isolation.stage import stage

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Streams", "Unbuffered"]

__stands_for__ = "bootstrap_streams"

RecordOutput = Callable[[str, str], None]
"""Records text on the timeline; takes the name of the stream and the text."""

_FROM_C: Final = (OSError, ValueError, AttributeError, TypeError, LookupError)
"""Errors of a stream that is written in C, or that lacks a method."""
_DELETED: Final[Any] = object()
_REFUSALS: Final[list[str]] = []
"""Errors of the test's streams that nobody has been warned of yet."""


class Streams(PhasePart):
    """Puts the streams of the function in place during a phase, those of the test otherwise."""

    _in_place: ClassVar[list[Streams]] = []
    """Those whose streams are in place, outermost first: a handler may invoke an environment."""

    def __init__(self, record: RecordOutput) -> None:
        self._record = record
        self.held = False
        """The streams stay in place between turns."""
        self._before: tuple[Any, Any] = (None, None)
        self._stdout = Unbuffered("stdout", record)
        self._stderr = Unbuffered("stderr", record)
        self._current: tuple[Any, Any] = (self._stdout, self._stderr)
        """The objects that function code has left in `sys.stdout` and `sys.stderr`."""
        self._deletes = False
        """Function code has deleted one of these attributes."""
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

    def discard(self) -> None:
        ended = self._stdout, self._stderr
        self._stdout = Unbuffered("stdout", self._record)
        self._stderr = Unbuffered("stderr", self._record)
        self._current = self._stdout, self._stderr
        self._deletes = False
        if self in self._in_place:
            # The process has ended while its streams are held: the next one has them from now on.
            self._stdout.outside = ended[0].outside
            self._stderr.outside = ended[1].outside
            sys.stdout, sys.stderr = self._current
        for stream in ended:
            stream.outside = None
            stream.release()

    def begin_phase(self) -> None:
        before = self._before = sys.stdout, sys.stderr
        if self._in_place:
            # A handler invokes this environment.  It is another function, so that its output is no
            # part of the output of that handler.
            outer = self._in_place[-1]
            before = outer._stdout.outside, outer._stderr.outside
        self._stdout.outside, self._stderr.outside = before
        self._in_place.append(self)
        sys.stdout, sys.stderr = self._current
        if self._deletes:
            _delete(self._current)

    def end_phase(self) -> None:
        try:
            current = sys.stdout, sys.stderr
            self._deletes = False
        except AttributeError:
            current = getattr(sys, "stdout", _DELETED), getattr(sys, "stderr", _DELETED)
            self._deletes = True
        sys.stdout, sys.stderr = self._before
        self._in_place.remove(self)
        self._current = current
        if current[0] is not self._stdout:
            _flush(current[0])
        if current[1] is not self._stderr:
            _flush(current[1])
        self._stdout.outside = None
        self._stderr.outside = None
        if _REFUSALS and not self._in_place:
            self._report_refusals()

    def _report_refusals(self) -> None:
        """Warn of the first text that a stream of the test has refused, once per environment.

        That is done when no phase runs: a warning may be an error, which must not be raised into a
        handler that invokes this environment.
        """
        first = _REFUSALS[0]
        _REFUSALS.clear()
        if not self._refusals_reported:
            self._refusals_reported = True
            warn(f"{first}; the function goes on, and env.log has the text")


def _delete(streams: tuple[Any, Any]) -> None:
    """Delete the attributes again that function code has deleted."""
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        if stream is _DELETED:
            delattr(sys, name)


def _flush(stream: object) -> None:
    """Write out the text that waits in a wrapper around a stream of the function.

    On Lambda it waits until there are 8 KB of it: a test would look for it in vain.
    """
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(ValueError, OSError):  # closed, or a full disk
            stream.flush()


class Unbuffered:
    """The stream that function code finds as `sys.stdout` or `sys.stderr`.

    There is one object for each process of the function and each stream, since function code may
    keep it (a `logging.StreamHandler` does).  During a phase it writes to the stream that was there
    before the phase, at other times to the one that is there now.  Function code may close, detach
    or wrap this object; the streams of the test stay as they are.  The name is that of the proxy
    which the real runtime installs (awslambdaric ``bootstrap.py``).

    The stream of the test may be unable to take a text: a terminal that is not UTF-8, a full disk
    behind pytest's capture.  Lambda's log takes each text, so no such error reaches function code.
    """

    encoding: Final = "utf-8"
    """The encoding of Lambda's streams; that of the stream of the test does not matter."""

    def __init__(self, name: str, record: RecordOutput) -> None:
        self._name = name
        self._record = record
        self._errors = "strict" if name == "stdout" else "backslashreplace"
        self._ended = ""
        self._buffer: _Buffer | None = None
        self._descriptor = _Descriptor()
        self.outside: TextIO | None = None
        """The stream of the test, during a phase."""

    def release(self) -> None:
        """Close the file descriptor, at the end of the process."""
        self._descriptor.close()

    def fileno(self) -> int:
        """Return a descriptor that function code may close, as `os.fdopen` does in the end."""
        return self._descriptor.of(self.beneath().fileno())

    def write(self, text: str) -> None:
        """Record the text and pass it on at once.

        Lambda's stdout is strict UTF-8: a lone surrogate raises `UnicodeEncodeError`.  Its stderr
        writes such a character backslash-escaped.
        """
        if self._ended:
            raise ValueError(self._ended)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError:
            if self._errors == "strict":
                raise
            text = text.encode("utf-8", self._errors).decode("utf-8", "replace")
        self._record(self._name, text)
        try:
            stream = self.beneath()
            if stream is not None:
                stream.write(_on_a_terminal(text) if "\r" in text else text)
                stream.flush()
        except Exception as error:
            if not self._settle(error, text):
                raise

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line, as `io.TextIOBase.writelines` does."""
        for line in lines:
            self.write(line)

    def write_bytes(self, data: bytes, text: str) -> None:
        """Record and pass on bytes that came through `buffer`.

        ``text`` is as much of them as can be decoded by now.
        """
        if text:
            self._record(self._name, text)
        try:
            stream = self.beneath()
            below = getattr(stream, "buffer", None)
            if below is not None:
                stream.flush()
                below.write(data)
                below.flush()
            elif stream is not None:
                stream.write(text)
                stream.flush()
        except Exception as error:
            if not self._settle(error, text):
                raise

    def _settle(self, error: Exception, text: str) -> bool:
        """Deal with an error of the test's stream; say whether it was one.

        Text that the stream cannot encode is written once more, with escapes.  Other errors are
        noted, for a warning.
        """
        if not _comes_from_stream(error):
            return False
        try:
            if isinstance(error, UnicodeEncodeError):
                stream = self.beneath()
                known = text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
                stream.write(_on_a_terminal(known))
                stream.flush()
                return True
        except Exception as problem:
            if not _comes_from_stream(problem):
                raise
            error = problem
        _REFUSALS.append(
            f"sys.{self._name} of the test has refused output of function code "
            f"({type(error).__name__}: {error})"
        )
        return True

    def flush(self) -> None:
        """Do nothing: nothing is held back here."""
        if self._ended:
            raise ValueError(self._ended)

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The stream of bytes, which function code may wrap, close or throw away."""
        if self._buffer is None:
            self._buffer = _Buffer(self, f"<{self._name}>")
        return self._buffer

    @property
    def errors(self) -> str:
        """The treatment of characters that cannot be encoded."""
        return self._errors

    @property
    def closed(self) -> bool:
        """True once function code has closed it."""
        return self._buffer is not None and self._buffer.closed

    def close(self) -> None:
        """Refuse later writes, as a closed file does."""
        self.buffer.close()

    def end(self, why: str) -> None:
        """Let later writes raise `ValueError`."""
        self._ended = self._ended or why

    def detach(self) -> io.BufferedIOBase:
        """Return the stream of bytes, and refuse later writes."""
        if self._ended:
            raise ValueError(self._ended)
        self.end("underlying buffer has been detached")
        return self.buffer

    def reconfigure(self, *, errors: str | None = None, **_ignored: object) -> None:
        """Take the arguments of `io.TextIOWrapper.reconfigure`; use ``errors`` alone."""
        self._errors = errors or self._errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stay open, as the real proxy does."""

    def beneath(self) -> Any:  # noqa: ANN401  # any object may lie in sys.stdout
        """Return the stream that text goes to; None if there is no open one."""
        for stream in (
            self.outside,
            getattr(sys, self._name, None),
            getattr(sys, f"__{self._name}__", None),
        ):
            # The stream may be that of another environment whose handler invokes this one.
            while isinstance(stream, Unbuffered):
                stream = stream.outside if stream is not self else None
            if stream is not None and not getattr(stream, "closed", False):
                return stream
        return None

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401  # as the real stream
        return getattr(self.beneath(), attribute)


def _comes_from_stream(error: Exception) -> bool:
    """Say whether a stream of the test raised an error, and not a handler of a signal.

    Function code may set a timer whose handler raises (`TimeoutError` in most decorators for
    timeouts), or raise into another thread.  Such an exception can arrive while text is written.
    """
    entry = error.__traceback__
    entry = entry.tb_next if entry is not None else None
    if entry is None:
        unnumbered = isinstance(error, TimeoutError) and error.errno is None
        return isinstance(error, _FROM_C) and not unnumbered
    handlers = {_code_of(_signal.getsignal(number)) for number in signal.valid_signals()}
    while entry is not None:
        if entry.tb_frame.f_code in handlers:
            return False
        entry = entry.tb_next
    return True


def _code_of(handler: object) -> object:
    function = handler if hasattr(handler, "__code__") else type(handler).__call__
    return getattr(function, "__code__", None)


def _on_a_terminal(text: str) -> str:
    """Turn carriage returns inside a finished line into newlines.

    CloudWatch shows them so, and the runtime puts them between the parts of an error; a terminal
    would print one part over the other.
    """
    return re.sub(r"(?<=.)\r(?!\n)", "\n", text) if text.endswith("\n") else text


class _Buffer(io.BufferedIOBase):
    """``sys.stdout.buffer`` of the function.

    A wrapper around it closes it when it is collected as garbage: then the stream of the function
    is closed, and not the stream of the test.
    """

    def __init__(self, stream: Unbuffered, name: str) -> None:
        self.name = name
        self.mode = "wb"
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # anything with a buffer
        if self.closed:
            raise ValueError("write to closed file")
        written = bytes(data)
        self._stream.write_bytes(written, self._decode(written))
        return len(written)

    def flush(self) -> None:
        if self.closed:
            raise ValueError("flush of closed file")

    def close(self) -> None:
        if not self.closed:
            rest = self._decode(b"", True)
            super().close()
            self._stream.end("I/O operation on closed file.")
            if rest:
                self._stream.write_bytes(b"", rest)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._stream.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    @property
    def raw(self) -> _Buffer:
        """The same object, as nothing is held back here."""
        return self


class _Descriptor:
    """A duplicate of the file descriptor beneath a stream.

    Function code may close it, and the number may then be in use for another file.  So it is
    compared by its file before it is closed.
    """

    def __init__(self) -> None:
        self._number = -1
        self._file: object = None

    def of(self, original: int) -> int:
        """Return the duplicate; it follows the original to another stream of the test."""
        file = _file_behind(original)
        if file is None:
            return original
        if not self._is_ours():
            self._number = os.dup(original)
        elif file != self._file:
            os.dup2(original, self._number, inheritable=False)
        self._file = file
        return self._number

    def close(self) -> None:
        if self._is_ours():
            os.close(self._number)
        self._number = -1

    def _is_ours(self) -> bool:
        return self._number >= 0 and _file_behind(self._number) == self._file


def _file_behind(descriptor: int) -> object:
    with contextlib.suppress(OSError):
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino
    return None
