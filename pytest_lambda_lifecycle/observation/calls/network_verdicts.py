"""The check of refusals at the end of a test: those that function code has swallowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_lambda_lifecycle.errors import NetworkRefused
from pytest_lambda_lifecycle.lifecycle.call_events import NetworkRefusal
from pytest_lambda_lifecycle.observation.calls.network_guard import (
    host_of,
    moment_in_words,
    ways_out,
)
from pytest_lambda_lifecycle.observation.calls.network_libraries import exceptions_behind
from pytest_lambda_lifecycle.observation.evidence import Evidence, Verdict

__all__ = ["check_network"]


def check_network(evidence: Evidence) -> Iterator[Verdict]:
    """Yield a verdict on swallowed refusals, and one for each host reached with a warning."""
    events = evidence.timeline[evidence.first :]
    refusals = [event for event in events if type(event) is NetworkRefusal]
    if not refusals:
        return
    swallowed = _swallowed(refusals, evidence)
    if swallowed:
        text = _text("function code swallowed this refusal of the network", swallowed)
        yield Verdict(text, fails=evidence.config.network == "strict", kind="refusal")
    reached: dict[str, list[NetworkRefusal]] = {}
    for event in refusals:
        if not event.refused:
            reached.setdefault(host_of(event.target), []).append(event)
    for events_of_host in reached.values():
        text = _text("function code reached the network", events_of_host)
        yield Verdict(text, fails=False)


def _swallowed(refusals: Iterable[NetworkRefusal], evidence: Evidence) -> list[NetworkRefusal]:
    """Return the refusals whose exception neither left function code nor caused one that did."""
    seen = {
        id(error)
        for phase in evidence.phases
        for error in exceptions_behind(getattr(phase, "exception", None))
    }
    swallowed: list[NetworkRefusal] = []
    for event in refusals:
        error = event.exception
        # An exception that leaves an extension in its shutdown belongs to no phase.
        if isinstance(error, NetworkRefused) and not error._has_left and id(error) not in seen:
            swallowed.append(event)
    return swallowed


def _text(fact: str, events: Sequence[NetworkRefusal]) -> str:
    counts: dict[str, int] = {}
    hosts: dict[str, None] = {}
    for event in events:
        line = f"  {event} ({moment_in_words(event)})"
        counts[line] = counts.get(line, 0) + 1
        hosts[host_of(event.target)] = None
    lines = [line if count == 1 else f"{line}, {count} times" for line, count in counts.items()]
    return "\n".join([f"{fact}:", *lines, *ways_out(*hosts)])
