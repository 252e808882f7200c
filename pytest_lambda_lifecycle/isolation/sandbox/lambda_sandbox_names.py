"""``sandbox`` and ``sandbox.localdomain`` are this machine, as they are inside Lambda.

Extensions listen there for telemetry (Developer Guide, "Telemetry API").  Here the functions of
Python's `socket` resolve the names.  Code that resolves names by itself (compiled extensions,
``curl``, uvloop) needs ``127.0.0.1``.

This module also runs in the Python that an extension brings, 3.7 or later: it must not import the
rest of the package.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False  # the import of `typing` would double the cost of this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    StandIn = tuple[Any, str, Callable[..., Any]]

__all__ = ["install", "stand_ins"]

_HOSTS = frozenset(("sandbox", "sandbox.localdomain"))
_LOOPBACK = "127.0.0.1"
_OURS = globals()
_FUNCTIONS = (type(lambda: None), type(len), type(str.lower))


def install() -> None:
    """Resolve the names for good, in the process of an extension."""
    for owner, name, function in stand_ins():
        setattr(owner, name, function)


def stand_ins(
    connecting: Callable[[Any, int], None] | None = None, bound: Callable[[Any], None] | None = None
) -> list[StandIn]:
    """Return the stand-ins for functions of `socket`, each as owner, name and function.

    ``connecting`` is called with the socket and the port (0 if it has none) before a socket
    connects, or sends without a connection; ``bound`` with each socket that has been bound.
    """
    owner = _socket_class()
    wanted: list[tuple[Any, str, Callable[..., Any], Any]] = [
        (socket, "getaddrinfo", _getaddrinfo, None)
    ]
    wanted += [
        (socket, name, _by_host, None)
        for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr")
    ]
    if getattr(socket.create_connection, "__module__", "socket") != "socket":
        # That of gevent calls a getaddrinfo of its own.
        wanted += [(socket, "create_connection", _create_connection, None)]
    if owner is not None:
        wanted += [(owner, "bind", _bind, bound)]
        wanted += [
            (owner, name, _connect, connecting) for name in ("connect", "connect_ex", "sendto")
        ]
    found: list[StandIn] = []
    for holder, name, wrap, callback in wanted:
        original: Any = getattr(holder, name, None)
        # A tool may have saved a stand-in and restored it late: do not wrap it once more.
        if getattr(original, "__globals__", None) is _OURS:
            original = original._lambda_original
        # The guard of pytest-socket removes itself only where it finds itself: leave it in place,
        # and the mock of a test as well.
        home = getattr(original, "__globals__", {}).get("__name__", "")
        guard = holder is socket and home.startswith("pytest_")
        if type(original) in _FUNCTIONS and not guard:
            found.append((holder, name, _stand_in(name, wrap, original, callback)))
    return found


_MADE: dict[str, tuple[Any, Any, Any]] = {}
"""The latest stand-in for each name, with the original and the callback that it was made for."""


def _stand_in(name: str, wrap: Callable[..., Any], original: Any, callback: Any) -> Any:  # noqa: ANN401
    made = _MADE.get(name)
    if made is None or made[0] is not original or made[1] is not callback:
        function: Any = wrap(original, callback)
        function._lambda_original = original
        made = _MADE[name] = (original, callback, function)
    return made[2]


def _socket_class() -> Any:  # noqa: ANN401
    """Return the class whose methods every socket of Python code has.

    A tool may have put a subclass that refuses in its place (pytest-socket), or a class of its own
    (gevent).
    """
    current: Any = socket.socket
    classes = getattr(current, "__mro__", ())
    for number, one in enumerate(classes):
        # The class of `_socket` is written in C, and its attributes cannot be set.
        if one.__module__ == "_socket" and number:
            return classes[number - 1]
    return current if classes and hasattr(current, "connect_ex") else None


def _loopback(host: Any) -> Any:  # noqa: ANN401
    name = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else host
    if isinstance(name, str) and (name in _HOSTS or name.lower().rstrip(".") in _HOSTS):
        return _LOOPBACK
    return host


def _at_loopback(address: Any) -> Any:  # noqa: ANN401
    """Return a socket address with its host resolved, if it is one of ours."""
    if type(address) is tuple and address:
        host = _loopback(address[0])
        if host is not address[0]:
            return (host, *address[1:])
    return address


def _getaddrinfo(original: Callable[..., Any], _: None) -> Callable[..., Any]:
    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        return original(_loopback(host), *arguments, **keywords)

    return getaddrinfo


def _create_connection(original: Callable[..., Any], _: None) -> Callable[..., Any]:
    def create_connection(address: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        return original(_at_loopback(address), *arguments, **keywords)

    return create_connection


def _by_host(original: Callable[..., Any], _: None) -> Callable[..., Any]:
    def by_host(*arguments: Any) -> Any:  # noqa: ANN401
        return original(*map(_loopback, arguments))

    return by_host


def _bind(original: Callable[..., Any], bound: Callable[[Any], None] | None) -> Callable[..., Any]:
    def bind(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        original(self, *map(_at_loopback, arguments))
        if bound is not None:
            bound(self)

    return bind


def _connect(
    original: Callable[..., Any], connecting: Callable[[Any, int], None] | None
) -> Callable[..., Any]:
    def connect(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        if connecting is not None and arguments:
            address = arguments[-1]
            connecting(self, address[1] if type(address) is tuple and len(address) > 1 else 0)
        return original(self, *map(_at_loopback, arguments))

    return connect
