"""Secrets in texts: values that no repr, report or error may show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

__all__ = ["REDACTED", "is_secret_name", "redacted_text", "redacted_url", "redacted_value"]

REDACTED: Final = "***"

_SECRET: Final = re.compile(
    r"api_?key|access_?key|_key(_?id)?$|^key$|^app_?(key|id)$|^sig$|pass(word|wd|phrase|code)?$"
    r"|^pwd$|token|secret|signature|credential|authori[sz]|(^|_)auth(_|$)|authparam|cookie"
    r"|sess(ion)?_?id|^sid$|[cx]srf|saml_?(request|response)|private|jwt|bearer|hmac|assertion"
    r"|^code$|(confirmation|device|mfa|user|verification)_?code$|code_verifier|^otp$|^pin$"
    r"|^ticket$",
    re.IGNORECASE,
)
"""Names whose values are secrets: of query parameters, of headers and of members of AWS calls."""

_NOT_SECRET: Final = re.compile(
    r"^(next|continuation|pagination|starting|page|client_request)_?token$"
    r"|^(exclusive_)?start_key$|^last_evaluated_key$|^token_(type|count)$|^(max|min)_tokens$",
    re.IGNORECASE,
)
_NOT_SECRET_OF_AWS: Final = frozenset({"Key", "Code"})
"""Members of AWS calls that are secrets as names of queries alone."""

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_USER_INFO: Final = re.compile(r"(?<=//)[^/?#\s\"'<>]*@")
_PAIR_IN_QUERY: Final = re.compile(r"([?&;#])([^=&;#?\s'\"]+)=([^&;#\s'\"<>]*)")
_SCHEME: Final = re.compile(
    r"\b(Bearer|Basic|Token)(\s+)[^\s'\"{}\[\](),]+|\b(Digest|AWS4-HMAC-SHA256)(\s+)[^'\r\n{}\[\]]+"
)
"""Schemes of the header Authorization: with one value, and with a list of pairs."""
_PAIR_IN_TEXT: Final = re.compile(
    r"""(["']?)([A-Za-z][A-Za-z0-9_-]{0,99})\1(\s*[:=]\s*b?)(["'])(.*?)(?<!\\)\4""", re.DOTALL
)
"""A name has at most 100 characters: to look for its end from each letter of a long line of base64
takes a quarter of a second.
"""
_PAIR_IN_BRACES: Final = re.compile(
    r"""([{,]\s*)([A-Za-z][A-Za-z0-9_-]*)(:\s*)([^\s'"{}\[\](),][^'"{}\[\](),]*)"""
)
"""A pair without quotes, as ``responses`` writes it: ``{Authorization: Bearer abc}``."""


def is_secret_name(name: str) -> bool:
    """Say whether the value of a name, such as ``api_key`` or ``Authorization``, is a secret."""
    plain = _HUMP.sub("_", re.sub(r"[-.\[\] ]+", "_", name).strip("_"))
    return _SECRET.search(plain) is not None and _NOT_SECRET.search(plain) is None


def redacted_url(url: str) -> str:
    """Return a URL without user information, and without secrets in its query and fragment."""
    if "?" not in url and "@" not in url and "#" not in url:
        return url
    return _PAIR_IN_QUERY.sub(_without_value, _USER_INFO.sub(f"{REDACTED}@", url))


def redacted_text(text: str) -> str:
    """Return text, such as an error of a library, without secrets in its URLs and mappings."""
    text = _SCHEME.sub(_without_credentials, redacted_url(text))
    text = _PAIR_IN_TEXT.sub(_without_item, text)
    return _PAIR_IN_BRACES.sub(_without_plain_item, text)


def redacted_value(name: str, value: object) -> object:
    """Return a copy of a structure of mappings and lists without the values of secret names."""
    is_secret = bool(name) and name not in _NOT_SECRET_OF_AWS and is_secret_name(name)
    if is_secret and not isinstance(value, Mapping | list | tuple):
        return REDACTED if value is not None else None
    if isinstance(value, Mapping):
        return {key: redacted_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_value(name, item) for item in value]
    return value


def _without_credentials(match: re.Match[str]) -> str:
    one, space, several, gap = match.groups()
    return f"{one or several}{space or gap}{REDACTED}"


def _without_value(match: re.Match[str]) -> str:
    before, name, value = match.groups()
    if value and is_secret_name(unquote_plus(name)):
        value = REDACTED
    elif "%" in value:  # perhaps a URL within the URL
        plain = unquote_plus(value)
        shown = redacted_url(plain)
        value = value if shown == plain else shown
    return f"{before}{name}={value}"


def _without_item(match: re.Match[str]) -> str:
    quote, name, colon, mark, value = match.groups()
    shown = REDACTED if value and is_secret_name(name) else value
    return f"{quote}{name}{quote}{colon}{mark}{shown}{mark}"


def _without_plain_item(match: re.Match[str]) -> str:
    before, name, colon, value = match.groups()
    return f"{before}{name}{colon}{REDACTED if is_secret_name(name) else value}"
