"""Calls as the text of a failure: by phase, each line of code once, with the number of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from pytest_lambda_lifecycle.lifecycle.call_events import (
    AwsClient,
    Call,
    Connection,
    NetworkRefusal,
)
from pytest_lambda_lifecycle.lifecycle.events import SpyCall
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.lifecycle.phases import Phase
from pytest_lambda_lifecycle.lifecycle.timeline_table import describe_call

__all__ = [
    "MOST",
    "Reach",
    "by_phase",
    "counted",
    "described",
    "invoke_in_words",
    "shortened",
]

Reach: TypeAlias = Call | AwsClient | Connection | NetworkRefusal | SpyCall
"""An event with a phase and a line of function code."""

T = TypeVar("T")
MOST: Final = 10
"""Phases that a text shows."""


def described(event: Reach) -> str:
    """Return the line of an event on the timeline; of a spied call its target and line."""
    if isinstance(event, SpyCall):
        return f"{event.target}, at {event.where}" if event.where else event.target
    return describe_call(event).strip()


def counted(events: Iterable[T], describe: Callable[[T], str]) -> list[str]:
    """Return the texts of events, equal ones once with their number."""
    counts = Counter(map(describe, events))
    return [f"{text}   x {count}" if count > 1 else text for text, count in counts.items()]


def by_phase(events: Iterable[Reach], phases: Sequence[Phase]) -> Iterator[str]:
    """Yield lines: each phase, and its events below.  ``phases`` are all of the environment."""
    groups: dict[tuple[str, int | None], list[Reach]] = {}
    for event in events:
        groups.setdefault((event.phase, event.invocation), []).append(event)
    invocations = [phase for phase in phases if isinstance(phase, Invocation)]
    shown = list(groups.items())
    for (phase, index), members in shown[:MOST]:
        label = phase or "between phases"
        if index is not None and index < len(invocations):
            label = invoke_in_words(index, invocations[index])
        yield f"  {label}:"
        yield from (f"    {line}" for line in counted(members, described))
    yield from shortened(len(shown), "phase")


def invoke_in_words(index: int, invocation: Invocation) -> str:
    """Return an invoke: ``"invoke 1 (warm, request 3f0c...)"``."""
    start = "cold" if invocation.cold_start else "warm"
    return f"invoke {index} ({start}, request {invocation.request_id})"


def shortened(count: int, noun: str) -> Iterator[str]:
    """Yield the line that stands for the items that a list leaves out, if there are any."""
    if count > MOST:
        yield f"  ({in_words(count - MOST, f'more {noun}')})"
