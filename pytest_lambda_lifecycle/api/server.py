"""The listener on loopback: bound early for its address, and serving from the first client on.

Binding takes microseconds and no thread, so each environment can name its address in
``AWS_LAMBDA_RUNTIME_API``.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_lambda_lifecycle.isolation.parts.threads import start_unwatched
from pytest_lambda_lifecycle.isolation.real import RealTime

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.replies import Call, Reply

__all__ = ["ApiServer"]

_resource: Final[Any] = import_module("resource") if os.name == "posix" else None
_POLL: Final = 0.01
"""Seconds after which the accepting thread looks whether to stop; Linux wakes it at once."""
_BACKLOG: Final = 1024
"""Connections that may wait to be accepted: Lambda gives a function 1,000 file descriptors."""
_FEW: Final = 48
"""Below this number no descriptor is one of the last."""
_PATIENCE: Final = 2.0
"""Seconds that closing waits for threads; a thread that lives on has a faulty handler."""


def _socket_class() -> type[socket.socket]:
    """Return the real class; pytest-socket, HTTPretty and gevent replace `socket.socket`."""
    for found in _socket.socket.__subclasses__():
        if found.__module__ == "socket":
            return cast("type[socket.socket]", found)
    return socket.socket


def _leave_descriptors(descriptor: int) -> None:
    """Raise `OSError` if the listener would take one of the last descriptors of the process.

    Function code needs some itself: an import takes one or two.
    """
    if _resource is None or descriptor < _FEW:
        return
    limit = _resource.getrlimit(_resource.RLIMIT_NOFILE)[0]
    if limit != _resource.RLIM_INFINITY and descriptor > limit - min(_FEW, limit // 3):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class ApiServer:
    """Serves calls on a port of 127.0.0.1 that the system chooses; a thread for each connection.

    ``handle`` answers a call on one of these threads and may wait; it may raise `Gone`.
    """

    def __init__(self, handle: Callable[[Call], Reply]) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._class: type[socket.socket] = socket.socket
        self._accepting: threading.Thread | None = None
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._ending: list[threading.Thread] = []
        self._closing = False
        self.address = ""
        """``"127.0.0.1:port"`` once bound."""
        self.problems: deque[BaseException] = deque(maxlen=20)
        """Exceptions that ``handle`` should not raise; the client got status 500."""

    def bind(self) -> str:
        """Bind and listen; returns `address`."""
        with self._lock:
            if self._listener is None:
                self._class = _socket_class()
                listener = self._class(socket.AF_INET, socket.SOCK_STREAM)
                try:
                    _leave_descriptors(listener.fileno())
                    listener.bind(("127.0.0.1", 0))
                    listener.listen(_BACKLOG)
                    listener.settimeout(_POLL)
                except BaseException:
                    listener.close()
                    raise
                self._listener = listener
                self._closing = False
                self.address = "%s:%d" % listener.getsockname()  # noqa: UP031
            return self.address

    def serve(self) -> None:
        """Begin to serve; a second call changes nothing."""
        with self._lock:
            if self._accepting is not None or self._listener is None or self._closing:
                return
            self._accepting = threading.Thread(
                target=self._accept,
                args=(self._listener,),
                name="lambda-lifecycle-api",
                daemon=True,
            )
            start_unwatched(self._accepting)

    def drop_connections(self) -> None:
        """Close every connection; its thread ends when ``handle`` returns."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut(connection)

    def close(self) -> None:
        """Stop serving and free the port; idempotent.

        Threads that wait in ``handle`` have to be released before.
        """
        with self._lock:
            self._closing = True
            listener = self._listener
            self._listener = None
            accepting = self._accepting
            self._accepting = None
        if listener is not None:
            _shut(listener)
        if accepting is not None:
            accepting.join(_PATIENCE)
        if listener is not None:
            listener.close()
        self.drop_connections()
        until = RealTime.perf_counter() + _PATIENCE
        with self._lock:
            threads = [*self._connections.values(), *self._ending]
            self._ending = []
        for thread in threads:
            thread.join(max(0.0, until - RealTime.perf_counter()))

    # -- threads ----------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing:
            try:
                # `accept` would ask for `socket.socket`, which a test may have replaced.
                descriptor, _ = listener._accept()  # type: ignore[attr-defined]
            except TimeoutError:
                continue
            except OSError:
                if not self._closing:  # no descriptor is left, until one is closed
                    RealTime.sleep(_POLL)
                continue
            self._begin(self._class(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor))

    def _begin(self, connection: socket.socket) -> None:
        """Serve a connection on a thread of its own."""
        thread = threading.Thread(
            target=self._converse,
            args=(connection,),
            name="lambda-lifecycle-api-connection",
            daemon=True,
        )
        with self._lock:
            if self._closing:
                connection.close()
                return
            self._connections[connection] = thread
            ended = self._ending
            self._ending = []
        for last in ended:  # these threads have nothing left to do
            last.join(_PATIENCE)
        try:
            start_unwatched(thread)
        except RuntimeError:  # no more threads
            self._forget(connection)

    def _converse(self, connection: socket.socket) -> None:
        from pytest_lambda_lifecycle.api.connection import Connection

        try:
            Connection(connection, self._handle, self.problems.append).converse()
        except Exception as problem:
            self.problems.append(problem)
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            thread = self._connections.pop(connection)
            if thread is threading.current_thread():
                self._ending.append(thread)
        connection.close()


def _shut(connection: socket.socket) -> None:
    # It may be closed already; and not every system can shut a listener down.
    with contextlib.suppress(OSError):
        connection.shutdown(_socket.SHUT_RDWR)
