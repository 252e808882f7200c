"""What an environment did in one test, read from its timeline once, when the test ends.

A phase holds its spans and marks by the order of events and not by their moments: in virtual time a
whole lifecycle may take no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, HttpCall
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    ExtensionInit,
    FunctionInit,
    FunctionLog,
    InitReport,
    InitRuntimeDone,
    InitStart,
    InvokeReport,
    InvokeStart,
    Leftover,
    Recycled,
    Reset,
    RestoreReport,
    RestoreStart,
    RuntimeDone,
    RuntimeInit,
    ShutdownReport,
    ShutdownStart,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionLog,
    ExtensionNotified,
    ExtensionRegistered,
    Signal,
)
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.lifecycle.timeline_table import describe, describe_call
from pytest_lambda_lifecycle.report.reading import FIRST, Environment, Reading
from pytest_lambda_lifecycle.report.texts import plain, shown

__all__ = ["MOST_EVENTS", "what_happened"]

MOST_EVENTS: Final = 600
"""The events of an environment that are kept of a test: the first, and twice as many last ones."""


def what_happened(
    events: Sequence[Event],
    *,
    number: int,
    function: str,
    facts: str,
    made_at: str,
    virtual: bool,
    why: str = FIRST,
    moments: Sequence[int] | None = None,
) -> tuple[Environment, str]:
    """Read the events of a test; return what happened, and why a next Init would run.

    ``why`` is what the read of the environment's earlier test returned.  ``moments`` are those of
    the events in another time than their own.
    """
    if moments is None:
        moments = [event.at for event in events]
    reading = Reading(moments[0] if moments else 0, why)
    _read(reading, events, moments)
    environment: Environment = {
        "number": number,
        "function": plain(function, 200),
        "facts": plain(facts, 300),
        "made_at": plain(made_at, 300),
        "virtual": virtual,
        "start": reading.start,
        "phases": reading.phases,
        "left_out": reading.left_out,
        "cold": reading.cold,
        "warm": reading.warm,
        "leftovers": reading.leftovers,
        "changes": reading.changes,
        "slowest_init_us": reading.slowest_init_us,
    }
    return environment, reading.why


def _read(reading: Reading, events: Sequence[Event], moments: Sequence[int]) -> None:
    """Read all events but those in the middle of too many, which are counted alone."""
    left_out = max(0, len(events) - MOST_EVENTS)
    first = MOST_EVENTS // 3 if left_out else len(events)
    start = reading.start
    for event, moment in zip(events[:first], moments, strict=False):
        reading.now = max(0, moment - start)
        _READS.get(type(event), _other)(reading, event)
    if left_out:
        reading.skip(left_out)
        for event in events[first : first + left_out]:
            reading.count(event)
        rest = first + left_out
        for event, moment in zip(events[rest:], moments[rest:], strict=False):
            reading.now = max(0, moment - start)
            _READS.get(type(event), _other)(reading, event)


# -- events ----------------------------------------------------------------------------------------


def _other(reading: Reading, event: Event) -> None:
    text = describe_call(event) or describe(event)
    extension = getattr(event, "extension", None)
    lane = "function" if extension is None else f"ext:{plain(extension, 80)}"
    bad = extension is not None and bool(getattr(event, "error_type", ""))
    reading.mark(lane, event.name, shown(text.strip()), bad=bad)


def _cause(event: Event) -> str:
    """Say why the Init after an event runs."""
    if isinstance(event, Reset):
        why = f"{event.reason} {event.error_type}".strip()
        return f"the environment was reset ({why})"
    if isinstance(event, ShutdownReport):
        return f"the environment had been shut down ({event.reason})"
    return "Lambda had taken the environment away" if isinstance(event, Recycled) else ""


def _init_start(reading: Reading, event: InitStart) -> None:
    inside = " (suppressed: it counts as part of the invoke)" if event.phase == "invoke" else ""
    why = f"why: {reading.why}" if reading.why else ""
    reading.cold_because, reading.why = reading.why, ""
    text = "\n".join(filter(None, (f"{event.initialization_type}{inside}", why)))
    reading.begin("init", cold=True, text=text)


def _extension_init(reading: Reading, event: ExtensionInit) -> None:
    for name in event.extensions:
        reading.open_span(f"ext:{plain(name, 80)}", "extension init", "extension init")


def _runtime_init(reading: Reading, event: RuntimeInit) -> None:
    reading.open_span("runtime", "runtime init", f"runtime init: {event.runtime}")


def _function_init(reading: Reading, event: FunctionInit) -> None:
    reading.close_span("runtime")
    text = f"function init: {plain(event.handler, 200)}"
    reading.open_span("function", "function init", text)


def _init_runtime_done(reading: Reading, event: InitRuntimeDone) -> None:
    reading.close_span("runtime")
    reading.close_span("function", bad=event.status != "success")


def _init_report(reading: Reading, event: InitReport) -> None:
    reading.count(event)
    status, text = reading.outcome(event.outcome)
    reading.end("init", event.status if status == "success" else status, text)


def _restore_start(reading: Reading, event: RestoreStart) -> None:
    reading.begin("restore", cold=True)


def _restore_report(reading: Reading, event: RestoreReport) -> None:
    status, text = reading.outcome(event.outcome)
    reading.end("restore", event.status if status == "success" else status, text)


def _invoke_start(reading: Reading, event: InvokeStart) -> None:
    reading.count(event)
    because = reading.cold_because if event.cold_start else ""
    reading.cold_because = ""
    why = f"cold: {because}" if because else ""
    text = f"request {event.request_id}\n{why}" if why else f"request {event.request_id}"
    reading.begin("invoke", cold=event.cold_start, text=text)
    reading.open_span("function", "handler", "handler")


def _runtime_done(reading: Reading, event: RuntimeDone) -> None:
    status, text = reading.outcome(event.outcome)
    reading.close_span("function", bad=status != "success")
    phase = reading.phases[-1] if reading.phases else None
    if phase is not None and phase["kind"] == "invoke":
        phase["status"] = status
        phase["text"] = f"{phase['text']}\n{text}" if text else phase["text"]


def _invoke_report(reading: Reading, event: InvokeReport) -> None:
    if event.failure is None:
        reading.end("invoke", event.status)
        return
    status, text = reading.outcome(event.failure)
    reading.end("invoke", status, text)
    reading.phases[-1]["status"] = status


def _shutdown_start(reading: Reading, event: ShutdownStart) -> None:
    text = f"{event.reason}, budget {event.budget_ms} ms"
    reading.begin("shutdown", text=text)


def _shutdown_report(reading: Reading, event: ShutdownReport) -> None:
    killed = ", ".join(plain(name, 80) for name in event.killed)
    reading.end("shutdown", event.status, f"killed: {killed}" if killed else "")
    reading.why = _cause(event)


def _reset(reading: Reading, event: Reset | Recycled) -> None:
    reading.why = _cause(event)
    reading.mark("platform", event.name, describe(event).strip(), bad=type(event) is Reset)


def _log(reading: Reading, event: FunctionLog) -> None:
    text = reading.text(event.text.rstrip("\n"))
    reading.mark("function", "log", f"{event.stream}: {text}")


def _call(reading: Reading, event: HttpCall | AwsCall) -> None:
    lane = "http" if isinstance(event, HttpCall) else "aws"
    bad = event.exception is not None or (event.status or 200) >= 400
    reading.span(lane, lane, event.duration_us, plain(describe_call(event).strip()), bad=bad)


def _leftover(reading: Reading, event: Leftover) -> None:
    reading.count(event)
    text = shown(describe(event).strip())
    reading.mark("function", "leftover", text, bad=not event.idle)


def _state_change(reading: Reading, event: StateChange) -> None:
    reading.count(event)
    text = f"{event.path}: {event.kind}" if event.path.startswith("os.environ") else str(event)
    reading.mark("function", "state", shown(text) + reading.line_of(event))


def _registered(reading: Reading, event: ExtensionRegistered) -> None:
    lane = f"ext:{plain(event.extension, 80)}"
    reading.close_span(lane)
    reading.mark(lane, event.name, shown(describe(event).strip()))


def _notified(reading: Reading, event: ExtensionNotified) -> None:
    kind = plain(str(event.event.get("eventType", "event")), 40)
    reading.open_span(f"ext:{plain(event.extension, 80)}", "extension", kind)


def _extension_done(reading: Reading, event: ExtensionDone) -> None:
    reading.close_span(f"ext:{plain(event.extension, 80)}")


def _extension_log(reading: Reading, event: ExtensionLog) -> None:
    lane = f"ext:{plain(event.extension, 80)}"
    reading.mark(lane, "log", reading.text(event.text.rstrip("\n")))


def _signal(reading: Reading, event: Signal) -> None:
    runtime = event.participant == "runtime"
    lane = "runtime" if runtime else f"ext:{plain(event.participant, 80)}"
    text = shown(describe(event).strip())
    reading.mark(lane, "signal", text, bad=event.signal == "SIGKILL")


_READS: Final[dict[type[Event], Callable[[Reading, Any], None]]] = {
    InitStart: _init_start,
    ExtensionInit: _extension_init,
    RuntimeInit: _runtime_init,
    FunctionInit: _function_init,
    InitRuntimeDone: _init_runtime_done,
    InitReport: _init_report,
    RestoreStart: _restore_start,
    RestoreReport: _restore_report,
    InvokeStart: _invoke_start,
    RuntimeDone: _runtime_done,
    InvokeReport: _invoke_report,
    ShutdownStart: _shutdown_start,
    ShutdownReport: _shutdown_report,
    Reset: _reset,
    Recycled: _reset,
    FunctionLog: _log,
    HttpCall: _call,
    AwsCall: _call,
    Leftover: _leftover,
    StateChange: _state_change,
    ExtensionRegistered: _registered,
    ExtensionNotified: _notified,
    ExtensionDone: _extension_done,
    ExtensionLog: _extension_log,
    Signal: _signal,
}
