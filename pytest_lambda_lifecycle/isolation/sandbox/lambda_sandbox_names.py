"""``sandbox`` and ``sandbox.localdomain`` are this machine, as they are inside Lambda.

Extensions listen there for telemetry (Developer Guide, "Telemetry API").  Here the functions of
Python's `socket` resolve the names.  Code that resolves names by itself (compiled extensions,
``curl``, uvloop) needs ``127.0.0.1``.  Callers in the process of the tests also learn here of each
connection and look-up, and may refuse it by an exception; in the process of an extension there are
none.

This module also runs in the Python that an extension brings, 3.7 or later: it must not import the
rest of the package.
"""

from __future__ import annotations

import errno
import operator
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
    connecting: Callable[[Any, str, Any], None] | None = None,
    bound: Callable[[Any], None] | None = None,
    looking_up: Callable[[Any, Callable[[], Any], bool], Any] | None = None,
) -> list[StandIn]:
    """Return the stand-ins for functions of `socket`, each as owner, name and function.

    ``connecting`` is called with the socket, a verb and the address before a socket connects
    (``"connect to"``), sends without a connection (``"send a datagram to"``) or is bound (``""``);
    ``bound`` with each socket that has been bound.  ``looking_up`` is called for each look-up with
    the host, a call that does it, and whether it asks for the name of an address; it returns the
    result.
    """
    owner = _socket_class()
    wanted: list[tuple[Any, str, Callable[..., Any], Any]] = [
        (socket, "getaddrinfo", _getaddrinfo, looking_up),
        (socket, "gethostbyname", _by_host, looking_up),
        (socket, "gethostbyname_ex", _by_host, looking_up),
        (socket, "gethostbyaddr", _by_address, looking_up),
    ]
    if looking_up is not None:
        wanted += [(socket, "getnameinfo", _getnameinfo, looking_up)]
    if getattr(socket.create_connection, "__module__", "socket") != "socket":
        # That of gevent calls a getaddrinfo of its own.
        wanted += [(socket, "create_connection", _create_connection, None)]
    if owner is not None:
        wanted += [
            (owner, "bind", _bind, bound and (connecting, bound)),
            (owner, "connect", _connect, connecting),
            (owner, "connect_ex", _connect, connecting),
            (owner, "sendto", _sendto, connecting),
        ]
        if connecting is not None:
            wanted += [(owner, "sendmsg", _sendmsg, connecting)]
    originals: list[Any] = [getattr(holder, name, None) for holder, name, _, _ in wanted]
    if _LATEST and _LATEST[0] == wanted and _are_identical(_LATEST[1], originals):
        known: list[StandIn] = _LATEST[2]
        return known
    found: list[StandIn] = []
    for index, (holder, name, wrap, callback) in enumerate(wanted):
        original = originals[index]
        # A tool may have saved a stand-in and restored it late: do not wrap it once more.
        if getattr(original, "__globals__", None) is _OURS:
            original = original._lambda_original
        # The guard of pytest-socket removes itself only where it finds itself: leave it in place,
        # and the mock of a test as well.
        home = getattr(original, "__globals__", {}).get("__name__", "")
        guard = holder is socket and home.startswith("pytest_")
        if type(original) in _FUNCTIONS and not guard:
            found.append((holder, name, _stand_in(name, wrap, original, callback)))
    # A mock of the test is not kept.
    _LATEST[:] = (wanted, originals, found) if len(found) == len(wanted) else ()
    return found


def _are_identical(ones: list[Any], others: list[Any]) -> bool:
    return len(ones) == len(others) and all(map(operator.is_, ones, others))


_LATEST: list[Any] = []
"""What the latest stand-ins were wanted for, the originals, and the stand-ins."""


_MADE: dict[str, tuple[Any, Any, Any]] = {}
"""The latest stand-in for each name, with the original and the callback that it was made for."""


def _stand_in(name: str, wrap: Callable[..., Any], original: Any, callback: Any) -> Any:  # noqa: ANN401
    made = _MADE.get(name)
    if made is None or made[0] is not original or made[1] != callback:
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


def _getaddrinfo(original: Callable[..., Any], looking_up: Any) -> Callable[..., Any]:  # noqa: ANN401
    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        host = _loopback(host)
        if looking_up is None:
            return original(host, *arguments, **keywords)
        return looking_up(host, lambda: original(host, *arguments, **keywords), False)

    return getaddrinfo


def _create_connection(original: Callable[..., Any], _: None) -> Callable[..., Any]:
    def create_connection(address: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        return original(_at_loopback(address), *arguments, **keywords)

    return create_connection


def _by_host(
    original: Callable[..., Any],
    looking_up: Any,  # noqa: ANN401
    reverse: bool = False,
) -> Callable[..., Any]:
    def by_host(*arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        hosts = tuple(map(_loopback, arguments))
        if looking_up is None or len(hosts) != 1:
            return original(*hosts)
        return looking_up(hosts[0], lambda: original(*hosts), reverse)

    return by_host


def _by_address(original: Callable[..., Any], looking_up: Any) -> Callable[..., Any]:  # noqa: ANN401
    return _by_host(original, looking_up, reverse=True)


def _getnameinfo(original: Callable[..., Any], looking_up: Any) -> Callable[..., Any]:  # noqa: ANN401
    def getnameinfo(*arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        address, flags = arguments if len(arguments) == 2 else (None, 0)
        asks = isinstance(flags, int) and not flags & socket.NI_NUMERICHOST
        if not asks or not isinstance(address, tuple) or not address:
            return original(*arguments)
        return looking_up(address[0], lambda: original(*arguments), True)

    return getnameinfo


def _bind(original: Callable[..., Any], callbacks: Any) -> Callable[..., Any]:  # noqa: ANN401
    connecting, bound = callbacks or (None, None)

    def bind(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        arguments = tuple(map(_at_loopback, arguments))
        if connecting is not None and arguments:
            connecting(self, "", arguments[0])
        try:
            original(self, *arguments)
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE and type(arguments[0]) is tuple:
                problem.refused_port = arguments[0][1]  # type: ignore[attr-defined]  # for a hint
            raise
        if bound is not None:
            bound(self)

    return bind


def _connect(original: Callable[..., Any], connecting: Any) -> Callable[..., Any]:  # noqa: ANN401
    def connect(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        arguments = tuple(map(_at_loopback, arguments))
        if connecting is not None and arguments:
            connecting(self, "connect to", arguments[-1])
        return original(self, *arguments)

    return connect


def _sendto(original: Callable[..., Any], connecting: Any) -> Callable[..., Any]:  # noqa: ANN401
    def sendto(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        arguments = tuple(map(_at_loopback, arguments))
        if connecting is not None and arguments:
            connecting(self, "send a datagram to", arguments[-1])
        return original(self, *arguments)

    return sendto


def _sendmsg(original: Callable[..., Any], connecting: Any) -> Callable[..., Any]:  # noqa: ANN401
    def sendmsg(self: Any, *arguments: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        if len(arguments) > 3:
            *others, address = arguments
            address = _at_loopback(address)
            arguments = (*others, address)
            connecting(self, "send a datagram to", address)
        return original(self, *arguments)

    return sendmsg
