"""The function's sockets: the names of the sandbox, the guard of the network, and their end.

Inside Lambda, ``sandbox`` and ``sandbox.localdomain`` are this machine (see
`sandbox/lambda_sandbox_names.py`).  A connect to the server behind the APIs starts the thread of
that server.

A thread that waits on a socket gets `SystemExit` when the function's process ends.  Python cannot
end a thread from outside, and a shut down socket alone would raise an `OSError` that function code
handles: it would go on, against the next process.  So the methods that wait have to be ours, for
the function's sockets and no others.  A subclass in the place of `socket.socket` misses sockets of
modules that have imported the class before.  Patched methods of the class would add a frame to
each call of every socket in the process.  So a socket of the function changes its class to one with
the same layout when it connects to our server, or when it is bound.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Protocol, TypeVar
from weakref import WeakSet

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.sandbox.lambda_sandbox_names import stand_ins

__all__ = ["Guard", "Sockets", "close_sockets", "end_sockets", "watch_socket"]

T = TypeVar("T")
_SHUT_RDWR: Final = socket.SHUT_RDWR  # function code may replace it
_ENDED: Final[WeakSet[socket.socket]] = WeakSet()
"""Sockets whose process has ended."""


def _ignore(_: Any) -> None:  # noqa: ANN401  # a socket
    """Do nothing."""


class Guard(Protocol):
    """Lets connections and look-ups pass, or raises an exception."""

    def looking_up(self, host: object, look_up: Callable[[], T], *, reverse: bool) -> T:
        """Return the result of a look-up."""
        ...

    def connecting(self, connection: Any, verb: str, address: object) -> None:  # noqa: ANN401
        """Be told that a socket connects, sends a datagram, or is bound (without a verb)."""
        ...


class Sockets(Part):
    """Resolves the names of the sandbox, and watches connects to our address.

    Code that connects without Python's `socket` (pycurl, grpc, uvloop) is not seen.
    """

    entered: ClassVar[Sockets | None] = None

    def __init__(
        self,
        address: Callable[[], tuple[str, int] | None],
        connected: Callable[[Any], None],
        bound: Callable[[Any], None] = _ignore,
        used: Callable[[Any], object] = _ignore,
        guard: Guard | None = None,
    ) -> None:
        """``connected`` is called with the socket before each connect to the port of ``address()``.

        It is called on the connecting thread, also for the same port elsewhere.  ``used`` is called
        before each connect elsewhere, ``bound`` with each socket that has been bound.  Then
        the ``guard`` is asked: a socket that it refuses ends with the process as well.
        """
        self.address = address
        self.connected = connected
        self.bound = bound
        self.used = used
        self.guard = guard

    def enter(self) -> Undo:
        """Patch the functions and methods of `socket` that take a host."""
        undo = patch_attributes(*stand_ins(_connecting, _on_bound, _looking_up))
        Sockets.entered = self

        def leave() -> None:
            Sockets.entered = None
            undo()

        return leave


# A tool that has saved one of our functions may call it later: it finds out who is entered then.


def _connecting(connection: Any, verb: str, address: Any) -> None:  # noqa: ANN401  # a tool's own
    __tracebackhide__ = True
    entered = Sockets.entered
    if entered is None:
        return
    if verb:
        ours = entered.address()
        port = address[1] if type(address) is tuple and len(address) > 1 else 0
        if ours is not None and port == ours[1]:
            entered.connected(connection)
        else:
            entered.used(connection)
    if entered.guard is not None:
        entered.guard.connecting(connection, verb, address)


def _looking_up(host: Any, look_up: Callable[[], Any], reverse: bool) -> Any:  # noqa: ANN401
    __tracebackhide__ = True
    guard = Sockets.entered.guard if Sockets.entered is not None else None
    return look_up() if guard is None else guard.looking_up(host, look_up, reverse=reverse)


def _on_bound(listener: Any) -> None:  # noqa: ANN401
    if Sockets.entered is not None:
        Sockets.entered.bound(listener)


class _WatchedSocket(socket.socket):
    __slots__ = ()

    def accept(self) -> tuple[socket.socket, Any]:
        return _unless_ended(self, super().accept)

    def recv(self, *arguments: Any) -> bytes:  # noqa: ANN401  # as the original
        return _unless_ended(self, super().recv, *arguments)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401
        return _unless_ended(self, super().recv_into, buffer, nbytes, flags)

    def send(self, *arguments: Any) -> int:  # noqa: ANN401
        return _unless_ended(self, super().send, *arguments)

    def sendall(self, *arguments: Any) -> None:  # noqa: ANN401
        return _unless_ended(self, super().sendall, *arguments)


def _unless_ended(
    __socket_of_function__: socket.socket, call: Callable[..., T], *arguments: object
) -> T:
    """Return the result of a call; raise `SystemExit` if the process of the socket has ended.

    The name of the first parameter is the mark that `StartedThreads.waiting_at` looks for.
    """
    try:
        result = call(*arguments)
    except OSError:
        if __socket_of_function__ in _ENDED:
            raise SystemExit from None
        raise
    if __socket_of_function__ in _ENDED:
        raise SystemExit
    return result


def watch_socket(connection: Any) -> None:  # noqa: ANN401  # a socket, or a tool's own
    """Let users of this socket get `SystemExit` at the end of its process.

    A socket of another library's class stays as it is.
    """
    if type(connection) is socket.socket:
        with contextlib.suppress(TypeError):  # another library has put its class in the module
            connection.__class__ = _WatchedSocket


def end_sockets(connections: Iterable[Any]) -> None:
    """Wake the threads that wait on these sockets, as their process has ended.

    The sockets stay open: an event loop does not notice when another thread closes one.
    """
    for one in connections:
        if isinstance(one, _WatchedSocket):
            _ENDED.add(one)
        with contextlib.suppress(OSError):
            one.shutdown(_SHUT_RDWR)


def close_sockets(connections: Iterable[Any]) -> None:
    """Close these sockets, as the end of their process does."""
    for one in connections:
        with contextlib.suppress(OSError):
            one.close()
