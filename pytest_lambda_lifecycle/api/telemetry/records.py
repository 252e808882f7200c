"""The timeline as the records of Lambda's Telemetry API and of the Logs API before it.

Sources: Developer Guide, "Lambda Telemetry API Event schema reference" and "Using the Lambda Logs
API".  Durations are in ms with three decimals, billed ones whole; times are UTC with ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_lambda_lifecycle.api.replies import decode_json
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionLog,
    InitReport,
    InitRuntimeDone,
    InitStart,
    InvokeReport,
    InvokeStart,
    RestoreReport,
    RestoreStart,
    RuntimeDone,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionLog,
    ExtensionState,
    LogsDropped,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.moments import EPOCH, MICROSECOND
from pytest_lambda_lifecycle.lifecycle.outcome import (
    ExtensionFailed,
    Loaded,
    Outcome,
    Raised,
    Returned,
    TimedOut,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["LOGS_SCHEMAS", "TELEMETRY_SCHEMAS", "TelemetryRecord", "records"]

TelemetryRecord: TypeAlias = dict[str, Any]

_Pairs: TypeAlias = Iterator[tuple[str, object]]
"""Types of records, each with its record."""

TELEMETRY_SCHEMAS: Final = ("2022-07-01", "2022-12-13", "2025-01-29")
LOGS_SCHEMAS: Final = ("2020-08-15", "2021-03-18")
"""The first is the default; the second adds ``platform.runtimeDone``."""
_OBJECTS_SINCE: Final = "2022-12-13"
"""From this schema on, a line of JSON logs is an object; before, a string."""
_BYTES_PER_MB: Final = 1024 * 1024


def records(
    events: Sequence[Event], config: FunctionConfig, *, schema: str = "2022-12-13"
) -> list[TelemetryRecord]:
    """Return the ``{"time", "type", "record"}`` of these events, in order.

    ``schema`` is one of `TELEMETRY_SCHEMAS` or `LOGS_SCHEMAS`.  Reports and ``runtimeDone`` repeat
    some fields of the start of their phase (tracing, the phase of init); they take them from the
    last start among ``events``.
    """
    projection = _LogsRecords if schema in LOGS_SCHEMAS else _TelemetryRecords
    return list(projection(config, schema).of(events))


class _TelemetryRecords:
    """One pass over events, for the Telemetry API."""

    def __init__(self, config: FunctionConfig, schema: str) -> None:
        self._config = config
        self._schema = schema
        self._json_logs = config.log_format == "JSON" and schema >= _OBJECTS_SINCE
        self._init_phase = "init"
        self._tracing: TelemetryRecord = {}

    def of(self, events: Sequence[Event]) -> Iterator[TelemetryRecord]:
        for event in events:
            if isinstance(event, InitStart):
                self._init_phase = event.phase
            elif isinstance(event, InvokeStart):
                trace = {"type": "X-Amzn-Trace-Id", "value": event.trace_id}
                self._tracing = {"tracing": trace} if event.trace_id else {}
            for kind, record in self._of_one(event):
                yield {"time": _time(event.at), "type": kind, "record": record}

    def _of_one(self, event: Event) -> _Pairs:
        record: TelemetryRecord
        match event:
            case FunctionLog(text=text):
                yield from (("function", line) for line in self._lines(text))
            case ExtensionLog(text=text):
                yield from (("extension", line) for line in self._lines(text))
            case InvokeStart():
                yield "platform.start", self._start(event)
            case RuntimeDone():
                yield from self._runtime_done(event)
            case InvokeReport():
                yield from self._report(event)
            case InitStart() | InitRuntimeDone() | InitReport():
                yield from self._init(event)
            case RestoreStart() | RestoreReport():
                yield from self._restore(event)
            case ExtensionState(
                extension=name, state=state, events=subscribed, error_type=error_type
            ):
                record = {"name": name, "state": state, "events": list(subscribed)}
                yield "platform.extension", {**record, **_unless_empty(errorType=error_type)}
            case TelemetrySubscription(extension=name, api=api, types=types):
                kind = "logsSubscription" if api == "logs" else "telemetrySubscription"
                record = {"name": name, "state": "Subscribed", "types": list(types)}
                yield f"platform.{kind}", record
            case LogsDropped(records=count, size=size, reason=reason):
                record = {"reason": reason, "droppedRecords": count, "droppedBytes": size}
                yield "platform.logsDropped", record

    # -- output -----------------------------------------------------------------------------------

    def _lines(self, text: str) -> Iterator[object]:
        """Yield one record per line, with its line end; a carriage return ends no line."""
        *whole, rest = text.split("\n")
        for line in whole:
            yield self._line(f"{line}\n")
        if rest:
            yield self._line(rest)

    def _line(self, line: str) -> object:
        """Return the line; with JSON logs its object, if it is one (a plain `print` is none)."""
        if self._json_logs and line.startswith("{"):
            try:
                return decode_json(line)
            except ValueError:
                return line
        return line

    # -- init and restore -------------------------------------------------------------------------

    def _init(self, event: InitStart | InitRuntimeDone | InitReport) -> _Pairs:
        record: TelemetryRecord
        if isinstance(event, InitStart):
            record = {"initializationType": event.initialization_type, "phase": event.phase}
            yield "platform.initStart", {**record, **self._instance()}
        elif isinstance(event, InitRuntimeDone):
            kind = self._config.initialization_type
            record = {"initializationType": kind, "phase": self._init_phase}
            yield "platform.initRuntimeDone", {**record, **_verdict(event.outcome)}
        else:
            record = {"initializationType": event.initialization_type, "phase": event.phase}
            record["status"] = event.status
            failed = _unless_empty(errorType=event.error_type)
            metrics = {"durationMs": _ms(event.duration_us)}
            yield "platform.initReport", {**record, **failed, "metrics": metrics}

    def _restore(self, event: RestoreStart | RestoreReport) -> _Pairs:
        if isinstance(event, RestoreStart):
            yield "platform.restoreStart", self._instance()
        else:
            yield "platform.restoreRuntimeDone", _verdict(event.outcome)
            failed = _unless_empty(errorType=event.error_type)
            metrics = {"durationMs": _ms(event.duration_us)}
            yield "platform.restoreReport", {"status": event.status, **failed, "metrics": metrics}

    def _instance(self) -> TelemetryRecord:
        """Return the facts about function and instance; memory in bytes, as from the service."""
        config = self._config
        return {
            "functionName": config.function_name,
            "functionVersion": config.function_version,
            "runtimeVersion": config.runtime.replace("python", "python:"),
            "instanceMaxMemory": config.memory_size * _BYTES_PER_MB,
        }

    # -- invoke -----------------------------------------------------------------------------------

    def _start(self, event: InvokeStart) -> TelemetryRecord:
        return {"requestId": event.request_id, "version": event.version, **self._tracing}

    def _runtime_done(self, event: RuntimeDone) -> _Pairs:
        outcome = event.outcome
        produced = len(outcome.body) if isinstance(outcome, Returned) else 0
        record: TelemetryRecord = {"requestId": event.request_id, **_invoke_verdict(outcome)}
        record["metrics"] = {"durationMs": _ms(event.duration_us), "producedBytes": produced}
        # The runtime posts its answer in one piece, and asks for the next event at once.
        if isinstance(outcome, Returned):
            record["spans"] = [
                _span("responseLatency", event.at - event.duration_us, event.duration_us),
                _span("responseDuration", event.at, 0),
                _span("runtimeOverhead", event.at, 0),
            ]
        yield "platform.runtimeDone", {**record, **self._tracing}

    def _report(self, event: InvokeReport) -> _Pairs:
        record: TelemetryRecord = {"requestId": event.request_id, "status": event.status}
        record |= _unless_empty(errorType=event.error_type)
        record["metrics"] = _metrics(event)
        if event.overhead_us is not None:
            record["spans"] = [
                _span("extensionOverhead", event.at - event.overhead_us, event.overhead_us)
            ]
        yield "platform.report", {**record, **self._tracing}


class _LogsRecords(_TelemetryRecords):
    """The same events for the Logs API: fewer fields, and some types of its own.

    The guide shows two styles of ``platform.fault``; this is the newer one.
    """

    def _init(self, event: InitStart | InitRuntimeDone | InitReport) -> _Pairs:
        record: TelemetryRecord
        if isinstance(event, InitRuntimeDone):
            record = {"initializationType": self._config.initialization_type}
            yield "platform.initRuntimeDone", {**record, **_logs_status(_verdict(event.outcome))}
        elif isinstance(event, InitReport):
            record = {"initializationType": event.initialization_type}
            yield "platform.initReport", {**record, "metrics": _billed(event.duration_us)}

    def _restore(self, event: RestoreStart | RestoreReport) -> _Pairs:
        if isinstance(event, RestoreStart):
            yield "platform.restoreStart", {}
            return
        if self._schema != LOGS_SCHEMAS[0]:
            yield "platform.restoreRuntimeDone", _logs_status(_verdict(event.outcome))
        yield "platform.restoreReport", {"metrics": _billed(event.duration_us)}

    def _start(self, event: InvokeStart) -> TelemetryRecord:
        return {"requestId": event.request_id, "version": event.version}

    def _runtime_done(self, event: RuntimeDone) -> _Pairs:
        if self._schema != LOGS_SCHEMAS[0]:
            verdict = _logs_status(_invoke_verdict(event.outcome))
            yield "platform.runtimeDone", {"requestId": event.request_id, **verdict}

    def _report(self, event: InvokeReport) -> _Pairs:
        if event.status != "success":
            fault = f"RequestId: {event.request_id} Status: {event.status}"
            error_type = f"\tErrorType: {event.error_type}" if event.error_type else ""
            yield "platform.fault", f"{fault}{error_type}"
        yield "platform.end", {"requestId": event.request_id}
        yield "platform.report", {"requestId": event.request_id, "metrics": _metrics(event)}


# -- values ---------------------------------------------------------------------------------------


def _verdict(outcome: Outcome) -> TelemetryRecord:
    """Return ``status`` and ``errorType`` of a turn of the runtime."""
    if isinstance(outcome, (Loaded, Returned)):
        return {"status": "success"}
    if isinstance(outcome, TimedOut):
        return {"status": "timeout"}
    if isinstance(outcome, ExtensionFailed):
        error_type = outcome.error_type
    else:
        error_type = rules.reported_error_type(outcome)
    # Source: Runtime Interface Emulator.
    status = "failure" if error_type.startswith("Sandbox.") else "error"
    return {"status": status, **_unless_empty(errorType=error_type)}


def _invoke_verdict(outcome: Outcome) -> TelemetryRecord:
    """Return the same for an invoke, where an error that the runtime posted is a ``"success"``.

    The runtime did its work (aws-samples/aws-lambda-extensions issue 85, where AWS calls it
    intended; Runtime Interface Emulator).  Where the runtime ended after its post, it was an init
    or a restore that failed.
    """
    posted = isinstance(outcome, Raised) and outcome.exit_code is None
    return {"status": "success"} if posted else _verdict(outcome)


def _logs_status(verdict: TelemetryRecord) -> TelemetryRecord:
    """Return the status for the Logs API: ``success``, ``failure`` or ``timeout``."""
    status = verdict["status"]
    return {"status": "failure" if status == "error" else status}


def _metrics(report: InvokeReport) -> TelemetryRecord:
    """Return the metrics of an invoke; ``maxMemoryUsedMB`` is the memory size, as in REPORT."""
    metrics: TelemetryRecord = {
        "durationMs": _ms(report.duration_us),
        "billedDurationMs": rules.billed_ms(report.duration_us, report.init_us),
        "memorySizeMB": report.memory_size,
        "maxMemoryUsedMB": report.memory_size,
    }
    if report.init_us is not None:
        metrics["initDurationMs"] = _ms(report.init_us)
    if report.restore_us is not None:
        metrics["restoreDurationMs"] = _ms(report.restore_us)
    return metrics


def _billed(duration_us: int) -> TelemetryRecord:
    return {"durationMs": _ms(duration_us), "billedDurationMs": rules.billed_ms(duration_us, None)}


def _span(name: str, start_us: int, duration_us: int) -> TelemetryRecord:
    return {"name": name, "start": _time(start_us), "durationMs": _ms(duration_us)}


def _unless_empty(**fields: str) -> TelemetryRecord:
    return {name: text for name, text in fields.items() if text}


def _ms(microseconds: int) -> float:
    return round(microseconds / 1000, 3)


def _time(us: int) -> str:
    return f"{(EPOCH + us * MICROSECOND).isoformat(timespec='milliseconds')}Z"
