"""Logging as the Python runtime sets it up, and the ``[ERROR]`` line that it writes itself.

Source: `awslambdaric` 4.2.2 and its recorded output.  The names of the handler classes and of their
``log_sink`` are visible to function code, so they are the real ones.  Records are not framed: on
Lambda the frames go to a file descriptor that function code does not see.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_lambda_lifecycle.runtimes.codec import encode_error

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "CLASSES",
    "JSON_FRAME_TYPES",
    "TEXT_FRAME_TYPES",
    "CurrentInvoke",
    "LambdaLoggerHandler",
    "LambdaLoggerHandlerWithFrameType",
    "StandardLogSink",
    "install",
    "rounded_level",
    "warn_of_init_error",
    "warn_of_preview",
    "write_error",
]

__stands_for__ = "lambda_runtime_log_utils"

_TEXT_FORMAT: Final = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_TEXT_DATES: Final = "%Y-%m-%dT%H:%M:%S"
_JSON_DATES: Final = "%Y-%m-%dT%H:%M:%SZ"

_RECORD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) - {"taskName"}
"""The fields of every record that the runtime leaves out; ``taskName`` (Python 3.12) is not one."""
_ADDED_FIELDS: Final = frozenset({"aws_request_id", "tenant_id", "_frame_type"})

_PREVIEW_RUNTIMES: Final = frozenset({"AWS_Lambda_python3.15"})


JSON_FRAME_TYPES: Final = {
    level: (0xA55A0002 + offset).to_bytes(4, "big")
    for level, offset in ((0, 0), (10, 8), (20, 12), (30, 16), (40, 20), (50, 24))
}
TEXT_FRAME_TYPES: Final = {
    level: (int.from_bytes(kind, "big") + 1).to_bytes(4, "big")
    for level, kind in JSON_FRAME_TYPES.items()
}
"""The kinds of records by their levels, as the platform knows them."""


@dataclass(slots=True)
class CurrentInvoke:
    """The invoke that log records of this moment belong to; between two invokes, the last one."""

    request_id: str = ""
    tenant_id: str | None = None


_latest: Final = [CurrentInvoke()]
"""That of the process that has been started last: function code may make a filter."""


class StandardLogSink:
    """The destination of the log: `sys.stdout` as it is at each call."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, exc_value: object, exc_tb: object) -> None:
        """Do nothing."""

    def log(self, msg: str, frame_type: bytes | None = None) -> None:
        """Write *msg* as it is."""
        sys.stdout.write(msg)

    def log_error(self, message_lines: Iterable[str]) -> None:
        """Write the lines of an error in a form that CloudWatch takes for one line."""
        sys.stdout.write("\r".join(message_lines) + "\n")


class LambdaLoggerHandler(logging.Handler):
    """The handler that the runtime puts on the root logger."""

    def __init__(self, log_sink: StandardLogSink) -> None:
        super().__init__()
        self.log_sink = log_sink

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*.  Unlike the handlers of the standard library, it lets every error out."""
        self.log_sink.log(self.format(record))


class LambdaLoggerHandlerWithFrameType(logging.Handler):
    """The same with JSON logs or with a log level: it tells the sink the kind of the record."""

    def __init__(self, log_sink: StandardLogSink) -> None:
        super().__init__()
        self.log_sink = log_sink

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; a level that is no number raises `TypeError`."""
        text = self.format(record)  # the formatter of JSON sets the kind
        frame_type = getattr(record, "_frame_type", None)
        if not frame_type:
            frame_type = TEXT_FRAME_TYPES.get(rounded_level(record))
        self.log_sink.log(text, frame_type=frame_type)


