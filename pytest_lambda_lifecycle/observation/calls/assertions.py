"""Assertions about calls: which hosts and services a phase reached, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.call_events import (
    AwsCall,
    Call,
    Connection,
    HttpCall,
    NetworkRefusal,
)
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.phases import PHASE_NAMES, Phase
from pytest_lambda_lifecycle.lifecycle.redaction import redacted_url
from pytest_lambda_lifecycle.observation.calls.own_api import is_own_api
from pytest_lambda_lifecycle.observation.calls.tally import by_phase, invoke_in_words

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["assert_calls", "assert_no_network"]

Reached: TypeAlias = Call | Connection | NetworkRefusal

_CONTEXT: Final = 3
"""Equal calls that a difference shows around each change."""


def assert_no_network(
    phase: str | Phase | None, timeline: Timeline, phases: Sequence[Phase], api: str
) -> None:
    """Assert that nothing was reached but the environment's own APIs, at the address ``api``."""
    __tracebackhide__ = True
    name = _in_words(phase, phases)
    events = _events(phase, timeline, phases, f"cannot say whether {name} reached out")
    reached = [
        event
        for event in events
        if not (isinstance(event, HttpCall) and is_own_api(event.url, api))
    ]
    if reached:
        times = "once" if len(reached) == 1 else f"{len(reached)} times"
        raise AssertionError("\n".join([f"{name} reached out {times}", *by_phase(reached, phases)]))


def assert_calls(
    phase: str | Phase | None, expected: Sequence[str], timeline: Timeline, phases: Sequence[Phase]
) -> None:
    """Assert that the HTTP requests and AWS calls of a phase are the expected ones, in order."""
    __tracebackhide__ = True
    name = _in_words(phase, phases)
    asked = f"cannot compare the calls of {name}"
    for item in expected:
        if not isinstance(item, str):
            raise LifecycleError(
                f"{asked} with {item!r}: a call is text, such as 'dynamodb.PutItem' or "
                "'GET https://config.example/v1'",
                f"Give each call as an argument of its own: {_example(phase)}.",
                code="LLC832",
            )
    events = _events(phase, timeline, phases, asked)
    calls = [event for event in events if isinstance(event, HttpCall | AwsCall)]
    wanted = [redacted_url(item) for item in expected]
    if wanted != [str(call) for call in calls]:
        counts = f"{len(wanted)} expected, {len(calls)} made"
        lines = _difference(wanted, calls, of_several=phase in (None, "invoke"))
        raise AssertionError(
            "\n".join([f"{name} made other calls than expected ({counts}):", *lines])
        )


# -- phases ----------------------------------------------------------------------------------------


def _in_words(phase: str | Phase | None, phases: Sequence[Phase]) -> str:
    """Return the phase for a message, in which "reached" or "made" follows it."""
    invocations = [past for past in phases if isinstance(past, Invocation)]
    for index, invocation in enumerate(invocations):
        if invocation is phase:
            return invoke_in_words(index, invocation)
    if isinstance(phase, Phase):
        return phase.name
    return {None: "function code", "invoke": "invokes"}.get(phase, str(phase))


def _example(phase: object) -> str:
    name = phase.name if isinstance(phase, Phase) else phase
    return f"env.assert_calls({name!r}, 'dynamodb.GetItem', 'dynamodb.PutItem')"


def _events(
    phase: str | Phase | None, timeline: Timeline, phases: Sequence[Phase], asked: str
) -> list[Reached]:
    """Return the events of a phase, or of all phases of one kind; refuse a phase that never ran."""
    __tracebackhide__ = True
    ran = sorted({past.name for past in phases}, key=PHASE_NAMES.index)
    so_far = f"the phases so far are {', '.join(ran)}" if ran else "no phase has run"
    if isinstance(phase, Phase):
        if not any(past is phase for past in phases):
            raise LifecycleError(
                f"{asked}: {phase!r} is a phase of another environment", code="LLC304"
            )
        return [event for event in phase.events if isinstance(event, Reached)]
    reached = [event for event in timeline if isinstance(event, Reached)]
    if phase is None:
        if not ran:
            raise LifecycleError(f"{asked}: {so_far}; invoke first", code="LLC304")
        return reached
    if phase not in PHASE_NAMES:
        known = ", ".join(map(repr, PHASE_NAMES))
        raise LifecycleError(
            f"{asked}: there is no phase {phase!r}; the phases are {known}, or None for all",
            code="LLC304",
        )
    if phase not in ran:
        raise LifecycleError(f"{asked}: there was no {phase}; {so_far}", code="LLC304")
    return [event for event in reached if event.phase == phase]


# -- the difference --------------------------------------------------------------------------------


def _difference(
    wanted: Sequence[str], calls: Sequence[HttpCall | AwsCall], *, of_several: bool
) -> Iterator[str]:
    """Yield the lines of a difference: calls that are equal, missing or unexpected."""
    from difflib import SequenceMatcher  # no suite without a difference pays for it

    made = [str(call) for call in calls]
    for _, first, last, begin, end in SequenceMatcher(
        None, wanted, made, autojunk=False
    ).get_opcodes():
        if wanted[first:last] == made[begin:end]:
            yield from _abridged(_folded(f"  {text}" for text in wanted[first:last]))
            continue
        yield from _folded(f"- {text}  (missing)" for text in wanted[first:last])
        yield from _folded(_unexpected(call, of_several) for call in calls[begin:end])


def _unexpected(call: HttpCall | AwsCall, of_several: bool) -> str:
    where = f", at {call.where}" if call.where else ""
    invoke = f", in invoke {call.invocation}" if of_several and call.phase == "invoke" else ""
    return f"+ {call}{where}  (unexpected{invoke})"


def _folded(lines: Iterable[str]) -> list[str]:
    """Return lines, a run of equal ones once with its number."""
    runs = [(line, sum(1 for _ in run)) for line, run in groupby(lines)]
    return [f"{line}   x {count}" if count > 1 else line for line, count in runs]


def _abridged(lines: list[str]) -> list[str]:
    """Leave out lines in the middle of many that are equal on both sides."""
    hidden = len(lines) - 2 * _CONTEXT
    if hidden <= 1:
        return lines
    return [*lines[:_CONTEXT], f"  ({hidden} equal lines)", *lines[-_CONTEXT:]]
