"""Remove stack entries that are not function code; the rest of the text stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["without_frames"]

# An entry in an error object or JSON record, and one in the text form of the [ERROR] line, which
# uses carriage returns and no-break spaces.
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_JSON_ENTRY = re.compile(r'"  File \\"([^"]*)\\", line \d+, in ')
_TEXT_ENTRY = re.compile(
    '\r\xa0\xa0File "([^"\r\n]*)", line \\d+, in [^\r\n]*(?:\r\xa0\xa0\xa0\xa0[^\r\n]*)?'
)
_LEFT_OUT = "<frames>"


def without_frames(text: str, unwanted: Callable[[str], bool]) -> str:
    """Return *text* with each run of entries whose file is *unwanted* replaced by one mark."""

    def in_json(found: re.Match[str]) -> str:
        entry = _JSON_ENTRY.match(found[0])
        return f'"{_LEFT_OUT}"' if entry and unwanted(entry[1]) else found[0]

    def in_text(found: re.Match[str]) -> str:
        return f"\r{_LEFT_OUT}" if unwanted(found[1]) else found[0]

    text = _TEXT_ENTRY.sub(in_text, _JSON_STRING.sub(in_json, text))
    text = re.sub(f'"{_LEFT_OUT}"(, "{_LEFT_OUT}")+', f'"{_LEFT_OUT}"', text)
    return re.sub(f"(\r{_LEFT_OUT})+", f"\r{_LEFT_OUT}", text)
