"""The explanation of a failed comparison with a timeline or with phases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, TypeAlias, cast

from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.phases import Phase, Phases
from pytest_lambda_lifecycle.lifecycle.timeline import Timeline, matches

__all__ = ["explain"]

Recorded: TypeAlias = Timeline | Phases

# pytest cuts an explanation after about eight lines unless it runs with -vv, so few rows are shown
# around the first difference.
_ROWS_BEFORE: Final = 1
_ROWS_AFTER: Final = 2
_MISSING: Final = object()
"""The item of the shorter side."""


class _Row(NamedTuple):
    """One index of both sides."""

    number: int
    equal: bool
    actual: str
    expected: str

    def line(self, width: int) -> str:
        mark = " " if self.equal else ">"
        return f"{mark} {self.number:>4}  {self.actual:<{width}}  {self.expected}"


def explain(op: str, left: object, right: object, *, verbose: bool) -> list[str] | None:
    """Return the lines that pytest shows for ``left op right``.

    None if neither side is a timeline, phases or an invocation, and for other operators than
    ``==``.
    """
    if op != "==":
        return None
    if isinstance(left, Invocation) is not isinstance(right, Invocation):
        return _payload_meant(left, right)
    if isinstance(left, Recorded):
        kind = _kind(left)
        return [f"{kind} == expected", *_explanation(left, right, kind, verbose=verbose)]
    if isinstance(right, Recorded):
        kind = _kind(right)
        return [f"expected == {kind}", *_explanation(right, left, kind, verbose=verbose)]
    return None


def _payload_meant(left: object, right: object) -> list[str]:
    invocation = left if isinstance(left, Invocation) else right
    assert isinstance(invocation, Invocation)
    other = right if invocation is left else left
    equal = invocation.payload == other
    return [
        f"an Invocation is compared with {type(other).__name__}",
        f"The handler's result is its payload, {invocation.payload!r}, which is "
        f"{'equal' if equal else 'not equal, too'}: compare env.invoke(event).payload.",
    ]


def _kind(actual: Recorded) -> str:
    return "timeline" if isinstance(actual, Timeline) else "phases"


def _explanation(actual: Recorded, expected: object, kind: str, *, verbose: bool) -> list[str]:
    if isinstance(expected, (Timeline, Phases, list, tuple)):
        items = list(cast("Sequence[object]", expected))
        return _comparison(actual, items, verbose=verbose)
    given = type(expected).__name__
    return [f"{kind} can be compared with a list, not with {given}: {expected!r}"]


def _comparison(actual: Recorded, expected: Sequence[object], *, verbose: bool) -> list[str]:
    equal = _equal_items(actual, expected)
    first = equal.index(False) if False in equal else len(equal)
    rows = [
        _Row(index, index < len(equal) and equal[index], _text(have), _text(want))
        for index, (have, want) in enumerate(zip_longest(actual, expected, fillvalue=_MISSING))
    ]
    width = max([len("actual"), *(len(row.actual) for row in rows)])
    start = 0 if verbose else max(0, first - _ROWS_BEFORE)
    stop = len(rows) if verbose else first + _ROWS_AFTER + 1
    lines = [_headline(actual, expected, first), f"  {'':>4}  {'actual':<{width}}  expected"]
    if start:
        lines.append(f"  ({start} equal ones before; -vv shows all)")
    lines += [row.line(width) for row in rows[start:stop]]
    if stop < len(rows):
        lines.append(f"  ({len(rows) - stop} more; -vv shows all)")
    return lines


def _equal_items(actual: Recorded, expected: Sequence[object]) -> list[bool]:
    """Say of each index that both sides have whether its items are equal."""
    if isinstance(actual, Timeline):
        return matches(actual, expected)
    return [Phases([phase]) == [want] for phase, want in zip(actual, expected, strict=False)]


def _headline(actual: Recorded, expected: Sequence[object], first: int) -> str:
    if first < min(len(actual), len(expected)):
        return f"At index {first}: {_text(actual[first])}, not {_text(expected[first])}"
    if len(actual) > len(expected):
        return _surplus("actual", "expected", first, actual[first])
    return _surplus("expected", "actual", first, expected[first])


def _surplus(longer: str, shorter: str, index: int, item: object) -> str:
    return (
        f"The {longer} side goes on where the {shorter} side ends, at index {index}, "
        f"with {_text(item)}"
    )


def _text(item: object) -> str:
    if item is _MISSING:
        return "-"
    if isinstance(item, str):
        return item
    if isinstance(item, type):
        return item.__name__
    if isinstance(item, Invocation):
        return f"{item.name} ({'cold' if item.cold_start else 'warm'}, {item.status})"
    if isinstance(item, Phase):
        return f"{item.name} ({item.status})"
    name = getattr(item, "name", None)
    return name if isinstance(name, str) else repr(item)
