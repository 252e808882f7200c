"""Hooks of boto3, botocore, aiobotocore and aioboto3: the clients that function code makes.

A resource makes a client, a client of boto3 makes one of botocore, and the first `boto3.client`
makes a session.  One entry is made for the outermost call: while it runs, the inner ones are part
of it (`_MAKING`).  A client that a library makes on its own account (one of STS that fetches
credentials, that of an aioboto3 resource that is entered) is not listed either.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, AwsClient
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.recorder import (
    CallRecorder,
    open_call,
    recorder_here,
)

__all__ = ["POINTS"]

_getframe: Final = sys._getframe  # a test may spy on it

_MAKING: Final[ContextVar[bool]] = ContextVar(
    "pytest_lambda_lifecycle.making_client", default=False
)
"""A client, resource or session is being made in this context."""

_LIBRARIES: Final = frozenset("boto3 botocore s3transfer aioboto3 aiobotocore".split())

_WAYS: Final[dict[tuple[Any, str], str]] = {
    ("boto3", "client"): "boto3.client",
    ("boto3", "resource"): "boto3.resource",
    ("boto3", "setup_default_session"): "boto3.setup_default_session",
    ("botocore.session", "get_session"): "",
    ("aiobotocore.session", "get_session"): "",
}
"""Functions of libraries that function code calls to make a session, by module and name; the value
is what `AwsClient.made_by` says of it, and empty if it says the same as without the function.
"""


def _way(recorder: CallRecorder, made_by: str) -> str:
    """Return the call of function code that makes a client; ``""`` if a library makes it itself.

    ``boto3.client`` is told from ``Session.client`` by the frames that lie between.
    """
    frame: FrameType | None = _getframe(2)
    while frame is not None and not recorder.is_function_code(frame):
        module = frame.f_globals.get("__name__")
        name = frame.f_code.co_name
        if (module, name) == ("boto3", "_get_default_session"):
            return ""
        if (module, name) in _WAYS:
            made_by = _WAYS[module, name] or made_by
        elif isinstance(module, str) and module.partition(".")[0] in _LIBRARIES:
            return ""
        elif not is_own(frame):
            break  # another library makes it for the function
        frame = frame.f_back
    return made_by


def _recorded(kind: str, made_by: str) -> Callable[[Any], Any]:
    """Return the function that wraps a method that makes a client, a resource or a session."""

    def wrap(original: Any) -> Any:  # noqa: ANN401
        @functools.wraps(original)
        def make(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            recorder = None if _MAKING.get() else recorder_here()
            if recorder is None:
                return original(self, *args, **kwargs)
            outer = open_call()
            is_for_call = outer is not None and isinstance(outer.call, AwsCall)
            way = "" if is_for_call else _way(recorder, made_by)
            token = _MAKING.set(True)
            try:
                made = original(self, *args, **kwargs)
            finally:
                _MAKING.reset(token)
            place = recorder.place() if way else None
            if place is not None:
                service = "" if kind == "session" else args[0] if args else kwargs["service_name"]
                recorder.timeline.append(AwsClient(*place, kind, str(service), way))
            return made

        return make

    return wrap


_BOTO3: Final = "boto3.session", "Session"
_BOTOCORE: Final = "botocore.session", "Session"
_AIOBOTOCORE: Final = "aiobotocore.session", "AioSession"
_AIOBOTO3: Final = "aioboto3.session", "Session"

POINTS: Final = (
    HookPoint(*_BOTO3, "__init__", _recorded("session", "boto3.Session")),
    HookPoint(*_BOTO3, "client", _recorded("client", "Session.client")),
    HookPoint(*_BOTO3, "resource", _recorded("resource", "Session.resource")),
    HookPoint(*_BOTOCORE, "__init__", _recorded("session", "botocore.Session")),
    HookPoint(*_BOTOCORE, "create_client", _recorded("client", "create_client")),
    HookPoint(*_AIOBOTOCORE, "__init__", _recorded("session", "aiobotocore.AioSession")),
    HookPoint(*_AIOBOTOCORE, "create_client", _recorded("client", "create_client")),
    HookPoint(*_AIOBOTO3, "__init__", _recorded("session", "aioboto3.Session")),
    HookPoint(*_AIOBOTO3, "resource", _recorded("resource", "Session.resource")),
)
