"""Hooks that let a refusal of the network through client libraries as it is.

requests, urllib3, httpx, aiohttp and the standard library let an exception pass that is no
`OSError`.  botocore puts every exception into an `HTTPClientError`, hands that to its retries, and
loops over the credentials of the instance metadata.  anyio, beneath httpx, puts exceptions into an
exception group, and "happy eyeballs" of asyncio and aiohttp lose them.  The hooks take the refusal
out again, below the retries.

A refusal before the client library, at the first function that names the host, would be simpler.
But mocks act at many depths (a cassette of vcrpy in the place of urllib3's connections, a stub of
botocore's session), and a request that one of them answers must not be refused.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any, Final

from pytest_lambda_lifecycle.errors import NetworkRefused
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.network_guard import (
    looking_up_for,
    refusals_here,
    rename_refusal,
)
from pytest_lambda_lifecycle.observation.calls.recorder import open_call, recorder_here

__all__ = ["POINTS", "exceptions_behind", "raise_refusal"]


def exceptions_behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes and contexts, and the members of exception groups."""
    found: list[BaseException | None] = [error]
    seen = set[int]()
    while found:
        one = found.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        members = getattr(one, "exceptions", ())
        found += [one.__cause__, one.__context__]
        found += [item for item in _listed(members) if isinstance(item, BaseException)]


def _listed(members: object) -> tuple[Any, ...]:
    return tuple(members) if isinstance(members, (tuple, list)) else ()


def _refusal_in(error: object, handled: BaseException | None) -> NetworkRefused | None:
    """Return the refusal behind an exception.

    One behind ``handled``, the exception that was being handled before, is of an earlier call.
    """
    if not isinstance(error, BaseException):
        return None
    earlier = set(map(id, exceptions_behind(handled)))
    for one in exceptions_behind(error):
        if isinstance(one, NetworkRefused) and id(one) not in earlier:
            return one
    return None


def _unwrapping(original: Any) -> Any:  # noqa: ANN401
    """Wrap a function that sends: a refusal leaves it without the exception around it."""

    @functools.wraps(original)
    def send(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        handled = sys.exc_info()[1]
        try:
            return original(*args, **kwargs)
        except Exception as error:
            refusal = _refusal_in(error, handled)
            if refusal is None or refusal is error:
                raise
        raise refusal

    return send


def _unwrapping_async(original: Any) -> Any:  # noqa: ANN401
    """Wrap a coroutine function in the same way."""

    @functools.wraps(original)
    async def send(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        handled = sys.exc_info()[1]
        try:
            return await original(*args, **kwargs)
        except Exception as error:
            refusal = _refusal_in(error, handled)
            if refusal is None or refusal is error:
                raise
        raise refusal

    return send


def _connecting_async(original: Any) -> Any:  # noqa: ANN401
    """Wrap a coroutine function that tries several addresses at once ("happy eyeballs").

    It collects each `OSError` and loses every other exception: asyncio then raises an `IndexError`.
    """

    @functools.wraps(original)
    async def connect(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        if recorder_here() is None:
            return await original(*args, **kwargs)
        with refusals_here() as refused:
            try:
                return await original(*args, **kwargs)
            except Exception as error:
                if not refused or error is refused[0]:
                    raise
        raise refused[0]

    return connect


def raise_refusal(
    outcome: Any,  # noqa: ANN401  # a tuple of response and exception
    handled: BaseException | None,
    operation_model: Any,  # noqa: ANN401
    context: Any,  # noqa: ANN401
) -> None:
    """Raise the refusal behind the outcome of one attempt at an AWS operation.

    botocore returns the exception of an attempt, and shows it to its retry handler.  ``handled`` is
    the exception that was being handled before the attempt.
    """
    __tracebackhide__ = True
    if not isinstance(outcome, tuple) or len(outcome) != 2 or outcome[1] is None:
        return
    refusal = _refusal_in(outcome[1], handled)
    if refusal is None:
        return
    recorder = recorder_here()
    if recorder is not None:
        service = operation_model.service_model.service_name
        region = context.get("client_region") if isinstance(context, dict) else None
        call = f"{service}.{operation_model.name}" + (f" in {region}" if region else "")
        rename_refusal(refusal, recorder, call)
    raise refusal


def _loop_getaddrinfo(original: Any) -> Any:  # noqa: ANN401
    """Wrap `asyncio.BaseEventLoop.getaddrinfo`, which looks names up on another thread."""

    @functools.wraps(original)
    async def getaddrinfo(self: Any, host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        outer = open_call()
        if outer is None or recorder_here() is None:
            return await original(self, host, *args, **kwargs)
        with looking_up_for(host, outer.call):
            return await original(self, host, *args, **kwargs)

    return getaddrinfo


POINTS: Final = (
    HookPoint("botocore.httpsession", "URLLib3Session", "send", _unwrapping),
    HookPoint("aiobotocore.httpsession", "AIOHTTPSession", "send", _unwrapping_async),
    HookPoint("httpcore._backends.anyio", "AnyIOBackend", "connect_tcp", _unwrapping_async),
    HookPoint("aiohappyeyeballs", "", "start_connection", _connecting_async),
    HookPoint("asyncio.base_events", "BaseEventLoop", "create_connection", _connecting_async),
    HookPoint("asyncio.base_events", "BaseEventLoop", "getaddrinfo", _loop_getaddrinfo),
)
