"""`sys.path`: function code and the test may both change it while an environment is entered.

A change during a phase belongs to the function and stays with the environment.  A change between
phases belongs to the test and reaches the outside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["SearchPath", "sweep"]

_LEFT: Final[list[tuple[list[str], list[str]]]] = []
"""For each path that a test has changed: the entries of the environment, and the path outside."""


class SearchPath(PhasePart):
    """`sys.path`: the task root and the layers come first, then the entries of the test."""

    def __init__(self, first: Sequence[str]) -> None:
        self._first = list(first)
        self._own: dict[str, bool] = {}
        """The entries that function code has added (True) or removed (False)."""
        self._tests: dict[str, bool] = {}
        """The same for the test, since the environment has entered."""
        self._seen: list[str] = []
        self._in_phase = False

    def enter(self) -> Undo:
        outside = sys.path
        entries = list(outside)
        own = [*self._first, *(entry for entry, added in self._own.items() if added)]
        shared = [entry for entry in entries if entry not in own and self._own.get(entry, True)]
        before = [*own, *shared]
        sys.path = list(before)
        self._tests = {}
        self._seen = before

        def leave() -> None:
            if not self._in_phase and sys.path != self._seen:
                self._look()
            tests = self._tests
            now = sys.path
            self._own |= {e: True for e in now if e not in before and not tests.get(e)}
            self._own |= {e: False for e in before if e not in now and tests.get(e, True)}
            if tests:
                _LEFT.append((own, entries))
            kept = [entry for entry in entries if tests.get(entry, True)]
            added = [entry for entry, there in tests.items() if there and entry not in kept]
            sys.path = outside
            sys.path[:] = [*added, *kept]

        return leave

    def discard(self) -> None:
        self._own = {}

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Import a module for this package while function code runs.

        A module in the task root must not pass for one of the standard library.
        """
        inside = list(sys.path)
        sys.path[:] = [entry for entry in inside if entry not in self._first]
        try:
            yield
        finally:
            sys.path[:] = inside

    def begin_phase(self) -> None:
        if sys.path != self._seen:
            self._look()
        self._in_phase = True

    def _look(self) -> None:
        """Attribute changes since the last phase to the test."""
        self._tests |= {entry: False for entry in self._seen if entry not in sys.path}
        self._tests |= {entry: True for entry in sys.path if entry not in self._seen}

    def end_phase(self) -> None:
        self._in_phase = False
        self._seen = list(sys.path)


def sweep() -> None:
    """Remove entries of environments that a tool has restored after they had left.

    Call it when a test has ended and no environment is entered.
    """
    for own, outside in _LEFT:
        if not set(own).isdisjoint(sys.path):
            sys.path[:] = [entry for entry in sys.path if entry not in own or entry in outside]
    _LEFT.clear()
