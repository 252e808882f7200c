"""One invoke as a test sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.errors import no_attribute
from pytest_lambda_lifecycle.lifecycle import platform_lines, rules
from pytest_lambda_lifecycle.lifecycle.events import (
    InvokeReport,
    InvokeStart,
    Leftover,
    RuntimeDone,
)
from pytest_lambda_lifecycle.lifecycle.outcome import Outcome, Raised, Returned
from pytest_lambda_lifecycle.lifecycle.phases import Phase, exception_of
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Invocation"]


_decode = json.JSONDecoder().decode  # a test may have replaced json.loads and json.dumps
_encode = json.JSONEncoder().encode


_MEANT: Final = {
    **dict.fromkeys(
        ("body", "data", "json", "output", "response", "result", "return_value", "returned"),
        "payload",
    ),
    **dict.fromkeys(("logs", "stdout", "output_log"), "log"),
    **dict.fromkeys(("duration", "elapsed", "time"), "duration_ms"),
    **dict.fromkeys(("cold", "is_cold", "coldstart"), "cold_start"),
    **dict.fromkeys(("error_message", "errorMessage"), "error['errorMessage']"),
    "status_code": "payload['statusCode'], or status",
}
"""Names that newcomers try, and what they mean."""


def _platform_body(request_id: str, outcome: Outcome) -> bytes:
    error_type, message = platform_lines.platform_error(request_id, outcome)
    return _encode({"errorType": error_type, "errorMessage": message}).encode()


class Invocation(Phase):
    """One invoke: its response, and everything that happened in it."""

    __slots__ = ("_done", "_payload", "_report", "_start", "content_type", "raw")
    name = "invoke"

    raw: bytes
    """The caller's response in bytes: as the runtime posted it, or the platform's own error."""
    content_type: str
    """Type of `raw`: ``application/json``, or ``application/unknown`` for bytes of a handler."""

    def __init__(
        self,
        timeline: Timeline,
        first: int,
        last: int,
        start: InvokeStart,
        done: RuntimeDone,
        report: InvokeReport,
    ) -> None:
        self._timeline = timeline
        self._first = first
        self._last = last
        self._start = start
        self._done = done
        self._report = report
        outcome = done.outcome  # a failure after the response was posted leaves the response
        if type(outcome) is Returned:
            self.raw = outcome.body
            self.content_type = outcome.content_type
        else:
            self.raw = (
                outcome.body
                if isinstance(outcome, Raised)
                else _platform_body(start.request_id, outcome)
            )
            self.content_type = "application/json"

    if not TYPE_CHECKING:  # type checkers refuse what these explain

        def __getattr__(self, name: str) -> object:
            if name[0] == "_":  # `payload` asks for one that is not set yet
                raise AttributeError(name)
            raise no_attribute(self, name, _MEANT)

        def __getitem__(self, key: object) -> object:
            raise TypeError(
                f"an Invocation has no items: the handler's result is its payload, as in "
                f"env.invoke(event).payload[{key!r}]"
            )

        __iter__ = None

    @property
    def payload(self) -> Any:  # noqa: ANN401
        """`raw` decoded from JSON; the bytes themselves where that is not possible.

        A type checker takes it for `typing.Any`, as it does the result of `json.loads`.
        """
        try:
            return self._payload
        except AttributeError:
            self._payload: Any = self._decode()
            return self._payload

    def _decode(self) -> Any:  # noqa: ANN401
        try:
            return (
                _decode(self.raw.decode()) if self.content_type == "application/json" else self.raw
            )
        except ValueError:  # a runtime can post anything, also text that is no JSON
            return self.raw

    @property
    def error(self) -> dict[str, Any] | None:
        """The error object that the caller gets, or None after a success."""
        if self._report.failure is not None:
            error: dict[str, Any] = _decode(
                _platform_body(self.request_id, self._report.failure).decode()
            )
            return error
        payload = self.payload if self._done.error_type else None
        return payload if isinstance(payload, dict) else None

    @property
    def error_type(self) -> str:
        """``errorType``; ``""`` after a success."""
        failure = self._report.failure
        return self._done.error_type if failure is None else failure.error_type

    @property
    def exception(self) -> BaseException | None:
        """The exception that function code raised, with its traceback; None if there is none."""
        return exception_of(self.outcome)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the runtime's turn, or of an extension that failed after the response."""
        return self._report.failure or self._done.outcome

    @property
    def request_id(self) -> str:
        """``context.aws_request_id``."""
        return self._start.request_id

    @property
    def cold_start(self) -> bool:
        """True if and only if an init ran inside this request (a suppressed init included)."""
        return self._start.cold_start

    @property
    def leftovers(self) -> list[Leftover]:
        """Threads, processes and tasks that function code left running: kind, label, where."""
        return [event for event in self.events if type(event) is Leftover]

    @property
    def state_changes(self) -> list[StateChange]:
        """State that this invoke changed and left for the next one; empty without ``audit``."""
        return [event for event in self.events if type(event) is StateChange]

    @property
    def billed_duration_ms(self) -> int:
        """Billed duration in ms: Duration and Init, rounded up."""
        return rules.billed_ms(self._report.duration_us, self._report.init_us)

    @property
    def init_duration_ms(self) -> float | None:
        """``Init Duration`` of REPORT in ms; None where REPORT has none (warm, suppressed init)."""
        init_us = self._report.init_us
        return None if init_us is None else init_us / 1000

    @property
    def extension_overhead_ms(self) -> float:
        """How long extensions ran on after the runtime, in ms; it is billed as duration."""
        return (self._report.overhead_us or 0) / 1000

    @property
    def report(self) -> str:
        """The REPORT line."""
        return platform_lines.report_line(self._report)

    @property
    def _duration_us(self) -> int:
        return self._report.duration_us

    @property
    def status(self) -> str:
        """``"success"``, ``"error"``, ``"failure"`` or ``"timeout"``."""
        return self._done.status if self._report.failure is None else self._report.status

    def _describe(self) -> str:
        failed = f" {self.error_type}" if self.error_type else ""
        start = "cold" if self.cold_start else "warm"
        return (
            f"{start} {self.status}{failed}, {self.duration_ms:.2f} ms, request {self.request_id}"
        )
