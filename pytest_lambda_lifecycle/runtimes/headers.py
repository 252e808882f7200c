"""What the HTTP client of the Python runtime makes of an answer of ``/invocation/next``.

The client is native code.  Headers that Lambda would never send end its process in ways of their
own; they were recorded with `awslambdaric` 4.2.2 from PyPI.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

__all__ = ["ClientCrash", "NextHeaders", "header_value", "read_headers"]

__stands_for__ = "lambda_runtime_client"


class ClientCrash(Exception):
    """The client's native code ended the process."""

    def __init__(self, exit_code: int, text: str = "") -> None:
        super().__init__(exit_code, text)
        self.exit_code = exit_code
        self.text = text
        """What it wrote to the standard error stream."""


class NextHeaders(NamedTuple):
    """The headers of one event.  An optional one that is empty counts as missing."""

    request_id: str
    content_type: str
    deadline_ms: int
    function_arn: str
    trace_id: str | None
    client_context: str | None
    identity: str | None
    tenant_id: str | None


def read_headers(headers: Mapping[str, str | None], *, ordinary: bool = False) -> NextHeaders:
    """Return what the runtime learns from *headers*; nothing about *ordinary* ones can surprise it.

    Raises `ClientCrash`, or an ordinary exception, where the runtime's client would not survive
    them.

    A header's text stands for bytes as in Python's HTTP modules, one character for one byte
    (Latin-1), and the client reads those bytes as UTF-8.  Text outside Latin-1 cannot be meant that
    way and is taken as it is.  A header of None is missing.
    """
    if ordinary:
        return _next_headers(
            (
                headers["Lambda-Runtime-Aws-Request-Id"],
                headers["Content-Type"],
                int(headers["Lambda-Runtime-Deadline-Ms"] or 0),
                headers["Lambda-Runtime-Invoked-Function-Arn"],
                headers["Lambda-Runtime-Trace-Id"],
                None,
                None,
                None,
            )
        )
    if not "".join(filter(None, headers.values())).isascii():
        headers = {name: value and _reread(value) for name, value in headers.items()}
    get = headers.get
    request_id = get("Lambda-Runtime-Aws-Request-Id")
    content_type = get("Content-Type")
    if request_id is None:
        raise RuntimeError("The answer of /runtime/invocation/next has no request id")
    if not content_type:
        raise ClientCrash(-signal.SIGSEGV)  # the client reads through a null pointer
    deadline = get("Lambda-Runtime-Deadline-Ms")
    tenant_id = get("Lambda-Runtime-Aws-Tenant-Id")
    return _next_headers(
        (
            request_id,
            content_type,
            0 if deadline is None else _deadline(deadline),
            get("Lambda-Runtime-Invoked-Function-Arn") or "",
            get("Lambda-Runtime-Trace-Id") or None,
            get("Lambda-Runtime-Client-Context") or None,
            get("Lambda-Runtime-Cognito-Identity") or None,
            (tenant_id and tenant_id.strip(" \t")) or None,
        )
    )


_next_headers: Final = partial(
    tuple.__new__, NextHeaders
)  # a named tuple's own constructor is written in Python


_LEADING_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+").match


def _deadline(text: str) -> int:
    """Read a number as C does, up to the first character that does not belong to one; 0 fails an
    assertion.
    """
    if text.isdigit():
        number = int(text)
    else:
        found = _LEADING_NUMBER(text)
        number = int(found[0]) if found else 0
    if number == 0:
        raise ClientCrash(
            -signal.SIGABRT,
            "aws::lambda_runtime: the deadline must be above 0: Assertion failed.\n",
        )
    return number


def _reread(value: str) -> str:
    try:
        encoded = header_value(value)
    except UnicodeEncodeError:
        return value
    return encoded.decode()


_BAD_LINE_END: Final = re.compile(rb"\n(?![ \t])|\r(?![ \t\n])").search


def header_value(value: str) -> bytes:
    """Return the bytes of a header as `http.client` sends them.

    Raises `UnicodeEncodeError` outside Latin-1 and `ValueError` for a line end that would end the
    header.
    """
    encoded = value.encode("latin-1")
    if _BAD_LINE_END(encoded):
        raise ValueError(f"Invalid header value {encoded!r}")
    return encoded