class LambdaLoggerFilter(logging.Filter):
    """Puts the request id and the tenant id on each record that reaches the runtime's handler."""

    __slots__ = ("_current",)  # function code that looks at `vars` does not find it

    def __init__(self, current: CurrentInvoke | None = None) -> None:
        super().__init__()
        self._current = current or _latest[0]

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ``aws_request_id`` and ``tenant_id``; handlers that come later see them too."""
        record.aws_request_id = self._current.request_id
        record.tenant_id = self._current.tenant_id
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per record, without None; values without JSON form become their `str()`."""

    _encode = staticmethod(json.JSONEncoder(ensure_ascii=False, default=str).encode)

    def __init__(self) -> None:
        super().__init__(datefmt=_JSON_DATES)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*; its level is rounded down to a standard one."""
        record.levelno = rounded_level(record)
        record.levelname = logging.getLevelName(record.levelno)
        record._frame_type = JSON_FRAME_TYPES.get(record.levelno, JSON_FRAME_TYPES[logging.NOTSET])
        error = record.exc_info
        fields: dict[str, object] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": _message(record),
            "logger": record.name,
            "stackTrace": traceback.format_tb(error[2]) if error else None,
            "errorType": _class_name(error[0]) if error else None,
            "errorMessage": str(error[1]) if error else None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if error else None,
        }
        tenant_id = getattr(record, "tenant_id", None)
        if tenant_id is not None:
            fields["tenantId"] = tenant_id
        for key, value in vars(record).items():
            if key not in _RECORD_FIELDS and key not in _ADDED_FIELDS:
                fields.setdefault(key, value)
        given = {key: value for key, value in fields.items() if value is not None}
        return self._encode(given) + "\n"


def rounded_level(record: logging.LogRecord) -> int:
    """Return the level of a record, rounded down to a standard one."""
    return min(50, max(0, record.levelno)) // 10 * 10


CLASSES: Final = (
    *(StandardLogSink, LambdaLoggerHandler, LambdaLoggerHandlerWithFrameType, LambdaLoggerFilter),
    JsonFormatter,
)
"""The classes that function code finds on the root logger."""
for _cls in CLASSES[:-1]:
    _cls.__module__ = "awslambdaric.bootstrap"
JsonFormatter.__module__ = "awslambdaric.lambda_runtime_log_utils"


def _message(record: logging.LogRecord) -> object:
    """Return the text, or the dict that was logged in its place."""
    as_object = isinstance(cast("object", record.msg), dict) and not record.args
    return cast("object", record.msg) if as_object else record.getMessage()


def _class_name(cls: Any) -> str:  # noqa: ANN401  # a class, or None
    """Return the name of a class.

    ``exc_info=True`` without an exception fails here, as on Lambda: the class is None.
    """
    name: str = cls.__name__
    return name


def install(current: CurrentInvoke, sink: StandardLogSink) -> None:
    """Put Lambda's handler first on the root logger, and set the level of that logger.

    ``AWS_LAMBDA_LOG_FORMAT`` and ``AWS_LAMBDA_LOG_LEVEL`` decide; without a level it is WARNING, as
    in a new process.  The caller restores the handlers and the level of the root logger, and
    `logging.Formatter.converter`.
    """
    # A static method, since a frozen clock replaces `time.gmtime` by a function in Python.
    logging.Formatter.converter = staticmethod(time.gmtime)
    as_json = logs_are_json()
    level = _log_level()
    handler_class = LambdaLoggerHandlerWithFrameType if as_json or level else LambdaLoggerHandler
    handler = handler_class(sink)
    handler.setFormatter(
        JsonFormatter() if as_json else logging.Formatter(_TEXT_FORMAT, _TEXT_DATES)
    )
    _latest[0] = current
    handler.addFilter(LambdaLoggerFilter(current))
    root = logging.getLogger()
    # Its public copy exists since Python 3.11.
    known = logging._nameToLevel  # pyright: ignore[reportPrivateUsage]
    root.setLevel(known.get(level, logging.WARNING))
    root.handlers.insert(0, handler)


def logs_are_json() -> bool:
    """Say whether ``AWS_LAMBDA_LOG_FORMAT`` is ``JSON``, in upper or lower case."""
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _log_level() -> str:
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    return "DEBUG" if level == "TRACE" else level.upper()


# --- lines of the runtime itself -----------------------------------------------------------------


def write_error(
    error: Mapping[str, Any],
    sink: StandardLogSink,
    *,
    as_json: bool,
    encode: Callable[[object], str] = encode_error,
) -> None:
    """Write the log line of an error object."""
    __function_code_above__ = True
    sink.log_error([_json_line(error, encode)] if as_json else _text_lines(error))


def _json_line(error: Mapping[str, Any], encode: Callable[[object], str]) -> str:
    now = time.strftime(_JSON_DATES, logging.Formatter.converter(time.time()))
    return encode({"timestamp": now, "level": "ERROR", **error})


def _text_lines(error: Mapping[str, Any]) -> list[str]:
    """Return the text; no-break spaces indent its lines.

    Texts are added, as the runtime does: a subclass of `str` keeps its letters whatever its
    ``__str__`` returns, and what is no text raises (function code may raise
    a fault of the runtime with it).
    """
    error_type = error["errorType"]
    message = error["errorMessage"]
    head = "[ERROR]"
    if error_type:
        head += " " + error_type
    if message:
        head += (": " if error_type else " ") + message
    lines = [head, "Traceback (most recent call last):"]
    for entry in error["stackTrace"]:
        lines += [_indented(line) for line in entry.splitlines() or [""]]
    return lines


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return "\N{NO-BREAK SPACE}" * (len(line) - len(text)) + text


_INIT_ERROR_WARNING: Final = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. "
    "For functions using managed runtimes, runtime updates can be triggered by a function change, "
    "or can be applied automatically. To determine if the runtime has been updated, check the "
    "runtime version in the INIT_START log entry. If this error correlates with a change in the "
    "runtime version, you may be able to mitigate this error by temporarily rolling back to the "
    "previous runtime version. For more information, see "
    "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)
_PREVIEW_WARNING: Final = (
    "LAMBDA_WARNING: This is a preview runtime version and should not be used for production "
    "workloads. For further information and to provide feedback, see "
    "https://{}/lambda/latest/dg/lambda-runtimes.html\r"
)


def warn_of_init_error() -> None:
    """Log the text that precedes the ``[ERROR]`` line of an init error, and of no other error."""
    logging.warning(_INIT_ERROR_WARNING)


def warn_of_preview() -> None:
    """Warn of a preview runtime, unless ``LAMBDA_DISABLE_PREVIEW_WARN`` is set."""
    if os.environ.get("AWS_EXECUTION_ENV") not in _PREVIEW_RUNTIMES:
        return
    if os.environ.get("LAMBDA_DISABLE_PREVIEW_WARN"):
        return
    in_china = os.environ.get("AWS_REGION", "").startswith("cn-")
    host = "docs.amazonaws.cn" if in_china else "docs.aws.amazon.com"
    logging.warning(_PREVIEW_WARNING.format(host))
