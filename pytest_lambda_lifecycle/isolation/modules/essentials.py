"""`builtins`, `sys`, `contextlib`: what this package, pytest and tests need at every line.

On Lambda, a function that puts an object of its own in the place of `len`, or None in that of
`sys.path`, breaks its own process.  Here the very next line of this package, or of the test, would
fail.  So these namespaces are as the function has left them in its turns alone, and are mended
as soon as a turn ends, before anything else runs.

Until they are mended, no line here may use a name of `builtins`: this module has names of its own
for what it needs until then.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import sys
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.modules.replaced import are_same
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, is_of_test

__all__ = ["OF_OTHER_PARTS", "Essentials"]

_ABSENT: Final[Any] = object()
_values_of: Final = gc.get_referents
"""Returns the values of dicts of which all keys are texts, faster than a list of them."""
_exception: Final = Exception

OF_OTHER_PARTS: Final = frozenset(
    "__stderr__ __stdout__ argv breakpointhook displayhook dont_write_bytecode excepthook last_exc "
    "last_traceback last_type last_value meta_path modules path path_hooks path_importer_cache "
    "stderr stdout tracebacklimit unraisablehook".split()
)
"""Attributes of `sys` that other parts restore, or that Python sets."""
_MAY_BE_MISSING: Final = frozenset({"__stderr__", "__stdout__", "excepthook", "stderr", "stdout"})
"""Those that other parts restore even where they were deleted; a dying process asks for them."""
_CLASSES: Final[dict[str, type]] = {
    "argv": list,
    "meta_path": list,
    "modules": dict,
    "path": list,
    "path_hooks": list,
    "path_importer_cache": dict,
    "stderr": object,
    "stdout": object,
    "tracebacklimit": int,
}
"""Those without which Python cannot go on, with what each has to be."""


class _Namespace:
    """What one module holds before a turn, and what function code has changed in it."""

    def __init__(self, name: str, space: dict[str, Any]) -> None:
        self.name = name
        self.space = space
        self.before: dict[str, Any] = {}
        """What it held before the turn, without the objects of the function."""
        self.own: dict[str, Any] = {}
        """The objects of the function; `_ABSENT` stands for a name that it has deleted."""
        self._hidden: set[str] = set()
        """The names that the test has patched for this turn."""

    def begin(self) -> None:
        """Put the function's objects in place."""
        self._hidden = {name for name in self.own if is_of_test(self.space.get(name))}
        for name, value in self.own.items():
            if name in self._hidden:
                continue
            if value is _ABSENT:
                self.space.pop(name, None)
            else:
                self.space[name] = value

    def end(self) -> list[str]:
        """Mend the namespace, and return the names that function code has changed anew."""
        now = self.space.copy()
        self.space.update(self.before)
        # From here on, `builtins` is whole.
        own = {name: self.own[name] for name in self._hidden}
        for name, value in now.items():
            if self.before.get(name, _ABSENT) is value:
                continue
            if self._is_left_in_place(name, value):
                self.space[name] = value
                continue
            own[name] = value
            if name not in self.before:
                del self.space[name]
        for name in self.before.keys() - now.keys():
            if self.name == "sys" and name in _MAY_BE_MISSING:
                del self.space[name]
            else:
                own[name] = _ABSENT
        changed = [name for name, value in own.items() if self.own.get(name) is not value]
        self.own = own
        return changed

    def _is_left_in_place(self, name: str, value: object) -> bool:
        """Say whether Python has made a change, or another part restores it."""
        if self.name == "sys" and name in OF_OTHER_PARTS:
            return isinstance(value, _CLASSES.get(name, object))
        before = self.before.get(name)
        return name.startswith("__") and not (callable(value) or callable(before))


class Essentials(Part):
    """These namespaces, around each turn of function code that is watched."""

    def __init__(self, report: Callable[[str], None]) -> None:
        """``report`` is called with the dotted name of each attribute that has been changed."""
        self._report = report
        self._namespaces = (
            _Namespace("builtins", builtins.__dict__),
            _Namespace("sys", sys.__dict__),
            _Namespace("contextlib", contextlib.__dict__),
        )
        self._spaces = [one.space for one in self._namespaces]
        self._known: list[Any] = []
        """The values of all namespaces before the turn."""
        self.has_own = False
        """Function code has changed something, so that each turn has to be watched."""
        self._in_turn = False
        self._was_in_turn = False

    def before_turn(self) -> None:
        """Remember what the namespaces hold; put the function's objects in place."""
        self.after_turn()  # a test's signal handler may have raised in the end of the turn before
        known = _values_of(*self._spaces)
        if self.has_own or not are_same(known, self._known):
            for one in self._namespaces:
                one.before = one.space.copy()
        self._known = known
        # Only now, as such a handler may raise between any two lines.
        self._in_turn = True
        self._begin()

    def go_on(self) -> None:
        """Begin a turn that follows the latest one at once: nothing has changed in between."""
        if not self._known:  # an interrupt came before the turn that this one follows
            return self.before_turn()
        self._in_turn = True
        self._begin()
        return None

    def _begin(self) -> None:
        if self.has_own:
            for one in self._namespaces:
                one.begin()

    def after_turn(self) -> None:
        """Mend the namespaces, unless that is done."""
        if not self._in_turn:
            return
        try:
            changed = self.has_own or _values_of(*self._spaces) != self._known
        except _exception:  # an object that cannot be compared
            changed = True
        if changed:
            for one in self._namespaces:
                for name in one.end():
                    self._report(f"{one.name}.{name}")
            self.has_own = any(one.own for one in self._namespaces)
        self._in_turn = False

    def enter(self) -> Undo:
        if self._was_in_turn:  # a handler has invoked another environment
            self.before_turn()
        return self._leave

    def _leave(self) -> None:
        self._was_in_turn = self._in_turn
        self.after_turn()

    def discard(self) -> None:
        self.has_own = self._in_turn = self._was_in_turn = False
        self._known = []
        for one in self._namespaces:
            one.own, one.before = {}, {}
