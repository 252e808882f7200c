"""Bytes to objects and back, by the rules of the real Python runtime.

Source: the marshaller of `awslambdaric` 4.2.2, and its recorded behaviour; "the runtime" below is
that package.  It reads and writes JSON with simplejson, so it shares the peculiarities of
simplejson: a namedtuple becomes an object, nested bytes become text, a `Decimal` keeps its digits,
``NaN`` is written but never read.
"""

from __future__ import annotations

import math
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from simplejson import JSONDecoder, JSONEncoder, RawJSON

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.runtimes.cached_encoder import cached_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "BYTES_CONTENT_TYPE",
    "JSON_CONTENT_TYPE",
    "UNESCAPED_RUNTIMES",
    "FaultException",
    "RuntimeFault",
    "decode",
    "encode_error",
    "encode_event",
    "encode_response",
    "response_encoder",
]

__stands_for__ = "lambda_runtime_marshaller"

JSON_CONTENT_TYPE: Final = "application/json"
BYTES_CONTENT_TYPE: Final = "application/unknown"

UNESCAPED_RUNTIMES: Final = frozenset(f"AWS_Lambda_python3.{minor}" for minor in (12, 13, 14, 15))
"""Values of ``AWS_EXECUTION_ENV`` under which the runtime does not escape non-ASCII characters."""


class RuntimeFault(Exception):
    """A failure that the runtime itself finds, such as ``Runtime.UnmarshalError``.

    It never leaves the runtime, which makes an error object of it.  The exception that caused it,
    if there is one, is the ``__cause__``.
    """

    def __init__(self, error_type: str, message: str, stack_trace: tuple[str, ...] = ()) -> None:
        super().__init__(error_type, message)
        self.error_type = error_type
        self.message = message
        self.stack_trace = stack_trace


class FaultException(Exception):  # the name on Lambda
    """The exception class of the real client for such failures, which function code may raise."""

    MARSHAL_ERROR = "Runtime.MarshalError"
    UNMARSHAL_ERROR = "Runtime.UnmarshalError"
    USER_CODE_SYNTAX_ERROR = "Runtime.UserCodeSyntaxError"
    HANDLER_NOT_FOUND = "Runtime.HandlerNotFound"
    IMPORT_MODULE_ERROR = "Runtime.ImportModuleError"
    BUILT_IN_MODULE_CONFLICT = "Runtime.BuiltInModuleConflict"
    MALFORMED_HANDLER_NAME = "Runtime.MalformedHandlerName"
    BEFORE_SNAPSHOT_ERROR = "Runtime.BeforeSnapshotError"
    AFTER_RESTORE_ERROR = "Runtime.AfterRestoreError"
    LAMBDA_CONTEXT_UNMARSHAL_ERROR = "Runtime.LambdaContextUnmarshalError"
    LAMBDA_RUNTIME_CLIENT_ERROR = "Runtime.LambdaRuntimeClientError"

    def __init__(self, exception_type: str, msg: str, trace: list[str] | None = None) -> None:
        self.msg = msg
        self.exception_type = exception_type
        self.trace = trace


FaultException.__module__ = "awslambdaric.lambda_runtime_exception"


# --- events, as the runtime reads them -----------------------------------------------------------

# `simplejson.loads(body)` ends in this method, which calls the compiled scanner below.
_decode_json: Final = cast("Callable[[bytes], Any]", JSONDecoder().decode)
_scan_once: Final[Callable[[str, int], tuple[Any, int]]] = JSONDecoder().scan_once


