"""Hooks of requests, and the functions that the hooks of all HTTP clients share.

The uppermost layer that function code uses records a request.  The layers below it add their share:
urllib3 counts attempts, and `http.client` sees that a request is sent, so no mock has answered it.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.recorder import OpenCall, open_call, recorder_here

__all__ = ["POINTS", "mark_sent", "open_request", "status_of", "text_of"]

_BELOW_AWS: Final = frozenset({"urllib3", "httpx", "aiohttp"})
"""Libraries by which botocore and aiobotocore send: those requests belong to the AWS call."""


def open_request(
    library: str,
    method: object,
    url: object,
    key: object = None,
    *,
    where: str = "",
    sent: object = None,
) -> OpenCall[HttpCall] | None:
    """Return the context that records a request, or None for one that is not to be recorded.

    Inside an open call, a request of the same library is one of three kinds: the call itself, as a
    second wrapper sees it (``key`` is the same object); the target of a redirect, or a request of a
    hook of function code, which are calls of their own; or a request of a mock that is about to
    answer.  The last one is kept off the timeline, and must not tell that the outer call was sent.
    ``sent`` holds headers and body, if ``key`` does not.
    """
    recorder = recorder_here()
    if recorder is None:
        return None
    outer = open_call()
    off_timeline = False
    if outer is not None:
        if (key is not None and outer.key is key) or (
            isinstance(outer.call, AwsCall) and library in _BELOW_AWS
        ):
            return None
        is_same_library = getattr(outer.call, "library", "") == library
        is_next_hop = is_same_library and outer.answered and outer.on_timeline
        off_timeline = not is_next_hop and not recorder.called_inside()
    text = text_of(url)
    if recorder.is_own_api(text):
        return None
    return recorder.open(
        lambda place: HttpCall(
            place.at,
            place.phase,
            place.invocation,
            where or place.where,
            text_of(method),
            text,
            library=library,
            attempts=1,
        ),
        key,
        off_timeline=off_timeline,
        sent=key if sent is None else sent,
    )


def mark_sent() -> None:
    """Note that the open request is sent over a connection, or that this is attempted."""
    outer = open_call()
    if outer is not None and isinstance(outer.call, HttpCall):
        outer.call.matched = False


def status_of(response: object) -> int | None:
    """Return the status code of a response of any library, or of a mock."""
    for name in ("status_code", "status"):
        status = getattr(response, name, None)
        if isinstance(status, int):
            return int(status)
    return None


def text_of(value: object) -> str:
    """Return a method or a URL as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _send(original: Any) -> Any:  # noqa: ANN401
    """Wrap `requests.Session.send`, which each request and each hop of a redirect goes through."""

    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = open_request(
            "requests", getattr(request, "method", ""), getattr(request, "url", ""), request
        )
        if opened is None:
            return original(self, request, *args, **kwargs)
        with opened as call:
            response = original(self, request, *args, **kwargs)
            if call.status is None:
                call.status = status_of(response)
        return response

    return send


def _get_redirect_target(original: Any) -> Any:  # noqa: ANN401
    """Wrap `requests.Session.get_redirect_target`, which looks at each response.

    `requests.Session.send` returns the last response of a chain alone, and none if it raises.
    """

    @functools.wraps(original)
    def get_redirect_target(self: Any, resp: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        target = original(self, resp)
        outer = open_call()
        if outer is not None and not outer.answered and _is_of_requests(outer):
            _note_repetition(outer, resp)
            if outer.call.status is None:
                outer.call.status = status_of(resp)
            if target:
                outer.answer()
        return target

    return get_redirect_target


def _is_of_requests(outer: OpenCall[Any]) -> bool:
    return isinstance(outer.call, HttpCall) and outer.call.library == "requests"


def _note_repetition(outer: OpenCall[HttpCall], response: Any) -> None:  # noqa: ANN401
    """Record the request that a hook of requests has sent after the response, if there is one.

    `HTTPDigestAuth` does so.  It uses the adapter, which custom adapters and mocks replace, and so
    nothing but the history of the response shows it.
    """
    history = getattr(response, "history", None)
    request = getattr(response, "request", None)
    if request is None or request is outer.key or not isinstance(history, list) or not history:
        return
    outer.call.status = status_of(history[0])
    outer.answer()
    following = open_request("requests", request.method, request.url, request)
    if following is not None:
        following.begin()
        following.call.matched = outer.call.matched
        following.call.status = status_of(response)
        following.end()


POINTS: Final = (
    HookPoint("requests.sessions", "Session", "send", _send),
    HookPoint(
        "requests.sessions", "SessionRedirectMixin", "get_redirect_target", _get_redirect_target
    ),
)
