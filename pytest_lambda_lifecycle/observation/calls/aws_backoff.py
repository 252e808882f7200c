"""A hook of botocore's retry mode ``adaptive``, which in virtual time would wait for ever.

Its token bucket waits at a condition variable until the clock says that enough tokens have come,
while the virtual clock stands still.  (The pauses between attempts are `time.sleep`, which is
virtual as it is.)  So the time that a call has to wait passes before it would begin to wait.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.recorder import recorder_here

__all__ = ["POINTS"]

_ROUNDING_US: Final = 2
"""Added to a wait: the clock counts whole microseconds, and the bucket compares fractions."""


def _sleep_amount(original: Any) -> Any:  # noqa: ANN401
    """Wrap `TokenBucket._sleep_amount`, the seconds until the bucket has enough tokens."""

    @functools.wraps(original)
    def sleep_amount(self: Any, amount: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        seconds = original(self, amount)
        recorder = recorder_here() if seconds > 0 else None
        clock = None if recorder is None else recorder.clock
        if not isinstance(clock, LambdaTime):
            return seconds
        clock.spend(int(seconds * 1e6) + _ROUNDING_US)
        self._refill()
        return original(self, amount)

    return sleep_amount


POINTS: Final = (
    HookPoint("botocore.retries.bucket", "TokenBucket", "_sleep_amount", _sleep_amount),
)
