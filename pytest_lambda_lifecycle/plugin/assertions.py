"""Explanations of failed comparisons of a timeline or of phases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import cast

from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.phases import Phase, Phases
from pytest_lambda_lifecycle.lifecycle.timeline import Timeline, matches

__all__ = ["explain"]

# pytest cuts an explanation after about eight lines unless it runs with -vv.
_BEFORE, _AFTER = 1, 2


def explain(op: str, left: object, right: object, *, verbose: bool) -> list[str] | None:
    """Return the lines that pytest shows for ``left op right``; None if neither side is ours."""
    if op != "==":
        return None
    if isinstance(left, (Timeline, Phases)):
        actual, expected, swapped = left, right, False
    elif isinstance(right, (Timeline, Phases)):
        actual, expected, swapped = right, left, True
    else:
        return None
    kind = "timeline" if isinstance(actual, Timeline) else "phases"
    summary = f"expected == {kind}" if swapped else f"{kind} == expected"
    if not isinstance(expected, (Timeline, Phases, list, tuple)):
        return [
            summary,
            f"{kind} can be compared with a list, not with {type(expected).__name__}: {expected!r}",
        ]
    return [
        summary,
        *_comparison(actual, list(cast("Sequence[object]", expected)), verbose=verbose),
    ]


def _comparison(
    actual: Timeline | Phases, expected: Sequence[object], *, verbose: bool
) -> list[str]:
    same = _same(actual, expected)
    first = same.index(False) if False in same else len(same)
    rows = [
        (index, "" if index < len(same) and same[index] else ">", _text(have), _text(want))
        for index, (have, want) in enumerate(zip_longest(actual, expected, fillvalue=_MISSING))
    ]
    width = max([len("actual"), *(len(have) for _, _, have, _ in rows)])
    lines = [_headline(actual, expected, first), f"  {'':>4}  {'actual':<{width}}  expected"]
    start, stop = (0, len(rows)) if verbose else (max(0, first - _BEFORE), first + _AFTER + 1)
    if start:
        lines.append(f"  ({start} equal ones before; -vv shows all)")
    lines += [
        f"{mark:<1} {index:>4}  {have:<{width}}  {want}"
        for index, mark, have, want in rows[start:stop]
    ]
    if stop < len(rows):
        lines.append(f"  ({len(rows) - stop} more; -vv shows all)")
    return lines


def _same(actual: Timeline | Phases, expected: Sequence[object]) -> list[bool]:
    if isinstance(actual, Timeline):
        return matches(actual, expected)
    return [Phases([phase]) == [want] for phase, want in zip(actual, expected, strict=False)]


def _headline(actual: Timeline | Phases, expected: Sequence[object], first: int) -> str:
    if first < min(len(actual), len(expected)):
        return f"At index {first}: {_text(actual[first])}, not {_text(expected[first])}"
    more, fewer = ("actual", "expected") if len(actual) > len(expected) else ("expected", "actual")
    surplus = (actual if more == "actual" else expected)[first]
    return f"The {more} side goes on where the {fewer} side ends, at index {first}, with {_text(surplus)}"


_MISSING = object()


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
