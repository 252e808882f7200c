"""Warm-ups: invokes before the first event of a test, which leave one event on the timeline.

They run as all invokes do, so function code cannot tell.  Then their phases and events are taken
away: an assertion of the test on invokes, calls or the log sees its own alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.lifecycle.events import (
    AtexitIgnored,
    Event,
    Replaced,
    SharedChange,
    SharedMemoryRefused,
    SharedModule,
    SuiteMode,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionRegistered,
    RegistrationRefused,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal, StorageExceeded, TmpWrite
from pytest_lambda_lifecycle.lifecycle.import_events import ForeignImport
from pytest_lambda_lifecycle.lifecycle.rules import State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.lifecycle.outcome import Request

__all__ = ["make_ready", "warm_up"]

_KEPT: Final = (
    AtexitIgnored,
    ExtensionRegistered,
    FileRefusal,
    ForeignImport,
    RegistrationRefused,
    Replaced,
    SharedChange,
    SharedMemoryRefused,
    SharedModule,
    StorageExceeded,
    TelemetrySubscription,
    TmpWrite,
)
"""Findings, of which most are recorded once: the invokes of the test would not show them again."""


def make_ready(conductor: Conductor) -> bool:
    """Run a first Init, and a first restore, which stay as they are: they are the test's own.

    Return whether they have succeeded: if not, the invoke of the test shows the failure.
    """
    __tracebackhide__ = True
    if conductor.state is State.NEW:
        conductor.initialize()
    if conductor.state is State.SNAPSHOT:
        conductor.restore()
    return conductor.state is State.READY


def warm_up(
    conductor: Conductor, requests: Iterable[Request], limit_us: int | None, marked: SuiteMode
) -> list[Event]:
    """Send requests to an environment that is ready; return the events that stay.

    ``marked`` is the event that stands for the invokes.
    """
    __tracebackhide__ = True
    state, timeline = conductor.environment_state, conductor.timeline
    first, phases = len(timeline), len(state.phases)
    failed: list[str] = []
    try:
        for request in requests:
            invocation = conductor.invoke(request, limit_us)
            if invocation.status != "success":
                failed.append(invocation.error_type)
        if not _is_ready(conductor):  # the invokes of the test begin in a process that runs
            conductor.initialize_anew()
    finally:
        if failed:
            marked.action += f"; {len(failed)} failed: {', '.join(dict.fromkeys(failed))}"
        marked.at = conductor.clock.now_us()
        kept = [event for event in timeline[first:] if isinstance(event, _KEPT)]
        timeline.replace_from(first, [*kept, marked])
        del state.phases[phases:]
        state.counted = 0, 0
    return [*kept, marked]


def _is_ready(conductor: Conductor) -> bool:
    return conductor.state is not State.RESET
