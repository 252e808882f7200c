"""The patchers that are in force: those of `unittest.mock`, and pytest's `MonkeyPatch`.

pytest-mock uses the patchers of `unittest.mock`.  Neither library lists the patchers that are in
force inside a ``with`` block, a decorated function or a fixture.  So from the first test on that
uses an environment, each patcher is noted when it begins; without pytest, as long as an environment
is open.  Those that began earlier, in a fixture of the session, are looked for among all objects:
once, and only when they are asked for, since that takes milliseconds.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["PATCHERS", "PatchInForce", "Patchers"]

_CLASSES: Final = {
    ("unittest.mock", "_patch"): ("__enter__",),
    ("unittest.mock", "_patch_dict"): ("_patch_dict",),
    ("_pytest.monkeypatch", "MonkeyPatch"): ("setattr", "delattr"),
}
"""The methods by which each class of patchers patches."""
_END_OF_DICT: Final = "_unpatch_dict"
"""Ends a patcher of a dict: nothing else tells, for that of a decorator lives on as it is."""


class PatchInForce(NamedTuple):
    """An attribute that is patched now, or a dict."""

    target: object
    """The module, class or other object that has the attribute; the dict itself."""
    attribute: str
    """``""`` for a dict."""
    text: str
    """The dotted name by which a test has named it; ``""`` where it has given the object."""


class Patchers:
    """Notes each patcher that begins, as long as somebody holds it."""

    def __init__(self) -> None:
        self.version = 0
        """It grows with each patch: as long as it is the same, nothing else is patched."""
        self._holders: set[object] = set()
        self._noted: WeakSet[Any] = WeakSet()
        self._texts: WeakKeyDictionary[Any, list[tuple[object, str]]] = WeakKeyDictionary()
        """What each patcher has patched by a dotted name, and the name."""
        self._undo: dict[type, Undo] = {}
        """How to stop watching each class of patchers."""
        self._earlier: list[type] = []
        """The classes of which patchers may have begun before they were watched."""

    def hold(self, holder: object) -> None:
        """Note from now on each patcher that begins, of the libraries that are loaded."""
        self._holders.add(holder)
        for (module, name), methods in _CLASSES.items():
            cls = getattr(sys.modules.get(module), name, None)
            if cls is not None and cls not in self._undo:
                watched = [(cls, method, self._noting(vars(cls)[method])) for method in methods]
                if _END_OF_DICT in vars(cls):
                    end = self._forgetting(vars(cls)[_END_OF_DICT])
                    watched.append((cls, _END_OF_DICT, end))
                self._undo[cls] = patch_attributes(*watched)
                self._earlier.append(cls)

    def release(self, holder: object) -> None:
        """Stop watching, unless somebody else holds it."""
        self._holders.discard(holder)
        while self._undo and not self._holders:
            self._undo.popitem()[1]()

    def in_force(self) -> Iterator[PatchInForce]:
        """Yield each attribute that is patched now."""
        for holder in list(self._holders)[:1]:
            self.hold(holder)  # a library may have been imported since
        if self._earlier:
            # An instance refers to its class.
            for referrer in gc.get_referrers(*self._earlier):
                if type(referrer) in self._earlier:
                    self._noted.add(referrer)
            self._earlier.clear()
        yield from self.noted()

    def noted(self) -> Iterator[PatchInForce]:
        """Yield each attribute or dict that is patched by a patcher that has been noted."""
        for patcher in list(self._noted):
            attributes = vars(patcher)
            if "_setattr" in attributes:
                for entry in patcher._setattr:
                    yield PatchInForce(entry[0], entry[1], self._text_of(patcher, entry))
            elif "temp_original" in attributes:  # it has this as long as it is in force
                name = _text_in(patcher.getter)
                text = name and f"{name}.{patcher.attribute}"
                yield PatchInForce(patcher.target, patcher.attribute, text)
            elif attributes.get("_original") is not None and not _is_restored(patcher):
                text = self._text_of(patcher, patcher.in_dict)
                yield PatchInForce(patcher.in_dict, "", text)

    def _text_of(self, patcher: object, patched: object) -> str:
        texts = self._texts.get(patcher, ())
        return next((text for one, text in texts if one is patched), "")

    def _noting(self, original: Callable[..., object]) -> Callable[..., object]:
        """Return a method that notes its patcher, and how the test has named the target."""
        patchers = self

        @functools.wraps(original)
        def begin(self: Any, *arguments: Any, **keywords: Any) -> object:  # noqa: ANN401
            __tracebackhide__ = True
            target = getattr(self, "in_dict", (*arguments, keywords.get("target"))[0])
            result = original(self, *arguments, **keywords)
            patchers._note(self, target)
            return result

        return begin

    def _forgetting(self, original: Callable[..., object]) -> Callable[..., object]:
        """Return a method that forgets its patcher, which has ended."""
        noted = self._noted

        @functools.wraps(original)
        def end(self: Any, *arguments: Any, **keywords: Any) -> object:  # noqa: ANN401
            __tracebackhide__ = True
            try:
                return original(self, *arguments, **keywords)
            finally:
                noted.discard(self)

        return end

    def _note(self, patcher: Any, target: object) -> None:  # noqa: ANN401
        self.version += 1
        self._noted.add(patcher)
        if type(target) is str:
            texts = self._texts.setdefault(patcher, [])
            for patched in (
                patcher._setattr[-1:] if "_setattr" in vars(patcher) else [patcher.in_dict]
            ):
                texts.append((patched, target))


def _is_restored(patcher: Any) -> bool:  # noqa: ANN401
    """Say whether a dict is as it was before a patcher, which may have ended unseen."""
    now, before = dict(patcher.in_dict), dict(patcher._original)
    return now.keys() == before.keys() and all(now[key] is before[key] for key in now)


def _text_in(getter: object) -> str:
    """Return the dotted name of the target of a patcher of `unittest.mock`, or ``""``.

    Its getter is then a `functools.partial` with the name; in Python 3.10, a function that has it
    in a cell.
    """
    found: Iterable[object]
    if isinstance(getter, functools.partial):
        found = getter.args
    else:
        found = (cell.cell_contents for cell in getattr(getter, "__closure__", None) or ())
    return next((one for one in found if type(one) is str), "")


PATCHERS: Final = Patchers()
"""Those of this process."""
