"""Function output: recorded on the timeline, and passed on to wherever the test's output goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

__all__ = ["Unbuffered"]


class Unbuffered:
    """What function code finds as `sys.stdout` and `sys.stderr`.

    One object per environment and stream, since function code may keep it (a `logging.StreamHandler` does): during a
    phase it writes to the stream that was there before the phase, at other times to the one that is there now.  The
    name is that of the proxy which the real runtime installs (awslambdaric ``bootstrap.py``).
    """

    def __init__(self, name: str, record: Callable[[str, str], None]) -> None:
        self._name = name
        self._record = record
        self.outside: TextIO | None = None
        """The stream of the test, set for the length of a phase."""

    def write(self, text: str) -> None:
        """Record the text and pass it on at once.

        Lambda's stdout is strict UTF-8 (a lone surrogate raises), its stderr is not.
        """
        if self._name == "stdout":
            text.encode()
        self._record(self._name, text)
        stream = self._stream()
        if stream is not None:
            stream.write(text)
            stream.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line, as `io.TextIOBase.writelines` does."""
        for line in lines:
            self.write(line)

    def _stream(self) -> Any:  # noqa: ANN401  # whatever stands in sys.stdout
        """Return where text goes; None if nobody listens (a thread that prints while nothing else is there)."""
        for stream in (self.outside, getattr(sys, self._name), getattr(sys, f"__{self._name}__")):
            if stream is not None and stream is not self and not stream.closed:
                return stream
        return None

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401  # whatever the real stream has
        return getattr(self._stream(), attribute)
