"""What a caller gives along with an event: ids, headers, client context, identity; checked before
anything runs.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.outcome import Request
from pytest_lambda_lifecycle.runtimes.headers import check_headers

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["make_request", "remaining_us"]

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
    body: bytes,
    arn: str,
    request_id: str | None,
    trace_id: str | None,
    content_type: str | None,
    tenant_id: str | None,
    client_context: object,
    identity: object,
    headers: object,
) -> Request:
    """Return what Lambda sends for an invoke with these arguments, of which None means what it
    sends by itself.

    Raises `LifecycleError` for what cannot be sent.
    """
    ordinary = (
        request_id
        is trace_id
        is content_type
        is tenant_id
        is client_context
        is identity
        is headers
        is None
    )
    if not ordinary:
        _check_texts(
            request_id=request_id, trace_id=trace_id, tenant_id=tenant_id, content_type=content_type
        )
    new_request_id, new_trace_id = _new_ids()
    sent: dict[str, str | None] = {
        "Lambda-Runtime-Aws-Request-Id": request_id or new_request_id,
        "Lambda-Runtime-Trace-Id": trace_id or new_trace_id,
        "Lambda-Runtime-Invoked-Function-Arn": arn,
        "Content-Type": "application/json" if content_type is None else content_type,
    }
    request = Request(body, sent, request_id or new_request_id, trace_id or new_trace_id, ordinary)
    if not ordinary:
        request.request_id = (
            _complete(sent, client_context, identity, tenant_id, headers) or request.request_id
        )
        check_headers(sent)
    return request


def _new_ids() -> tuple[str, str]:
    """Return a request id and a trace id that is not sampled, as Lambda makes them."""
    d = f"{_random_bits(320):080x}"
    request_id = f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"
    return request_id, f"Root=1-{d[32:40]}-{d[40:64]};Parent={d[64:]};Sampled=0"


def _check_texts(**arguments: object) -> None:
    """Refuse arguments of `invoke` that are neither text nor None."""
    for name, value in arguments.items():
        if value is not None and not isinstance(value, str):
            _refuse(name, value, "it takes a str, or None for what Lambda would send")


def _complete(
    request: dict[str, str | None],
    client_context: object,
    identity: object,
    tenant_id: str | None,
    headers: object,
) -> str | None:
    """Add what is rarely given; returns the request id if ``headers`` name one."""
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
    """Return the function's time for one invoke, in µs."""
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
    if (
        not isinstance(value, Mapping)
        or not all(key in _IDENTITY_KEYS for key in value)
        or not all(isinstance(text, str) for text in value.values())
    ):
        takes = f"it takes a mapping to str with no other keys than {' and '.join(map(repr, _IDENTITY_KEYS))}"
        _refuse("identity", value, f"{takes}; anything else can be sent through headers")
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
    raise LifecycleError(f"cannot invoke with {name}={value!r}: {takes}") from None
