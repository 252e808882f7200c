"""The first line of a program, as the kernel reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["can_be_executed", "ends_with_carriage_return"]

_LONGEST: Final = 256
"""Bytes that Linux reads of the first line."""


def can_be_executed(path: Path, layers: Iterable[Path] = ()) -> bool:
    """Say whether the system would execute a file; a shell would try to interpret any text file.

    Its interpreter may be a file of the ``layers``, which are in ``/opt`` then.
    """
    if not os.access(path, os.X_OK) or path.is_dir():
        return False
    line = _first_line(path)
    if not line.startswith(b"#!"):
        return line.startswith(b"\x7fELF")
    # The kernel separates by spaces and tabs alone: a carriage return is a part of the name.
    words = line[2:].rstrip(b"\n").replace(b"\t", b" ").strip(b" ")
    interpreter = os.fsdecode(words.partition(b" ")[0])
    places = [interpreter]
    if interpreter.startswith("/opt/"):
        places += [os.path.join(layer, interpreter[len("/opt/") :]) for layer in layers]
    return any(place and os.access(place, os.X_OK) for place in places)


def ends_with_carriage_return(path: Path) -> bool:
    """Say whether a file is a script whose first line has the end of a line of Windows."""
    try:
        line = _first_line(path)
    except OSError:
        return False
    return line.startswith(b"#!") and line.endswith(b"\r\n")


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(_LONGEST)
