"""The answers that faults give in the place of a service, in the wire form of its protocol.

A fault has to look to botocore like the service itself: `client.exceptions.X`, the retry modes, the
back-off and the user's event hooks all depend on what botocore's parser makes of a response.  An
exception raised above the endpoint would pass them by, and a parsed response made here would have
to repeat the parser.  So one attempt runs with a stand-in for its endpoint (`FaultyEndpoint`) whose
emitter answers the event ``before-send``.  This is the event by which moto answers; the handlers of
moto and of others are not called, so that the mocked service does not change.
"""

from __future__ import annotations

import functools
import http.client
import json
import secrets
import sys
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

from pytest_lambda_lifecycle.observation.calls.fault_codes import documented_status, query_code
from pytest_lambda_lifecycle.observation.calls.faults import RESET, TIMEOUT, Fault

__all__ = ["FaultyEndpoint", "KnownError", "known_error", "protocol_of", "speaks_query"]

_DEFAULT_MESSAGE: Final = "declared by env.fault"


class KnownError(NamedTuple):
    """An error code of an operation."""

    name: str
    """Its name in the model; the code itself if the model does not have it."""
    code: str
    """Its code on the wire of XML protocols and of SQS."""
    status: int
    shape: Any
    """Botocore's model of it; None if there is none."""


def protocol_of(service_model: Any) -> str:  # noqa: ANN401
    """Return the protocol that this version of botocore speaks with a service."""
    found = getattr(service_model, "resolved_protocol", None) or service_model.metadata["protocol"]
    return str(found)


def speaks_query(service_model: Any) -> bool:  # noqa: ANN401
    """Say whether a service has kept the error codes of the query protocol, as SQS has."""
    return "awsQueryCompatible" in service_model.metadata


def _is_of_server(shape: Any) -> bool:  # noqa: ANN401
    """Say whether the model has the service at fault; `Shape.metadata` leaves that trait out."""
    traits = getattr(shape, "_shape_model", None) or shape.metadata
    return bool(traits.get("fault"))


def known_error(operation_model: Any, code: str) -> KnownError | None:  # noqa: ANN401
    """Return an error of an operation by its code or name; None if nothing documents it."""
    model = operation_model.service_model
    status_of = functools.partial(
        documented_status,
        service=model.service_name,
        protocol=protocol_of(model),
        speaks_query=speaks_query(model),
    )
    for shape in operation_model.error_shapes:
        wire_code = query_code(model.service_name, shape.name, shape.error_code)
        if code in (shape.name, wire_code):
            status = shape.metadata.get("error", {}).get("httpStatusCode") or status_of(shape.name)
            by_trait = 500 if _is_of_server(shape) else 400
            return KnownError(shape.name, wire_code, status or by_trait, shape)
    documented = status_of(code)
    return None if documented is None else KnownError(code, code, documented, None)


class FaultyEndpoint:
    """Stands in for a botocore endpoint during one attempt that meets a fault."""

    def __init__(
        self,
        endpoint: Any,  # noqa: ANN401
        fault: Fault,
        operation_model: Any,  # noqa: ANN401
        context: Any,  # noqa: ANN401
        *,
        asynchronous: bool = False,
    ) -> None:
        """``asynchronous`` is true for an endpoint of aiobotocore."""
        self._endpoint = endpoint
        answer = _Answer(fault, operation_model, context)
        emitter = _AsyncEmitter if asynchronous else _Emitter
        self._event_emitter = emitter(endpoint._event_emitter, answer)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._endpoint, name)

    def _do_get_response(self, *args: Any) -> Any:  # noqa: ANN401
        """Run the endpoint's own method with this stand-in, whose emitter it uses."""
        __tracebackhide__ = __function_code_above__ = True
        return type(self._endpoint)._do_get_response(self, *args)


