"""The guard at Python's `socket`: it asks the policy, records, and refuses.

A refusal is raised before anything is sent or looked up.  A compiled client (libcurl, libpq, grpc,
uvloop), and code that uses `_socket` itself, does not come by here.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_lambda_lifecycle.errors import NetworkRefused
from pytest_lambda_lifecycle.function.hosts import address_of, plain_name
from pytest_lambda_lifecycle.function.variables import XRAY_DAEMON
from pytest_lambda_lifecycle.isolation.frames import runs_for_observer
from pytest_lambda_lifecycle.lifecycle.call_events import (
    NETWORK_VERBS,
    AwsCall,
    Call,
    Connection,
    NetworkRefusal,
)
from pytest_lambda_lifecycle.observation.calls.network import (
    Answer,
    NetworkPolicy,
    is_metadata,
)
from pytest_lambda_lifecycle.observation.calls.recorder import CallRecorder, Place, open_call

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = [
    "NetworkGuard",
    "host_of",
    "looking_up_for",
    "moment_in_words",
    "refusals_here",
    "rename_refusal",
    "ways_out",
]

T = TypeVar("T")
_getframe: Final = sys._getframe  # a test may spy on it
_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_UNIX: Final = getattr(socket, "AF_UNIX", None)

_LOOKED_UP_FOR: Final[dict[str, Call]] = {}
"""The recorded calls for which an event loop looks names up on other threads."""


@contextmanager
def looking_up_for(host: object, call: Call | None) -> Iterator[None]:
    """Attribute look-ups of a host to a call: an event loop does them on a thread of its own.

    The context of the call, with which the layers below find it, does not reach that thread.
    """
    name = plain_name(host)
    if call is not None:
        _LOOKED_UP_FOR[name] = call
    try:
        yield
    finally:
        _LOOKED_UP_FOR.pop(name, None)


_REFUSALS: Final[ContextVar[list[NetworkRefused] | None]] = ContextVar(
    "pytest_lambda_lifecycle.refusals", default=None
)
"""Takes up the refusals of the tasks that a connection attempt starts."""


@contextmanager
def refusals_here() -> Iterator[list[NetworkRefused]]:
    """Return a list that takes up the refusals in this context, and in tasks that begin in it."""
    refused: list[NetworkRefused] = []
    before = _REFUSALS.get()
    _REFUSALS.set(refused)
    try:
        yield refused
    finally:
        # Not by a token: a coroutine may be closed in another context than that which began it.
        _REFUSALS.set(before)


class NetworkGuard:
    """Guards the connections and look-ups of function code, and of no other code."""

    def __init__(
        self,
        config: FunctionConfig,
        recorder: CallRecorder,
        *,
        runs_function_code: Callable[[], bool],
        api: Callable[[], tuple[str, int] | None],
    ) -> None:
        """``api`` returns the address of the environment's own APIs."""
        self._config = config
        self._recorder = recorder
        self._runs_function_code = runs_function_code
        self._api = api
        self._made: NetworkPolicy | None = None

    @property
    def _policy(self) -> NetworkPolicy:
        if self._made is None:  # most functions never ask
            self._made = NetworkPolicy(self._config.network, self._config.network_allow)
        return self._made

    # -- called by the stand-ins for `socket` -----------------------------------------------------

    def looking_up(self, host: object, look_up: Callable[[], T], *, reverse: bool) -> T:
        """Return the result of a look-up, or refuse it.

        An address needs no look-up, unless it is a ``reverse`` one, which asks for a name.
        """
        __tracebackhide__ = True
        name = plain_name(host)
        literal = address_of(name)
        if (
            not name
            or (literal is not None and not reverse)
            or not self._runs_function_code()
            or runs_for_observer(_getframe(1))
        ):
            return look_up()
        call = _present_call() or _LOOKED_UP_FOR.get(name)
        self._pass_or_refuse(name, "look up", str(literal or name), call)
        local = literal is not None or name == "localhost" or self._policy.in_hosts_file(name)
        if call is None and not local:
            self._record(name, "look up")
        result = look_up()
        if literal is None:
            self._policy.resolved(_addresses(result))
        return result

    def connecting(self, connection: Any, verb: str, address: object) -> None:  # noqa: ANN401
        """Let a socket connect, or send a datagram, or be bound (``""``); or refuse it."""
        __tracebackhide__ = True
        if not self._runs_function_code():
            return
        family = getattr(connection, "family", _INTERNET[0])
        if family == _UNIX and verb and isinstance(address, (str, bytes)):
            text = address if isinstance(address, str) else address.decode("utf-8", "replace")
            if _present_call() is None and not runs_for_observer(_getframe(1)):
                self._record(text.replace("\0", "@"), verb)
        if family not in _INTERNET or not isinstance(address, tuple) or not address:
            return
        name = plain_name(address[0])
        literal = address_of(name)
        if (not verb and literal is not None) or runs_for_observer(_getframe(1)):
            return
        port = address[1] if len(address) > 1 else 0
        target = f"[{literal}]:{port}" if ":" in str(literal) else f"{literal or name}:{port}"
        if target == XRAY_DAEMON or self._is_api(target):
            return
        call = _present_call()
        self._pass_or_refuse(name, verb or "look up", target, call)
        if call is None and verb:
            self._record(target, verb)

    # -- the answer -------------------------------------------------------------------------------

    def _pass_or_refuse(self, name: str, verb: str, target: str, call: Call | None) -> None:
        __tracebackhide__ = True
        answer = self._policy.ask(name)
        if answer is Answer.PASSES:
            return
        place = self._place()
        refused = answer is Answer.NEVER or self._config.network != "warn"
        asked = call_in_words(call) if call is not None else verb
        event = NetworkRefusal(*place, target, asked, refused)
        if refused:
            event.exception = error = NetworkRefused(code="LLC821")
            error.reason = self._reason(answer)
            _describe(error, event)
            here = _REFUSALS.get()
            if here is not None:
                here.append(error)
        self._recorder.timeline.append(event)
        if event.exception is not None:
            raise event.exception

    def _reason(self, answer: Answer) -> str:
        if answer is Answer.NEVER:
            return "cloud metadata is closed to function code, whatever the setting network says"
        source = self._config.source_of("network")
        return (
            f"the network is closed to function code (network={self._config.network!r}, "
            f"from {source})"
        )

    def _record(self, target: str, verb: str) -> None:
        """Record a connection; one of a thread that goes on between phases is not recorded."""
        place = self._recorder.place()
        if place is not None:
            self._recorder.timeline.append(Connection(*place, target, verb))

    def _place(self) -> Place:
        recorder = self._recorder
        place = recorder.place()
        return place or Place(recorder.clock.now_us(), "", None, recorder.line())

    def _is_api(self, target: str) -> bool:
        api = self._api()
        return api is not None and target == f"{api[0]}:{api[1]}"


