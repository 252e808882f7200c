"""The patchers that are in force: those of `unittest.mock`, and pytest's `MonkeyPatch`.

pytest-mock uses the patchers of `unittest.mock`.  Neither library lists the patchers that are in
force inside a ``with`` block, a decorated function or a fixture.  So from the first test on that
uses an environment, each patcher is noted when it begins.  Those that began earlier, in a fixture
of the session, are looked for among all objects: once, and only when they are asked for, since that
takes milliseconds.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakSet

import pytest

from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["Patchers"]

_BEGINNINGS: Final = {"_patch": "__enter__", "MonkeyPatch": "__init__"}
"""The method that each class of patchers calls before it patches, by the name of the class."""


class Patchers:
    """Notes each patcher that begins, until it is closed."""

    def __init__(self) -> None:
        self._noted: WeakSet[Any] = WeakSet()
        self._monkeypatches: WeakSet[pytest.MonkeyPatch] = WeakSet()
        """The noted ones that go on patching after they have begun."""
        self._begun = 0
        self._undo: dict[type, Undo] = {}
        """How to stop watching each class of patchers."""
        self._earlier: list[type] = []
        """The classes of which patchers may have begun before they were watched."""

    def watch(self) -> None:
        """Note from now on each patcher that begins, of the libraries that are loaded."""
        for cls in (pytest.MonkeyPatch, getattr(sys.modules.get("unittest.mock"), "_patch", None)):
            if cls is not None and cls not in self._undo:
                self._undo[cls] = self._note(cls, _BEGINNINGS[cls.__name__])
                self._earlier.append(cls)

    def close(self) -> None:
        """Stop watching."""
        while self._undo:
            self._undo.popitem()[1]()

    def in_force(self) -> Iterator[tuple[object, str]]:
        """Yield each attribute that is patched now: its object and its name."""
        self.watch()
        if self._earlier:
            # An instance refers to its class.
            for referrer in gc.get_referrers(*self._earlier):
                if type(referrer) in self._earlier:
                    self._add(referrer)
            self._earlier.clear()
        yield from self.noted()

    def noted(self) -> Iterator[tuple[object, str]]:
        """Yield each attribute that is patched by a patcher that has been noted."""
        for patcher in list(self._noted):
            if isinstance(patcher, pytest.MonkeyPatch):
                for target, name, _ in patcher._setattr:
                    yield target, name
            elif "temp_original" in vars(patcher):  # it has this as long as it is in force
                yield patcher.target, patcher.attribute

    def state(self) -> object:
        """Return a value that is equal to the previous one as long as nothing else is patched.

        It costs less than to look at each patch, which would take as long as an invoke.
        """
        return self._begun, [
            id(monkeypatch._setattr[-1])
            for monkeypatch in self._monkeypatches
            if monkeypatch._setattr
        ]

    def _add(self, patcher: Any) -> None:  # noqa: ANN401
        self._noted.add(patcher)
        self._begun += 1
        if isinstance(patcher, pytest.MonkeyPatch):
            self._monkeypatches.add(patcher)

    def _note(self, cls: type, method: str) -> Undo:
        """Wrap the method through which a patcher begins, and return how to undo that."""
        original = vars(cls)[method]
        add = self._add

        def begin(self: object, *arguments: object) -> object:
            __tracebackhide__ = True
            add(self)
            return original(self, *arguments)

        return patch_attributes((cls, method, begin))
