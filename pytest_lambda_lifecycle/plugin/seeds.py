"""The seed of a test run, from which the function's processes get their random numbers."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from pytest_lambda_lifecycle.isolation.parts.random_numbers import Seed

__all__ = ["seed_for"]

_key: Final[pytest.StashKey[_Seeds]] = pytest.StashKey()
"""On the config: the seeds of this run, from the first environment on."""


def seed_for(config: pytest.Config, node_id: str, number: int | None) -> Seed:
    """Return the seed of the next environment that a test, class, module or session makes.

    ``number`` is the one that was set, or None.  pytest-randomly has a seed for each run, which
    counts next, so that its option repeats the random numbers of the function too.
    """
    seeds = config.stash.get(_key, None)
    if seeds is None:
        seeds = config.stash[_key] = _Seeds(config)
    return seeds.next(node_id, number)


class _Seeds:
    """The seed of the run, and the number of environments that each node has made.

    The numbers go on where a test runs again: with the random numbers of its first run a flaky test
    would fail each time.
    """

    def __init__(self, config: pytest.Config) -> None:
        of_randomly = getattr(config.option, "randomly_seed", None)
        self._number = of_randomly if isinstance(of_randomly, int) else Seed.of_system().number
        self._made: Counter[str] = Counter()

    def next(self, node_id: str, number: int | None) -> Seed:
        self._made[node_id] += 1
        name = f"{node_id} {self._made[node_id]}"
        return Seed(self._number if number is None else number, name)
