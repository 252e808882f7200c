"""What a request has sent, as text: URL, headers and body, with their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["text_of_sent"]

_PARTS = ("headers", "body", "content", "_content")


def text_of_sent(sent: object) -> str:
    """Return the content of a request of any client library, as far as it can be read again."""
    try:
        return "\n".join(_texts(sent, 6))
    except Exception:  # the object of a library that nobody knows, or of a test
        return ""


def _texts(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401
    if depth == 0 or value is None:
        return
    if isinstance(value, str | int | float):
        yield str(value)
    elif isinstance(value, bytes | bytearray):
        yield bytes(value).decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key, depth - 1)
            yield from _texts(one, depth - 1)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _texts(one, depth - 1)
    elif not isinstance(value, Iterator):
        for name in _PARTS:
            try:
                part = getattr(value, name, None)
            except Exception:  # the body of httpx that has not been read
                continue
            yield from _texts(part, depth - 1)
