"""What an extension process writes, line by line and bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

__all__ = ["MAX_LINE", "OUTPUT_LIMIT", "Output"]

MAX_LINE: Final = 262_144
"""Bytes after which a line is cut in two: the largest event that CloudWatch Logs takes
("PutLogEvents").
"""
OUTPUT_LIMIT: Final = 1_048_576
"""Bytes of one extension that are kept for each stretch between two freezes.  Ours: Lambda
documents none.
"""


class Output:
    """Cuts a stream of bytes into lines for ``wrote``, and drops what is too much.

    What was dropped is told to ``dropped``, as numbers of lines and of bytes, when the stretch or
    the process ends. Both may be called on the reader's thread and on the one that calls `settle`.
    """

    def __init__(self, wrote: Callable[[str], None], dropped: Callable[[int, int], None]) -> None:
        self._wrote = wrote
        self._dropped = dropped
        self._lock = threading.Lock()
        self._pending = b""
        self._room = OUTPUT_LIMIT
        self._lost_lines = self._lost_bytes = 0
        self._within_lost_line = False

    def feed(self, chunk: bytes) -> bool:
        """Take what was read; returns whether it was kept."""
        with self._lock:
            kept = self._room > 0
            if kept:
                self._room -= len(chunk)
                self._keep(chunk)
            else:
                self._lose(self._pending + chunk)
                self._pending = b""
            return kept

    def settle(self) -> None:
        """Say what was dropped, and keep as much again from now on."""
        with self._lock:
            self._report()
            self._room = OUTPUT_LIMIT

    def end(self) -> None:
        """Hand over a last line that does not end; there will be no more."""
        with self._lock:
            if self._pending:
                self._write(self._pending)
                self._pending = b""
            self._report()

    def _keep(self, chunk: bytes) -> None:
        if self._within_lost_line:
            rest, newline, chunk = chunk.partition(b"\n")
            self._lose(rest + newline)
            if not newline:
                return
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            self._write(_but_for_the_end(line, self._write) + b"\n")
        self._pending = _but_for_the_end(self._pending, self._write)

    def _write(self, line: bytes) -> None:
        self._wrote(line.decode("utf-8", "replace"))

    def _lose(self, data: bytes) -> None:
        self._lost_lines += data.count(b"\n")
        self._lost_bytes += len(data)
        self._within_lost_line = not data.endswith(b"\n")

    def _report(self) -> None:
        if self._lost_bytes:
            self._dropped(self._lost_lines + self._within_lost_line, self._lost_bytes)
            self._lost_lines = self._lost_bytes = 0


def _but_for_the_end(line: bytes, write: Callable[[bytes], None]) -> bytes:
    """Write a line that is too long in pieces, between characters; returns the last piece."""
    while len(line) > MAX_LINE:
        cut = MAX_LINE
        while (
            cut > MAX_LINE - 4 and line[cut] & 0xC0 == 0x80
        ):  # not the first byte of a UTF-8 character
            cut -= 1
        write(line[:cut])
        line = line[cut:]
    return line
