"""Hooks of aiohttp: `ClientSession._request`, which mocks replace, and its connector.

One call of `_request` sends all hops of a redirect, and the requests that a middleware adds (such
as the second request of a digest authentication).  Each of them asks the connector for a
connection, and that one place tells the hops apart: after a response it is another request, and
before one it is another attempt.  A mock that replaces `_request` has no connector: there the
history of the last response tells the hops.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.http_requests import open_request, status_of
from pytest_lambda_lifecycle.observation.calls.recorder import (
    OpenCall,
    open_call,
    recorder_here,
)

__all__ = ["POINTS"]


class _Exchange:
    """The requests of one call of `ClientSession._request`."""

    def __init__(self, opened: OpenCall[HttpCall], session: object, where: str) -> None:
        self.session = session
        self.url = opened.call.url
        self.where = where
        self.opened = [opened]
        self.attempts = 0

    @property
    def present(self) -> OpenCall[HttpCall]:
        return self.opened[-1]

    def connects(self, request: Any) -> None:  # noqa: ANN401
        """Note that a request wants a connection."""
        if self.present.answered:
            self._add(request.method, request.url)
            self.attempts = 0
        call = self.present.call
        self.attempts += 1
        call.attempts = self.attempts
        call.matched = False
        call.method = str(request.method)
        call.url = str(request.url)

    def answered(self, status: int | None) -> None:
        """Note the response of the present request."""
        self.present.call.status = status
        self.present.answer()

    def _add(self, method: object, url: object) -> None:
        following = open_request("aiohttp", str(method).upper(), url, where=self.where)
        if following is not None:
            following.begin()
            self.opened.append(following)

    def returned(self, response: Any) -> None:  # noqa: ANN401
        """Note the response that the library returns, and those before it under a mock."""
        if self.present.answered:
            return
        hops: list[Any] = [*(getattr(response, "history", None) or ()), response]
        self.answered(status_of(hops[0]))
        for hop in hops[1:]:
            self._add(hop.method, hop.url)
            self.answered(status_of(hop))

    def ended(self, exception: BaseException | None) -> None:
        """Note the end of the library's call."""
        for opened in self.opened:
            opened.end(exception)


def _request(original: Any) -> Any:  # noqa: ANN401
    """Wrap `aiohttp.ClientSession._request`.

    ``session.get(url)`` calls it at once, and its coroutine runs later, perhaps in a task that has
    no line of function code.  So the line is looked for in a plain function.
    """

    @functools.wraps(original)
    def _request(self: Any, method: Any, str_or_url: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        recorder = recorder_here()
        if recorder is None:
            return original(self, method, str_or_url, *args, **kwargs)
        return _recorded(original, recorder.line(), self, method, str_or_url, *args, **kwargs)

    return _request


async def _recorded(
    original: Any,  # noqa: ANN401
    where: str,
    session: Any,  # noqa: ANN401
    method: Any,  # noqa: ANN401
    url: Any,  # noqa: ANN401
    *args: Any,  # noqa: ANN401
    **kwargs: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    __tracebackhide__ = __function_code_above__ = True
    sent = _absolute(session, url, kwargs.get("params"))
    outer = _exchange()
    if outer is not None and outer.session is session and outer.url == str(sent):
        # A mock lets the request pass, and there is a wrapper beneath it.
        return await original(session, method, url, *args, **kwargs)
    content = (kwargs, getattr(session, "headers", None))
    opened = open_request("aiohttp", str(method).upper(), sent, where=where, sent=content)
    if opened is None:
        return await original(session, method, url, *args, **kwargs)
    opened.key = exchange = _Exchange(opened, session, where)
    with opened:
        try:
            response = await original(session, method, url, *args, **kwargs)
            exchange.returned(response)
        except BaseException as exception:
            exchange.ended(exception)
            raise
        exchange.ended(None)
    return response


def _absolute(session: Any, url: Any, params: Any) -> object:  # noqa: ANN401
    """Return the URL that a session sends; the connector shows it, but a mock has none."""
    try:
        built = session._build_url(url)
        if params:
            add = getattr(built, "extend_query", built.update_query)
            built = add(params)
        return built
    except Exception:  # aiohttp raises it again, and says it better
        return url


def _exchange() -> _Exchange | None:
    outer = open_call()
    return outer.key if outer is not None and isinstance(outer.key, _Exchange) else None


def _connect(original: Any) -> Any:  # noqa: ANN401
    """Wrap `aiohttp.BaseConnector.connect`: a request is about to be sent."""

    @functools.wraps(original)
    async def connect(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        exchange = _exchange()
        if exchange is not None:
            exchange.connects(req)
        return await original(self, req, *args, **kwargs)

    return connect


def _start(original: Any) -> Any:  # noqa: ANN401
    """Wrap `aiohttp.ClientResponse.start`, which reads the status and the headers."""

    @functools.wraps(original)
    async def start(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        result = await original(self, *args, **kwargs)
        exchange = _exchange()
        if exchange is not None:
            exchange.answered(status_of(self))
        return result

    return start


POINTS: Final = (
    HookPoint("aiohttp.client", "ClientSession", "_request", _request),
    HookPoint("aiohttp.connector", "BaseConnector", "connect", _connect),
    HookPoint("aiohttp.client_reqrep", "ClientResponse", "start", _start),
)
