"""What differs between two contents of one container, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, islice
from operator import is_not
from typing import Any, Final, NamedTuple, Protocol

from pytest_lambda_lifecycle.state.buffers import Verbatim
from pytest_lambda_lifecycle.state.identities import common_length, first_difference
from pytest_lambda_lifecycle.state.opaque import IDENTITY, identities

__all__ = ["MISSING", "Difference", "HasContents", "differences"]


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = _Missing()
"""In the place of a value that there is not."""
_SIMPLE: Final = identities(str, int, bytes, float, bool, type(None))


class HasContents(Protocol):
    """The contents of a container at one moment."""

    labels: Sequence[Any] | None
    values: list[Any]


class Difference(NamedTuple):
    """An entry that is another one than before; ``before`` or ``after`` may be `MISSING`."""

    label: Any
    before: Any
    after: Any


def differences(old: HasContents, new: HasContents) -> list[Difference]:
    """Return the entries that differ by identity."""
    if new.labels is None:
        return _of_sequences(old.values, new.values)
    if new.labels is new.values:
        return _of_sets(old.values, new.values)
    return _of_mappings(old, new)


def _of_sequences(old: list[Any], new: list[Any]) -> list[Difference]:
    start = common_length(old, new)
    if len(old) == len(new):
        return [Difference(index, old[index], new[index]) for index in _unequal(old, new, start)]
    end = _common_end(old, new, start)
    gone = old[start : len(old) - end]
    come = new[start : len(new) - end]
    found = [Difference(start + at, *pair) for at, pair in enumerate(zip(gone, come, strict=False))]
    both = len(found)
    found += [Difference(start + both + at, one, MISSING) for at, one in enumerate(gone[both:])]
    found += [Difference(start + both + at, MISSING, one) for at, one in enumerate(come[both:])]
    return found


def _unequal(old: list[Any], new: list[Any], start: int) -> Iterator[int]:
    """Yield the indices, from ``start`` on, at which two lists have different objects."""
    end = min(len(old), len(new))
    return compress(
        range(start, end), map(is_not, islice(old, start, end), islice(new, start, end))
    )


def _common_end(old: list[Any], new: list[Any], start: int) -> int:
    """Return how many of the last entries two lists have in common, beyond ``start`` ones."""
    return common_length(old[start:][::-1], new[start:][::-1])


def _of_sets(old: list[Any], new: list[Any]) -> list[Difference]:
    """Compare by identity first: an element that stays is nearly always the same object.

    One that is added leaves the order of the others, unless the set has to grow.
    """
    start = common_length(old, new)
    end = _common_end(old, new, start)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    before = dict(zip(map(IDENTITY, old), old, strict=False))
    after = dict(zip(map(IDENTITY, new), new, strict=False))
    gone = {_key(before[one]): before[one] for one in before.keys() - after.keys()}
    come = {_key(after[one]): after[one] for one in after.keys() - before.keys()}
    return [
        *(Difference(one, one, MISSING) for key, one in gone.items() if key not in come),
        *(Difference(one, MISSING, one) for key, one in come.items() if key not in gone),
    ]


def _of_mappings(old: HasContents, new: HasContents) -> list[Difference]:
    known, labels = _as_list(old.labels), _as_list(new.labels)
    start = common_length(known, labels)
    same = first_difference(old.values, new.values, start)
    found = [
        Difference(labels[index], old.values[index], new.values[index])
        for index in _unequal(old.values[:start], new.values[:start], same)
    ]
    if start == len(known) == len(labels):
        return found
    end = _common_end(known, labels, start)
    until, until_new = len(known) - end, len(labels) - end
    before = {
        _key(label): (label, value)
        for label, value in zip(known[start:until], old.values[start:until], strict=False)
    }
    pairs = zip(labels[start:until_new], new.values[start:until_new], strict=False)
    for label, value in pairs:
        _, earlier = before.pop(_key(label), (None, MISSING))
        if earlier is not value:
            found.append(Difference(label, earlier, value))
    found += [Difference(label, value, MISSING) for label, value in before.values()]
    tail, tail_new = old.values[until:], new.values[until_new:]
    found += [
        Difference(labels[until_new + index], tail[index], tail_new[index])
        for index in _unequal(tail, tail_new, first_difference(tail, tail_new, end))
    ]
    return found


def _as_list(labels: Sequence[Any] | None) -> list[Any]:
    return labels if type(labels) is list else list(labels or ())


def _key(label: Any) -> object:  # noqa: ANN401
    """Return what tells a label from others, without a comparison by its own class."""
    cls = type(label)
    if IDENTITY(cls) in _SIMPLE:
        return cls, label
    if cls is tuple and all(IDENTITY(type(one)) in _SIMPLE for one in label):
        return tuple, label
    if cls is Verbatim:
        return Verbatim, str(label)
    return IDENTITY(label)
