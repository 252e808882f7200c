"""The contents of the modules of `awslambdaric` 4.2.2 that function code may use.

Classes that function code may change (`Encoder.default`) are made anew for each process.  What runs
the loop (`run`, ``wait_next_invocation``) is not there; `event_request` has what serves one event.
"""

from __future__ import annotations

import decimal
import json as standard_json
import logging
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias

import simplejson
from simplejson import JSONEncoder, RawJSON

from pytest_lambda_lifecycle.isolation.parts.streams import Unbuffered
from pytest_lambda_lifecycle.runtimes import codec, context, logs
from pytest_lambda_lifecycle.runtimes.handler import load_handler

__all__ = ["CONTENTS"]

__stands_for__ = "bootstrap"

Filled: TypeAlias = Callable[[str], Any]
"""Returns a module of the same process with its contents, by its name in the package."""


def _lambda_context(_: Filled) -> dict[str, Any]:
    names = (
        *("LambdaContext", "CognitoIdentity", "Client", "ClientContext"),
        *("make_obj_from_dict", "set_obj_from_dict", "W3C_ALLOWED_FIELDS"),
    )
    found = {name: getattr(context, name) for name in names}
    return {**found, "logging": logging, "os": os, "sys": sys, "time": time}


def _lambda_runtime_exception(_: Filled) -> dict[str, Any]:
    return {"FaultException": codec.FaultException}


def _lambda_runtime_marshaller(_: Filled) -> dict[str, Any]:
    class Encoder(JSONEncoder):
        def __init__(self) -> None:
            unescaped = os.environ.get("AWS_EXECUTION_ENV") in codec.UNESCAPED_RUNTIMES
            super().__init__(use_decimal=False, ensure_ascii=not unescaped, allow_nan=True)

        def default(self, o: Any) -> Any:  # noqa: ANN401  # any object
            __function_code_above__ = True
            if isinstance(o, decimal.Decimal):
                return math.nan if o.is_nan() else RawJSON(str(o))
            return super().default(o)

    def to_json(obj: object) -> str:
        __function_code_above__ = True
        return str(Encoder().encode(obj))

    class LambdaMarshaller:
        def __init__(self) -> None:
            self.jsonEncoder = Encoder()

        def unmarshal_request(
            self,
            request: Any,  # noqa: ANN401  # bytes
            content_type: str = codec.JSON_CONTENT_TYPE,
        ) -> Any:  # noqa: ANN401  # any JSON value
            if content_type != codec.JSON_CONTENT_TYPE:
                return request
            try:
                return simplejson.loads(request)
            except Exception as error:
                raise codec.FaultException(  # noqa: B904  # as on Lambda
                    codec.FaultException.UNMARSHAL_ERROR,
                    f"Unable to unmarshal input: {error}",
                    None,
                )

        def marshal_response(self, response: Any) -> Any:  # noqa: ANN401  # any object
            __function_code_above__ = True
            if isinstance(response, bytes):
                return response, codec.BYTES_CONTENT_TYPE
            try:
                return self.jsonEncoder.encode(response), codec.JSON_CONTENT_TYPE
            except Exception as error:
                raise codec.FaultException(  # noqa: B904  # as on Lambda
                    codec.FaultException.MARSHAL_ERROR,
                    f"Unable to marshal response: {error}",
                    None,
                )

    return {
        **{"Encoder": Encoder, "LambdaMarshaller": LambdaMarshaller, "to_json": to_json},
        "FaultException": codec.FaultException,
        **{"decimal": decimal, "json": simplejson, "math": math, "os": os},
    }


