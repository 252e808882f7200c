"""The random numbers of `random`: each process of the function draws its own.

On Lambda the system seeds each new process.  Here each one is seeded from a number that the report
of a failed test shows, the name of the environment and the number of the process in it.  So no two
processes draw the same numbers, and a run can be repeated.  Nothing else is random by this seed:
`uuid.uuid4`, `secrets` and `os.urandom` ask the system, and NumPy has a generator of its own.

With SnapStart there is one snapshot, and its generator goes on in each environment that is restored
from it.  All of them draw the same numbers, so there the name and the number are left out.
"""

from __future__ import annotations

import _random
import itertools
import os
import random
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.generator_state import read_state, write_state
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["RandomNumbers", "Seed"]

_generator: Final[Any] = random._inst


def _seed(text: str) -> None:
    """Seed by a text, as `random.seed` does, which hashes it first and takes twice as long."""
    _random.Random.seed(_generator, int.from_bytes(text.encode(), "big"))
    _generator.gauss_next = None


_made: Final = itertools.count(1)
"""Numbers for environments without a name."""


class Seed(NamedTuple):
    """The seed of a run, and the name of an environment in it."""

    number: int
    name: str

    @classmethod
    def of_system(cls, number: int | None = None) -> Seed:
        """Return a seed for an environment without a name; the system chooses the number."""
        if number is None:
            number = int.from_bytes(os.urandom(4), "big")
        return cls(number, f"environment {next(_made)}")


class RandomNumbers(Part):
    """The state of the generator behind the functions of `random`."""

    def __init__(self, seed: Seed, *, snapshot: str = "") -> None:
        """``snapshot`` names the version with SnapStart; ``""`` is none."""
        self._seed = seed
        self._snapshot = snapshot
        self._processes = itertools.count(1)
        self._own: Any = None

    def enter(self) -> Undo:
        outside = read_state()
        if self._own is None:
            _seed(self._first())
        else:
            write_state(self._own)

        def leave() -> None:
            if not Part.ending:
                self._own = read_state()
            write_state(outside)

        return leave

    def _first(self) -> str:
        number, name = self._seed
        if self._snapshot:
            return f"{number} {self._snapshot}"
        return f"{number} {name} {next(self._processes)}"

    def discard(self) -> None:
        self._own = None
