"""The table of the calls of all APIs: paths, methods, and the objects that answer.

Source: the Lambda API pages for runtimes, extensions, telemetry and metadata; Runtime Interface
Emulator, ``rapi/router.go``, for the order of checks, statuses and bodies.
"""

from __future__ import annotations

import hmac
import json
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import (
    ACCEPTED,
    NOT_FOUND,
    ApiError,
    Call,
    Reply,
    json_reply,
    text_reply,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.registry import Registry
    from pytest_lambda_lifecycle.api.runtime_api import RuntimeApi

__all__ = ["AVAILABILITY_ZONE", "Routes", "Subscriptions"]

AVAILABILITY_ZONE: Final = "use1-az1"
"""The zone that the metadata endpoint names, as in the sample of its page and in the emulator."""

_IDENTIFIER: Final = "Lambda-Extension-Identifier"
_ERROR_TYPE: Final = "Lambda-Extension-Function-Error-Type"
_METADATA_HEADERS: Final = (("Cache-Control", "private, max-age=43200, immutable"),)
_about_a_request: Final = re.compile(
    r"/2018-06-01/runtime/invocation/([^/]*)/(response|error)"
).fullmatch

_Answer: TypeAlias = Callable[[Call], Reply]


class Subscriptions(Protocol):
    """The subscriptions of the Telemetry API and the Logs API: `TelemetryHub`."""

    def subscribe(self, api: str, extension: str, body: bytes) -> Reply:
        """Subscribe; ``api`` is ``"telemetry"`` or ``"logs"``.  May raise `ApiError`."""
        ...


class Routes:
    """Answers calls; any number of threads may ask at once."""

    def __init__(
        self, registry: Registry, runtime: RuntimeApi, telemetry: Subscriptions, *, token: str
    ) -> None:
        """``token`` is the value of ``AWS_LAMBDA_METADATA_TOKEN``."""
        self._registry = registry
        self._runtime = runtime
        self._telemetry = telemetry
        self._authorization = f"Bearer {token}".encode()
        self._routes: Mapping[str, tuple[str, _Answer]] = {
            "/2018-06-01/ping": ("GET", _pong),
            "/2018-06-01/runtime/invocation/next": ("GET", partial(runtime.handle, "next")),
            "/2018-06-01/runtime/init/error": ("POST", partial(runtime.handle, "init/error")),
            "/2018-06-01/runtime/restore/next": ("GET", partial(runtime.handle, "restore/next")),
            "/2018-06-01/runtime/restore/error": ("POST", partial(runtime.handle, "restore/error")),
            "/2020-01-01/extension/register": ("POST", self._register),
            "/2020-01-01/extension/event/next": ("GET", self._next_event),
            "/2020-01-01/extension/init/error": ("POST", self._init_error),
            "/2020-01-01/extension/exit/error": ("POST", self._exit_error),
            "/2020-08-15/logs": ("PUT", partial(self._subscribe, "logs")),
            "/2022-07-01/telemetry": ("PUT", partial(self._subscribe, "telemetry")),
            "/2026-01-15/metadata/execution-environment": ("GET", self._metadata),
        }

    def __call__(self, call: Call) -> Reply:
        """Answer one call.  Raises `Gone` if the process of the caller has ended."""
        try:
            found = self._routes.get(call.path) or self._answer_about_a_request(call.path)
            if found is None:
                return NOT_FOUND
            method, answer = found
            if call.method != method:
                return Reply(405, b"", (("Allow", method),))
            return answer(call)
        except ApiError as refusal:
            return refusal.reply()

    def _answer_about_a_request(self, path: str) -> tuple[str, _Answer] | None:
        found = _about_a_request(path)
        if found is None:
            return None
        request_id, asked = found.groups()
        return "POST", partial(self._runtime.handle, asked, request_id=request_id)

    # -- Extensions API ---------------------------------------------------------------------------

    def _register(self, call: Call) -> Reply:
        name = call.header("Lambda-Extension-Name")
        if not name:
            raise ApiError(403, *states.NO_NAME)
        accepted = call.header("Lambda-Extension-Accept-Feature").split(",")
        features = {feature.strip() for feature in accepted}
        identifier, answer = self._registry.register(name, _decoded(call), features)
        return json_reply(200, answer, (_IDENTIFIER, identifier))

    def _next_event(self, call: Call) -> Reply:
        event, event_id = self._registry.next_event(_identifier(call))
        if event_id is None:  # SHUTDOWN: the emulator leaves the type to Go, which sees text
            return Reply(200, event, (("Content-Type", "text/plain; charset=utf-8"),))
        headers = (
            ("Content-Type", "application/json"),
            ("Lambda-Extension-Event-Identifier", event_id),
        )
        return Reply(200, event, headers)

    def _init_error(self, call: Call) -> Reply:
        self._registry.init_error(_identifier(call), _error_type(call))
        return ACCEPTED

    def _exit_error(self, call: Call) -> Reply:
        self._registry.exit_error(_identifier(call), _error_type(call))
        return ACCEPTED

    # -- other APIs -------------------------------------------------------------------------------

    def _subscribe(self, api: str, call: Call) -> Reply:
        return self._telemetry.subscribe(api, self._registry.name_of(_identifier(call)), call.body)

    def _metadata(self, call: Call) -> Reply:
        given = call.header("Authorization").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._authorization):
            return text_reply(401, "Unauthorized")
        return json_reply(200, {"AvailabilityZoneID": AVAILABILITY_ZONE}, *_METADATA_HEADERS)


def _pong(_: Call) -> Reply:
    return Reply(200, b"pong", (("Content-Type", "text/plain; charset=utf-8"),))


def _identifier(call: Call) -> str:
    """Return the extension's identifier; raises `ApiError` if it is missing or no UUID."""
    given = call.header(_IDENTIFIER)
    if not given:
        text = f"Missing {_IDENTIFIER} header"
        raise ApiError(403, "Extension.MissingExtensionIdentifier", text)
    try:
        return str(uuid.UUID(given))
    except ValueError:
        text = f"Invalid {_IDENTIFIER}"
        raise ApiError(403, "Extension.InvalidExtensionIdentifier", text) from None


def _error_type(call: Call) -> str:
    given = call.header(_ERROR_TYPE)
    if not given:
        raise ApiError(403, "Extension.MissingHeader", f"{_ERROR_TYPE} not found")
    return given


def _decoded(call: Call) -> object:
    """Return the body of a registration; raises `ApiError` for a body that is not JSON.

    The words are those of Go in the two simple cases.
    """
    try:
        return call.json()
    except json.JSONDecodeError as problem:
        rest = problem.doc[problem.pos :].lstrip()
        message = "unexpected end of JSON input"
        if rest:
            message = f"invalid character {rest[0]!r} looking for beginning of value"
        raise ApiError(403, "InvalidRequestFormat", message) from None
    except ValueError as problem:
        raise ApiError(403, "InvalidRequestFormat", str(problem)) from None
