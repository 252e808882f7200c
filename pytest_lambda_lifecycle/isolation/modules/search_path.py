"""`sys.path`: changes of function code stay with the environment, changes of the test stay with the
test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["SearchPath", "sweep"]

_PATHS: Final[list[tuple[list[str], list[str]]]] = []
"""For each search path: the environment's own entries, and the outside's."""


class SearchPath(PhasePart):
    """`sys.path`: the task root and the layers come first, then what the outside has."""

    def __init__(self, first: Sequence[str]) -> None:
        self._first = list(first)
        self._added: list[str] = []
        self._removed: set[str] = set()
        self._test_added: list[str] = []
        self._test_removed: set[str] = set()
        self._seen: list[str] = []
        self._in_phase = False

    def enter(self) -> Undo:
        outside, entries = sys.path, list(sys.path)
        own = [*self._first, *self._added]
        sys.path = inside = [*own, *(e for e in entries if e not in own and e not in self._removed)]
        self._test_added, self._test_removed = [], set()
        before = self._seen = list(inside)

        def leave() -> None:
            self._look()
            now = sys.path
            self._added += [
                e
                for e in now
                if e not in before and e not in self._test_added and e not in self._added
            ]
            self._removed |= {e for e in before if e not in now and e not in self._test_removed}
            sys.path = outside
            if self._test_added or self._test_removed:
                _PATHS.append((own, entries))
            kept = [e for e in entries if e not in self._test_removed]
            sys.path[:] = [*(e for e in self._test_added if e not in kept), *kept]

        return leave

    def discard(self) -> None:
        self._added, self._removed = [], set()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Import something of ours amid function code, whose modules must not pass for the standard
        library's.
        """
        inside = list(sys.path)
        sys.path[:] = [entry for entry in inside if entry not in self._first]
        try:
            yield
        finally:
            sys.path[:] = inside

    def begin_phase(self) -> None:
        """Take what has changed since the last phase as the test's."""
        if sys.path != self._seen:
            self._look()
        self._in_phase = True

    def _look(self) -> None:
        if not self._in_phase and sys.path != self._seen:
            self._test_added += [e for e in sys.path if e not in self._seen]
            self._test_removed |= {e for e in self._seen if e not in sys.path}
            self._test_added = [e for e in self._test_added if e not in self._test_removed]

    def end_phase(self) -> None:
        """Remember what function code leaves."""
        self._in_phase = False
        self._seen = list(sys.path)


def sweep() -> None:
    """Take entries of environments out that were put back too late: ``monkeypatch`` may undo after
    they have left.

    Call it when a test has ended and no environment is entered.
    """
    for own, outside in _PATHS:
        if not set(own).isdisjoint(sys.path):
            sys.path[:] = [entry for entry in sys.path if entry not in own or entry in outside]
    _PATHS.clear()
