"""The timeline as a table: one line for each event, as a failed test prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.argument_text import value_text
from pytest_lambda_lifecycle.lifecycle.call_events import (
    AwsCall,
    AwsClient,
    Connection,
    HttpCall,
    NetworkRefusal,
)
from pytest_lambda_lifecycle.lifecycle.events import (
    AtexitIgnored,
    Event,
    FunctionInit,
    FunctionLog,
    InitReport,
    InitStart,
    InvokeReport,
    InvokeStart,
    Leftover,
    LogLevelOfTest,
    Recycled,
    Replaced,
    Reset,
    RestoreReport,
    RuntimeDone,
    RuntimeInit,
    SharedChange,
    SharedMemoryRefused,
    SharedModule,
    ShutdownReport,
    ShutdownStart,
    SnapshotCopy,
    SpyCall,
    SuiteMode,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionRegistered,
    ExtensionState,
    LogsDropped,
    RegistrationRefused,
    Signal,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal, StorageExceeded, TmpWrite
from pytest_lambda_lifecycle.lifecycle.import_events import ForeignImport
from pytest_lambda_lifecycle.lifecycle.outcome import Outcome, TimedOut
from pytest_lambda_lifecycle.lifecycle.plain_text import plain
from pytest_lambda_lifecycle.lifecycle.platform_lines import in_ms
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange

__all__ = ["describe", "describe_call", "render"]


_LONGEST: Final = 10_000
"""The characters of a line: function code may log megabytes without an end of line."""


def render(events: Iterable[Event]) -> str:
    """Return a readable table: one line per event, with the time since the first in ms.

    A run of equal calls is one line, with the time of the first and their number.
    """
    lines: list[str] = []
    begin: int | None = None
    for event, text in _folded(events):
        begin = event.at if begin is None else begin
        offset = f"{(event.at - begin) / 1000:10.3f} ms  "
        text_lines = [plain(line, _LONGEST) for line in text.splitlines()] or [""]
        lines.append(offset + text_lines[0])
        lines.extend(" " * len(offset) + more for more in text_lines[1:])
    return "\n".join(lines)


def _folded(events: Iterable[Event]) -> Iterator[tuple[Event, str]]:
    """Yield events with their texts; of a run of equal calls the first alone, with their number."""
    for call, run in groupby(events, describe_call):
        if not call:
            yield from ((event, describe(event)) for event in run)
            continue
        first, *others = run
        yield first, f"{call}   x {len(others) + 1}" if others else call


def describe(event: Event) -> str:
    """Return the text of one event, as its line or lines show it; calls have `describe_call`."""
    described = (
        _describe_phase(event)
        or _describe_function(event)
        or _describe_file(event)
        or _describe_extension(event)
    )
    return described or f"  {event.name.replace('_', ' ')}"


def _describe_phase(event: Event) -> str:
    """Describe the begin or the end of a phase, or of a part of one."""
    match event:
        case InitStart(initialization_type=kind, phase=phase):
            return f"Init ({kind})" + (" inside the invoke" if phase == "invoke" else "")
        case RuntimeInit(runtime=runtime):
            return f"  runtime init: {runtime}"
        case FunctionInit(handler=handler):
            return f"  function init: {handler}"
        case InitReport() | RestoreReport():
            phase = "Init" if isinstance(event, InitReport) else "Restore"
            result = _result(event.status, event.error_type)
            return f"{phase} ended: {result}, {in_ms(event.duration_us)}{_cut_at(event.outcome)}"
        case InvokeStart(request_id=request_id, cold_start=cold):
            return f"Invoke ({'cold' if cold else 'warm'}): request {request_id}"
        case RuntimeDone(outcome=outcome):
            return f"  runtime done: {_result(event.status, event.error_type)}{_cut_at(outcome)}"
        case InvokeReport():
            billed = rules.billed_ms(event.duration_us, event.init_us)
            failed = ""
            if event.failure is not None:
                failed = f" {_result(event.status, event.error_type)},"
            return f"Invoke ended:{failed} {in_ms(event.duration_us)}, billed {billed} ms"
        case ShutdownStart(reason=reason, budget_ms=budget):
            return f"Shutdown ({reason}), budget {budget} ms"
        case ShutdownReport():
            killed = f", killed: {', '.join(event.killed)}" if event.killed else ""
            return f"Shutdown ended: {event.status}, {in_ms(event.duration_us)}{killed}"
        case Reset(reason=reason, error_type=error_type):
            return f"Reset ({_result(reason, error_type)}): globals are gone, /tmp stays"
        case SnapshotCopy(copied=copied, own=own):
            anew = f"; made anew, and different: {', '.join(own)}" if own else ""
            return f"Snapshot of another environment: {len(copied)} values copied{anew}"
        case SuiteMode(mode=mode, action=action):
            return f"--lambda-lifecycle-{mode}: {action}"
        case Recycled(log_stream=log_stream):
            return f"Recycled: a new environment, log stream {log_stream}"
    return ""


def _cut_at(outcome: Outcome) -> str:
    """Return the line of function code at which a timeout has cut the turn."""
    return _at(outcome.where) if isinstance(outcome, TimedOut) else ""


def _describe_function(event: Event) -> str:
    """Describe an event that function code has caused."""
    match event:
        case FunctionLog(stream=stream, text=text):
            return "\n".join(f"  {stream}: {line}" for line in text.splitlines())
        case SpyCall(exception=exception, result=result):
            if exception:
                return f"  spy: {event} raised {value_text(exception)}"
            return f"  spy: {event} returned {type(result).__name__}"
        case AtexitIgnored(function=function):
            return f"  atexit: {function} will not run (Lambda ends the process without it)"
        case SharedMemoryRefused(call=call, where=where):
            return f"  {call}: function not implemented (no /dev/shm on Lambda){_at(where)}"
        case LogLevelOfTest(level=level, instead_of=instead_of):
            return f"  log level {level}: the test has set it (on Lambda: {instead_of})"
        case Leftover():
            idle = " (idle)" if event.idle else ""
            return f"  left running{idle}: {event.kind} {event.label}, started at {event.where}"
        case StateChange():
            return f"  state: {event}"
        case Replaced(target=target):
            return f"  replaced: {target} is another object than after init"
        case SharedChange(target=target, library=library):
            text = f"  changed: {target}, which is shared (undone outside this environment)"
            if library:
                text += f"; if {library} does so once in a process: fresh_packages = {library}"
            return text
        case SharedModule(module=module, reason=reason):
            return f"  shared: {module} ({reason})"
        case ForeignImport(module=module, refused=refused, where=where):
            did = "no module named" if refused else "imported"
            return f"  {did} {module!r}: {event.path} is not deployed{_at(where)}"
    return ""


def _describe_file(event: Event) -> str:
    """Describe an event of function code that changes files."""
    match event:
        case FileRefusal(refused=refused, where=where):
            did = "read-only file system" if refused else "read-only file system (not refused)"
            return f"  {did}: {event}" + (f", at {where}" if where else "")
        case TmpWrite(path=path, where=where, stays=stays):
            at = f", at {where}" if where else ""
            return f"  wrote {path}, outside env.tmp{at}" + ("; it stays" if stays else "")
        case StorageExceeded(used_bytes=used, limit_mb=limit):
            return f"  /tmp is full: {used} bytes, ephemeral_storage is {limit} MB"
    return ""


_DONE: Final = {
    "connect to": "connected to",
    "look up": "looked up",
    "send a datagram to": "sent a datagram to",
}
"""The verbs of connections, in the past."""


def describe_call(event: Event) -> str:
    """Describe an event of function code that reaches out; return ``""`` for any other event."""
    match event:
        case HttpCall(matched=matched):
            mocked = " (mocked)" if matched else ""
            return f"  {event}: {event.result}{_after(event.attempts)}{mocked}{_at(event.where)}"
        case AwsCall():
            return f"  {event}: {event.result}{_after(event.attempts)}{_at(event.where)}"
        case AwsClient():
            return f"  made {event}{_at(event.where)}"
        case Connection(asked=asked):
            return f"  {_DONE.get(asked, asked)} {event}{_at(event.where)}"
        case NetworkRefusal(refused=refused):
            did = "network refused" if refused else "network (not refused)"
            return f"  {did}: {event}{_at(event.where)}"
    return ""


def _after(attempts: int) -> str:
    return f" after {attempts} attempts" if attempts > 1 else ""


def _at(where: str) -> str:
    return f", at {where}" if where else ""


def _describe_extension(event: Event) -> str:
    """Describe an event of an extension."""
    match event:
        case ExtensionRegistered(extension=name, events=events, internal=internal):
            kind = "internal " if internal else ""
            return f"  {kind}extension {name}: registered for {_listed(events)}"
        case RegistrationRefused(extension=name, error_type=error_type):
            return f"  internal extension {name}: registered too late, {error_type}"
        case ExtensionState(extension=name, state=state, error_type=error_type):
            return f"  extension {name}: {_result(state, error_type)}"
        case ExtensionNotified(extension=name, event=event_sent):
            reason = event_sent.get("shutdownReason")
            why = f" ({reason})" if reason else ""
            return f"  extension {name}: notified of {event_sent.get('eventType', 'an event')}{why}"
        case ExtensionDone(extension=name, duration_us=duration_us):
            return f"  extension {name}: done after {in_ms(duration_us)}"
        case ExtensionFault(extension=name, error_type=error_type, detail=detail):
            return f"  extension {name}: {error_type}" + (f", {detail}" if detail else "")
        case ExtensionLog(extension=name, text=text):
            return "\n".join(f"  {name}: {line}" for line in text.splitlines())
        case TelemetrySubscription(extension=name, api=api, types=types):
            through = f"the {api.capitalize()} API"
            return f"  extension {name}: subscribed through {through} to {_listed(types)}"
        case LogsDropped(extension=name, records=count, size=size, reason=reason):
            return f"  extension {name}: {count} records ({size} bytes) did not reach it: {reason}"
        case Signal(participant=participant, signal=signal, outcome=outcome):
            return f"  {signal} to {participant}" + (f": {outcome}" if outcome else "")
    return ""


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


def _result(status: str, error_type: str) -> str:
    return f"{status} {error_type}" if error_type else status