def _lambda_runtime_client(filled: Filled) -> dict[str, Any]:
    marshalling = filled("lambda_runtime_marshaller")

    class BaseLambdaRuntimeClient:
        marshaller = marshalling.LambdaMarshaller()

        def __init__(
            self, lambda_runtime_address: str, use_thread_for_polling_next: bool = False
        ) -> None:
            self.lambda_runtime_address = lambda_runtime_address
            self.use_thread_for_polling_next = use_thread_for_polling_next
            self._posted: list[tuple[Any, ...]] = []

        def post_init_error(
            self, error_response_data: object, error_type_override: str | None = None
        ) -> None:
            self._posted.append((error_response_data, error_type_override))

        def post_invocation_result(
            self,
            invoke_id: str,
            result_data: Any,  # noqa: ANN401  # bytes or text
            content_type: str = codec.JSON_CONTENT_TYPE,
            invocation_id: str | None = None,
        ) -> None:
            try:
                is_bytes = isinstance(result_data, bytes)
                data = result_data if is_bytes else result_data.encode("utf-8")
                self._posted.append((data, content_type))
            except Exception as error:
                self.handle_exception(error)

        def post_invocation_error(
            self,
            invoke_id: str,
            error_response_data: str,
            xray_fault: str,
            invocation_id: str | None = None,
        ) -> None:
            self._posted.append((error_response_data,))

        def handle_exception(self, exc: Exception, *_: object) -> None:
            raise NotImplementedError

    class LambdaRuntimeClient(BaseLambdaRuntimeClient):
        def handle_exception(self, exc: Exception, *_: object) -> None:
            raise exc

    class InvocationRequest:
        def __init__(self, **kwds: Any) -> None:  # noqa: ANN401  # as the original
            self.__dict__.update(kwds)

        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return self.__dict__ == other.__dict__

    class LambdaRuntimeClientError(Exception):
        def __init__(self, endpoint: str, response_code: int, response_body: object) -> None:
            self.endpoint = endpoint
            self.response_code = response_code
            self.response_body = response_body
            super().__init__(
                f"Request to Lambda Runtime '{endpoint}' endpoint failed. Reason: "
                f"'{response_code}'. Response body: '{response_body}'"
            )

    return {
        "BaseLambdaRuntimeClient": BaseLambdaRuntimeClient,
        "LambdaRuntimeClient": LambdaRuntimeClient,
        "InvocationRequest": InvocationRequest,
        "LambdaRuntimeClientError": LambdaRuntimeClientError,
        "LambdaMarshaller": marshalling.LambdaMarshaller,
        "FaultException": codec.FaultException,
        "ERROR_TYPE_HEADER": "Lambda-Runtime-Function-Error-Type",
        **{"to_json": marshalling.to_json, "logging": logging, "sys": sys, "time": time},
    }


def _lambda_runtime_log_utils(_: Filled) -> dict[str, Any]:
    return {
        "JsonFormatter": logs.JsonFormatter,
        "_JSON_FRAME_TYPES": logs.JSON_FRAME_TYPES,
        "_TEXT_FRAME_TYPES": logs.TEXT_FRAME_TYPES,
        "_DEFAULT_FRAME_TYPE": logs.TEXT_FRAME_TYPES[logging.NOTSET],
        "_format_log_level": logs.rounded_level,
        **{"json": standard_json, "logging": logging, "traceback": traceback},
    }


def make_error(
    error_message: str,
    error_type: str,
    stack_trace: Sequence[str],
    invoke_id: str | None = None,
) -> dict[str, Any]:
    """Return an error object."""
    return {
        "errorMessage": error_message or "",
        "errorType": error_type or "",
        "requestId": invoke_id if invoke_id is not None else "",
        "stackTrace": stack_trace or [],
    }


def replace_line_indentation(line: str, indent_char: str, new_indent_char: str) -> str:
    """Return a line with another character in its indentation."""
    text = line.lstrip(indent_char)
    return new_indent_char * (len(line) - len(text)) + text


