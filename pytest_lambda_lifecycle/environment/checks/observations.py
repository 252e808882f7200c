"""The outcome of an invoke as a tree of plain values, and the differences between two of them."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.environment.checks.paths import Ignored, Index, Path
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, HttpCall
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation

__all__ = ["MISSING", "Comparison", "Difference", "Seen", "compare", "observe"]

_decode: Final = json.JSONDecoder().decode  # a test may have replaced json.loads
MISSING: Final = type("Missing", (), {"__repr__": lambda self: "nothing"})()
"""Stands for a value that one side does not have."""
_LONG: Final = 1000
"""Lists of more items are compared as a whole, which is a hundred times as fast."""
_REQUEST_ID: Final = "<request id>"


class Seen(NamedTuple):
    """The outcome of one invoke: payload (under ``""``) or error, and what else is asked for."""

    parts: dict[str, Any]
    request_id: str
    """It differs by its nature, so a text stands for it where values are compared."""


class Difference(NamedTuple):
    """A place at which two outcomes differ."""

    path: Path
    cold: object
    warm: object


class Comparison(NamedTuple):
    """The differences between two outcomes, and how many values were compared."""

    differences: list[Difference]
    compared: int


def observe(invocation: Invocation, *, logs: bool, calls: bool) -> Seen:
    """Return the outcome of an invoke."""
    parts: dict[str, Any] = {}
    if invocation.status == "success":
        parts[""] = invocation.payload
    else:
        error = invocation.error or {}
        parts["error"] = {
            "errorType": error.get("errorType", invocation.error_type),
            "errorMessage": error.get("errorMessage", ""),
        }
    if logs:
        text = "".join(event.text for event in invocation.events if isinstance(event, FunctionLog))
        parts["log"] = text.splitlines()
    if calls:
        made = [event for event in invocation.events if isinstance(event, HttpCall | AwsCall)]
        parts["calls"] = [f"{call}: {call.result}" for call in made]
    return Seen(parts, invocation.request_id)


def compare(cold: Seen, warm: Seen, ignored: Ignored, left_out: Collection[Path]) -> Comparison:
    """Find the innermost differences.  Text that is JSON on both sides is looked into."""
    found: list[Difference] = []
    compared = 0
    todo: list[Difference] = [
        Difference(
            (part,) if part else (), cold.parts.get(part, MISSING), warm.parts.get(part, MISSING)
        )
        for part in dict.fromkeys([*cold.parts, *warm.parts])
    ]
    while todo:  # no recursion: function code may nest as deep as JSON can
        path, one, other = todo.pop()
        if path in left_out or (path and ignored.covers(path, one if other is MISSING else other)):
            continue
        if isinstance(one, list) and len(one) > _LONG and one == other:
            compared += 1
            continue
        inner = _inner(path, one, other)
        if inner:
            todo += reversed(inner)
            continue
        compared += 1
        if not _are_equal(_anonymous(one, cold), _anonymous(other, warm)):
            found.append(Difference(path, one, other))
    return Comparison(found, compared)


def _inner(path: Path, one: Any, other: Any) -> list[Difference]:  # noqa: ANN401
    """Return the pairs of values in two containers of one kind; none for anything else."""
    if isinstance(one, str) and isinstance(other, str) and one[:1] in "{[" and one[:1]:
        one, other = _from_json(one), _from_json(other)
    if isinstance(one, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*one, *other])
        return [
            Difference((*path, key), one.get(key, MISSING), other.get(key, MISSING)) for key in keys
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [Difference((*path, Index(at, len(one))), *pair) for at, pair in pairs]
    return []


def _from_json(text: str) -> Any:  # noqa: ANN401
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return text


def _anonymous(value: object, seen: Seen) -> object:
    if isinstance(value, str) and seen.request_id:
        return value.replace(seen.request_id, _REQUEST_ID)
    return value


def _are_equal(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):  # True == 1, and JSON tells them apart
        return one is other
    return one == other or (one != one and other != other)  # NaN differs from itself
