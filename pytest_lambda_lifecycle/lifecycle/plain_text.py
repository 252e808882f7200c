"""Texts of function code that are safe to print: on one line, of limited length, no escapes.

The name of a thread, a module or an extension may hold anything: a sequence that moves the cursor
of a terminal, marks that turn the direction of the text around them, a lone surrogate that no
stream can encode, 10 MB.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["plain", "shortened"]

_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def plain(text: str, longest: int = 300) -> str:
    """Return a text on one line: what is no text is escaped as in Python, and its end is cut off.

    ``longest`` is the number of characters that are kept.
    """
    text = shortened(text, longest)
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def shortened(text: str, longest: int) -> str:
    """Return a text without its end, where it is longer than so many characters."""
    left_out = len(text) - longest
    return f"{text[:longest]}… ({left_out} more characters)" if left_out > 0 else text


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode()
