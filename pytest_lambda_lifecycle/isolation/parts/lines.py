"""Sockets of the function's, as far as they matter to us: who waits at one meets `SystemExit` when
his process ends.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar
from weakref import WeakSet

__all__ = ["close_lines", "end_lines", "watch_line"]

T = TypeVar("T")
_ENDED: Final[WeakSet[socket.socket]] = WeakSet()


class _Line(socket.socket):
    __slots__ = ()

    def accept(self) -> tuple[socket.socket, Any]:
        return _unless_ended(self, super().accept)

    def recv(self, *arguments: Any) -> bytes:  # noqa: ANN401  # the real one's
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
    try:
        result = call(*arguments)
    except OSError:
        if __socket_of_function__ in _ENDED:
            raise SystemExit from None
        raise
    if __socket_of_function__ in _ENDED:
        raise SystemExit
    return result


def watch_line(connection: Any) -> None:  # noqa: ANN401  # a socket, or what a tool has in its place
    """Let who uses a socket meet the end of its process there; one of another library's class stays
    as it is.
    """
    if type(connection) is socket.socket:
        with contextlib.suppress(TypeError):  # another library's has taken its place
            connection.__class__ = _Line


def end_lines(connections: Iterable[Any]) -> None:
    """Wake who waits at them.  They stay open: an event loop does not hear of one that is closed
    elsewhere.
    """
    for one in connections:
        if isinstance(one, _Line):
            _ENDED.add(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def close_lines(connections: Iterable[Any]) -> None:
    """Close them, as the end of their process does."""
    for one in connections:
        with contextlib.suppress(OSError):
            one.close()
