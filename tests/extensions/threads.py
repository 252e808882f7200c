"""Threads that a test has left."""

import threading
import time


def remaining(before: set[threading.Thread], seconds: float = 5) -> set[threading.Thread]:
    """Return the threads that run and did not run before, after a moment in which they may end.

    A thread of function code that serves a connection ends when its peer has closed it.
    """
    end = time.monotonic() + seconds
    while (found := set(threading.enumerate()) - before) and time.monotonic() < end:
        time.sleep(0.005)
    return found
