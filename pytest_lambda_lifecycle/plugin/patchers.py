"""Patchers that are in force: those of `unittest.mock` (and so pytest-mock's), and pytest's
`MonkeyPatch`.

Neither tells which of its patchers are in force inside a ``with`` block, a decorated function or a
fixture.  So from the first test on that uses an environment, each one is noted as it begins; those
that began earlier (in a fixture of the session) are looked for among all objects, once, and only
when somebody asks.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakSet

import pytest

from pytest_lambda_lifecycle.isolation.patching import Undo, replace_attributes

__all__ = ["Patchers"]

_BEGINNINGS: Final = {"_patch": "__enter__", "MonkeyPatch": "__init__"}
"""The classes of patchers, with the method that each of them goes through before it patches."""


class Patchers:
    """Notes patchers until it is closed."""

    def __init__(self) -> None:
        self._noted: WeakSet[Any] = WeakSet()
        self._monkeypatches: WeakSet[pytest.MonkeyPatch] = WeakSet()
        """Those of them that go on patching after they have begun."""
        self._begun = 0
        self._undo: dict[type, Undo] = {}
        self._earlier: list[type] = []
        """Classes of which there may be patchers that began before they were watched."""

    def watch(self) -> None:
        """Note from now on what begins, of the libraries that are loaded."""
        for cls in (pytest.MonkeyPatch, getattr(sys.modules.get("unittest.mock"), "_patch", None)):
            if cls is not None and cls not in self._undo:
                self._undo[cls] = self._note(cls, _BEGINNINGS[cls.__name__])
                self._earlier.append(cls)

    def close(self) -> None:
        """Watch no longer."""
        while self._undo:
            self._undo.popitem()[1]()

    def in_force(self) -> Iterator[tuple[object, str]]:
        """Yield what is patched by now, as object and attribute."""
        self.watch()
        if self._earlier:
            for one in [
                one for one in gc.get_referrers(*self._earlier) if type(one) in self._earlier
            ]:
                self._add(one)
            self._earlier.clear()
        yield from self.noted()

    def noted(self) -> Iterator[tuple[object, str]]:
        """Yield what is patched by now by patchers that began while they were watched."""
        for one in list(self._noted):
            if isinstance(one, pytest.MonkeyPatch):
                for target, name, _ in one._setattr:
                    yield target, name
            elif "temp_original" in vars(one):  # it has this as long as it is in force
                yield one.target, one.attribute

    def latest(self) -> object:
        """Return what is equal as long as nothing else is patched: looking at each patch takes as
        long as an invoke.
        """
        return self._begun, [id(one._setattr[-1]) for one in self._monkeypatches if one._setattr]

    def _add(self, patcher: Any) -> None:  # noqa: ANN401
        self._noted.add(patcher)
        self._begun += 1
        if isinstance(patcher, pytest.MonkeyPatch):
            self._monkeypatches.add(patcher)

    def _note(self, cls: type, method: str) -> Undo:
        original, add = vars(cls)[method], self._add

        def beginning(self: object, *arguments: object) -> object:
            __tracebackhide__ = True
            add(self)
            return original(self, *arguments)

        return replace_attributes((cls, method, beginning))
