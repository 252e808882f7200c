"""Secrets in texts: values that no repr, report or error may show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

__all__ = ["REDACTED", "is_secret_name", "redacted_text", "redacted_url", "redacted_value"]

REDACTED: Final = "***"

_SECRET: Final = re.compile(
    r"api_?key|access_?key|_key$|^key$|^sig$|pass(word|wd|phrase)?$|^pwd$|token|secret|signature"
    r"|credential|authoriz|^auth$|authparam|cookie|session_?id|private|jwt|assertion|^code$",
    re.IGNORECASE,
)
"""Names whose values are secrets: of query parameters, of headers and of members of AWS calls."""

_NOT_SECRET: Final = re.compile(r"^(next|continuation|pagination|starting)_?token$", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"(?<=://)[^/?#@]*@")
_PAIR_IN_QUERY: Final = re.compile(r"([?&;])([^=&;#\s'\"]+)=([^&;#\s'\"]*)")
_PAIR_IN_TEXT: Final = re.compile(
    r"""(["']?)([A-Za-z][A-Za-z0-9_-]*)\1(\s*[:=]\s*)(["'])(.*?)(?<!\\)\4""", re.DOTALL
)


def is_secret_name(name: str) -> bool:
    """Say whether the value of a name, such as ``api_key`` or ``Authorization``, is a secret."""
    plain = name.replace("-", "_")
    return _SECRET.search(plain) is not None and _NOT_SECRET.match(plain) is None


def redacted_url(url: str) -> str:
    """Return a URL without user information and without secrets in its query."""
    if "?" not in url and "@" not in url:
        return url
    return _PAIR_IN_QUERY.sub(_without_value, _USER_INFO.sub(f"{REDACTED}@", url))


def redacted_text(text: str) -> str:
    """Return text, such as an error of a library, without secrets in its URLs and mappings."""
    text = redacted_url(text)
    return _PAIR_IN_TEXT.sub(_without_item, text)


def redacted_value(name: str, value: object) -> object:
    """Return a copy of a structure of mappings and lists without the values of secret names."""
    if name and is_secret_name(name) and not isinstance(value, Mapping | list | tuple):
        return REDACTED if value is not None else None
    if isinstance(value, Mapping):
        return {key: redacted_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_value(name, item) for item in value]
    return value


def _without_value(match: re.Match[str]) -> str:
    before, name, value = match.groups()
    shown = REDACTED if value and is_secret_name(unquote_plus(name)) else value
    return f"{before}{name}={shown}"


def _without_item(match: re.Match[str]) -> str:
    quote, name, colon, mark, value = match.groups()
    shown = REDACTED if value and is_secret_name(name) else value
    return f"{quote}{name}{quote}{colon}{mark}{shown}{mark}"
