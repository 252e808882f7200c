"""The output of an extension process, line by line and bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

__all__ = ["MAX_LINE", "OUTPUT_LIMIT", "Output"]

MAX_LINE: Final = 262_144
"""Bytes of the longest line, as of an event of CloudWatch Logs ("PutLogEvents")."""
OUTPUT_LIMIT: Final = 1_048_576
"""Bytes of one extension that are kept between two freezes; Lambda documents no limit."""


class Output:
    """Cuts a stream of bytes into lines for ``wrote``, and drops bytes over the limit.

    When the time between two freezes or the process ends, ``dropped`` gets the numbers of dropped
    lines and bytes.  The thread of the reader and the one that calls `settle` call both.
    """

    def __init__(self, wrote: Callable[[str], None], dropped: Callable[[int, int], None]) -> None:
        self._wrote = wrote
        self._dropped = dropped
        self._lock = threading.Lock()
        self._pending = b""
        self._room = OUTPUT_LIMIT
        self._lost_lines = 0
        self._lost_bytes = 0
        self._within_lost_line = False

    def feed(self, chunk: bytes) -> bool:
        """Take bytes that were read; return whether they were kept."""
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
        """Report dropped bytes, and begin with a limit anew."""
        with self._lock:
            self._report()
            self._room = OUTPUT_LIMIT

    def end(self) -> None:
        """Hand over a last line without a line end; nothing follows."""
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
            self._write(self._last_piece(line) + b"\n")
        self._pending = self._last_piece(self._pending)

    def _last_piece(self, line: bytes) -> bytes:
        """Write a line in pieces, cut between characters; return the last piece."""
        while len(line) > MAX_LINE:
            cut = MAX_LINE
            # A byte of this form continues a character of UTF-8.
            while cut > MAX_LINE - 4 and line[cut] & 0xC0 == 0x80:
                cut -= 1
            self._write(line[:cut])
            line = line[cut:]
        return line

    def _write(self, line: bytes) -> None:
        self._wrote(line.decode("utf-8", "replace"))

    def _lose(self, data: bytes) -> None:
        self._lost_lines += data.count(b"\n")
        self._lost_bytes += len(data)
        self._within_lost_line = not data.endswith(b"\n")

    def _report(self) -> None:
        if self._lost_bytes:
            self._dropped(self._lost_lines + self._within_lost_line, self._lost_bytes)
            self._lost_lines = 0
            self._lost_bytes = 0
