"""Faults: errors of AWS's services that a test declares, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime
from pytest_lambda_lifecycle.isolation.real import RealTime

__all__ = ["RESET", "TIMEOUT", "Fault", "Faults", "spend_time"]

RESET: Final = "reset"
TIMEOUT: Final = "timeout"


class Fault:
    """An error that attempts at one AWS operation meet (`ExecutionEnvironment.fault`)."""

    operation: str
    """The operation: ``"dynamodb.PutItem"``."""
    error: str | int
    """The error code, an HTTP status, ``"reset"`` or ``"timeout"``."""
    times: int | None
    """The number of attempts that meet it; None: all of them."""
    phase: str | None
    """The phase in which it applies; None: every phase."""
    count: int
    """The number of attempts that have met it so far."""
    where: str
    """The line that declared it, as ``"tests/test_stock.py:12"``."""

    def __init__(
        self,
        service: str,
        name: str,
        error: str | int,
        *,
        times: int | None,
        phase: str | None,
        latency_us: int,
        status: int | None,
        message: str | None,
        spend: Callable[[int], None],
        where: str,
    ) -> None:
        self.operation = f"{service}.{name}"
        self.error = error
        self.times = times
        self.phase = phase
        self.count = 0
        self.where = where
        self._key = service, name
        self._latency_us = latency_us
        self._status = status
        self._message = message
        self._spend = spend
        self._removed = False
        self._lock = threading.Lock()

    def remove(self) -> None:
        """Remove the fault: no further attempt meets it."""
        self._removed = True

    def __repr__(self) -> str:
        phase = f" in {self.phase}" if self.phase else ""
        limit = "" if self.times is None else f" of {self.times}"
        never = "" if self.count else ", no attempt was made that it could meet"
        removed = ", removed" if self._removed else ""
        return (
            f"<Fault {self.operation}: {self.error!r}{phase}, raised {self.count}{limit} "
            f"times{never}{removed}>"
        )


class Faults:
    """The faults of one environment, in the order in which the test has declared them."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, fault: Fault) -> None:
        """Add a fault; it applies once those before it are used up."""
        self._faults.append(fault)

    def due(self, service: str, operation: str, phase: str) -> Fault | None:
        """Return the fault that the next attempt at an operation meets; None if there is none.

        ``phase`` is empty between phases, where no fault applies.
        """
        if phase:
            for fault in self._faults:
                if fault._key == (service, operation) and _applies(fault, phase):
                    return fault
        return None

    def take(self, service: str, operation: str, phase: str) -> Fault | None:
        """Return the fault that an attempt meets, and count it."""
        while (fault := self.due(service, operation, phase)) is not None:
            with fault._lock:
                if _applies(fault, phase):  # another thread has not used it up
                    fault.count += 1
                    return fault
        return None


def _applies(fault: Fault, phase: str) -> bool:
    if fault._removed or fault.phase not in (None, phase):
        return False
    return fault.times is None or fault.count < fault.times


def spend_time(span_us: int) -> None:
    """Let time pass, virtual time under a clock; the deadline of the phase interrupts it."""
    __tracebackhide__ = __function_code_above__ = True
    clock = LambdaTime.current
    if clock is not None:
        clock.spend(span_us)
    elif span_us:
        RealTime.sleep(span_us / 1e6)