class _Emitter:
    """Answers the event ``before-send``, and passes others on."""

    def __init__(self, emitter: Any, answer: _Answer) -> None:  # noqa: ANN401
        self._emitter = emitter
        self._answer = answer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._emitter, name)

    def emit(self, event_name: str, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        if not event_name.startswith("before-send."):
            return self._emitter.emit(event_name, **kwargs)
        answer = self._answer
        answer.fault._spend(answer.latency_us)
        return [(None, answer.given(kwargs["request"], "botocore.awsrequest", "AWSResponse"))]


class _AsyncEmitter(_Emitter):
    """The same for aiobotocore, whose emitter returns awaitables."""

    def emit(self, event_name: str, **kwargs: Any) -> Any:  # noqa: ANN401
        if not event_name.startswith("before-send."):
            return self._emitter.emit(event_name, **kwargs)
        return self._before_send(kwargs["request"])

    async def _before_send(self, request: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        if self._answer.latency_us:
            # Function code's own event loop waits, in virtual time as well, and other tasks go on.
            await sys.modules["asyncio"].sleep(self._answer.latency_us / 1e6)
        given = self._answer.given(request, "aiobotocore.awsrequest", "AioAWSResponse")
        return [(None, given)]


class _Answer:
    """The answer of a fault to one attempt."""

    def __init__(self, fault: Fault, operation_model: Any, context: Any) -> None:  # noqa: ANN401
        self.fault = fault
        self._operation = operation_model
        self.latency_us = fault._latency_us
        self._is_late = False
        """The client's ``read_timeout`` is over before the answer comes."""
        config = context.get("client_config") if isinstance(context, dict) else None
        patience = getattr(config, "read_timeout", None)
        if isinstance(patience, int | float) and patience * 1e6 < self.latency_us:
            self.latency_us = int(patience * 1e6)
            self._is_late = True

    def given(self, request: Any, module: str, response_class: str) -> Any:  # noqa: ANN401
        """Return the response to a request, or raise as botocore's HTTP layer does."""
        __tracebackhide__ = True
        error = self.fault.error
        exceptions = sys.modules["botocore.exceptions"]
        if self._is_late or error == TIMEOUT:
            raise exceptions.ReadTimeoutError(endpoint_url=request.url, error=_DEFAULT_MESSAGE)
        if error == RESET:
            raise exceptions.ConnectionClosedError(
                endpoint_url=request.url, request=request, error=_DEFAULT_MESSAGE
            )
        wire = self._wire()
        body = b"" if request.method == "HEAD" else wire.body
        headers = {**wire.headers, "content-length": str(len(body))}
        made = getattr(sys.modules[module], response_class)(request.url, wire.status, headers, None)
        made._content = body
        return made

    def _wire(self) -> _Wire:
        fault, operation = self.fault, self._operation
        protocol = protocol_of(operation.service_model)
        form = _FORMS.get(protocol, _rest_json)
        if isinstance(fault.error, int):
            code = str(fault.error)
            reason = fault._message or http.client.responses.get(fault.error, "")
            if protocol in ("query", "ec2") and fault.error < 500:
                # Botocore parses the body as XML: an empty one would be a ResponseParserError.
                return form(operation, KnownError(code, code, fault.error, None), reason)
            return _Wire(fault.error, {"x-amzn-requestid": secrets.token_hex(16)}, b"")
        found = known_error(operation, fault.error)
        if found is None:
            found = KnownError(fault.error, fault.error, fault._status or 400, None)
        elif fault._status is not None:
            found = found._replace(status=fault._status)
        return form(operation, found, fault._message or _DEFAULT_MESSAGE)


# -- wire forms ------------------------------------------------------------------------------------


class _Wire(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def _type_name(operation: Any, error: KnownError) -> str:  # noqa: ANN401
    """Return the name of an error with its namespace: that of the service, or of all services."""
    if error.shape is None:
        return f"com.amazon.coral.service#{error.name}"
    model = operation.service_model
    version = str(model.api_version).replace("-", "")
    return f"com.amazonaws.{model.service_name}.v{version}#{error.name}"


def _query_error(operation: Any, error: KnownError) -> dict[str, str]:  # noqa: ANN401
    """Return the header from which botocore takes the code of SQS's errors."""
    if not speaks_query(operation.service_model):
        return {}
    return {"x-amzn-query-error": f"{error.code};{_sender(error)}"}


def _sender(error: KnownError) -> str:
    return "Receiver" if error.status >= 500 else "Sender"


def _message_member(error: KnownError) -> str:
    """Return the name on the wire of the member that has the message."""
    members = {} if error.shape is None else error.shape.members
    for name, shape in members.items():
        if name.lower() == "message":
            return str(shape.serialization.get("name", name))
    return "message"


def _json(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    version = operation.service_model.metadata.get("jsonVersion", "1.0")
    body = {"__type": _type_name(operation, error), _message_member(error): message}
    headers = {
        "content-type": f"application/x-amz-json-{version}",
        "x-amzn-requestid": secrets.token_hex(16),
        **_query_error(operation, error),
    }
    return _Wire(error.status, headers, json.dumps(body).encode())


def _rest_json(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    headers = {
        "content-type": "application/json",
        "x-amzn-requestid": secrets.token_hex(16),
        "x-amzn-errortype": error.name,
    }
    return _Wire(error.status, headers, json.dumps({_message_member(error): message}).encode())


def _cbor(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    headers = {
        "content-type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-requestid": secrets.token_hex(16),
        **_query_error(operation, error),
    }
    members = {"__type": _type_name(operation, error), _message_member(error): message}
    body = bytes([0xA0 + len(members)])
    for name, value in members.items():
        body += _cbor_text(name) + _cbor_text(value)
    return _Wire(error.status, headers, body)


def _cbor_text(text: str) -> bytes:
    """Return a text string (major type 3) with a length of four bytes."""
    encoded = text.encode()
    return b"\x7a" + len(encoded).to_bytes(4, "big") + encoded


def _error_element(error: KnownError, message: str, more: str = "") -> str:
    code = f"<Code>{escape(error.code)}</Code>"
    return f"<Error>{more}{code}<Message>{escape(message)}</Message></Error>"


def _query(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    element = _error_element(error, message, f"<Type>{_sender(error)}</Type>")
    request_id = secrets.token_hex(16)
    body = f"<ErrorResponse>{element}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return _xml(error, {"x-amzn-requestid": request_id}, body)


def _ec2(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    element = _error_element(error, message)
    request_id = secrets.token_hex(16)
    body = f"<Response><Errors>{element}</Errors><RequestID>{request_id}</RequestID></Response>"
    return _xml(error, {"x-amzn-requestid": request_id}, body)


def _rest_xml(operation: Any, error: KnownError, message: str) -> _Wire:  # noqa: ANN401
    if operation.service_model.service_name != "s3":
        return _query(operation, error, message)
    request_id, host_id = secrets.token_hex(8).upper(), secrets.token_hex(16)
    element = _error_element(error, message)
    ids = f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    headers = {"x-amz-request-id": request_id, "x-amz-id-2": host_id}
    return _xml(error, headers, element.replace("</Error>", ids))


def _xml(error: KnownError, headers: dict[str, str], body: str) -> _Wire:
    declared = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
    return _Wire(error.status, {"content-type": "text/xml", **headers}, declared)


_FORMS: Final = {
    "json": _json,
    "rest-json": _rest_json,
    "smithy-rpc-v2-cbor": _cbor,
    "query": _query,
    "ec2": _ec2,
    "rest-xml": _rest_xml,
}
