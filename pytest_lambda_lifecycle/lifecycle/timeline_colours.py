"""Colours of the timeline on a terminal.

``print(env.timeline)`` asks for ``str()``, which cannot see where the text goes.  So the standard
output decides, unless NO_COLOR is set.  FORCE_COLOR, which many jobs of CI set, does not count: a
test may compare ``str(env.timeline)`` with a text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["are_wanted", "coloured"]

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_BAD: Final = "\x1b[31m"
_STARTS: Final = (
    ("Init ended", ""),
    ("Init", "\x1b[33m"),
    ("Restore ended", ""),
    ("Restore", "\x1b[35m"),
    ("Invoke ended", ""),
    ("Invoke", "\x1b[32m"),
    ("Shutdown ended", ""),
    ("Shutdown", "\x1b[34m"),
    ("Reset", _BAD),
)
"""The begins of lines, each before those that it begins with itself."""
_FAILED: Final = re.compile(r"^(?:\w+ ended|  runtime done): ?(?:error|failure|timeout)\b")
_LINE: Final = re.compile(r"^( *[\d.]+ ms  )?(.*)$")


def are_wanted(stream: Any, variables: Mapping[str, str]) -> bool:  # noqa: ANN401  # any stream
    """Say whether text on a stream may have colours; ``variables`` are those of the developer."""
    if variables.get("NO_COLOR"):
        return False
    try:
        on_terminal = bool(stream.isatty())
    except (AttributeError, OSError, ValueError):  # no stream at all, or a closed one
        return False
    return on_terminal and variables.get("TERM") != "dumb" and sys.platform != "emscripten"


def coloured(table: str) -> str:
    """Return the lines of a table in the colours of their phases."""
    return "\n".join(map(_line, table.split("\n")))


def _line(line: str) -> str:
    found = _LINE.match(line)
    if found is None:
        return line
    moment, text = found[1] or "", found[2]
    colour = (
        _BAD
        if _FAILED.match(text)
        else next((colour for start, colour in _STARTS if text.startswith(start)), "")
    )
    dim = f"{_DIM}{moment}{_RESET}" if moment else ""
    return dim + (f"{colour}{text}{_RESET}" if colour else text)
