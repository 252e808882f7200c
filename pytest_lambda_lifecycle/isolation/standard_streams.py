"""The standard streams of the function's process, above file descriptors that it does not have.

They are what CPython makes for descriptors 1 and 2: an `io.TextIOWrapper` over an
`io.BufferedWriter` over an `io.FileIO`.  The text stream is the genuine class, so that each of its
methods, attributes and errors is the real one, and text waits in its buffers as long as on Lambda.
The layer of bytes is a subclass, which hands over all bytes that have left the buffer.

The obvious design is a raw stream in Python that hands bytes over in `write`.  But CPython calls
that method while it holds the lock of the buffer.  A signal handler of the function that runs there
and prints gets ``RuntimeError: reentrant call``: that is so on Lambda as well, but a method in
Python takes much longer than a system call.  So the buffer writes to an `io.BytesIO`, which is
written in C, and the subclass looks into it when the lock is free again.
"""

from __future__ import annotations

import errno
import io
import os
from typing import Any, Final, NoReturn, Protocol

__all__ = ["BufferedWriter", "is_unused", "open_stream"]

_write: Final = io.BufferedWriter.write
_flush: Final = io.BufferedWriter.flush
_close: Final = io.BufferedWriter.close
_RAW: Final = (io.BytesIO.tell, io.BytesIO.getvalue, io.BytesIO.seek, io.BytesIO.truncate)
_UNUSED: Final = 3
"""The number of attributes of a buffer that nobody has used."""
_tell, _getvalue, _seek, _truncate = _RAW


class Descriptor(Protocol):
    """The end of a stream, in the place of a file descriptor (`isolation.outlet.Outlet`)."""

    def deliver(self, data: bytes) -> None:
        """Take bytes that have left the buffer."""
        ...

    def end_of_bytes(self) -> None:
        """Note that no bytes will follow, as the stream was closed."""
        ...

    def fileno(self) -> int:
        """Return a file descriptor."""
        ...


class _Waiting(io.BytesIO):
    """The bytes that have left the buffer, and that nobody has fetched yet."""

    def seekable(self) -> bool:
        return False


class FileIO(io.RawIOBase):
    """The raw stream that function code finds below the buffer."""

    mode = "wb"
    closefd = False

    def __init__(self, buffer: BufferedWriter, name: str) -> None:
        self.name = name
        self._above = buffer

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # anything with a buffer
        if self.closed:
            raise ValueError("I/O operation on closed file")
        written = bytes(data)
        self._above.outlet.deliver(written)
        return len(written)

    def close(self) -> None:
        self._above.waiting.close()

    @property
    def closed(self) -> bool:
        return self._above.waiting.closed

    def fileno(self) -> int:
        return self._above.fileno()

    def isatty(self) -> bool:
        return self._above.isatty()

    def writable(self) -> bool:
        return True

    def truncate(self, size: int | None = None, /) -> NoReturn:
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))

    def readall(self) -> NoReturn:
        raise io.UnsupportedOperation("File not open for reading")

    def readinto(self, buffer: object, /) -> NoReturn:
        raise io.UnsupportedOperation("File not open for reading")

    def __repr__(self) -> str:
        return f"<_io.FileIO name={self.name!r} mode='wb' closefd=False>"


class BufferedWriter(io.BufferedWriter):
    """The stream of bytes, ``sys.stdout.buffer``."""

    mode: Any = "wb"  # pyright: ignore[reportIncompatibleMethodOverride]
    name: Any = ""  # pyright: ignore[reportIncompatibleMethodOverride]
    _raw: FileIO | None = None
    written: bool
    flushed: bool

    def __init__(self, name: str, outlet: Descriptor) -> None:
        self.waiting = waiting = _Waiting()
        super().__init__(waiting)
        self.outlet = outlet
        self.name = name

    @property
    def raw(self) -> Any:  # type: ignore[override]  # noqa: ANN401  # not the `io.BytesIO` of the base class
        """The raw stream; it is made when somebody asks for it."""
        if self._raw is None:
            self._raw = FileIO(self, self.name)
        return self._raw

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # anything with a buffer
        self.written = True
        written = _write(self, data)
        if _tell(self.waiting):
            self._hand_over()
        return written

    def flush(self) -> None:
        self.flushed = True
        _flush(self)
        if _tell(self.waiting):
            self._hand_over()

    def _hand_over(self) -> None:
        waiting = self.waiting
        data = _getvalue(waiting)
        _seek(waiting, 0)
        _truncate(waiting)
        self.outlet.deliver(data)

    def close(self) -> None:
        if not self.closed:
            _close(self)  # it calls `flush` first
            self.outlet.end_of_bytes()

    def detach(self) -> Any:  # noqa: ANN401  # the raw stream
        super().detach()
        return self.raw

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self.outlet.fileno()

    def isatty(self) -> bool:
        """Say no: it is a pipe on Lambda, whatever the stream of the test is."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return False

    def truncate(self, size: int | None = None, /) -> NoReturn:
        self.flush()
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))

    def tell(self) -> NoReturn:
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))

    def __repr__(self) -> str:
        return f"<_io.BufferedWriter name={self.name!r}>"


def open_stream(name: str, outlet: Descriptor) -> io.TextIOWrapper:
    """Return a new standard stream, ``"stdout"`` or ``"stderr"``, as CPython makes it at start."""
    is_stderr = name == "stderr"
    stream = io.TextIOWrapper(
        BufferedWriter(f"<{name}>", outlet),
        "utf-8",
        "backslashreplace" if is_stderr else "strict",
        "\n",
        line_buffering=is_stderr,
    )
    stream.mode = "w"  # type: ignore[misc]  # CPython sets it so
    return stream


def is_unused(stream: io.TextIOWrapper) -> bool:
    """Say whether a stream is as `open_stream` has made it.

    To write, to close, to detach and to reconfigure a stream: each of them flushes its buffer, but
    for text that still waits in the stream itself.
    """
    buffer: Any = getattr(stream, "buffer", None)
    if type(buffer) is not BufferedWriter or len(buffer.__dict__) != _UNUSED:
        return False
    stream.flush()
    del buffer.flushed
    return len(buffer.__dict__) == _UNUSED and stream.__dict__ == {"mode": "w"}
