"""Hooks of `http.client`: requests by itself and by `urllib.request`, and the end of all layers.

A request begins with `putrequest` and ends with `getresponse`, and function code may do anything in
between.  So it is no open call, but is kept with its connection.
"""

from __future__ import annotations

import functools
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.http_requests import (
    mark_sent,
    open_request,
    status_of,
    text_of,
)
from pytest_lambda_lifecycle.observation.calls.http_urllib3 import origin
from pytest_lambda_lifecycle.observation.calls.recorder import OpenCall, open_call

__all__ = ["POINTS"]

_WAITING: Final[WeakKeyDictionary[Any, OpenCall[HttpCall]]] = WeakKeyDictionary()
"""The request of each connection that has got no response yet."""


def _putrequest(original: Any) -> Any:  # noqa: ANN401
    """Wrap `http.client.HTTPConnection.putrequest`: a request is being sent."""

    @functools.wraps(original)
    def putrequest(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        before = _WAITING.get(self)
        result = original(self, method, url, *args, **kwargs)
        if open_call() is not None:
            mark_sent()
        elif _WAITING.get(self) is before:  # no wrapper beneath a mock has recorded it
            _begin(self, method, url)
        return result

    return putrequest


def _begin(connection: Any, method: object, url: object) -> None:  # noqa: ANN401
    opened = open_request("http.client", method, _absolute(connection, url), connection)
    if opened is not None:
        opened.call.matched = False
        opened.begin()
        _WAITING[connection] = opened


def _absolute(connection: Any, url: object) -> str:  # noqa: ANN401
    text = text_of(url) or "/"
    if text.lower().startswith(("http://", "https://")):  # as a proxy gets it
        return text
    host, port = connection.host, connection.port
    if connection._tunnel_host:
        host, port = connection._tunnel_host, connection._tunnel_port
    scheme = "https" if connection.default_port == 443 else "http"
    return origin(scheme, host, port) + text


def _send(original: Any) -> Any:  # noqa: ANN401
    """Wrap `http.client.HTTPConnection.send`, which connects, and may fail."""

    @functools.wraps(original)
    def send(self: Any, data: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = _WAITING.get(self)
        try:
            if opened is None:
                return original(self, data)
            with opened.in_layers_below():  # the connection belongs to the request
                return original(self, data)
        except BaseException as exception:
            _end(self, exception)
            raise

    return send


def _getresponse(original: Any) -> Any:  # noqa: ANN401
    """Wrap `http.client.HTTPConnection.getresponse`: a request ends."""

    @functools.wraps(original)
    def getresponse(self: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        try:
            response = original(self)
        except BaseException as exception:
            _end(self, exception)
            raise
        _end(self, None, status_of(response))
        return response

    return getresponse


def _end(connection: Any, exception: BaseException | None, status: int | None = None) -> None:  # noqa: ANN401
    opened = _WAITING.pop(connection, None)
    if opened is not None:
        opened.call.status = status
        opened.end(exception)


POINTS: Final = (
    HookPoint("http.client", "HTTPConnection", "putrequest", _putrequest),
    HookPoint("http.client", "HTTPConnection", "send", _send),
    HookPoint("http.client", "HTTPConnection", "getresponse", _getresponse),
)
