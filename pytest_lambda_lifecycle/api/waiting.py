"""The wait of the conductor for reports of other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["wait_until"]

_LOOK_UP_S: Final = 0.05
"""The longest single wait: signals are handled after it, and no lost wake-up lasts longer."""


def wait_until(changed: threading.Condition, done: Callable[[], bool], until: float) -> bool:
    """Wait for ``done()``, asked at each change; False at ``until`` (`RealTime.perf_counter`).

    The caller holds the lock of ``changed``.
    """
    while not done():
        left = until - RealTime.perf_counter()
        if left <= 0:
            return False
        changed.wait(min(left, _LOOK_UP_S))
    return True
