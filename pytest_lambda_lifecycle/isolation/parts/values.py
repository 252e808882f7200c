"""Single values of the process: `sys.argv`, hooks, limits, masks, and one table of them all.

Most values are saved and restored: `Values` reads them as the environment enters and again as it
leaves, and a difference is the function's doing.  That is not enough for a value that test tools
change while an environment is entered (Hypothesis sets the recursion limit around each example,
pytest-benchmark switches the garbage collector off around each round), and it is not possible for
one that is expensive to read, or that can only be read by setting it.  The functions that set such
a value are watched instead: a call in a phase is a call of the function, any other of the test.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.parts.value_table import OUTSIDE, TABLE, Value
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["Values"]


class Values(Part):
    """The values that function code is known to change.

    They are one part, not one part each: with an object and a closure for each value, the garbage
    collector would run once in every cold start, which costs as much as entering ten parts.
    """

    _entered: ClassVar[Values | None] = None

    def __init__(self, in_phase: Callable[[], bool]) -> None:
        self._in_phase = in_phase
        self._own: dict[Value, Any] = _FRESH
        self._outside: dict[Value, Any] = {}
        self._inside: dict[Value, Any] = {}

    def enter(self) -> Undo:
        self._outside = outside = dict(zip(_SAVED, [one.read() for one in _SAVED], strict=True))
        self._inside = inside = outside.copy()
        try:
            for value, functions in self._own.items():
                if value.setters:
                    outside[value] = value.read()
                if functions is not OUTSIDE and functions is not outside[value]:
                    inside[value] = functions
                    value.write(functions)
            unwatch = patch_attributes(*_watchers())
        except BaseException:
            self._restore()
            raise
        Values._entered = self

        def leave() -> None:
            Values._entered = None
            unwatch()
            self._restore()

        return leave

    def _restore(self) -> None:
        """Save the values of the environment and restore those of the test, even if one raises."""
        own = dict(self._own)
        inside = self._inside
        problems: list[Exception] = []
        for value, outside in reversed(self._outside.items()):
            try:
                if not value.setters:
                    now = value.read()
                    if now is outside and now is inside[value]:
                        continue
                    if not self._save(value, now, outside, own):
                        continue
                value.write(outside)
            except Exception as problem:
                problems.append(problem)
        self._own = own
        if problems:
            raise problems[0]

    def _save(self, value: Value, now: object, outside: object, own: dict[Value, Any]) -> bool:
        """Save a value that is not watched; say whether the test has another one to restore."""
        if not value.same(now, self._inside[value]):
            if value.same(now, value.at_start):
                own[value] = value.fresh
                return False
            own[value] = now
        return not value.same(now, outside)

    def discard(self) -> None:
        self._own = _FRESH

    @classmethod
    def watch(cls, value: Value, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function to put in the place of a setter.

        It asks which environment is entered when it is called: a test may keep it for longer.
        """

        def watched(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
            entered = cls._entered
            if entered is None or not entered._in_phase():
                return original(*arguments, **keywords)
            before = value.read()
            answer = original(*arguments, **keywords)
            after = value.read()
            if after != before:
                entered._own = {**entered._own, value: after}
                entered._outside.setdefault(value, before)
            return answer

        return watched


def _watchers() -> tuple[tuple[ModuleType, str, Any], ...]:
    """Return the functions to put in the place of the setters.

    They are made again only where a tool has replaced a setter.
    """
    found = [getattr(owner, name) for _, owner, name in _SETTERS]
    return _WATCHERS if found == _FOUND else _make_watchers(found)


def _make_watchers(originals: list[Any]) -> tuple[tuple[ModuleType, str, Any], ...]:
    return tuple(
        (owner, name, Values.watch(value, original))
        for (value, owner, name), original in zip(_SETTERS, originals, strict=True)
    )


_SAVED: Final = tuple(value for value in TABLE if not value.setters)
_FRESH: Final = {value: value.fresh for value in _SAVED if value.fresh is not OUTSIDE}
_SETTERS: Final = tuple((value, owner, name) for value in TABLE for owner, name in value.setters)
_FOUND: Final[list[Any]] = [getattr(owner, name) for _, owner, name in _SETTERS]
_WATCHERS: Final = _make_watchers(_FOUND)
