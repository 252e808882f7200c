"""``sandbox`` and ``sandbox.localdomain`` are this machine, as they are inside Lambda.

Extensions listen there for telemetry (Developer Guide, "Telemetry API").  Here Python's `socket` is taught the names;
code that resolves names by itself (compiled extensions, ``curl``, uvloop) needs ``127.0.0.1``.

This module also runs in the Python that an extension brings, 3.7 or later: it must not import the rest of the package.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False  # `typing` itself would double what every start of an extension's Python pays
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Replacement = tuple[Any, str, Callable[..., Any]]

__all__ = ["install", "stand_ins"]

_HOSTS = frozenset(("sandbox", "sandbox.localdomain"))
_LOOPBACK = "127.0.0.1"
_OURS = globals()
_FUNCTIONS = (type(lambda: None), type(len), type(str.lower))


def install() -> None:
    """Teach the names for good, in a process that is an extension's own."""
    for owner, name, function in stand_ins():
        setattr(owner, name, function)


def stand_ins(
    connecting: Callable[[Any, int], None] | None = None, bound: Callable[[Any], None] | None = None
) -> list[Replacement]:
    """Return what to replace in `socket` as it is now, each as owner, name and function.

    ``connecting`` is told the socket and the port before it connects, ``bound`` a socket that has an address now.
    """
    connect = _to_connect(connecting) if connecting else _by_address
    bind = _to_bind(bound) if bound else _by_address
    owner = _socket_class()
    wanted: list[Replacement] = [(socket, "getaddrinfo", _getaddrinfo)]
    wanted += [(socket, name, _by_host) for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr")]
    if getattr(socket.create_connection, "__module__", "socket") != "socket":  # gevent's asks its own getaddrinfo
        wanted += [(socket, "create_connection", _create_connection)]
    if owner is not None:
        wanted += [(owner, "bind", bind), (owner, "connect", connect), (owner, "connect_ex", connect)]
    found: list[Replacement] = []
    for holder, name, wrap in wanted:
        original = getattr(holder, name)
        # A tool that had captured a stand-in may have put it back late: it must not be wrapped once more each time.
        if getattr(original, "__globals__", None) is _OURS:
            original = original._lambda_original
        if type(original) in _FUNCTIONS:  # and not the mock of a test
            function: Any = wrap(original)
            function._lambda_original = original
            found.append((holder, name, function))
    return found


def _socket_class() -> Any:  # noqa: ANN401
    """Return the class whose methods every socket of Python code has.

    Tools put a subclass in its place that refuses (pytest-socket), or a class of their own (gevent).
    """
    current: Any = socket.socket
    classes = getattr(current, "__mro__", ())
    for number, one in enumerate(classes):
        if one.__module__ == "_socket" and number:  # that one is written in C and takes no attributes
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


def _getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        return original(_loopback(host), *arguments, **keywords)

    return getaddrinfo


def _create_connection(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_connection(address: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        return original(_at_loopback(address), *arguments, **keywords)

    return create_connection


def _by_host(original: Callable[..., Any]) -> Callable[..., Any]:
    def by_host(*arguments: Any) -> Any:  # noqa: ANN401
        return original(*map(_loopback, arguments))

    return by_host


def _by_address(original: Callable[..., Any]) -> Callable[..., Any]:
    def by_address(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        return original(self, *map(_at_loopback, arguments))

    return by_address


def _to_bind(bound: Callable[[Any], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def bind(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
            original(self, *map(_at_loopback, arguments))
            bound(self)

        return bind

    return wrap


def _to_connect(connecting: Callable[[Any, int], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
            if arguments and type(arguments[0]) is tuple and len(arguments[0]) > 1:
                connecting(self, arguments[0][1])
            return original(self, *map(_at_loopback, arguments))

        return connect

    return wrap