def extract_traceback(tb: TracebackType | None) -> list[tuple[Any, ...]]:
    """Return file, line, name and text of each entry."""
    return [
        (frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(tb)
    ]


def build_fault_result(exc_info: Any, msg: str | None) -> dict[str, Any]:  # noqa: ANN401
    """Return the error object of an exception."""
    etype, value, tb = exc_info
    entries = extract_traceback(tb)
    own = next((i for i, entry in enumerate(entries) if "/bootstrap.py" not in entry[0]), 0)
    stack: Any = entries[own:]
    return make_error(msg or str(value), etype.__name__, traceback.format_list(stack))


def make_xray_fault(
    ex_type: str, ex_msg: str, working_dir: str, tb_tuples: Sequence[tuple[Any, ...]]
) -> dict[str, Any]:
    """Return the cause of an error in the form of X-Ray."""
    stack = [{"label": name, "path": file, "line": line} for file, line, name, _ in tb_tuples]
    return {
        "working_directory": working_dir,
        "exceptions": [{"message": ex_msg, "type": ex_type, "stack": stack}],
        "paths": list({file for file, *_ in tb_tuples}),
    }


def parse_json_header(header: str, name: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the JSON of a header."""
    try:
        return standard_json.loads(header)
    except Exception as error:
        raise codec.FaultException(
            codec.FaultException.LAMBDA_CONTEXT_UNMARSHAL_ERROR,
            f"Unable to parse {name} JSON: {error}",
            None,
        ) from error


def create_lambda_context(
    client_context_json: str | None,
    cognito_identity_json: str | None,
    epoch_deadline_time_in_ms: int,
    invoke_id: str,
    invoked_function_arn: str | None,
    tenant_id: str | None,
) -> context.LambdaContext:
    """Return the context of an invoke, made of its headers."""
    client_context = identity = None
    if client_context_json:
        client_context = parse_json_header(client_context_json, "Client Context")
    if cognito_identity_json:
        identity = parse_json_header(cognito_identity_json, "Cognito Identity")
    return context.LambdaContext(
        invoke_id,
        client_context,
        identity,
        epoch_deadline_time_in_ms,
        invoked_function_arn,
        tenant_id,
    )


def update_xray_env_variable(xray_trace_id: str | None) -> None:
    """Set or remove the variable with the trace id."""
    if xray_trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = xray_trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _get_handler(handler: str) -> Callable[[Any, Any], Any]:
    """Import a handler; vendors load the function that they wrap by this one (lumigo)."""
    __function_code_above__ = True
    try:
        return load_handler(handler)
    except codec.RuntimeFault as fault:
        entries = [*fault.stack_trace] or None
        raise codec.FaultException(fault.error_type, fault.message, entries) from fault


_FUNCTIONS: Final = (
    *(_get_handler, make_error, replace_line_indentation, extract_traceback, build_fault_result),
    *(make_xray_fault, parse_json_header, create_lambda_context, update_xray_env_variable),
)
for _function in _FUNCTIONS:
    _function.__module__ = "awslambdaric.bootstrap"


def _bootstrap(filled: Filled) -> dict[str, Any]:
    to_json = filled("lambda_runtime_marshaller").to_json
    as_json = logs.logs_are_json()

    def log_error(error_result: dict[str, Any], log_sink: logs.StandardLogSink) -> None:
        __function_code_above__ = True
        logs.write_error(error_result, log_sink, as_json=as_json, encode=to_json)

    return {
        **{function.__name__: function for function in (*_FUNCTIONS, log_error)},
        "create_log_sink": logs.StandardLogSink,
        "ERROR_LOG_LINE_TERMINATE": "\r",
        "ERROR_LOG_IDENT": "\N{NO-BREAK SPACE}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "AWS_LAMBDA_INITIALIZATION_TYPE",
        "INIT_TYPE_SNAP_START": "snap-start",
        "Unbuffered": Unbuffered,
        **{cls.__name__: cls for cls in logs.CLASSES},
        "PREVIEW_RUNTIME_ENVS": {"AWS_Lambda_python3.15"},
        "_GLOBAL_AWS_REQUEST_ID": None,
        "_GLOBAL_TENANT_ID": None,
        "LambdaContext": context.LambdaContext,
        "FaultException": codec.FaultException,
        "LambdaRuntimeClient": filled("lambda_runtime_client").LambdaRuntimeClient,
        "to_json": to_json,
        **{"json": standard_json, "logging": logging, "os": os, "sys": sys, "time": time},
        "traceback": traceback,
    }


def _nothing(_: Filled) -> dict[str, Any]:
    return {}


CONTENTS: Final[dict[str, Callable[[Filled], dict[str, Any]]]] = {
    "bootstrap": _bootstrap,
    "lambda_config": _nothing,
    "lambda_context": _lambda_context,
    "lambda_literals": _nothing,
    "lambda_runtime_client": _lambda_runtime_client,
    "lambda_runtime_exception": _lambda_runtime_exception,
    "lambda_runtime_log_utils": _lambda_runtime_log_utils,
    "lambda_runtime_marshaller": _lambda_runtime_marshaller,
    "runtime_client": _nothing,
}
"""For each module what makes its contents."""
