"""The outlet of a stream of function code: its output goes to the timeline and to the test."""

from __future__ import annotations

# `signal.getsignal` is replaced while an environment is entered.
import _signal  # type: ignore[import-not-found]
import codecs
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.isolation.standard_streams import BufferedWriter

__all__ = ["REFUSALS", "Outlet", "Places", "RecordOutput", "of_test"]

RecordOutput: TypeAlias = Callable[[str, str], None]
"""Records text on the timeline; takes the name of the stream and the text."""

_FROM_C: Final = (OSError, ValueError, AttributeError, TypeError, LookupError)
"""Errors of a stream that is written in C, or that lacks a method."""
REFUSALS: Final[list[str]] = []
"""Errors of the test's streams that nobody has been warned of yet."""


def _record_nothing(name: str, text: str) -> None:
    """Stand for the timeline of a process that has ended, or has not begun."""


class Places:
    """The streams of the test that the output of a process goes to during a phase."""

    __slots__ = ("of_test",)

    def __init__(self) -> None:
        self.of_test: tuple[Any, Any, Any, Any] | None = None
        """`sys.stdout`, `sys.stderr`, ``sys.__stdout__`` and ``sys.__stderr__``."""


class Outlet:
    """The end of one of the function's streams, in the place of a file descriptor.

    During a phase the output goes to the stream that was there before the phase, at other times to
    the one that is there now.

    The stream of the test may be unable to take a text: a terminal that is not UTF-8, a full disk
    behind pytest's capture.  Lambda's log takes each text, so no such error reaches function code.
    """

    def __init__(self, name: str, places: Places) -> None:
        """``name`` is ``"stdout"`` or ``"stderr"``."""
        self._name = name
        self._record: RecordOutput = _record_nothing
        self._decoder: codecs.IncrementalDecoder | None = None
        """Made for the first bytes that are not UTF-8."""
        self._begun = False
        """The latest bytes have ended within a letter."""
        self._descriptor: _Descriptor | None = None
        self._places = places
        self.ended = False
        """The process has ended; its buffers are flushed as they are freed, at any later time."""

    def begin(self, record: RecordOutput) -> None:
        """Serve a process from now on."""
        self._record = record
        self.ended = False

    def end(self) -> None:
        """Take nothing more, and close the file descriptor, at the end of the process."""
        self._record = _record_nothing
        self.ended = True
        if self._descriptor is not None:
            self._descriptor.close()
            self._descriptor = None
        if self._decoder is not None:
            self._decoder = None
            self._begun = False

    def fileno(self) -> int:
        """Return a descriptor that function code may close, as `os.fdopen` does in the end."""
        if self._descriptor is None:
            self._descriptor = _Descriptor()
        return self._descriptor.of(self.beneath().fileno())

    def deliver(self, data: bytes) -> None:
        """Record bytes, and pass them on at once.

        Bytes that are not UTF-8 reach the test as they are, if its stream takes bytes.
        """
        if self.ended:
            return
        try:
            if self._begun:
                raise UnicodeDecodeError("utf-8", data, 0, 1, "goes on in the middle of a letter")
            text = data.decode()
            as_text = True
        except UnicodeDecodeError:
            if self._decoder is None:
                self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
            text = self._decoder.decode(data)
            self._begun = bool(self._decoder.getstate()[0])
            as_text = False
        self._pass_on(text, None if as_text else data)

    def end_of_bytes(self) -> None:
        """Record a letter that has remained incomplete, as function code has closed the stream."""
        rest = self._decoder.decode(b"", True) if self._decoder is not None else ""
        if rest and not self.ended:
            self._record(self._name, rest)

    def _pass_on(self, text: str, data: bytes | None) -> None:
        if text:
            self._record(self._name, text)
        try:
            stream = self.beneath()
            if stream is None:
                return
            below = getattr(stream, "buffer", None) if data is not None else None
            if below is None:
                stream.write(_on_a_terminal(text) if "\r" in text else text)
                stream.flush()
            else:
                stream.flush()
                below.write(data)
                below.flush()
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
        REFUSALS.append(
            f"sys.{self._name} of the test has refused output of function code "
            f"({type(error).__name__}: {error})"
        )
        return True

    def beneath(self) -> Any:  # noqa: ANN401  # any object may lie in sys.stdout
        """Return the stream that text goes to; None if there is no open one."""
        for stream in self._streams_of_test():
            # The stream may be that of another environment whose handler invokes this one.
            while (outlet := _outlet_of(stream)) is not None:
                stream = None if outlet is self else outlet._streams_of_test()[0]
            if stream is not None and not getattr(stream, "closed", False):
                return stream
        return None

    def _streams_of_test(self) -> tuple[Any, Any]:
        streams = self._places.of_test
        if streams is not None:
            first = 0 if self._name == "stdout" else 1
            return streams[first], streams[first + 2]
        return getattr(sys, self._name, None), getattr(sys, f"__{self._name}__", None)


def of_test(stream: Any) -> Any:  # noqa: ANN401  # any object may lie in sys.stdout
    """Return the stream of the test to which a stream passes text on; any other stream itself."""
    outlet = _outlet_of(stream)
    return stream if outlet is None else outlet.beneath()


def _outlet_of(stream: object) -> Outlet | None:
    """Return the outlet of a stream of function code; None for any other stream."""
    try:
        buffer = getattr(stream, "buffer", None)
    except Exception:  # it is closed, or has been detached
        return None
    outlet = buffer.outlet if type(buffer) is BufferedWriter else None
    return outlet if isinstance(outlet, Outlet) else None


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
