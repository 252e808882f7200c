"""The output of a child process of function code, which inherits a stream of the function.

A child inherits file descriptors, and those of the process are pytest's.  So it gets a pipe in the
place of the one that it would inherit.  A thread reads the pipe, since a child that writes much
must not wait; and who writes to a stream of the function, or ends its phase, reads it first, so
that the log has the lines in the order in which they were written.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Any, Final

__all__ = ["ChildOutput", "can_read_children"]

_CHUNK: Final = 65_536
_POLL_MS: Final = 100
"""Milliseconds after which the thread looks whether the function's process has ended."""
_PATIENCE_S: Final = 1.0
# Function code, or a test, may replace these functions.
_pipe: Final = os.pipe
_read: Final = os.read
_close: Final = os.close
_start: Final = threading.Thread.start
_new_poll: Final[Any] = getattr(select, "poll", None)  # Windows has none
can_read_children: Final = _new_poll is not None


class ChildOutput:
    """One stream of one child."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        """``deliver`` takes the bytes; it is called on the thread of the reader, and on others."""
        self._deliver = deliver
        self._lock = threading.RLock()
        reader, self.writer = _pipe()
        """The descriptor that the child inherits."""
        os.set_blocking(reader, False)
        self._reader: int | None = reader
        self._ended = False
        self.thread = threading.Thread(
            target=self._serve, name="output of a child of the function", daemon=True
        )

    @property
    def open(self) -> bool:
        """Whether the child, or a child of it, may still write."""
        return self._reader is not None

    def begin(self) -> None:
        """Begin to read: the child has started, or could not be started."""
        _close(self.writer)
        _start(self.thread)

    def catch_up(self) -> None:
        """Deliver what has been written so far."""
        with self._lock:
            while self._reader is not None:
                try:
                    chunk = _read(self._reader, _CHUNK)
                except BlockingIOError:
                    return
                except OSError:
                    chunk = b""
                if not chunk:
                    self._release()
                    return
                if not self._ended:
                    self._deliver(chunk)

    def end(self) -> None:
        """Deliver nothing more: the function's process has ended."""
        self._ended = True

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self.thread.ident is not None and self.thread is not threading.current_thread():
            self.thread.join(_PATIENCE_S)

    def _release(self) -> None:
        if self._reader is not None:
            _close(self._reader)
            self._reader = None

    def _serve(self) -> None:
        reader = self._reader
        if reader is None:
            return
        poll = _new_poll()
        poll.register(reader, select.POLLIN)
        with contextlib.suppress(Exception):  # the stream of the test has raised
            while self._reader is not None and not self._ended:
                if poll.poll(_POLL_MS):
                    self.catch_up()
        with self._lock:
            self._release()
