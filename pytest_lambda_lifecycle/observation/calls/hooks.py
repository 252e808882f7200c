"""Hooks: attributes of client libraries that are wrapped while an environment is entered.

Mocks (responses, moto, respx, a `mock.patch` of the test) replace the same attributes, and begin
and end when they like.  So a hook is looked at before each phase.  If the test has put something on
top of the wrapper in the meantime, the wrapper goes on top again, with the mock beneath it.  If a
mock has ended and restored one of these wrappers, that wrapper is taken as it is.  A change that
function code makes in a phase (an instrumenting library) is left where it is: it calls the wrapper
beneath it.

A wrapper is a plain function that finds out at each call which environment is entered, so one that
a tool has saved and restores late only passes calls on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_lambda_lifecycle.errors import is_own_file
from pytest_lambda_lifecycle.isolation.patching import note_later_patch

__all__ = ["Hook", "HookPoint", "beneath", "by_module"]

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
        owner = _class_in(module, self.owner) if self.owner else module
        if owner is None or not callable(vars(owner).get(self.name)):
            return None
        return Hook(owner, self.name, self.wrap, _MADE if shared else {})


def by_module(*points: HookPoint) -> dict[str, tuple[HookPoint, ...]]:
    """Return hook points by the names of their modules, in the order in which these come first."""
    found: dict[str, tuple[HookPoint, ...]] = {}
    for point in points:
        found[point.module] = (*found.get(point.module, ()), point)
    return found


def _class_in(module: ModuleType, name: str) -> Any:  # noqa: ANN401
    """Return a class of a library, also while a mock is in the place of its name.

    vcrpy puts another class in the place of `http.client.HTTPConnection`, and sends by the real
    one.
    """
    found = getattr(module, name, None)
    if not isinstance(found, type) or found.__qualname__ != name:
        for one in object.__subclasses__():
            if one.__qualname__ == name and one.__module__ == module.__name__:
                return one
    return found


def beneath(function: Any) -> Any:  # noqa: ANN401
    """Return the function under the wrappers of hooks; any other function itself."""
    while _is_wrapper(function):
        function = vars(function)[_MARK]
    return function


def _is_wrapper(function: object) -> bool:
    """Say whether a function is a wrapper of a hook.

    `functools.wraps` copies the mark to a function that a tool has put on top of one, and an object
    of wrapt shows all attributes of the function in it.
    """
    return (
        type(function) is FunctionType
        and _MARK in vars(function)
        and is_own_file(function.__code__.co_filename)
    )


def _is_mock(function: object) -> bool:
    """Say whether a test may ask an attribute for its calls, as in ``Session.send.call_count``."""
    return type(function) is not FunctionType or "mock" in vars(function)


def _as_function(method: Any) -> Any:  # noqa: ANN401
    """Return a function that calls a method as attribute access on an instance does.

    A mock in the place of a method gets no ``self``, and a wrapper of wrapt binds it by itself.
    """
    if type(method) is FunctionType:
        return method
    bind = getattr(type(method), "__get__", None)

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        bound = method if bind is None else bind(method, self, type(self))
        return bound(*args, **kwargs)

    return call


class Hook:
    """One attribute, wrapped from `place` to `remove`."""

    __slots__ = ("made", "name", "namespace", "over_mock", "owner", "wrap", "wrapper")

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
        self.over_mock = False
        """The wrapper is over a mock: between phases the test finds its mock there."""

    def place(self) -> None:
        """Put the wrapper on top of the value that is there now."""
        now = self.namespace.get(self.name)
        if now is None:
            return
        if not _is_wrapper(now):
            self._note_covered(now)
            now = self._wrapped(now)
            setattr(self.owner, self.name, now)
        self.wrapper = now
        self.over_mock = _is_mock(vars(now)[_MARK])

    def _wrapped(self, original: Any) -> Any:  # noqa: ANN401
        key = id(self.owner), self.name
        made = self.made.get(key)
        if made is None or vars(made)[_MARK] is not original:
            as_function = original if isinstance(self.owner, ModuleType) else _as_function(original)
            made = self.wrap(as_function)
            vars(made)[_MARK] = original
            self.made[key] = made
        return made

    def _note_covered(self, now: object) -> None:
        """Remember the present wrapper if a tool covers it: the tool restores it when it ends."""
        if self.wrapper is not None and vars(self.wrapper)[_MARK] is not now:
            note_later_patch(self.owner, self.name, self.wrapper, beneath(self.wrapper))

    def uncover(self) -> None:
        """Restore the value beneath the wrapper if the wrapper is on top."""
        if self.namespace.get(self.name) is self.wrapper is not None:
            setattr(self.owner, self.name, vars(self.wrapper)[_MARK])

    def remove(self) -> None:
        """Restore the value beneath the wrapper, unless a tool has put its own on top."""
        if self.wrapper is None:
            return
        now = self.namespace.get(self.name)
        if _is_wrapper(now):  # perhaps an earlier one, which a tool has restored since
            self.wrapper = now
        self.uncover()
        self._note_covered(self.namespace.get(self.name))


_MADE: Final[dict[tuple[int, str], Any]] = {}
"""The latest wrapper for each owner, by its identity, and name, in shared modules."""
