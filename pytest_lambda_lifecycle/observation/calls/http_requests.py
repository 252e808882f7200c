"""Hooks of requests, urllib3 and `http.client`: the layers of one synchronous HTTP request.

The uppermost layer that function code uses records the call.  The layers below it add their share:
urllib3 counts attempts, and `http.client` knows that a request was sent: no mock has answered it.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.recorder import open_call, recorder_here

__all__ = ["POINTS"]


def _session_send(original: Any) -> Any:  # noqa: ANN401
    """Wrap `requests.Session.send`, which each request and each hop of a redirect goes through."""

    @functools.wraps(original)
    def send(self: Any, request: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        recorder = recorder_here()
        if recorder is None or open_call() is not None:
            return original(self, request, **kwargs)
        method, url = str(request.method), str(request.url)
        with recorder.open(
            lambda place: HttpCall(*place, method, url, library="requests"), request
        ) as call:
            response = original(self, request, **kwargs)
            call.status = response.status_code
        return response

    return send


def _putrequest(original: Any) -> Any:  # noqa: ANN401
    """Wrap `http.client.HTTPConnection.putrequest`: a request is being sent."""

    @functools.wraps(original)
    def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        outer = open_call()
        if outer is not None and isinstance(outer.call, HttpCall):
            outer.call.matched = False
        return original(self, method, url, *args, **kwargs)

    return putrequest


POINTS: Final = (
    HookPoint("requests.sessions", "Session", "send", _session_send),
    HookPoint("http.client", "HTTPConnection", "putrequest", _putrequest),
)
