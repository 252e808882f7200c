"""Texts of function code in a report: without secrets, of limited length, harmless to show.

A log line, an error and a name may hold anything: control characters that move a terminal's cursor,
marks that turn the direction of the text around them, lone surrogates, a secret, 10 MB.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from pytest_lambda_lifecycle.lifecycle.plain_text import shortened
from pytest_lambda_lifecycle.lifecycle.redaction import (
    REDACTED,
    is_secret_name,
    redacted_text,
    redacted_value,
)

__all__ = ["LONGEST", "payload_text", "plain", "shown"]

LONGEST: Final = 1000
"""The characters that are kept of a text."""
_LOOKED_AT: Final = 4 * LONGEST
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_OPEN_PAIR: Final = re.compile(r"""([A-Za-z][A-Za-z0-9_-]{0,99})["']?\s*[:=]\s*b?["'][^"']*$""")
"""A value whose end is cut off, and with it the quote by which `redacted_text` knows it."""
_PLAIN_PAIR: Final = re.compile(
    r"""\b([A-Za-z][A-Za-z0-9_-]*)(["']?\s*[:=]\s*)(?!\*\*\*)([^\s'"{}\[\](),;&]+)"""
)
_ORDINARY: Final = re.compile(r"^(code|key)$|(Error|Exception|Warning)$", re.IGNORECASE)
"""Names that stand before ordinary words in prose: ``status code: 200``, ``AssertionError: no``."""


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a text of limited length, with control characters as ordinary ones."""
    text = shortened(text, longest)
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub(_visible, text).encode("utf-8", "backslashreplace").decode()


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # U+241B is a small ESC
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"


def shown(text: str) -> str:
    """Return a text of function code as a report may show it."""
    if len(text) > _LOOKED_AT:
        return _shown(text[:_LOOKED_AT], len(text) - _LOOKED_AT)
    return _shown(text, 0)


@lru_cache(maxsize=256)
def _shown(text: str, more: int) -> str:
    """Suites repeat their texts, and the search for secrets takes longer than an invoke."""
    cut = f"… ({more} more characters)" if more else ""
    if more:
        text = _OPEN_PAIR.sub(_without_open_value, text)
    if text.lstrip()[:1] in ("{", "["):
        text = _as_json(text)
    if ":" in text or "=" in text or "@" in text or "Bearer" in text:
        text = _without_plain_values(redacted_text(text))
    return plain(text) + cut


def _as_json(text: str) -> str:
    """Return a JSON text without the values of secret names, whatever their types are."""
    try:
        return json.dumps(redacted_value("", json.loads(text)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def payload_text(body: bytes) -> str:
    """Return what a handler returned, as a report may show it."""
    return shown(body[: 2 * _LOOKED_AT].decode("utf-8", "backslashreplace")) if body else ""


def _without_open_value(match: re.Match[str]) -> str:
    return f"{match[1]}={REDACTED}" if is_secret_name(match[1]) else match[0]


def _without_plain_values(text: str) -> str:
    """Return a text without secrets that have no quotes; a value may be a pair in its turn, as in
    ``ValueError: password=abc``.
    """
    parts: list[str] = []
    at = 0
    while match := _PLAIN_PAIR.search(text, at):
        name = match[1]
        secret = not _ORDINARY.search(name) and is_secret_name(name)
        parts += [text[at : match.start(3)], REDACTED if secret else ""]
        at = match.end(3) if secret else match.start(3)
    return "".join(parts) + text[at:]
