"""One connection: its requests are answered one after another, each answer in one piece (HTTP/1.1).

Between two requests a connection may be idle without a limit, since its process may be frozen.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from pytest_lambda_lifecycle.api.replies import ApiError, Call, Gone, Reply, text_reply
from pytest_lambda_lifecycle.api.request_reader import Malformed, RequestReader

__all__ = ["Connection"]

NO_DELAY: Final = True
"""Without it, Nagle's algorithm and delayed acknowledgements make 44 ms of a round trip that takes
0.08 ms.
"""
_LINGER: Final = 0.5
"""Seconds in which a client has to read the answer to a request that was not read to its end."""

_FAILED: Final = ApiError(500, "InternalServerError", "Internal Server Error")
_TRUNCATED: Final = ApiError(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class Connection:
    """The server's end of a connection, on a thread of its own."""

    def __init__(
        self,
        connection: socket.socket,
        handle: Callable[[Call], Reply],
        failed: Callable[[BaseException], None],
    ) -> None:
        """``handle`` answers a request; ``failed`` gets each exception that it should not raise."""
        self._connection = connection
        self._handle = handle
        self._failed = failed
        self._reader = RequestReader(connection)
        self._closing = False
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, NO_DELAY)

    def converse(self) -> None:
        """Answer requests until either side closes."""
        # The client has gone (OSError, EOFError), or its generation of processes has ended (Gone).
        with contextlib.closing(self._reader), contextlib.suppress(OSError, EOFError, Gone):
            while not self._closing:
                if not self._reader.wait():
                    return
                self._answer_one()
            self._linger()

    def _answer_one(self) -> None:
        try:
            call = self._reader.read()
        except TimeoutError:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        except Malformed as problem:
            self._refuse(problem.status)
        except EOFError:
            self._closing = True
            self._write(_TRUNCATED.reply())
        else:
            if call is not None:
                self._closing = self._reader.last
                self._write(self._reply(call), head_only=call.method == "HEAD")

    def _reply(self, call: Call) -> Reply:
        try:
            return self._handle(call)
        except Gone:
            raise
        except Exception as problem:
            self._failed(problem)
            return _FAILED.reply()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request of which the rest cannot be read, and close."""
        self._closing = True
        self._write(text_reply(status.value, f"{status.value} {status.phrase}"))

    def _write(self, reply: Reply, *, head_only: bool = False) -> None:
        status, body, headers = reply
        lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"]
        lines += [f"{name}: {_one_line(value)}" for name, value in headers]
        lines.append(f"Content-Length: {len(body)}")
        if self._closing:
            lines.append("Connection: close")
        lines.append("\r\n")
        head = b"\r\n".join(map(_encoded, lines))
        self._connection.settimeout(None)  # the process that reads the answer may be frozen
        self._connection.sendall(head if head_only else head + body)

    def _linger(self) -> None:
        """Let the client read its answer: closing on unread bytes would take the answer away."""
        self._connection.shutdown(socket.SHUT_WR)
        self._reader.drain(_LINGER)


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def _encoded(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")