def rename_refusal(refusal: NetworkRefused, recorder: CallRecorder, asked: str) -> None:
    """Let a refusal name the call of a library that met it, and the line of that call."""
    for event in reversed(recorder.timeline.of(NetworkRefusal)):
        if event.exception is refusal:
            event.asked = asked
            event.where = recorder.line() or event.where
            _describe(refusal, event)


def _describe(error: NetworkRefused, event: NetworkRefusal) -> None:
    error.target, error.asked = event.target, event.asked
    error.phase, error.where = event.phase, event.where
    request = str(event) if event.asked in NETWORK_VERBS else f"send {event}"
    error.args = (
        f"cannot {request}: {error.reason}",
        f"It was asked {moment_in_words(event)}.",
        *ways_out(host_of(event.target)),
    )


def _present_call() -> Call | None:
    found = open_call()
    return None if found is None else found.call


def _addresses(result: Any) -> Iterator[object]:  # noqa: ANN401  # that of any look-up
    """Yield the addresses in the result of a look-up."""
    if isinstance(result, str):  # gethostbyname
        yield result
    elif isinstance(result, tuple):  # gethostbyname_ex, gethostbyaddr
        yield from result[2] if len(result) == 3 else ()
    elif isinstance(result, list):  # getaddrinfo
        for entry in result:
            yield entry[4][0]


# -- words -----------------------------------------------------------------------------------------


def call_in_words(call: Call) -> str:
    """Return a call as a refusal names it, without secrets."""
    if isinstance(call, AwsCall) and call.region:
        return f"{call} in {call.region}"
    return str(call)


def moment_in_words(event: NetworkRefusal) -> str:
    """Return the phase and the line of function code: ``"in invoke 0, at shop/app.py:12"``."""
    phase = event.phase if event.invocation is None else f"invoke {event.invocation}"
    return (f"in {phase}" if phase else "between phases") + (
        f", at {event.where}" * bool(event.where)
    )


def host_of(target: str) -> str:
    """Return the host of a target, without its port."""
    if target.startswith("["):
        return target[1:].partition("]")[0]
    return target.partition(":")[0] if target.count(":") == 1 else target


def ways_out(*hosts: str) -> list[str]:
    """Return the lines that say what to do about refusals of these hosts."""
    allowed = [host for host in hosts if not is_metadata(host)]
    mocks = "Answer it with a mock (lambda_http for requests, moto for boto3, respx for httpx)"
    lines = [f"{mocks}; or let it through:" if allowed else f"{mocks}."]
    lines += [f"lambda_lifecycle_network_allow = {' '.join(allowed)}"] * bool(allowed)
    lines += [
        f"No setting lets {host} through: it is the metadata of the machine that runs the tests, "
        "and no Lambda function reaches it."
        for host in hosts
        if is_metadata(host)
    ]
    return lines
