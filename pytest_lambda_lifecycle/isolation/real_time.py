"""The real clock functions, also if a test has frozen time before this package was first
imported.
"""

from __future__ import annotations

import sys
import time
from typing import Any, TypeVar

__all__ = ["RealTime"]

F = TypeVar("F")


def _real(name: str, now: F) -> F:
    freezegun: Any = sys.modules.get("freezegun.api")
    found: F = getattr(freezegun, f"real_{name}", now)
    return found


class RealTime:
    """They hang on a class, where freezegun does not look."""

    sleep = staticmethod(time.sleep)  # freezegun leaves it alone
    time_ns = staticmethod(_real("time_ns", time.time_ns))
    perf_counter = staticmethod(_real("perf_counter", time.perf_counter))
    perf_counter_ns = staticmethod(_real("perf_counter_ns", time.perf_counter_ns))
