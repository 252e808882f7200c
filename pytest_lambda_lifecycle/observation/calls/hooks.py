"""Hooks: attributes of client libraries that are wrapped while an environment is entered.

Mocks (responses, moto, respx, a `mock.patch` of the test) replace the same attributes, and begin
and end when they like.  So a hook is looked at before each phase.  If the test has put something on
top of the wrapper in the meantime, the wrapper goes on top again, with the mock beneath it.  If a
mock has ended and restored a wrapper of ours, that wrapper is taken as it is.  A change that
function code makes in a phase (an instrumenting library) is left where it is: it calls the wrapper
beneath it.

A wrapper is a plain function that finds out at each call which environment is entered, so one that
a tool has saved and restores late only passes calls on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_lambda_lifecycle.isolation.patching import note_later_patch

__all__ = ["Hook", "HookPoint", "beneath"]

Wrap: TypeAlias = Callable[[Any], Any]
"""Makes the wrapper of the original, which may be a mock."""
_MARK: Final = "_lambda_beneath"


class HookPoint(NamedTuple):
    """An attribute of a client library, and the function that makes its wrapper.

    ``owner`` is the name of a class in ``module``, or ``""`` for a function of the module itself.
    """

    module: str
    owner: str
    name: str
    wrap: Wrap

    def hook(self, module: ModuleType, *, shared: bool) -> Hook | None:
        """Return the hook in a module; None if this version of the library has no such place.

        A ``shared`` module stays loaded after the environment, and so do the wrappers made for it.
        """
        owner = getattr(module, self.owner, None) if self.owner else module
        if owner is None or not callable(vars(owner).get(self.name)):
            return None
        return Hook(owner, self.name, self.wrap, _MADE if shared else {})


def beneath(function: Any) -> Any:  # noqa: ANN401
    """Return the function under the wrappers of hooks; any other function itself."""
    while _MARK in getattr(function, "__dict__", ()):
        function = vars(function)[_MARK]
    return function


class Hook:
    """One attribute, wrapped from `place` to `remove`."""

    __slots__ = ("made", "name", "namespace", "owner", "wrap", "wrapper")

    def __init__(
        self,
        owner: Any,  # noqa: ANN401
        name: str,
        wrap: Wrap,
        made: dict[tuple[int, str], Any],
    ) -> None:
        self.owner = owner
        self.name = name
        self.wrap = wrap
        self.made = made
        self.namespace: Mapping[str, Any] = vars(owner)
        self.wrapper: Any = None

    def place(self) -> None:
        """Put the wrapper on top of the value that is there now."""
        now = self.namespace.get(self.name)
        if _MARK in getattr(now, "__dict__", ()):
            self.wrapper = now
            return
        key = id(self.owner), self.name
        made = self.made.get(key)
        if made is None or vars(made)[_MARK] is not now:
            made = self.wrap(now)
            vars(made)[_MARK] = now
            self.made[key] = made
        self.wrapper = made
        setattr(self.owner, self.name, made)

    def remove(self) -> None:
        """Restore the value beneath the wrapper, unless a tool has put its own on top."""
        now = self.namespace.get(self.name)
        original = vars(self.wrapper)[_MARK]
        if now is self.wrapper:
            setattr(self.owner, self.name, original)
        elif now is not original:
            note_later_patch(self.owner, self.name, self.wrapper, original)


_MADE: Final[dict[tuple[int, str], Any]] = {}
"""The latest wrapper for each owner, by its identity, and name, in shared modules."""
