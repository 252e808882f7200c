"""The log lines of the platform (START, END, REPORT and others), made from the timeline.

Here is also the error that the platform reports itself, such as that of a timeout; the words of its
message are in `rules`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionLog,
    InitReport,
    InitStart,
    InvokeReport,
    InvokeStart,
    RestoreReport,
    RestoreStart,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionLog,
    ExtensionState,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.outcome import (
    EXIT_ERROR,
    TIMED_OUT,
    Exited,
    ExtensionFailed,
    Outcome,
    TimedOut,
)

__all__ = ["in_ms", "log_text", "platform_error", "report_line"]


def platform_error(request_id: str, outcome: Outcome) -> tuple[str, str]:
    """Return type and message of the platform's error: a process ended, or its time was up."""
    if isinstance(outcome, TimedOut):
        kind = TIMED_OUT
        message = rules.timeout_message(outcome.limit)
    elif isinstance(outcome, ExtensionFailed):
        kind, message = outcome.error_type, outcome.message
    else:
        code = outcome.exit_code if isinstance(outcome, Exited) else 1
        kind = EXIT_ERROR
        message = rules.exit_message(code)
    return kind, f"RequestId: {request_id} Error: {message}"


def log_text(events: Iterable[Event]) -> str:
    """Return the text that CloudWatch shows of these events (Lambda "Log formats").

    The tabs are those of real logs.
    """
    lines: list[str] = []
    for event in events:
        text = _log_lines(event)
        if text:
            # A platform line is an event of its own, also after a print(end="").
            if type(event) is not FunctionLog and lines and not lines[-1].endswith("\n"):
                lines.append("\n")
            lines.append(text)
    return "".join(lines)


def _log_lines(event: Event) -> str:
    match event:
        case FunctionLog(text=text):
            return text
        case InvokeStart(request_id=request_id, version=version):
            return f"START RequestId: {request_id} Version: {version}\n"
        case InvokeReport():
            return f"END RequestId: {event.request_id}\n{report_line(event)}\n"
        case InitReport() if rules.init_writes_report(event.initialization_type, event.status):
            return _with_failure(
                f"INIT_REPORT Init Duration: {in_ms(event.duration_us)}\tPhase: {event.phase}",
                event,
            )
        case RestoreReport():
            return _with_failure(
                f"RESTORE_REPORT Restore Duration: {in_ms(event.duration_us)}", event
            )
        case InitStart(phase="init", runtime=runtime):  # a suppressed init has no line of its own
            return f"INIT_START Runtime Version: {runtime.replace('python', 'python:')}\n"
        case RestoreStart():
            return "RESTORE_START\n"
        case ExtensionLog(text=text):
            return text
        case ExtensionState():
            return _extension_line(event)
        case TelemetrySubscription(extension=name, api=api, types=types):
            listed = ", ".join(kind.capitalize() for kind in types)
            return f"{api.upper()}\tName: {name}\tState: Subscribed\tTypes: [{listed}]\n"
    return ""


def _extension_line(event: ExtensionState) -> str:
    events = ", ".join(event.events)
    line = f"EXTENSION\tName: {event.extension}\tState: {event.state}\tEvents: [{events}]"
    return f"{line}\tError Type: {event.error_type}\n" if event.error_type else f"{line}\n"


def _with_failure(line: str, event: InitReport | RestoreReport) -> str:
    if event.status != "success":
        line += f"\tStatus: {event.status}"
    elif isinstance(event, InitReport):
        return f"{line}\n"
    return f"{line}\tError Type: {event.error_type}\n" if event.error_type else f"{line}\n"


def report_line(report: InvokeReport) -> str:
    """Return the REPORT line.

    Memory is not measured: ``Max Memory Used`` repeats the memory size, as AWS's emulator does.
    """
    memory = f"Memory Size: {report.memory_size} MB\tMax Memory Used: {report.memory_size} MB"
    billed = rules.billed_ms(report.duration_us, report.init_us)
    line = f"REPORT RequestId: {report.request_id}\tDuration: {in_ms(report.duration_us)}"
    line += f"\tBilled Duration: {billed} ms\t{memory}"
    if report.init_us is not None:
        line += f"\tInit Duration: {in_ms(report.init_us)}"
    if report.restore_us is not None:
        billed = -(-report.restore_us // 1000)
        line += f"\tRestore Duration: {in_ms(report.restore_us)}"
        line += f"\tBilled Restore Duration: {billed} ms"
    if report.status != "success":
        line += f"\tStatus: {report.status}"
    if report.error_type:
        line += f"\tError Type: {report.error_type}"
    return line


def in_ms(microseconds: int) -> str:
    """Return a length of time as REPORT writes it: ``"4.05 ms"``."""
    return f"{microseconds / 1000:.2f} ms"
