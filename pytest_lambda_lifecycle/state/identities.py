"""Compares two lists by the identity of their entries, at the speed of memory.

``map(is_not, one, other)`` takes 10 ns for each pair: 10 ms for a million, several times for each
invoke.  The entries of a list are addresses that lie one behind the other, and `memoryview`
compares those in a tenth of the time.  Only lists of this package are compared in this way: nobody
else can change one of them in between.  Where memory does not look as expected, `map` compares.
"""

from __future__ import annotations

from itertools import compress, count
from operator import is_not
from typing import Any, Final

__all__ = ["common_length", "first_difference"]

_LARGE: Final = 2048
"""Entries from which it is worth to look at memory."""


def _find_view() -> Any:  # noqa: ANN401
    """Return a function that makes a view of a list's entries; None where that is not possible."""
    try:
        import ctypes
    except ImportError:
        return None
    pointer = object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)  # behind the length
    if list.__basicsize__ < pointer + ctypes.sizeof(ctypes.c_void_p):
        return None
    address_at, numbers = ctypes.c_void_p.from_address, ctypes.c_uint64

    def view(one: list[Any]) -> memoryview:
        start = address_at(id(one) + pointer).value or 0
        return memoryview((numbers * len(one)).from_address(start)).cast("B").cast("Q")

    return view if _shows_identities(view) else None


def _shows_identities(view: Any) -> bool:  # noqa: ANN401
    entries = [object() for _ in range(5)]
    try:
        return all(
            view(found).tolist() == list(map(id, found)) for found in (entries, entries[1:3])
        )
    except (TypeError, ValueError, OverflowError):
        return False


_view: Final[Any] = _find_view()


def first_difference(one: list[Any], other: list[Any], length: int) -> int:
    """Return the first index below ``length`` at which two lists differ, else ``length``."""
    if _view is None or length < _LARGE:
        return next(compress(count(), map(is_not, one[:length], other)), length)
    left, right = _view(one), _view(other)
    start, end = 0, length
    if left[:end] == right[:end]:
        return length
    while end - start > 1:
        middle = (start + end) // 2
        if left[start:middle] == right[start:middle]:
            start = middle
        else:
            end = middle
    return start


def common_length(one: list[Any], other: list[Any]) -> int:
    """Return how many entries two lists have in common, from the first one on."""
    return first_difference(one, other, min(len(one), len(other)))
