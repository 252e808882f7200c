"""`sys.path`: function code and the test may both change it while an environment is entered.

A change during a phase belongs to the function and stays with the environment.  A change between
phases belongs to the test and reaches the outside.

Function code may also delete `sys.path`, or put None there or into `sys.meta_path`.  Nobody can
import anything then, pytest included.  So such values are in place during phases alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["SearchPath", "sweep"]

_LEFT: Final[list[tuple[list[str], list[str]]]] = []
"""For each path that a test has changed: the entries of the environment, and the path outside."""


_LISTS: Final = ("path", "meta_path", "path_hooks")
"""The attributes of `sys` without which nobody can import anything."""
_SYS: Final[dict[str, Any]] = sys.__dict__
_read: Final = itemgetter(*_LISTS)
_DELETED: Final[Any] = object()


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
        self._odd: dict[str, Any] = {}
        """Attributes of `sys` that function code has deleted, or that are no lists any more."""
        self._lists: tuple[Any, ...] = ()
        """The lists in these attributes as they were found last."""
        self._expected: tuple[Any, ...] = ()
        """The same, if function code has left all of them."""

    def enter(self) -> Undo:
        outside = sys.path
        entries = list(outside)
        own = [*self._first, *(entry for entry, added in self._own.items() if added)]
        shared = [entry for entry in entries if entry not in own and self._own.get(entry, True)]
        before = [*own, *shared]
        sys.path = list(before)
        self._tests = {}
        self._seen = before
        self._lists = self._expected = _read(_SYS)
        if self._in_phase:
            self._put_odd()

        def leave() -> None:
            if self._in_phase:
                self._take_odd()
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
        self._odd = {}

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Import a module for this package while function code runs.

        A module in the task root must not pass for one of the standard library.
        """
        if self._in_phase:
            self._take_odd()
        inside = list(sys.path)
        sys.path[:] = [entry for entry in inside if entry not in self._first]
        try:
            yield
        finally:
            sys.path[:] = inside
            if self._in_phase:
                self._put_odd()

    def begin_phase(self) -> None:
        if sys.path != self._seen:
            self._look()
        if self._odd:
            self._put_odd()
        self._in_phase = True

    def _look(self) -> None:
        """Attribute changes since the last phase to the test."""
        self._tests |= {entry: False for entry in self._seen if entry not in sys.path}
        self._tests |= {entry: True for entry in sys.path if entry not in self._seen}

    def end_phase(self) -> None:
        self._in_phase = False
        try:
            same = _read(_SYS) == self._expected
        except Exception:  # one was deleted, or is an object that cannot be compared
            same = False
        if not same:
            self._take_odd()
        self._seen = list(sys.path)

    def _take_odd(self) -> None:
        """Put the lists of before in the places of values that are no lists."""
        self._odd = {}
        for name, before in zip(_LISTS, self._lists, strict=True):
            value = getattr(sys, name, _DELETED)
            if not isinstance(value, list):
                self._odd[name] = value
                setattr(sys, name, list(self._seen) if name == "path" else before)
        self._lists = self._expected = _read(_SYS)

    def _put_odd(self) -> None:
        self._expected = ()  # so that the end of the phase looks whether they are there still
        for name, value in self._odd.items():
            if value is _DELETED:
                delattr(sys, name)
            else:
                setattr(sys, name, value)


def sweep() -> None:
    """Remove entries of environments that a tool has restored after they had left.

    Call it when a test has ended and no environment is entered.
    """
    for own, outside in _LEFT:
        if not set(own).isdisjoint(sys.path):
            sys.path[:] = [entry for entry in sys.path if entry not in own or entry in outside]
    _LEFT.clear()
