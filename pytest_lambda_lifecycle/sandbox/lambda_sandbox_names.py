"""``sandbox`` and ``sandbox.localdomain`` are this machine, as they are inside Lambda (Developer Guide, "Telemetry API").

Extensions listen there for telemetry.  Lambda has the names in ``/etc/hosts``; here Python's `socket` is taught them.
Code that resolves names by itself (compiled extensions, ``curl``, uvloop) does not know them: it takes ``127.0.0.1``.

This module also runs in the Python that an extension brings, 3.7 or later: it must not import the rest of the package.
"""

from __future__ import annotations

import socket
from typing import Any, Callable, List, Optional, Tuple  # noqa: UP035  # Python 3.7

__all__ = ["install", "stand_ins"]

_HOSTS = frozenset(("sandbox", "sandbox.localdomain"))
_LOOPBACK = "127.0.0.1"

Replacement = Tuple[Any, str, Callable[..., Any]]  # noqa: UP006


def install() -> None:
    """Teach the names for good, in a process that is an extension's own."""
    for owner, name, function in stand_ins():
        setattr(owner, name, function)


def stand_ins(connecting: Optional[Callable[[int], None]] = None) -> List[Replacement]:  # noqa: UP006, UP045
    """Return what to replace in `socket` as it is now, each as owner, name and function.

    ``connecting`` is told the port before a socket connects to it.
    """
    connect = _to_connect(connecting) if connecting else _by_address
    found = [(socket, name, _by_host(getattr(socket, name))) for name in ("gethostbyname", "gethostbyname_ex")]
    found += [(socket, "gethostbyaddr", _by_host(socket.gethostbyaddr))]
    found += [(socket, "getaddrinfo", _getaddrinfo(socket.getaddrinfo))]
    owner = _socket_class()
    if owner is not None:
        found += [(owner, "bind", _by_address(owner.bind))]
        found += [(owner, name, connect(getattr(owner, name))) for name in ("connect", "connect_ex")]
    return found


def _socket_class() -> Any:  # noqa: ANN401
    """Return the class whose methods every socket of Python code has.

    Tools put a subclass in its place that refuses (pytest-socket), or a class of their own (gevent).
    """
    classes = getattr(socket.socket, "__mro__", ())
    for lower, upper in zip(classes, classes[1:]):  # noqa: B905  # Python 3.7
        if upper.__module__ == "_socket":
            return lower
    return classes[0] if hasattr(socket.socket, "connect_ex") and classes else None


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


def _by_host(original: Callable[..., Any]) -> Callable[..., Any]:
    def by_host(*arguments: Any) -> Any:  # noqa: ANN401
        return original(*map(_loopback, arguments))

    return by_host


def _by_address(original: Callable[..., Any]) -> Callable[..., Any]:
    def by_address(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        return original(self, *map(_at_loopback, arguments))

    return by_address


def _to_connect(connecting: Callable[[int], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
            if arguments and type(arguments[0]) is tuple and len(arguments[0]) > 1:
                connecting(arguments[0][1])
            return original(self, *map(_at_loopback, arguments))

        return connect

    return wrap
