"""Real functions of `time` and `os`, for this package's own use.

A test may replace any of them (`freezegun`, `mock.patch`, pyfakefs), and it means the function, not
this package.  So they are taken once, when this module is first imported.  They hang on classes,
because freezegun replaces the names of modules.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from typing import Any, TypeVar

__all__ = ["RealDates", "RealOs", "RealTime"]

F = TypeVar("F")


def _unfrozen(name: str, now: F) -> F:
    """Return a clock function; the real one also where freezegun is active at this moment."""
    freezegun: Any = sys.modules.get("freezegun.api")
    found: F = getattr(freezegun, f"real_{name}", now)
    return found


class RealTime:
    """The clock."""

    sleep = staticmethod(time.sleep)  # freezegun leaves it alone
    time_ns = staticmethod(_unfrozen("time_ns", time.time_ns))
    monotonic = staticmethod(_unfrozen("monotonic", time.monotonic))
    monotonic_ns = staticmethod(_unfrozen("monotonic_ns", time.monotonic_ns))
    perf_counter = staticmethod(_unfrozen("perf_counter", time.perf_counter))
    perf_counter_ns = staticmethod(_unfrozen("perf_counter_ns", time.perf_counter_ns))
    gmtime = staticmethod(_unfrozen("gmtime", time.gmtime))
    localtime = staticmethod(_unfrozen("localtime", time.localtime))
    strftime = staticmethod(_unfrozen("strftime", time.strftime))
    ctime = staticmethod(time.ctime)
    asctime = staticmethod(time.asctime)
    clock_gettime: Any = getattr(time, "clock_gettime", None)  # Windows has none
    clock_gettime_ns: Any = getattr(time, "clock_gettime_ns", None)
    time = staticmethod(_unfrozen("time", time.time))  # last: it hides the module


class RealDates:
    """The classes of `datetime`."""

    date = _unfrozen("date", datetime.date)
    datetime = _unfrozen("datetime", datetime.datetime)


class RealOs:
    """Processes, directories and variables."""

    abort = staticmethod(os.abort)
    chdir = staticmethod(os.chdir)
    close = staticmethod(os.close)
    exit = staticmethod(os._exit)
    fchdir = staticmethod(getattr(os, "fchdir", os.chdir))  # Windows has none
    getcwd = staticmethod(os.getcwd)
    getpgrp: Any = staticmethod(getattr(os, "getpgrp", int))  # Windows has no process groups
    getpid = staticmethod(os.getpid)
    kill = staticmethod(os.kill)
    killpg: Any = staticmethod(getattr(os, "killpg", os.kill))
    mkdir = staticmethod(os.mkdir)
    open = staticmethod(os.open)
    putenv = staticmethod(os.putenv)
    stat = staticmethod(os.stat)
    unsetenv = staticmethod(os.unsetenv)
