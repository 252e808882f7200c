"""The timeline as bars and marks in lanes, before somebody draws them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

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
    RestoreReport,
    RestoreStart,
    RuntimeDone,
    RuntimeInit,
    ShutdownReport,
    ShutdownStart,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionDone, ExtensionNotified
from pytest_lambda_lifecycle.lifecycle.plain_text import plain
from pytest_lambda_lifecycle.lifecycle.redaction import redacted_text
from pytest_lambda_lifecycle.lifecycle.timeline_table import describe, describe_call

__all__ = ["Shape", "Stretch", "lanes_of", "stretches"]

_BEGINS: Final = {
    InitStart: "init",
    RestoreStart: "restore",
    InvokeStart: "invoke",
    ShutdownStart: "shutdown",
}
_ENDS: Final = (InitReport, RestoreReport, InvokeReport, ShutdownReport)
_FIRST_LANES: Final = ("platform", "runtime", "function")
_LAST_LANES: Final = ("HTTP", "AWS")
_LONGEST: Final = 300
_LOOKED_AT: Final = 4 * _LONGEST
"""Secrets are looked for in a longer text than is shown: a cut would hide where one ends."""


class Shape(NamedTuple):
    """A bar, or a mark if it has no end, in a lane."""

    lane: str
    began: int
    """Microseconds since the epoch."""
    ended: int | None
    text: str
    bad: bool = False


class Stretch(NamedTuple):
    """A phase."""

    kind: str
    """``init``, ``restore``, ``invoke`` or ``shutdown``."""
    began: int
    ended: int
    title: str
    status: str
    shapes: Sequence[Shape]


def stretches(events: Iterable[Event]) -> list[Stretch]:
    """Return the phases in order, with what happened in each."""
    found: list[Stretch] = []
    inside: list[Event] = []
    for event in events:
        if type(event) in _BEGINS:
            inside = [event]
        elif inside:
            inside.append(event)
            if isinstance(event, _ENDS):
                found.append(_stretch(inside))
                inside = []
    if inside:  # the phase still runs
        found.append(_stretch(inside))
    return found


def lanes_of(found: Iterable[Stretch]) -> list[str]:
    """Return the lanes from top to bottom: the platform first, calls last."""
    used = dict.fromkeys(shape.lane for stretch in found for shape in stretch.shapes)
    extensions = [lane for lane in used if lane not in _FIRST_LANES + _LAST_LANES]
    return [*_FIRST_LANES, *extensions, *(lane for lane in _LAST_LANES if lane in used)]


def _stretch(events: Sequence[Event]) -> Stretch:
    first, last = events[0], events[-1]
    kind = _BEGINS[type(first)]
    title = kind.capitalize()
    if isinstance(first, InvokeStart):
        title += " (cold)" if first.cold_start else " (warm)"
    ended = max(last.at, first.at)
    status = next((one for one in map(_status, reversed(events)) if one), "success")
    shapes = list(_shapes(events, ended, bad=status != "success"))
    return Stretch(kind, first.at, ended, title, status, shapes)


def _status(event: Event) -> str:
    """Return how an event says that a phase has failed; ``""`` if it does not say so."""
    if isinstance(event, (*_ENDS, InitRuntimeDone, RuntimeDone)) and event.status != "success":
        return event.status
    return ""


def _shapes(events: Sequence[Event], ended: int, *, bad: bool) -> Iterator[Shape]:
    first, last = events[0], events[-1]
    yield Shape("platform", first.at, ended, f"{_text(first)}; {_text(last)}", bad)
    done = [one for one in events if isinstance(one, (InitRuntimeDone, RuntimeDone))]
    runtime_ended = done[0].at if done else ended
    failed = bool(done) and done[0].status != "success"
    for index, event in enumerate(events[:-1]):
        if isinstance(event, (RuntimeInit, RestoreStart)):
            until = next(
                (one.at for one in events[index:] if isinstance(one, FunctionInit)), runtime_ended
            )
            yield Shape("runtime", event.at, until, _text(event))
        elif isinstance(event, FunctionInit):
            yield Shape("function", event.at, runtime_ended, _text(event), failed)
        elif isinstance(event, InvokeStart):
            yield Shape("runtime", event.at, runtime_ended, "the runtime has the event")
            yield Shape("function", event.at, runtime_ended, "the handler runs", failed)
        elif index > 0:
            yield from _shape(event, events[index:])


def _shape(event: Event, following: Sequence[Event]) -> Iterator[Shape]:
    """Yield the shape of an event that is neither the begin of a phase nor of a part of it."""
    if isinstance(event, (HttpCall, AwsCall)):
        lane = "HTTP" if isinstance(event, HttpCall) else "AWS"
        failed = event.exception is not None or (event.status or 0) >= 400
        yield Shape(lane, event.at, event.at + event.duration_us, _text(event), failed)
    elif isinstance(event, ExtensionNotified):
        until = next((one.at for one in following if _is_done(one, event.extension)), None)
        yield Shape(_lane(event.extension), event.at, until, _text(event))
    elif not isinstance(event, (ExtensionDone, InitRuntimeDone, RuntimeDone, ExtensionInit)):
        extension = getattr(event, "extension", None)
        lane = "function" if extension is None else _lane(extension)
        failed = extension is not None and bool(getattr(event, "error_type", ""))
        yield Shape(lane, event.at, None, _text(event), failed)


def _is_done(event: Event, extension: str) -> bool:
    return isinstance(event, ExtensionDone) and event.extension == extension


def _lane(extension: str) -> str:
    return f"extension {plain(extension, 40)}"


def _text(event: Event) -> str:
    """Return what the table says of an event, without secrets in its log, and on one line."""
    if isinstance(event, FunctionLog):
        return plain(f"{event.stream}: {redacted_text(event.text[:_LOOKED_AT]).rstrip()}", _LONGEST)
    return plain((describe_call(event) or describe(event)).strip(), _LONGEST)
