"""Hooks of httpx: `_send_single_request` of both clients, which each hop goes through.

Mocks replace the transport below it (respx, pytest-httpx) or are one (``MockTransport``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.http_requests import open_request, status_of
from pytest_lambda_lifecycle.observation.calls.recorder import OpenCall, open_call

__all__ = ["POINTS"]

_CONNECTIONS: Final = frozenset({"httpcore._sync.connection", "httpcore._async.connection"})
"""Modules whose code runs only for a request that is sent, or that was about to be."""
_LONGEST_CHAIN: Final = 10


def _open(request: Any) -> OpenCall[HttpCall] | None:  # noqa: ANN401
    return open_request("httpx", request.method, request.url, request)


def _sync(original: Any) -> Any:  # noqa: ANN401
    @functools.wraps(original)
    def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = _open(request)
        if opened is None:
            return original(self, request, *args, **kwargs)
        with opened as call:
            try:
                response = original(self, request, *args, **kwargs)
            except BaseException as exception:
                call.matched = not _was_sent(exception)
                raise
            _note_response(call, response)
        return response

    return _send_single_request


def _async(original: Any) -> Any:  # noqa: ANN401
    @functools.wraps(original)
    async def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = _open(request)
        if opened is None:
            return await original(self, request, *args, **kwargs)
        with opened as call:
            try:
                response = await original(self, request, *args, **kwargs)
            except BaseException as exception:
                call.matched = not _was_sent(exception)
                raise
            _note_response(call, response)
        return response

    return _send_single_request


def _note_response(call: HttpCall, response: Any) -> None:  # noqa: ANN401
    call.status = status_of(response)
    call.matched = "network_stream" not in getattr(response, "extensions", {})


def _was_sent(exception: BaseException) -> bool:
    """Say whether code of a connection has raised an exception, or its cause."""
    found: BaseException | None = exception
    for _ in range(_LONGEST_CHAIN):
        if found is None:
            return False
        if not _CONNECTIONS.isdisjoint(_modules(found)):
            return True
        found = found.__cause__ or found.__context__
    return False


def _modules(exception: BaseException) -> Iterator[str]:
    traceback = exception.__traceback__
    while traceback is not None:
        yield traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next


def _note_attempt() -> None:
    outer = open_call()
    if outer is not None and isinstance(outer.call, HttpCall):
        outer.call.attempts += 1


def _sleep(original: Any) -> Any:  # noqa: ANN401
    """Wrap the pause of httpcore before it connects once more."""

    @functools.wraps(original)
    def sleep(self: Any, seconds: float) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        _note_attempt()
        return original(self, seconds)

    return sleep


POINTS: Final = (
    HookPoint("httpx._client", "Client", "_send_single_request", _sync),
    HookPoint("httpx._client", "AsyncClient", "_send_single_request", _async),
    HookPoint("httpcore._backends.base", "NetworkBackend", "sleep", _sleep),
    HookPoint("httpcore._backends.auto", "AutoBackend", "sleep", _sleep),
)
