"""What the imports of an Init cost: `ImportTime`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["ImportSpan", "ImportTime", "import_times"]


class ImportTime(NamedTuple):
    """What the import of one module has cost: it was looked for, and its code ran."""

    name: str
    """The dotted name of the module."""
    own_ms: float
    """The time without that of the modules that it has imported in its turn, in ms."""
    cumulative_ms: float
    """The time with that of the modules that it has imported in its turn, in ms."""


class ImportSpan(list[Any]):
    """One import: its name, begin, end and thread, and its number in the order of begins.

    The moments are nanoseconds.  Virtual time may stand still while modules import each other, so
    the moments alone do not say which one came first.  It is a list, which is made faster than any
    object with attributes.
    """

    __slots__ = ()


def import_times(spans: Sequence[ImportSpan]) -> list[ImportTime]:
    """Return what each import has cost, in the order in which the imports began.

    Imports of one thread lie inside each other, and each counts for the one around it.  Those of
    two threads have nothing to do with each other.
    """
    inner = [0] * len(spans)
    order = sorted(range(len(spans)), key=lambda index: int(spans[index][4]))
    around: dict[int, list[int]] = {}
    for index in order:
        _, began, ended, thread, _ = spans[index]
        outer = around.setdefault(thread, [])
        while outer and spans[outer[-1]][2] < ended:
            outer.pop()
        if outer:
            inner[outer[-1]] += ended - began
        outer.append(index)
    return [_time(spans[index], inner[index]) for index in order]


def _time(span: ImportSpan, inner_ns: int) -> ImportTime:
    name, began, ended, _, _ = span
    total = max(ended - began, 0)
    return ImportTime(name, max(total - inner_ns, 0) / 1e6, total / 1e6)
