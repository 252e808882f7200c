"""The way of one request through the stack of mocks: which mock answers, or why none does."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.parts.sockets import Sockets
from pytest_lambda_lifecycle.lifecycle.redaction import redacted_text
from pytest_lambda_lifecycle.observation.calls.mock_stack import Below, mocks_below
from pytest_lambda_lifecycle.observation.calls.own_api import is_own_api
from pytest_lambda_lifecycle.observation.calls.recorder import recorder_here

__all__ = ["Unmatched", "answer", "named", "place_in_words"]

_ARGUMENTS: Final = ("stream", "timeout", "verify", "cert", "proxies")
"""The arguments of `HTTPAdapter.send` after the request, which an adapter may pass by position."""


class Unmatched(Exception):
    """No response of a mock matches a request: the next mock is asked."""

    def __init__(self, mock: Any, reasons: list[str], registered: list[Any]) -> None:  # noqa: ANN401
        self.mock = mock
        self.reasons = reasons
        self.registered = registered

    @property
    def is_of_moto(self) -> bool:
        """Say whether moto has made the mock: it has hundreds of responses, and passes the rest."""
        registry = type(self.mock.get_registry())
        return registry.__module__.partition(".")[0] == "moto"


class _Asked(NamedTuple):
    request: Any
    unmatched: list[Unmatched]


_ASKED: Final[ContextVar[_Asked | None]] = ContextVar(
    "pytest_lambda_lifecycle.asked_mocks", default=None
)
"""The mocks that a request has passed, while a function of the test beneath them has it."""


@contextmanager
def _asked(request: Any, unmatched: list[Unmatched]) -> Iterator[None]:  # noqa: ANN401
    """Remember the mocks that a request has passed, while a function of the test has it."""
    token = _ASKED.set(_Asked(request, unmatched))
    try:
        yield
    finally:
        _ASKED.reset(token)


def named(arguments: Sequence[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `HTTPAdapter.send` after the request, by their names."""
    return {**dict(zip(_ARGUMENTS, arguments, strict=False)), **keywords} if arguments else keywords


def answer(
    mocks: Sequence[Any],
    beneath: Any,  # noqa: ANN401
    also: Any,  # noqa: ANN401
    adapter: Any,  # noqa: ANN401
    request: Any,  # noqa: ANN401
    options: dict[str, Any],
) -> Any:  # noqa: ANN401
    """Return the response of the first mock that has one; raise an error if none has.

    ``mocks`` are `LambdaHttp` objects.  ``beneath`` is the function at which the stack goes on,
    and ``also`` one at which another stack begins; None if there is none.
    """
    __tracebackhide__ = __function_code_above__ = True
    asked = _ASKED.get()
    unmatched = list(asked.unmatched) if asked is not None and asked.request is request else []
    for mock in mocks:
        if not (unmatched and _is_among(mock, unmatched)):
            try:
                return mock._on_request(adapter, request, **options)
            except Unmatched as one:
                unmatched.append(one)
    below = mocks_below(beneath)
    others = [*below.mocks, *(mocks_below(also).mocks if also is not None else ())]
    for mock in others:
        if not _is_among(mock, unmatched):
            try:
                return _leaving(mock)._on_request(adapter, request, **options)
            except Unmatched as one:
                unmatched.append(one)
    send = _passing(below, request, unmatched)
    if send is not None:
        return send(adapter, request, **options)
    if not below.is_real:
        with _asked(request, unmatched):
            return below.bottom(adapter, request, **options)
    first = mocks[0] if mocks else unmatched[0].mock
    raise _refusal(first, adapter, request, options, unmatched)


def _is_among(mock: Any, unmatched: Iterable[Unmatched]) -> bool:  # noqa: ANN401
    return any(one.mock is mock for one in unmatched)


def _leaving(mock: Any) -> Any:  # noqa: ANN401
    """Return a copy of a mock that raises `Unmatched` instead of refusing a request.

    The copy shares its registry, its calls and its lock with the mock.  A change of the mock for
    the time of one request would also meet the requests of other threads.
    """
    if hasattr(mock, "_leaves_unmatched"):
        return mock
    find = mock._find_match

    def find_match(request: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        match, reasons = find(request)
        if match is None:
            raise Unmatched(mock, reasons, list(mock.registered()))
        return match, reasons

    leaving = copy.copy(mock)
    leaving._find_match = find_match
    return leaving


def _passing(below: Below, request: Any, unmatched: Iterable[Unmatched]) -> Any:  # noqa: ANN401
    """Return the function that sends a request which may pass all mocks; None for others.

    moto lets every request pass, and users have not asked for that.
    """
    url = str(request.url)
    for one in unmatched:
        if not one.is_of_moto and _has_prefix(url, one.mock.passthru_prefixes):
            return below.bottom if below.is_real and below.bottom else one.mock._real_send
    if _is_own_api(url):
        for one in unmatched:
            return below.bottom if below.is_real and below.bottom else one.mock._real_send
    return None


def _has_prefix(url: str, prefixes: Iterable[Any]) -> bool:
    return any(
        url.startswith(prefix) if isinstance(prefix, str) else prefix.match(url)
        for prefix in prefixes
    )


def _is_own_api(url: str) -> bool:
    """Say whether a URL is one of the entered environment's own APIs."""
    entered = Sockets.entered
    address = entered.address() if entered is not None else None
    return address is not None and is_own_api(url, f"{address[0]}:{address[1]}")


def _refusal(
    http: Any,  # noqa: ANN401
    adapter: Any,  # noqa: ANN401
    request: Any,  # noqa: ANN401
    options: dict[str, Any],
    unmatched: Iterable[Unmatched],
) -> Exception:
    """Return the error of a request that nobody answers; each mock notes it among its calls."""
    listed = [one for one in unmatched if not one.is_of_moto]
    text = http._refusal(
        adapter,
        request,
        options,
        [reason for one in listed for reason in one.reasons],
        [response for one in listed for response in one.registered],
        [prefix for one in listed for prefix in one.mock.passthru_prefixes],
    )
    error: Exception = http._connection_error(
        redacted_text(text + "".join(f"\n{line}" for line in place_in_words())), request=request
    )
    for one in listed:
        one.mock._calls.add(request, error)
    return error


def place_in_words() -> list[str]:
    """Return the phase and the line of function code that runs now; nothing outside a phase."""
    recorder = recorder_here()
    place = recorder.place() if recorder is not None else None
    if place is None:
        return []
    index = "" if place.invocation is None else f", env.invocations[{place.invocation}]"
    lines = [f"Phase: {place.phase}{index}"]
    return [*lines, f"Function code: {place.where}"] if place.where else lines


def as_of_copy(error: Exception) -> Exception:
    """Return an exception of requests as one of the function's own copy of requests.

    Function code that has its own copy catches that one's classes.
    """
    module = sys.modules.get("requests.exceptions")
    cls = getattr(module, type(error).__name__, None)
    if cls is None or isinstance(error, cls):
        return error
    made: Exception = cls(*error.args, request=getattr(error, "request", None))
    return made
