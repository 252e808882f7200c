"""The context object of a handler, attribute by attribute as `awslambdaric` 4.2.2 builds it.

The classes are plain and mutable, as on Lambda: a handler may set attributes, print `repr()` and
read `vars()`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_lambda_lifecycle.isolation.parts.environ_bytes import VariableReader
from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "W3C_ALLOWED_FIELDS",
    "Client",
    "ClientContext",
    "CognitoIdentity",
    "LambdaContext",
    "decode_header",
    "make_obj_from_dict",
    "set_obj_from_dict",
]

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

W3C_ALLOWED_FIELDS: Final = ("traceparent", "tracestate", "baggage")
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


def _represent(instance: object, names: Sequence[str]) -> str:
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
        self._w3c_fields = (
            {} if client_context is None else self._extract_and_strip_w3c(client_context)
        )
        self.client_context: Any = None
        if client_context is not None:
            self.client_context = make_obj_from_dict(ClientContext, client_context)
            self.client_context.client = make_obj_from_dict(Client, self.client_context.client)
        self.identity = identity = CognitoIdentity()
        identity.cognito_identity_id = identity.cognito_identity_pool_id = None
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

    @staticmethod
    def _extract_and_strip_w3c(client_context: Any) -> dict[str, str]:  # noqa: ANN401
        """Remove ``w3c`` from a client context; return its fields that are known and are text."""
        if not isinstance(client_context, dict):
            return {}
        fields = cast("dict[str, Any]", client_context).pop("w3c", None)
        if not isinstance(fields, dict):
            return {}
        values = cast("dict[str, Any]", fields)
        return {
            name: values[name] for name in W3C_ALLOWED_FIELDS if isinstance(values.get(name), str)
        }

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

    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    cognito_identity_id: str | None
    cognito_identity_pool_id: str | None

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


class Client:
    """The app that called through the AWS Mobile SDK."""

    __slots__ = [  # noqa: RUF023  # the order of the text
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    ]

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


class ClientContext:
    """The client context of the caller: ``custom`` and ``env`` as sent, ``client`` a `Client`."""

    __slots__ = ["custom", "env", "client"]  # noqa: RUF023  # the order of the text

    def __repr__(self) -> str:
        return _represent(self, self.__slots__)


def make_obj_from_dict(
    _class: Any,  # noqa: ANN401  # one of the classes above
    _dict: Any,  # noqa: ANN401  # any JSON value
    fields: Any = None,  # noqa: ANN401  # not used, as in the runtime
) -> Any:  # noqa: ANN401
    """Return an object with the fields of a dict, or None."""
    if _dict is None:
        return None
    obj = _class()
    set_obj_from_dict(obj, _dict)
    return obj


def set_obj_from_dict(
    obj: Any,  # noqa: ANN401  # an object of one of the classes above
    _dict: Any,  # noqa: ANN401  # any JSON value
    fields: Any = None,  # noqa: ANN401  # names
) -> None:
    """Set the fields of an object; those that the dict lacks are None."""
    if fields is None:
        fields = obj.__class__.__slots__
    for field in fields:
        setattr(obj, field, _dict.get(field, None))


_CLASSES: Final = (LambdaContext, CognitoIdentity, Client, ClientContext)
for _one in (*_CLASSES, make_obj_from_dict, set_obj_from_dict):
    _one.__module__ = _LAMBDA_MODULE
for _cls in _CLASSES:
    _cls.__doc__ = None  # `inspect` shows that and the signatures, which have no types either
    for _method in vars(_cls).values():
        if isinstance(_method, FunctionType):
            _method.__annotations__ = {}
