"""One connection: requests are read, answered and written, one after another (HTTP/1.1).

A request has to arrive within `HEAD_SECONDS` once it has begun, and its body without a pause of
`PAUSE_SECONDS`; between requests a connection may be idle for ever, as a frozen process's is.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pytest_lambda_lifecycle.api.replies import ApiError, Call, Gone, Reply, text_reply
from pytest_lambda_lifecycle.isolation.real_time import RealTime
from pytest_lambda_lifecycle.lifecycle.rules import RESPONSE_LIMIT

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["HEAD_SECONDS", "PAUSE_SECONDS", "Connection"]

HEAD_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 10.0

_LONGEST_LINE: Final = 65_536
_KEPT: Final = RESPONSE_LIMIT + 1
"""Bytes of a body that are kept: one more than may be answered with, so that its excess shows."""
_READ: Final = 64 * 1024 * 1024
"""Bytes of a body that are read at all; a connection on which more are announced is closed after
the answer.
"""
_PIECE: Final = 65_536
_LINGER: Final = 0.5
"""Seconds in which a client has to read the answer to a request that was not read to its end."""

NO_DELAY: Final = True
"""Without it, Nagle's algorithm and delayed acknowledgements make 44 ms of a round trip that takes
0.08 ms.
"""

_FAILED: Final = ApiError(500, "InternalServerError", "Internal Server Error")


class Connection(BaseHTTPRequestHandler):
    """Uses the standard library's parser of requests, and writes each answer in one piece."""

    protocol_version = "HTTP/1.1"

    # The base class would serve inside its constructor.
    def __init__(
        self,
        connection: socket.socket,
        handle: Callable[[Call], Reply],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.connection = self.request = connection
        self.client_address = ("127.0.0.1", 0)
        self._handle = handle
        self._failed = failed
        self._incoming = _Incoming(connection)
        self.rfile = self._input = io.BufferedReader(self._incoming, _PIECE)
        self.close_connection = False
        self.command = ""
        self.requestline = ""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, NO_DELAY)

    def converse(self) -> None:
        """Answer requests until either side closes."""
        try:
            while not self.close_connection:
                self._incoming.wait_for_ever()
                if not self._input.peek(1):
                    return
                self._incoming.limit(HEAD_SECONDS)
                self._answer_one()
            self._linger()
        except (
            OSError,
            EOFError,
            Gone,
        ):  # the other side has gone, or the caller's processes have ended
            pass
        finally:
            self._input.close()

    def _answer_one(self) -> None:
        try:
            self.raw_requestline = self._input.readline(_LONGEST_LINE + 1)
            if self.raw_requestline in {
                b"\r\n",
                b"\n",
            }:  # a stray line end before a request is allowed (RFC 9112, 2.2)
                return
            if len(self.raw_requestline) > _LONGEST_LINE:
                return self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            if not self.parse_request():  # it has sent the refusal
                self.close_connection = True
                return
            call = Call(self.command, _path(self.path), _headers(self.headers), self._body())
        except TimeoutError:
            return self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        except _Malformed as problem:
            return self._refuse(problem.status)
        except EOFError:
            self.close_connection = True
            error = ApiError(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
            return self._write(error.reply())
        self._write(self._reply(call))

    def _reply(self, call: Call) -> Reply:
        try:
            return self._handle(call)
        except Gone:
            raise
        except Exception as problem:
            self._failed(problem)
            return _FAILED.reply()

    # -- reading --------------------------------------------------------------------------------------------------

    def _body(self) -> bytes:
        encoding = self.headers.get("Transfer-Encoding")
        lengths = set(self.headers.get_all("Content-Length", []))
        if encoding is not None:
            if lengths:
                raise _Malformed(HTTPStatus.BAD_REQUEST)
            if encoding.strip().lower() != "chunked":
                raise _Malformed(HTTPStatus.NOT_IMPLEMENTED)
            return self._chunks()
        if not lengths:
            return b""
        text = lengths.pop()
        if lengths or not (text.isascii() and text.isdigit() and len(text) < 20):
            raise _Malformed(HTTPStatus.BAD_REQUEST)
        body = bytearray()
        self._read_into(body, int(text), 0)
        return bytes(body)

    def _chunks(self) -> bytes:
        """Return a body that comes in chunks.  What comes in trailers (errors amid a stream) is
        dropped.
        """
        body, total = bytearray(), 0
        while size := _size(self._line()):
            total = self._read_into(body, size, total)
            if total > _READ:
                return bytes(body)
            if self._line():
                raise _Malformed(HTTPStatus.BAD_REQUEST)
        while self._line():
            pass
        return bytes(body)

    def _read_into(self, body: bytearray, size: int, total: int) -> int:
        """Read *size* bytes, keep what is within the limit; returns what has been read of this body
        so far.
        """
        if total + size > _READ:
            self.close_connection = True
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
            raise _Malformed(HTTPStatus.BAD_REQUEST)
        return line.rstrip(b"\r\n")

    # -- writing --------------------------------------------------------------------------------------------------

    def _write(self, reply: Reply) -> None:
        status, body, headers = reply
        lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"]
        lines += [f"{name}: {_one_line(value)}" for name, value in headers]
        lines.append(f"Content-Length: {len(body)}")
        if self.close_connection:
            lines.append("Connection: close")
        lines.append("\r\n")
        head = b"\r\n".join(map(_encoded, lines))
        self._incoming.wait_for_ever()  # who reads an answer may be frozen
        self.connection.sendall(head if self.command == "HEAD" else head + body)

    def _linger(self) -> NoReturn:
        """Let the other side read its answer: closing on bytes that were not read would take it
        away.

        Ends in `EOFError`, `TimeoutError` or another `OSError`.
        """
        self.connection.shutdown(socket.SHUT_WR)
        self._incoming.limit(_LINGER)
        while True:
            self._input.read1(_PIECE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what cannot be read on from, and close."""
        self.close_connection = True
        self._write(text_reply(status.value, f"{status.value} {status.phrase}"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the parser refuses."""
        self._refuse(HTTPStatus(code))

    def handle_expect_100(self) -> bool:
        """Ask for the body: curl waits for this before it sends more than a megabyte."""
        self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401  # the base class's
        """Write nothing: the terminal is the test's."""


class _Incoming(io.RawIOBase):
    """The bytes that come in, until a deadline in real time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until: float | None = None

    def limit(self, seconds: float) -> None:
        self._until = RealTime.perf_counter() + seconds

    def wait_for_ever(self) -> None:
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
            raise EOFError  # the parser takes the end of the stream for the end of the headers
        return size


class _Malformed(Exception):
    """The request breaks HTTP's own rules."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


def _path(target: str) -> str:
    """Return the path of a request's target: proxies' clients name the host as well."""
    if target.startswith("http://"):
        target = f"/{target[7:].partition('/')[2]}"
    return target.partition("?")[0]


def _headers(message: Any) -> dict[str, str]:  # noqa: ANN401  # email's, whose own look-ups are slow
    found: dict[str, str] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), value)
    return found


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        if not digits or len(digits) > 16 or b"_" in digits or digits[:1] in b"+-":
            raise ValueError
        return int(digits, 16)
    except ValueError:
        raise _Malformed(HTTPStatus.BAD_REQUEST) from None


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def _encoded(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")
