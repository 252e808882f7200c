"""The subscription that an extension asks for, and its checks.

Sources: Developer Guide, "Lambda Telemetry API reference" and "Using the Lambda Logs API"; the JSON
schema of the Runtime Interface Emulator where the guide is silent.  As in the guide's example, one
answer lists all that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote, urlsplit

from pytest_lambda_lifecycle.api.replies import ApiError, decode_json
from pytest_lambda_lifecycle.api.telemetry.records import LOGS_SCHEMAS, TELEMETRY_SCHEMAS

__all__ = ["APIS", "Api", "Subscription", "parse"]


class Api(NamedTuple):
    """One of the two interfaces, and its own words."""

    title: str
    schemas: tuple[str, ...]
    default_schema: str | None
    validation_error: str
    closed_error: str


APIS: Final[Mapping[str, Api]] = {
    "telemetry": Api(
        "Telemetry API", TELEMETRY_SCHEMAS, None, "ValidationError", "Telemetry.SubscriptionClosed"
    ),
    "logs": Api(
        "Logs API", LOGS_SCHEMAS, LOGS_SCHEMAS[0], "Logs.ValidationError", "Logs.SubscriptionClosed"
    ),
}
_TYPES: Final = ("platform", "function", "extension")
_HOSTS: Final = ("sandbox.localdomain", "sandbox")
_RESERVED_PORT: Final = 9001
"""The port of the Runtime API on Lambda."""
_BUFFERING: Final = {
    "maxItems": (1_000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}
"""Lowest value, highest value and default.

The guide names two defaults of ``maxItems``; the emulator has this one.
"""


class Subscription(NamedTuple):
    """A subscription that was accepted."""

    api: str
    schema: str
    types: tuple[str, ...]
    protocol: str
    """``"HTTP"`` or ``"TCP"``."""
    port: int
    target: str
    """Path and query of the URI; "" for TCP."""
    method: str
    max_items: int
    max_bytes: int
    timeout_ms: int


def parse(api: str, body: bytes) -> Subscription:
    """Return the subscription in ``body``; raises `ApiError` 400, which lists all problems."""
    words = APIS[api]
    problems: list[str] = []
    try:
        decoded = decode_json(body)
    except ValueError:
        raise ApiError(400, words.validation_error, "the body is not valid JSON") from None
    if not isinstance(decoded, dict):
        raise ApiError(400, words.validation_error, "the body should be a JSON object")
    fields = cast("dict[str, Any]", decoded)
    schema = _schema(fields.get("schemaVersion"), words, problems)
    types = _types(fields.get("types"), problems)
    protocol, port, target, method = _destination(fields.get("destination"), problems)
    buffering = _buffering(fields.get("buffering"), problems)
    if problems:
        raise ApiError(400, words.validation_error, "; ".join(problems))
    return Subscription(api, schema, types, protocol, port, target, method, *buffering)


def _schema(value: object, words: Api, problems: list[str]) -> str:
    if value is None and words.default_schema is not None:
        return words.default_schema
    if value is None:
        problems.append("schemaVersion is not provided")
    elif value not in words.schemas:
        problems.append(f"schemaVersion should be one of {', '.join(words.schemas)}")
    return str(value)


def _types(value: object, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        problems.append("types are not provided")
    elif not isinstance(value, list):
        problems.append("types should be an array")
    elif not value:
        problems.append("types should not be empty")
    elif not all(kind in _TYPES for kind in cast("list[object]", value)):
        problems.append(f"types should be among {', '.join(_TYPES)}")
    else:
        return tuple(dict.fromkeys(cast("list[str]", value)))
    return ()


def _destination(value: object, problems: list[str]) -> tuple[str, int, str, str]:
    nowhere = ("HTTP", 0, "", "POST")
    if value is None:
        problems.append("destination is not provided")
        return nowhere
    if not isinstance(value, dict):
        problems.append("destination should be an object")
        return nowhere
    fields = cast("dict[str, Any]", value)
    protocol: object = fields.get("protocol")
    if protocol == "TCP":
        return "TCP", _port(fields.get("port"), "destination.port", problems), "", ""
    if protocol != "HTTP":
        problems.append("destination.protocol should be HTTP or TCP")
        return nowhere
    method: object = fields.get("method") or "POST"
    if method not in ("POST", "PUT"):
        problems.append("destination.method should be POST or PUT")
    port, target = _uri(fields.get("URI"), problems)
    return "HTTP", port, target, str(method)


def _uri(value: object, problems: list[str]) -> tuple[int, str]:
    if not isinstance(value, str) or not value:
        problems.append("destination.URI is not provided")
        return 0, ""
    try:
        parts = urlsplit(value)
        host = parts.hostname
        port = parts.port
    except ValueError:
        problems.append("destination.URI is not valid")
        return 0, ""
    if parts.scheme != "http":
        problems.append("destination.URI should begin with http://")
    elif host not in _HOSTS:
        problems.append("destination.URI host must be sandbox.localdomain")
    elif port is None:
        problems.append("URI port is not provided")
    else:
        _port(port, "URI port", problems)
    path = _quoted(parts.path) or "/"
    query = _quoted(parts.query)
    return port or 0, f"{path}?{query}" if query else path


def _quoted(part: str) -> str:
    return quote(part, safe="/%:=&?~+!$,;'@()*", errors="replace")


def _port(value: object, field: str, problems: list[str]) -> int:
    if value is None:
        problems.append(f"{field} is not provided")
    elif not _is_int(value) or not 1 <= cast(int, value) <= 65_535:
        problems.append(f"{field} should be an integer from 1 to 65535")
    elif value == _RESERVED_PORT:
        problems.append(f"{field} {_RESERVED_PORT} is reserved")
    else:
        return cast(int, value)
    return 0


def _buffering(value: object, problems: list[str]) -> tuple[int, int, int]:
    if value is not None and not isinstance(value, dict):
        problems.append("buffering should be an object")
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    numbers: list[int] = []
    for name, (lowest, highest, default) in _BUFFERING.items():
        number: object = given.get(name)
        number = default if number is None else number
        if not _is_int(number) or not lowest <= cast(int, number) <= highest:
            problems.append(f"buffering.{name} should be an integer from {lowest} to {highest}")
            number = default
        numbers.append(cast(int, number))
    return numbers[0], numbers[1], numbers[2]


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
