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
from pytest_lambda_lifecycle.report.reading import Environment, Reading
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
    earlier: Sequence[Event] = (),
) -> Environment:
    """Read the events of a test; ``earlier`` are those of the environment in earlier tests."""
    reading = Reading(events[0].at if events else 0)
    if earlier:
        reading.why = next((_cause(e) for e in reversed(earlier) if type(e) in _CAUSES), "")
    _read(reading, events)
    return {
        "number": number,
        "function": plain(function, 200),
        "facts": plain(facts, 300),
        "made_at": plain(made_at, 300),
        "virtual": virtual,
        "start": reading.start,
        "phases": reading.phases,
        "left_out": reading.left_out,
        "inits": reading.inits,
        "cold": reading.cold,
        "warm": reading.warm,
        "leftovers": reading.leftovers,
        "changes": reading.changes,
        "slowest_init_us": reading.slowest_init_us,
    }


def _read(reading: Reading, events: Sequence[Event]) -> None:
    """Count all events, and read all but those in the middle of too many."""
    left_out = max(0, len(events) - MOST_EVENTS)
    head = MOST_EVENTS // 3
    for index, event in enumerate(events):
        reading.count(event)
        if left_out and head <= index < head + left_out:
            if index == head:
                reading.skip(left_out)
            continue
        read = _READS.get(type(event))
        if read is not None:
            read(reading, event)
        else:
            text = describe_call(event) or describe(event)
            reading.mark("function", event.name, event, shown(text.strip()))


# -- events ----------------------------------------------------------------------------------------


def _cause(event: Event) -> str:
    """Say why the Init after an event runs."""
    if isinstance(event, Reset):
        why = f"{event.reason} {event.error_type}".strip()
        return f"the environment was reset ({why})"
    if isinstance(event, ShutdownReport):
        return f"the environment had been shut down ({event.reason})"
    return "Lambda had taken the environment away" if isinstance(event, Recycled) else ""


_CAUSES: Final = frozenset({Reset, Recycled, ShutdownReport})


def _init_start(reading: Reading, event: InitStart) -> None:
    inside = " (suppressed: it counts as part of the invoke)" if event.phase == "invoke" else ""
    why = f"why: {reading.why}" if reading.why else ""
    text = "\n".join(filter(None, (f"{event.initialization_type}{inside}", why)))
    reading.begin("init", event, cold=True, text=text)


def _extension_init(reading: Reading, event: ExtensionInit) -> None:
    for name in event.extensions:
        reading.open_span(f"ext:{plain(name, 80)}", "extension init", event, "extension init")


def _runtime_init(reading: Reading, event: RuntimeInit) -> None:
    reading.open_span("runtime", "runtime init", event, f"runtime init: {event.runtime}")


def _function_init(reading: Reading, event: FunctionInit) -> None:
    reading.close_span("runtime", event)
    text = f"function init: {plain(event.handler, 200)}"
    reading.open_span("function", "function init", event, text)


def _init_runtime_done(reading: Reading, event: InitRuntimeDone) -> None:
    reading.close_span("runtime", event)
    reading.close_span("function", event, bad=event.status != "success")


def _init_report(reading: Reading, event: InitReport) -> None:
    status, text = reading.outcome(event.outcome)
    reading.end("init", event, event.status if status == "success" else status, text)


def _restore_start(reading: Reading, event: RestoreStart) -> None:
    reading.begin("restore", event, cold=True)


def _restore_report(reading: Reading, event: RestoreReport) -> None:
    status, text = reading.outcome(event.outcome)
    reading.end("restore", event, event.status if status == "success" else status, text)


def _invoke_start(reading: Reading, event: InvokeStart) -> None:
    why = f"cold: {reading.why}" if event.cold_start and reading.why else ""
    text = "\n".join(filter(None, (f"request {event.request_id}", why)))
    reading.begin("invoke", event, cold=event.cold_start, text=text)
    reading.open_span("function", "handler", event, "handler")


def _runtime_done(reading: Reading, event: RuntimeDone) -> None:
    status, text = reading.outcome(event.outcome)
    reading.close_span("function", event, bad=status != "success")
    if reading.phases:
        phase = reading.phases[-1]
        phase["status"] = status
        phase["text"] = "\n".join(filter(None, (phase["text"], text)))


def _invoke_report(reading: Reading, event: InvokeReport) -> None:
    lines = [] if event.failure is None else [reading.outcome(event.failure)[1]]
    reading.end("invoke", event, event.status, *lines)


def _shutdown_start(reading: Reading, event: ShutdownStart) -> None:
    text = f"{event.reason}, budget {event.budget_ms} ms"
    reading.begin("shutdown", event, text=text)


def _shutdown_report(reading: Reading, event: ShutdownReport) -> None:
    killed = ", ".join(plain(name, 80) for name in event.killed)
    reading.end("shutdown", event, event.status, f"killed: {killed}" if killed else "")
    reading.why = _cause(event)


def _reset(reading: Reading, event: Reset | Recycled) -> None:
    reading.why = _cause(event)
    reading.mark("platform", event.name, event, describe(event).strip(), bad=type(event) is Reset)


def _log(reading: Reading, event: FunctionLog) -> None:
    text = reading.text(event.text.rstrip("\n"))
    reading.mark("function", "log", event, f"{event.stream}: {text}")


def _call(reading: Reading, event: HttpCall | AwsCall) -> None:
    lane = "http" if isinstance(event, HttpCall) else "aws"
    bad = event.exception is not None or (event.status or 200) >= 400
    reading.span(lane, lane, event, event.duration_us, shown(describe_call(event).strip()), bad=bad)


def _leftover(reading: Reading, event: Leftover) -> None:
    text = shown(describe(event).strip())
    reading.mark("function", "leftover", event, text, bad=not event.idle)


def _state_change(reading: Reading, event: StateChange) -> None:
    text = f"{event.path}: {event.kind}" if event.path.startswith("os.environ") else str(event)
    reading.mark("function", "state", event, shown(text) + reading.line_of(event))


def _registered(reading: Reading, event: ExtensionRegistered) -> None:
    lane = f"ext:{plain(event.extension, 80)}"
    reading.close_span(lane, event)
    reading.mark(lane, event.name, event, shown(describe(event).strip()))


def _notified(reading: Reading, event: ExtensionNotified) -> None:
    kind = plain(str(event.event.get("eventType", "event")), 40)
    reading.open_span(f"ext:{plain(event.extension, 80)}", "extension", event, kind)


def _extension_done(reading: Reading, event: ExtensionDone) -> None:
    reading.close_span(f"ext:{plain(event.extension, 80)}", event)


def _extension_log(reading: Reading, event: ExtensionLog) -> None:
    lane = f"ext:{plain(event.extension, 80)}"
    reading.mark(lane, "log", event, reading.text(event.text.rstrip("\n")))


def _signal(reading: Reading, event: Signal) -> None:
    runtime = event.participant == "runtime"
    lane = "runtime" if runtime else f"ext:{plain(event.participant, 80)}"
    text = shown(describe(event).strip())
    reading.mark(lane, "signal", event, text, bad=event.signal == "SIGKILL")


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
