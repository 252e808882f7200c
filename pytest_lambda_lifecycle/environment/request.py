"""The request that an invoke becomes: event, ids, headers, client context, identity.

All of it is checked before anything runs.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.failures import event_too_large
from pytest_lambda_lifecycle.lifecycle.outcome import Request
from pytest_lambda_lifecycle.lifecycle.rules import EVENT_LIMIT
from pytest_lambda_lifecycle.runtimes.codec import encode_event
from pytest_lambda_lifecycle.runtimes.headers import check_headers

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["NO_EVENT", "make_request", "ordinary_request", "refuse_positional", "remaining_us"]

NO_EVENT: Final = b"{}"
"""The payload of an invoke without one."""

_CANONICAL: Final = {
    name.lower(): name
    for name in (
        "Content-Type",
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Aws-Tenant-Id",
        "Lambda-Runtime-Client-Context",
        "Lambda-Runtime-Cognito-Identity",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invocation-Id",
        "Lambda-Runtime-Invoked-Function-Arn",
        "Lambda-Runtime-Trace-Id",
    )
}
_IDENTITY_KEYS: Final = ("cognitoIdentityId", "cognitoIdentityPoolId")
_dumps = json.JSONEncoder().encode  # a test may have replaced json.dumps
# An instance of our own: function code and tests seed the module's.
_random_bits = random.Random().getrandbits


def make_request(
    event: object,
    arn: str,
    *,
    request_id: str | None,
    trace_id: str | None,
    content_type: str | None,
    tenant_id: str | None,
    client_context: object,
    identity: object,
    headers: object,
) -> Request:
    """Return the request that Lambda sends for an invoke with these arguments.

    None stands for the value that Lambda sends by itself.  Raises `LifecycleError` for arguments
    that cannot be sent, and `PayloadTooLarge` for an event over Lambda's limit.
    """
    __tracebackhide__ = True
    request = ordinary_request(event, arn)
    _check_texts(
        request_id=request_id, trace_id=trace_id, tenant_id=tenant_id, content_type=content_type
    )
    sent = request.headers
    if request_id:
        request.request_id = sent["Lambda-Runtime-Aws-Request-Id"] = request_id
    if trace_id:
        request.trace_id = sent["Lambda-Runtime-Trace-Id"] = trace_id
    if content_type is not None:
        sent["Content-Type"] = content_type
    request.ordinary = False
    given_id = _complete(sent, client_context, identity, tenant_id, headers)
    request.request_id = given_id or request.request_id
    check_headers(sent)
    return request


def refuse_positional(event: object, others: tuple[object, ...]) -> NoReturn:
    """Raise the error for more than one positional argument of ``invoke``."""
    __tracebackhide__ = True
    given = ", ".join(repr(one)[:40] for one in (event, *others))
    raise LifecycleError(
        f"cannot invoke with {len(others) + 1} positional arguments: {given}",
        "The event is the only one: Lambda makes the context, and what it shows is given by "
        "keywords (request_id=..., client_context=..., remaining_ms=...).",
        code="LLC502",
    )


def ordinary_request(event: object, arn: str) -> Request:
    """Return the request for an invoke without any other argument.

    Its request id and its trace id, which is not sampled, are made as Lambda makes them.  Raises
    `PayloadTooLarge`.
    """
    __tracebackhide__ = True
    body = encode_event(event)
    if len(body) > EVENT_LIMIT:
        raise event_too_large(len(body))
    d = _random_bits(312).to_bytes(39, "big").hex()  # an f-string takes longer
    request_id = f"{d[:8]}-{d[8:12]}-4{d[12:15]}-a{d[15:18]}-{d[18:30]}"
    trace_id = f"Root=1-{d[30:38]}-{d[38:62]};Parent={d[62:]};Sampled=0"
    sent: dict[str, str | None] = {
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Trace-Id": trace_id,
        "Lambda-Runtime-Invoked-Function-Arn": arn,
        "Content-Type": "application/json",
    }
    return Request(body, sent, request_id, trace_id, True)


def another_request(request: Request) -> Request:
    """Return a request with the same event and headers, and ids of its own."""
    made = ordinary_request(request.body, "")
    new = {
        name: made.headers[name]
        for name in ("Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Trace-Id")
        if request.headers.get(name) is not None
    }
    headers = {**request.headers, **new}
    return Request(request.body, headers, made.request_id, made.trace_id, request.ordinary)


def _check_texts(**arguments: object) -> None:
    """Refuse arguments of `invoke` that are neither text nor None."""
    for name, value in arguments.items():
        if value is not None and not isinstance(value, str):
            _refuse(name, value, "it takes a str, or None for the value that Lambda would send")


def _complete(
    request: dict[str, str | None],
    client_context: object,
    identity: object,
    tenant_id: str | None,
    headers: object,
) -> str | None:
    """Add the arguments that are rarely given; return the request id if ``headers`` name one."""
    if client_context is not None:
        request["Lambda-Runtime-Client-Context"] = _client_context(client_context)
    if identity is not None:
        request["Lambda-Runtime-Cognito-Identity"] = _identity(identity)
    if tenant_id is not None:
        request["Lambda-Runtime-Aws-Tenant-Id"] = tenant_id
    if headers is not None:
        request.update(_headers(headers))
    return request.get("Lambda-Runtime-Aws-Request-Id")


def remaining_us(remaining_ms: object, config: FunctionConfig) -> int:
    """Return the time of the function for one invoke, in microseconds."""
    limit = config.timeout * 1000
    if type(remaining_ms) is not int or not 1 <= remaining_ms <= limit:
        source = config.source_of("timeout")
        takes = (
            f"it is a whole number of ms from 1 to {limit}, the function's timeout (from {source})"
        )
        _refuse("remaining_ms", remaining_ms, takes)
    return remaining_ms * 1000


def _client_context(value: object) -> str:
    takes = "it takes a mapping that JSON can express, such as {'custom': {'key': 'value'}}"
    if not isinstance(value, Mapping):
        _refuse("client_context", value, takes)
    try:
        return _dumps(dict(value))
    except (TypeError, ValueError, RecursionError) as problem:
        _refuse("client_context", value, f"{takes} ({problem})")


def _identity(value: object) -> str:
    known = " and ".join(map(repr, _IDENTITY_KEYS))
    takes = (
        f"it takes a mapping to str with no other keys than {known}; "
        "anything else can be sent through headers"
    )
    if not isinstance(value, Mapping) or not all(key in _IDENTITY_KEYS for key in value):
        _refuse("identity", value, takes)
    if not all(isinstance(text, str) for text in value.values()):
        _refuse("identity", value, takes)
    return _dumps(dict(value))


def _headers(value: object) -> dict[str, str | None]:
    takes = "it takes a mapping of header names to str, or None to leave a header out"
    if not isinstance(value, Mapping):
        _refuse("headers", value, takes)
    headers: dict[str, str | None] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not (text is None or isinstance(text, str)):
            _refuse("headers", {name: text}, takes)
        headers[_CANONICAL.get(name.lower(), name)] = text
    return headers


def _refuse(name: str, value: object, takes: str) -> NoReturn:
    raise LifecycleError(f"cannot invoke with {name}={value!r}: {takes}", code="LLC502") from None
