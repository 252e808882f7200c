"""The context object of a handler, attribute by attribute as `awslambdaric` 4.2.2 builds it.

The classes are plain and mutable, as on Lambda: a handler may set attributes, print `repr()` and
read `vars()`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_lambda_lifecycle.isolation.parts.environ_bytes import VariableReader
from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Client", "ClientContext", "CognitoIdentity", "LambdaContext", "decode_header"]

_LAMBDA_MODULE: Final = "awslambdaric.lambda_context"
"""The module of the classes on Lambda: handlers see it as ``type(context).__module__``."""

_VARIABLES: Final = (
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
)

_SHOWN: Final = (
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
    "function_name",
    "memory_limit_in_mb",
    "function_version",
    "invoked_function_arn",
    "client_context",
    "identity",
    "tenant_id",
)
"""The attributes that ``repr(context)`` shows, in its order."""

_NOWHERE: Final = object()

_W3C_FIELDS: Final = ("traceparent", "tracestate", "baggage")
"""The fields that ``w3c()`` takes from the client context (awslambdaric 4.2.0 and later)."""

_read_environment: Final = VariableReader(_VARIABLES).read


def decode_header(header: str, label: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the JSON of *header*, which messages call *label*.

    Raises `RuntimeFault` ``Runtime.LambdaContextUnmarshalError``.  The runtime reads these two
    headers with the standard library, so the texts differ from those for events.
    """
    try:
        return json.loads(header)
    except Exception as error:
        message = f"Unable to parse {label} JSON: {error}"
        raise RuntimeFault("Runtime.LambdaContextUnmarshalError", message) from error


def _take_w3c(client_context: Any) -> dict[str, str]:  # noqa: ANN401  # any JSON value
    """Remove ``w3c`` from *client_context*; return its fields that are known and are text."""
    if not isinstance(client_context, dict):
        return {}
    fields = cast("dict[str, Any]", client_context).pop("w3c", None)
    if not isinstance(fields, dict):
        return {}
    values = cast("dict[str, Any]", fields)
    return {name: values[name] for name in _W3C_FIELDS if isinstance(values.get(name), str)}


def _represent(instance: object, names: tuple[str, ...]) -> str:
    attributes = ",".join(f"{name}={getattr(instance, name)}" for name in names)
    return f"{type(instance).__name__}([{attributes}])"


class LambdaContext:
    """The facts about this invoke and its environment that Lambda gives to the handler."""

    def __init__(
        self,
        invoke_id: str,
        client_context: Any,  # noqa: ANN401  # any JSON value
        cognito_identity: Any,  # noqa: ANN401  # any JSON value
        epoch_deadline_time_in_ms: int,
        invoked_function_arn: str | None = None,
        tenant_id: str | None = None,
    ) -> None:
        """Take the attributes of the function from `os.environ`, the others as given.

        Raises `AttributeError`, as the runtime does, if *client_context* or *cognito_identity* is
        no JSON object.
        """
        (log_group_name, log_stream_name, function_name, memory_limit, function_version) = (
            _read_environment()
        )
        self.aws_request_id = invoke_id
        self.log_group_name = log_group_name
        self.log_stream_name = log_stream_name
        self.function_name = function_name
        self.memory_limit_in_mb = memory_limit
        self.function_version = function_version
        self.invoked_function_arn = invoked_function_arn
        self.tenant_id = tenant_id
        self._w3c_fields = {} if client_context is None else _take_w3c(client_context)
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity()
        if cognito_identity is not None:
            self.identity.cognito_identity_id = cognito_identity.get("cognitoIdentityId")
            self.identity.cognito_identity_pool_id = cognito_identity.get("cognitoIdentityPoolId")
        self._epoch_deadline_time_in_ms = epoch_deadline_time_in_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this invoke; 0 when that time has passed."""
        # `time.time` is looked up at each call, as on Lambda: a test may have patched it.
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context that came with this invoke: a new dict at each call."""
        return dict(self._w3c_fields)

    def log(self, msg: object) -> None:
        """Write ``str(msg)`` to the log as it is, without a line end of its own."""
        for handler in logging.getLogger().handlers:
            log_sink: Any = getattr(handler, "log_sink", _NOWHERE)
            if log_sink is not _NOWHERE:
                log_sink.log(str(msg))
                return
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        return _represent(self, _SHOWN)


class CognitoIdentity:
    """The identity of the caller if Amazon Cognito vouched for it; else both are None."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id: str | None = None
        self.cognito_identity_pool_id: str | None = None

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


class Client:
    """The app that called through the AWS Mobile SDK."""

    __slots__ = (  # noqa: RUF023  # the order of the text
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.installation_id = fields.get("installation_id")
        self.app_title = fields.get("app_title")
        self.app_version_name = fields.get("app_version_name")
        self.app_version_code = fields.get("app_version_code")
        self.app_package_name = fields.get("app_package_name")

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


class ClientContext:
    """The client context of the caller: ``custom`` and ``env`` as sent, ``client`` a `Client`."""

    __slots__ = ("custom", "env", "client")  # noqa: RUF023  # the order of the text

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        client = fields.get("client")
        self.client = None if client is None else Client(client)

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


for _cls in (LambdaContext, CognitoIdentity, Client, ClientContext):
    _cls.__module__ = _LAMBDA_MODULE
