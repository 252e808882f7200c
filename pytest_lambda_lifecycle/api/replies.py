"""Requests and answers of the APIs as values, and their JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = [
    "ACCEPTED",
    "NOT_FOUND",
    "ApiError",
    "Call",
    "Gone",
    "Reply",
    "decode_json",
    "encode_json",
    "json_reply",
    "text_reply",
]


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON, although Python reads it")


# A test may replace `json.dumps` and `json.loads`.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def encode_json(value: object) -> bytes:
    """Return *value* as JSON without spaces, as Go's encoder writes it."""
    return _encode(value).encode()


def decode_json(body: bytes | str) -> object:
    """Return the value of *body*; raises `ValueError`, also if it is nested too deeply."""
    try:
        return _decode(body if isinstance(body, str) else body.decode())
    except RecursionError:
        raise ValueError("exceeded max depth") from None


@dataclass(slots=True)
class Call:
    """One request."""

    method: str
    path: str
    """Without host and query."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By their names in lower case; the first if one is repeated.

    A character stands for a byte (Latin-1).
    """
    body: bytes = b""
    """Cut off one byte after the limit of a response."""

    def header(self, name: str) -> str:
        """Return a header by its name in any case; "" if it is missing."""
        return self.headers.get(name.lower(), "")

    def json(self) -> object:
        """Return the value of the body; raises `ValueError`, also if it is nested too deeply."""
        return decode_json(self.body)


class Reply(NamedTuple):
    """One answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """Without ``Content-Length``.  No ``Content-Type`` is sent unless it is among them."""


class ApiError(Exception):
    """A call is refused: with ``status``, and a body of two texts."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(status, error_type, message)
        self.status = status
        self.error_type = error_type
        self.message = message

    def reply(self) -> Reply:
        """Return the answer as the Runtime Interface Emulator writes it.

        The message comes first, and a newline is at the end.
        """
        return json_reply(self.status, {"errorMessage": self.message, "errorType": self.error_type})


class Gone(Exception):
    """The process of the caller has ended: its connection is closed without an answer."""


def json_reply(status: int, value: object, *headers: tuple[str, str]) -> Reply:
    """Return *value* as compact JSON with a newline at its end, as Go's encoder writes it."""
    content_type = ("Content-Type", "application/json")
    return Reply(status, encode_json(value) + b"\n", (content_type, *headers))


def text_reply(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    """Return *text* as Go's ``http.Error`` writes it."""
    content_type = ("Content-Type", "text/plain; charset=utf-8")
    return Reply(status, f"{text}\n".encode(), (content_type, *headers))


ACCEPTED: Final = json_reply(202, {"status": "OK"})
"""The ``StatusResponse`` of the API references."""

NOT_FOUND: Final = text_reply(404, "404 page not found")
