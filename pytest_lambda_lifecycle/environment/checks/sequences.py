"""The orders in which events are sent to one environment."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

__all__ = ["Step", "sequences"]

Step: TypeAlias = "int | str"
"""The index of an event, or what is done before the next one: idle, reset, recycle."""

_MOST_PAIRS: Final = 6
"""With more events than this, not each one follows each other one."""


def sequences(count: int, actions: Sequence[str]) -> Iterator[Sequence[Step]]:
    """Yield the sequences that are run, each in one environment.

    ``count`` is the number of events, and ``actions`` are done before events.
    """
    order = list(range(count))
    yield [*order, *order]
    if count > 1:
        yield order[::-1]
        if count <= _MOST_PAIRS:
            yield list(_each_after_each(count))
        else:
            shuffling = random.Random(count)  # the same orders in each run
            for _ in range(2):
                yield shuffling.sample(order, count)
    for action in actions:
        sequence: list[Step] = [0]
        for index in [*order[1:], 0]:
            sequence += [action, index]
        yield sequence


def _each_after_each(count: int) -> Iterator[int]:
    """Yield indexes so that each one follows each one, itself too: a walk along all pairs."""
    left = {index: list(range(count)) for index in range(count)}
    trail, walk = [0], list[int]()
    while trail:
        after = left[trail[-1]]
        if after:
            trail.append(after.pop())
        else:
            walk.append(trail.pop())
    return iter(walk)