def decode(body: bytes, content_type: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the event that the handler gets for *body*.

    Only the exact content type ``application/json`` is decoded; with any other the handler gets the
    bytes.  Raises `RuntimeFault` ``Runtime.UnmarshalError`` where simplejson refuses the text (the
    bytes must be UTF-8).
    """
    __function_code_above__ = True
    if content_type != JSON_CONTENT_TYPE:
        return body
    try:
        text = body.decode()
        # Without white space or a byte order mark around it, the scanner does all of the work.
        if text[:1] == "{":
            event, end = _scan_once(text, 0)
            if end == len(text):
                return event
        return _decode_json(body)
    except Exception as error:
        message = f"Unable to unmarshal input: {error}"
        raise RuntimeFault("Runtime.UnmarshalError", message) from error


# --- results and error objects, as the runtime writes them ---------------------------------------


def _fallback(value: object) -> object:
    """Encode a type that simplejson does not know: a `Decimal` by its digits, NaN as ``NaN``."""
    __function_code_above__ = True
    if isinstance(value, Decimal):
        return math.nan if value.is_nan() else RawJSON(str(value))
    # It raises `TypeError`, unless somebody has replaced it.
    return cast("object", JSONEncoder.default(ASCII, value))


# `use_decimal` is off because simplejson would write -NaN, and infinities in a form of its own.
ASCII: Final = JSONEncoder(use_decimal=False, ensure_ascii=True, default=_fallback, allow_nan=True)
UNESCAPED: Final = JSONEncoder(
    use_decimal=False, ensure_ascii=False, default=_fallback, allow_nan=True
)
_encode_ascii: Final = cached_encoder(ASCII)
_encode_unescaped: Final = cached_encoder(UNESCAPED)


def response_encoder() -> Callable[[object], str]:
    """Return the encoder that ``AWS_EXECUTION_ENV`` selects *now*.

    The runtime decides once, when it starts, for responses; error objects ask anew each time
    (`encode_error`).  The variable decides, not the interpreter: Python 3.12 and later write
    non-ASCII characters unescaped.
    """
    unescaped = os.environ.get("AWS_EXECUTION_ENV") in UNESCAPED_RUNTIMES
    return _encode_unescaped if unescaped else _encode_ascii


def encode_response(encode: Callable[[object], str], result: object) -> tuple[bytes | str, str]:
    """Return the response that the runtime is about to post for *result*, and its content type.

    Bytes are posted as they are, as ``application/unknown``.  Raises `RuntimeFault`
    ``Runtime.MarshalError`` for a value that *encode* refuses.  Text stays text here: the caller
    makes UTF-8 of it, outside the guard that turns errors into error objects, because there a lone
    surrogate ends the process.
    """
    __function_code_above__ = True
    if isinstance(result, bytes):
        return result, BYTES_CONTENT_TYPE
    try:
        return encode(result), JSON_CONTENT_TYPE
    except Exception as error:
        message = f"Unable to marshal response: {error}"
        raise RuntimeFault("Runtime.MarshalError", message) from error


def encode_error(error: object) -> str:
    """Return *error*, an error object or a log record, as the runtime writes it at this moment."""
    __function_code_above__ = True
    return response_encoder()(error)


# --- events, as a test writes them ---------------------------------------------------------------


def _strict_fallback(value: object) -> object:
    """Encode `Decimal` by its own digits.  (simplejson 3.20's own form lets NaN through.)"""
    if isinstance(value, Decimal) and value.is_finite():
        return RawJSON(str(value))
    raise TypeError(f"Object of type {value.__class__.__name__} is not JSON serializable")


# No `encoding`: bytes inside an event have no JSON form; simplejson would take them for UTF-8 text.
STRICT: Final = JSONEncoder(
    encoding=cast(Any, None), use_decimal=False, default=_strict_fallback, allow_nan=False
)
_encode_strict: Final = cached_encoder(STRICT)


def encode_event(event: object) -> bytes:
    """Return *event* as the body of an invoke: bytes unchanged, anything else as strict JSON.

    Raises `LifecycleError`, which names the culprit by its path, for a value without a JSON form:
    NaN and infinities, circular references, keys and values of other types.
    """
    if isinstance(event, bytes):
        return event
    try:
        return _encode_strict(event).encode()
    except RecursionError:
        __tracebackhide__ = True
        reason = "it is nested deeper than the interpreter's recursion limit"
        raise _refusal(reason) from None
    except Exception as error:
        __tracebackhide__ = True
        culprit = next(_culprits(event, "event", ()), "")
        if culprit:
            raise _refusal(culprit) from None
        raise _refusal(f"{type(error).__name__}: {error}") from error


def _refusal(reason: str) -> LifecycleError:
    return LifecycleError(
        f"cannot send this event: {reason}.",
        "Pass a JSON value (dict, list, str, int, finite float, bool, None), or bytes to deliver "
        "them as they are.",
        code="LLC501",
    )


def _culprits(value: Any, path: str, parents: tuple[int, ...]) -> Iterator[str]:  # noqa: ANN401  # anything at all
    """Yield a description of each part of *value* that strict JSON cannot hold, in order."""
    if id(value) in parents:
        yield f"{path} contains itself"
    elif isinstance(value, (dict, list, tuple)):
        container = cast("dict[object, object] | list[object] | tuple[object, ...]", value)
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            if not isinstance(key, (str, int, float, type(None))):
                has = f"{path} has the key {key!r} of type {type(key).__name__}"
                yield f"{has}, and the keys of JSON are strings"
            yield from _culprits(item, f"{path}[{_quoted(key)}]", (*parents, id(container)))
    elif isinstance(value, (float, Decimal)):
        if not math.isfinite(value):
            yield f"{path} is {value}, which is not JSON"
    elif not isinstance(value, (str, int, type(None))):
        try:
            _encode_strict(value)  # a RawJSON, say, or anything with _asdict()
        except Exception:
            yield f"{path} is of type {_qualified_name(value.__class__)}, which JSON cannot hold"


def _quoted(key: object) -> str:
    return f'"{key}"' if isinstance(key, str) else repr(key)


def _qualified_name(cls: type) -> str:
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return f"{module}{cls.__qualname__}"
