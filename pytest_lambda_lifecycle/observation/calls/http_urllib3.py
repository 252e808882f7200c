"""Hooks of urllib3, which records the requests of function code that uses it without requests."""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.http_requests import (
    mark_sent,
    open_request,
    status_of,
    text_of,
)
from pytest_lambda_lifecycle.observation.calls.recorder import open_call

__all__ = ["POINTS", "origin"]

_PORTS: Final = {"http": 80, "https": 443}


def origin(scheme: str, host: object, port: object) -> str:
    """Return scheme, host and port as the beginning of a URL, without a default port."""
    name = text_of(host)
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return f"{scheme}://{name}" + ("" if port in (None, _PORTS.get(scheme)) else f":{port}")


def _urlopen(original: Any) -> Any:  # noqa: ANN401
    """Wrap `urllib3.HTTPConnectionPool.urlopen`, which calls itself for a retry and a redirect."""

    @functools.wraps(original)
    def urlopen(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        outer = open_call()
        if outer is not None and _is_part_of(outer):
            response = original(self, method, url, *args, **kwargs)
            if outer.call.status is None:
                outer.call.status = status_of(response)
            return response
        opened = open_request("urllib3", method, _absolute(self, url), sent=(args, kwargs))
        if opened is None:
            return original(self, method, url, *args, **kwargs)
        with opened as call:
            response = original(self, method, url, *args, **kwargs)
            if call.status is None:
                call.status = status_of(response)
        return response

    return urlopen


def _is_part_of(outer: Any) -> bool:  # noqa: ANN401
    """Say whether a request of urllib3 is a layer or a retry of the open call."""
    library = getattr(outer.call, "library", "")
    return library == "requests" or (library == "urllib3" and not outer.answered)


def _absolute(pool: Any, url: object) -> str:  # noqa: ANN401
    text = text_of(url)
    if not text.startswith("/"):  # as a proxy gets it
        return text
    return origin(text_of(pool.scheme), pool.host, pool.port) + text


def _increment(original: Any) -> Any:  # noqa: ANN401
    """Wrap `urllib3.Retry.increment`: urllib3 retries, or follows a redirect, unless it raises.

    Mocks of requests that imitate retries call it as well.
    """

    @functools.wraps(original)
    def increment(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        retry = original(self, *args, **kwargs)
        outer = open_call()
        if outer is not None and isinstance(outer.call, HttpCall):
            response = kwargs.get("response", args[2] if len(args) > 2 else None)
            if response is None or not response.get_redirect_location():
                outer.call.attempts += 1
            elif outer.call.library == "urllib3":
                outer.call.status = status_of(response)
                outer.answer()
        return retry

    return increment


def _new_conn(original: Any) -> Any:  # noqa: ANN401
    """Wrap `urllib3.connection.HTTPConnection._new_conn`, which connects, also to a proxy."""

    @functools.wraps(original)
    def _new_conn(self: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        mark_sent()
        return original(self)

    return _new_conn


POINTS: Final = (
    HookPoint("urllib3.connectionpool", "HTTPConnectionPool", "urlopen", _urlopen),
    HookPoint("urllib3.util.retry", "Retry", "increment", _increment),
    HookPoint("urllib3.connection", "HTTPConnection", "_new_conn", _new_conn),
)
