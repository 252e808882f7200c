"""The latency of mocked responses, and the client's timeout that ends the wait."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.parts.threads import function_thread
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.moments import rounded_up_us

__all__ = ["LATENCY_IN_WORDS", "is_latency", "latency_us", "pass_time", "read_timeout"]

_LONGEST_MS: Final = 86_400_000
"""One day."""
LATENCY_IN_WORDS: Final = f"a number of milliseconds, from 0 to {_LONGEST_MS} (one day)"


def is_latency(latency_ms: object) -> TypeGuard[float]:
    """Say whether a value is a latency in milliseconds."""
    return (
        isinstance(latency_ms, (int, float))
        and not isinstance(latency_ms, bool)
        and 0 <= latency_ms <= _LONGEST_MS
    )


def latency_us(latency_ms: object) -> int:
    """Return a latency in whole microseconds; raise `LifecycleError` for anything else."""
    if is_latency(latency_ms):
        return rounded_up_us(latency_ms / 1000)
    raise LifecycleError(
        f"cannot give a response latency_ms={latency_ms!r}",
        f"A latency is {LATENCY_IN_WORDS}.",
        code="LLC811",
    )


def pass_time(span_us: int) -> None:
    """Wait: in virtual time under ``lambda_clock``, else in real time.

    Function code waits up to its deadline.  A request of the test itself moves the clock as
    `LambdaTime.advance` does.
    """
    __tracebackhide__ = __function_code_above__ = True
    clock = LambdaTime.current
    if clock is None:
        RealTime.sleep(span_us / 1_000_000)
    elif stage.on_phase_thread() or function_thread() is not None:
        clock.spend(span_us)
    elif not stage.running:
        clock.advance(span_us / 1_000_000)


def read_timeout(timeout: Any) -> float | None:  # noqa: ANN401
    """Return the seconds that a client waits for a response, from the ``timeout`` of requests.

    It is a number, a pair of numbers, or urllib3's ``Timeout``; None waits for ever.
    """
    if isinstance(timeout, tuple):
        timeout = timeout[1] if len(timeout) == 2 else None
    if hasattr(timeout, "start_connect"):
        timeout = timeout.clone()
        timeout.start_connect()  # with a limit in total, urllib3 counts from here
        timeout = timeout.read_timeout
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
        return float(timeout)
    return None
