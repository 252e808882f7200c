"""The files that the test process has open, by their descriptors."""

from __future__ import annotations

import contextlib
import os
import stat
import time


def open_files():
    """Return each open descriptor of this process with the file, pipe or socket behind it."""
    found = {}
    for number in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the descriptor of the listing itself is closed by now
            status = os.fstat(int(number))
            found[int(number)] = (stat.S_IFMT(status.st_mode), status.st_dev, status.st_ino)
    return found


def left_open(before, seconds=5):
    """Return the files that are open and were not before, after a moment in which they may close.

    A descriptor that another part of the test process opens for a moment is not a leak.
    """
    end = time.monotonic() + seconds
    while (found := dict(open_files().items() - before.items())) and time.monotonic() < end:
        time.sleep(0.005)
    return found
