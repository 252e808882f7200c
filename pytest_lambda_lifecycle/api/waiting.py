"""How the conductor waits for what other threads report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from pytest_lambda_lifecycle.isolation.real_time import RealTime

__all__ = ["wait_until"]

_LOOK_UP_S: Final = 0.05
"""The main thread waits no longer at a time: signals are handled, and no lost wake-up can hold it
for long.
"""


def wait_until(changed: threading.Condition, done: Callable[[], bool], until: float) -> bool:
    """Wait for ``done()``, asked at each change; False at ``until`` (`RealTime.perf_counter`).

    Whoever calls holds the lock of ``changed``.
    """
    while not done():
        left = until - RealTime.perf_counter()
        if left <= 0:
            return False
        changed.wait(min(left, _LOOK_UP_S))
    return True
