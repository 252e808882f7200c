"""The headers of an event: which of them Lambda can send, and how the Python runtime reads them.

Source: `awslambdaric` 4.2.2, whose HTTP client is native code, and its recorded behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeAlias

from pytest_lambda_lifecycle.errors import LifecycleError

__all__ = ["NextHeaders", "check_headers", "encode_header", "read_headers"]

__stands_for__ = "lambda_runtime_client"

_REQUEST_ID: Final = "Lambda-Runtime-Aws-Request-Id"
_CONTENT_TYPE: Final = "Content-Type"
_DEADLINE: Final = "Lambda-Runtime-Deadline-Ms"
_ARN: Final = "Lambda-Runtime-Invoked-Function-Arn"
_TRACE_ID: Final = "Lambda-Runtime-Trace-Id"


# --- the headers that a test gives ---------------------------------------------------------------

_is_name: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch
_is_positive: Final = re.compile(r"0*[1-9][0-9]{0,17}").fullmatch
_has_end: Final = re.compile(r"[\r\n\0]").search


def check_headers(headers: Mapping[str, str | None]) -> None:
    """Raise `LifecycleError` for headers that Lambda never sends; one of None is missing.

    The client of the real runtime ends its process on most of these: by a signal where the content
    type is missing or the deadline is 0, by an exception where the request id is missing.
    """
    for name in (_REQUEST_ID, _CONTENT_TYPE):
        value = headers.get(name)
        if value is None:
            _refuse(f"without the header {name}", "Lambda sends it with each event")
        if not value.strip(" \t"):
            _refuse_value(name, value, "Lambda never sends it empty")
    for name, value in headers.items():
        if not _is_name(name):
            _refuse(f"with the header {name!r}", "HTTP allows no such name")
        if value is not None and (_has_end(value) or not _is_encodable(value)):
            rule = "no header has a line end, a NUL character or a lone surrogate"
            _refuse_value(name, value, rule)
    deadline = headers.get(_DEADLINE)
    if deadline is not None and not _is_positive(deadline):
        _refuse_value(_DEADLINE, deadline, "Lambda sends a positive number, ms since the epoch")


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_value(name: str, value: str, rule: str) -> NoReturn:
    _refuse(f"with the header {name}={value!r}", rule)


def _refuse(header: str, reason: str) -> NoReturn:
    raise LifecycleError(
        f"cannot invoke {header}: {reason}.",
        "A header that the test does not name is sent as Lambda sends it.",
        code="LLC503",
    )


# --- the headers as the runtime reads them -------------------------------------------------------

NextHeaders: TypeAlias = "tuple[str, str, int, str, str | None, str | None, str | None, str | None]"
"""Request id, content type, deadline in ms and ARN of the function; then trace id, client context,
identity and tenant id, which are None where the header is missing or empty.

A plain tuple, since each invoke makes one: a named tuple takes 0.2 µs more.
"""


def read_headers(headers: Mapping[str, str | None], *, ordinary: bool = False) -> NextHeaders:
    """Return the values of headers that `check_headers` accepts.

    ``ordinary`` headers are those that each event has, as Lambda makes them: they are taken as they
    are.  A header of None is missing.

    A header's text stands for bytes as in Python's HTTP modules, one character for one byte
    (Latin-1), and the client reads those bytes as UTF-8: it raises `UnicodeDecodeError` for others,
    and the process ends.  Text outside Latin-1 cannot be meant that way and is taken as it is.
    """
    if ordinary:
        sent: Any = headers  # not `cast`, which is a call
        return (
            sent[_REQUEST_ID],
            sent[_CONTENT_TYPE],
            int(sent[_DEADLINE]),
            sent[_ARN],
            sent[_TRACE_ID],
            None,
            None,
            None,
        )
    if not "".join(filter(None, headers.values())).isascii():
        headers = {name: value and _reread(value) for name, value in headers.items()}
    get = headers.get
    tenant_id = get("Lambda-Runtime-Aws-Tenant-Id")
    return (
        get(_REQUEST_ID) or "",
        get(_CONTENT_TYPE) or "",
        int(get(_DEADLINE) or 0),
        get(_ARN) or "",
        get(_TRACE_ID) or None,
        get("Lambda-Runtime-Client-Context") or None,
        get("Lambda-Runtime-Cognito-Identity") or None,
        (tenant_id and tenant_id.strip(" \t")) or None,
    )


def _reread(value: str) -> str:
    try:
        encoded = value.encode("latin-1")
    except UnicodeEncodeError:
        return value
    return encoded.decode()


# --- a header that the runtime sends -------------------------------------------------------------

_BAD_LINE_END: Final = re.compile(rb"\n(?![ \t])|\r(?![ \t\n])").search


def encode_header(value: str) -> bytes:
    """Return the bytes of a header as `http.client` sends them.

    Raises `UnicodeEncodeError` outside Latin-1 and `ValueError` for a line end that would end the
    header.
    """
    encoded = value.encode("latin-1")
    if _BAD_LINE_END(encoded):
        raise ValueError(f"Invalid header value {encoded!r}")
    return encoded
