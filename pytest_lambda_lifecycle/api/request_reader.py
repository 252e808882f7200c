"""The bytes of one connection become requests (HTTP/1.1), each of them within its time.

Sources: RFC 9112 for the messages; the server of Go's standard library, on which the Runtime
Interface Emulator is built, where the RFC leaves a choice.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn

from pytest_lambda_lifecycle.api.replies import Call
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.rules import RESPONSE_LIMIT

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["HEAD_SECONDS", "PAUSE_SECONDS", "Malformed", "RequestReader"]

HEAD_SECONDS: Final = 10.0
"""Seconds in which the head of a request has to arrive, once it has begun."""
PAUSE_SECONDS: Final = 10.0
"""Seconds that a body may pause."""

_LONGEST_LINE: Final = 65_536
_MOST_HEADERS: Final = 100
_KEPT: Final = RESPONSE_LIMIT + 1
"""Bytes of a body that are kept: one more than a response may have, so that its excess shows."""
_READ: Final = 64 * 1024 * 1024
"""Bytes of a body that are read at all; after a longer one the connection is closed."""
_PIECE: Final = 65_536

_version_of: Final = re.compile(r"HTTP/([0-9]+)\.([0-9]+)").fullmatch
_length_of: Final = re.compile(r"[0-9]{1,19}").fullmatch
_size_of: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?").fullmatch


class Malformed(Exception):
    """The request breaks the rules of HTTP; ``status`` is the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class RequestReader:
    """Reads one request after another; only the thread of the connection uses it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._incoming = _Incoming(connection)
        self._input = io.BufferedReader(self._incoming, _PIECE)
        self.last = False
        """Whether no request can follow the latest one."""

    def wait(self) -> bool:
        """Wait without a limit until a request begins; return False if the client has closed."""
        self._incoming.lift_limit()
        return bool(self._input.peek(1))

    def read(self) -> Call | None:
        """Return the next request; None for a line end before one, which RFC 9112 (2.2) allows.

        Raises `Malformed`, `TimeoutError`, and `EOFError` if the client closes within a request.
        """
        self._incoming.limit(HEAD_SECONDS)
        line = self._input.readline(_LONGEST_LINE + 1)
        if line in (b"\r\n", b"\n"):
            return None
        if len(line) > _LONGEST_LINE:
            raise Malformed(HTTPStatus.REQUEST_URI_TOO_LONG)
        words = line.decode("latin-1").split()
        if len(words) != 3:
            raise Malformed(HTTPStatus.BAD_REQUEST)
        method, target, version = words
        is_new = _version(version) >= (1, 1)
        headers: dict[str, str] = {}
        lengths: set[str] = set()
        for name, value in self._headers():
            headers.setdefault(name, value)
            if name == "content-length":
                lengths.add(value)
        options = headers.get("connection", "").lower().replace(" ", "").split(",")
        self.last = "close" in options or not (is_new or "keep-alive" in options)
        if is_new and headers.get("expect", "").lower() == "100-continue":
            # curl waits for this before it sends a body of more than a megabyte.
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._body(headers.get("transfer-encoding"), lengths)
        return Call(method, _path(target), headers, body)

    def drain(self, seconds: float) -> NoReturn:
        """Read and drop all that comes; ends in `EOFError`, `TimeoutError` or another `OSError`."""
        self._incoming.limit(seconds)
        while True:
            self._input.read1(_PIECE)

    def close(self) -> None:
        """Drop the buffer; the socket stays open."""
        self._input.close()

    # -- the head ---------------------------------------------------------------------------------

    def _headers(self) -> Iterator[tuple[str, str]]:
        """Yield names, in lower case, and values."""
        for _ in range(_MOST_HEADERS + 1):
            line = self._input.readline(_LONGEST_LINE + 1)
            if len(line) > _LONGEST_LINE:
                raise Malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            if line in (b"\r\n", b"\n"):
                return
            name, colon, value = line.decode("latin-1").partition(":")
            value = value.strip(" \t\r\n")
            if not colon or name.split() != [name] or "\r" in value or "\0" in value:
                raise Malformed(HTTPStatus.BAD_REQUEST)
            yield name.lower(), value
        raise Malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    # -- the body ---------------------------------------------------------------------------------

    def _body(self, encoding: str | None, lengths: set[str]) -> bytes:
        if encoding is not None:
            if lengths:
                raise Malformed(HTTPStatus.BAD_REQUEST)
            if encoding.lower() != "chunked":
                raise Malformed(HTTPStatus.NOT_IMPLEMENTED)
            return self._chunks()
        if not lengths:
            return b""
        length = lengths.pop()
        if lengths or not _length_of(length):
            raise Malformed(HTTPStatus.BAD_REQUEST)
        body = bytearray()
        self._read_into(body, int(length), 0)
        return bytes(body)

    def _chunks(self) -> bytes:
        """Return a body that comes in chunks; its trailers (errors within a stream) are dropped."""
        body = bytearray()
        total = 0
        while size := self._chunk_size():
            total = self._read_into(body, size, total)
            if total > _READ:
                return bytes(body)
            if self._line():
                raise Malformed(HTTPStatus.BAD_REQUEST)
        while self._line():
            pass
        return bytes(body)

    def _chunk_size(self) -> int:
        found = _size_of(self._line())
        if found is None:
            raise Malformed(HTTPStatus.BAD_REQUEST)
        return int(found[1], 16)

    def _read_into(self, body: bytearray, size: int, total: int) -> int:
        """Read *size* bytes into *body*, up to its limit; return the bytes read for it so far.

        If more are announced than are read at all, the result is above `_READ`.
        """
        if total + size > _READ:
            self.last = True
            size = max(0, min(size, _KEPT - total))
            total = _READ + 1
        while size:
            self._incoming.limit(PAUSE_SECONDS)
            piece = self._input.read1(min(size, _PIECE))
            body += piece[: _KEPT - len(body)]
            size -= len(piece)
            total += len(piece)
        return total

    def _line(self) -> bytes:
        self._incoming.limit(PAUSE_SECONDS)
        line = self._input.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise Malformed(HTTPStatus.BAD_REQUEST)
        return line.rstrip(b"\r\n")


class _Incoming(io.RawIOBase):
    """The bytes that come in, until a deadline in real time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until: float | None = None

    def limit(self, seconds: float) -> None:
        self._until = RealTime.perf_counter() + seconds

    def lift_limit(self) -> None:
        self._until = None
        self._connection.settimeout(None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._until is not None:
            left = self._until - RealTime.perf_counter()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
        size = self._connection.recv_into(buffer)
        if not size and self._until is not None:
            raise EOFError  # within a request; `readline` would return half a line
        return size


def _version(text: str) -> tuple[int, int]:
    found = _version_of(text)
    if found is None or len(text) > 20:
        raise Malformed(HTTPStatus.BAD_REQUEST)
    version = int(found[1]), int(found[2])
    if version >= (2, 0):
        raise Malformed(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    return version


def _path(target: str) -> str:
    """Return the path of a target: clients that use a proxy name the host as well."""
    if target.startswith("http://"):
        target = f"/{target[7:].partition('/')[2]}"
    elif target.startswith("//"):
        target = f"/{target.lstrip('/')}"
    return target.partition("?")[0]
