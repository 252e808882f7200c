"""The connection to the listener of a subscriber, which is on this machine.

Its sockets are of the C type, since tests and function code may replace `socket.socket`; no name is
resolved.  Source: Developer Guide, "Lambda Telemetry API", "Destination protocols".
"""

from __future__ import annotations

import _socket
import contextlib
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.isolation.real import RealTime

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.telemetry.subscription import Subscription

__all__ = ["Channel"]

_LOOPBACK: Final = "127.0.0.1"
_ANSWER_WITHIN_S: Final = 5.0
_DRAIN_WITHIN_S: Final = 0.5
_ANSWER_LIMIT: Final = 65_536


class Channel:
    """The way to the destination of one subscription."""

    def __init__(self, subscription: Subscription, ended: Callable[[], bool]) -> None:
        """``ended`` returns True once no connection may be made any more."""
        self.subscription = subscription
        self._ended = ended
        self._lock = threading.Lock()
        self._socket: _socket.socket | None = None

    def send(self, texts: list[bytes]) -> None:
        """Send records; raise `OSError` or `ValueError` if they did not arrive."""
        if self.subscription.protocol == "TCP":
            self._write(b"".join(text + b"\n" for text in texts))
        else:
            self._post(b"[" + b",".join(texts) + b"]")

    def _write(self, lines: bytes) -> None:
        """Write newline-delimited JSON to one connection; there is no acknowledgement."""
        try:
            if self._socket is None or _closed_by_peer(self._socket):
                self._connect()
            self._connected.settimeout(_ANSWER_WITHIN_S)
            self._connected.sendall(lines)
        except BaseException:
            self.close()
            raise

    def _post(self, body: bytes) -> None:
        """Send one request on a connection of its own.

        A listener with a single thread would wait at an idle connection for the next request.
        """
        wanted = self.subscription
        head = (
            f"{wanted.method} {wanted.target} HTTP/1.1\r\n"
            f"Host: sandbox.localdomain:{wanted.port}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        try:
            self._connect()
            self._connected.sendall(head.encode("latin-1") + body)
            status = _read_status(self._connected)
        except TimeoutError:
            raise OSError(f"the listener did not answer within {_ANSWER_WITHIN_S:g} s") from None
        finally:
            self.close()
        if status >= 400:
            raise OSError(f"the listener answered with status {status}")

    @property
    def _connected(self) -> _socket.socket:
        if self._socket is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._socket

    def _connect(self) -> None:
        self.close()
        made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        with self._lock:
            self._socket = made
            if self._ended():
                raise ConnectionAbortedError("the environment has ended")
        made.settimeout(_ANSWER_WITHIN_S)
        made.connect((_LOOPBACK, self.subscription.port))
        # TCP lets a socket connect to itself if nobody listens.
        if made.getsockname() == made.getpeername():
            raise ConnectionRefusedError("nobody listens")

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def interrupt(self) -> None:
        """End the wait of another thread on this connection."""
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(_socket.SHUT_RDWR)


def _closed_by_peer(connection: _socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return not connection.recv(1, _socket.MSG_PEEK)
    except BlockingIOError:
        return False


def _read_status(connection: _socket.socket) -> int:
    """Return the status of the answer; read the rest too, so that the listener can write it."""
    end = RealTime.perf_counter() + _ANSWER_WITHIN_S
    answer = b""
    received = b""
    while b"\r\n\r\n" not in answer and len(answer) < _ANSWER_LIMIT:
        connection.settimeout(max(end - RealTime.perf_counter(), 0.001))
        received = connection.recv(_ANSWER_LIMIT)
        if not received:
            break
        answer += received
    found = re.match(rb"HTTP/1\.[01] ([1-9][0-9][0-9])\b", answer)
    if found is None:
        raise ValueError("the listener's answer is not HTTP")
    with contextlib.suppress(OSError):
        connection.settimeout(_DRAIN_WITHIN_S)
        while received and not _complete(answer) and len(answer) < _ANSWER_LIMIT:
            received = connection.recv(_ANSWER_LIMIT)
            answer += received
    return int(found[1])


def _complete(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length:[ \t]*([0-9]{1,9})", head)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")
