"""Objects that somebody has taken hold of, where a spy or a patch reaches only a name.

Two moments are looked at.  A module of the function has run under a patch: whoever took hold of an
object before it got its name (a decorator, a metaclass) goes on using the original.  And a spy or a
patch comes after Init: whatever Init has bound stays as it is.  In both the answer is an error that
names the place, unless the change is made in the object itself.

What a spy or a patch is meant to leave alone is no place: the object under the name that a module
gives it which the target does not name, if the target is itself such a name (``app.connect`` after
``from db import connect``); references of the test; and, for a target in a shared library, whatever
is no function code.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.folders import (
    folder_of_module,
    is_installed,
    namespace_of,
)
from pytest_lambda_lifecycle.observation.targets import MISSING, ONE_LOCAL, Target, is_at_home

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.observation.placements import Placement

__all__ = ["Captures"]

_WHOLE: Final = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))
"""Types whose equal objects may be one object, so that its identity says nothing."""
_CAPTURED: Final = (
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    functools.partial,
    type(functools.lru_cache(len)),
    type,
)
"""Types of objects that frameworks take hold of while a module runs."""


class Captures:
    """Finds the places that hold the objects of targets."""

    def __init__(self, world: World) -> None:
        self._world = world

    def may_instrument(self, owner: object, function: FunctionType) -> bool:
        """Say whether a spy may change a function itself, which it has found in ``owner``.

        It may change one of function code.  One of a shared library is changed where the target is
        its home: a spy on the name ``app.dumps`` is not asked for the calls that libraries make.
        A function of a test stays as it is, since the test may have put it into several places.
        """
        world = self._world
        if world.own(str(function.__module__)) is not None:
            return True
        name = str(function.__globals__.get("__name__"))
        home = sys.modules.get(name)
        if home is None or namespace_of(home) is not function.__globals__:
            return False
        if world.own(name) is home:
            return True
        folder = folder_of_module(home)
        if folder is not None and not is_installed(folder):
            return False
        if not isinstance(owner, ModuleType) or "__path__" in vars(owner):
            return True
        return function.__module__ == owner.__name__ or not is_at_home(function)

    def ends_with_function(self, function: FunctionType) -> bool:
        """Say whether a function is one of function code, or was made for it by a decorator."""
        if self._world.own(str(function.__module__)) is not None:
            return True
        return function.__closure__ is not None and not is_at_home(function)

    # -- after a module has run -------------------------------------------------------------------

    def refuse_held(self, placement: Placement, module: ModuleType) -> None:
        """Refuse a patch whose originals somebody holds who took them while the module ran."""
        __tracebackhide__ = True
        replaced, placement.replaced = placement.replaced, []
        for original in replaced:
            if not isinstance(original, _CAPTURED) or is_at_home(original, module):
                continue
            if sys.getrefcount(original) > ONE_LOCAL + 1:  # the list holds it as well
                self._refuse_places(placement.target, module, original, libraries=True)

    # -- after Init -------------------------------------------------------------------------------

    def refuse_late(self, target: Target, module: ModuleType, owner: object) -> None:
        """Refuse a target that function code has bound elsewhere: calls would be missed."""
        __tracebackhide__ = True
        first = vars(module).get(target.path[0], MISSING)
        raw = inspect.getattr_static(owner, target.path[-1], MISSING)
        original = getattr(raw, "__func__", raw) if _is_wrapped(raw) else raw
        own = self._world.own(module.__name__) is module
        if first is MISSING or original is MISSING:
            return
        if len(target.path) == 1:
            if not _is_defined_here(original, module, target.path[0]):
                return  # the test asks for the name that this one importer has bound
            self._refuse_names(target, module, original)
        if isinstance(original, _WHOLE):
            if own and len(target.path) == 1:
                self._refuse_used(target, module)
        elif isinstance(original, _CAPTURED) or (own and not self._is_read_later(target, module)):
            libraries = own and isinstance(original, _CAPTURED)
            self._refuse_places(target, module, original, libraries=libraries)

    def _refuse_names(self, target: Target, module: ModuleType, original: object) -> None:
        __tracebackhide__ = True
        captured = isinstance(original, _CAPTURED)
        defined_in = getattr(original, "__module__", None) if captured else module.__name__
        elsewhere = [
            f"{name}.{key}"
            for name, other in self._world.own_modules().items()
            if other is not module and name != defined_in
            for key, value in list(vars(other).items())
            if value is original and (captured or _imports(other, key, target))
        ]
        if elsewhere:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r} now: init has already bound the same "
                f"object as {', '.join(elsewhere)}, and calls through that name would go unseen",
                f"Ask before the first phase, or name {elsewhere[0]!r}.",
                code="LLC303",
            )

    def _refuse_used(self, target: Target, module: ModuleType) -> None:
        """Refuse a constant that only Init reads: to patch it now would change nothing."""
        __tracebackhide__ = True
        from pytest_lambda_lifecycle.observation.names_read import line_that_reads

        if self._is_read_later(target, module):
            return
        line = line_that_reads(module, target.path[0])
        if line:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r} now: init has used it at "
                f"{_file_of(module)}:{line}, and no function reads it later",
                "Patch it before the first phase: the patch is in place for Init as well then.",
                code="LLC303",
            )

    def _is_read_later(self, target: Target, module: ModuleType) -> bool:
        """Say whether a function of function code finds the target by its name."""
        from pytest_lambda_lifecycle.observation.names_read import is_read_later, mentions_later

        modules = list(self._world.own_modules().values())
        if len(target.path) == 1:
            return is_read_later(module, target.path[0], others=modules)
        return any(mentions_later(one, target.path[-1]) for one in modules)

    def _refuse_places(
        self,
        target: Target,
        module: ModuleType,
        original: Any,  # noqa: ANN401
        *,
        libraries: bool,
    ) -> None:
        __tracebackhide__ = True
        from pytest_lambda_lifecycle.observation.holders import places_of

        home = namespace_of(sys.modules.get(str(getattr(original, "__module__", ""))))
        namespace, name = vars(module), target.path[0]

        def is_place(holder: dict[str, Any], key: str) -> bool:
            if holder is namespace and key == name and len(target.path) == 1:
                return False
            return holder is not home or key != getattr(original, "__name__", None)

        own = self._world.own_modules()
        names = {id(vars(one)): name for name, one in own.items()}
        if libraries:
            names = {**_libraries(), **names}
        instances = isinstance(original, type) and not self._is_read_later(target, module)
        found = places_of(original, names, is_place, instances=instances)
        places = [place for place in found if place not in (str(target), f"{target}.__func__")]
        if not libraries:
            places = [place for place in places if self._is_in_function_code(place)]
        if places:
            raise LifecycleError(
                f"cannot spy on or patch {str(target)!r}: {' and '.join(places[:3])} "
                f"{'holds' if len(places) == 1 else 'hold'} the original, and would go on using it",
                f"A patch or a wrapper reaches only the name {str(target)!r}.",
                "After env.initialize(), replace the object in that place; or patch what "
                f"{target.path[-1]!r} calls or uses.",
                code="LLC303",
            )

    def _is_in_function_code(self, place: str) -> bool:
        """Say whether a place is in function code; the last word of it is a dotted name."""
        name = place.rpartition(" ")[2] if place.startswith(("a ", "'")) else place
        parts = name.partition("[")[0].split(".")
        return any(
            self._world.own(".".join(parts[:length])) is not None
            for length in range(1, len(parts) + 1)
        )


def _file_of(module: ModuleType) -> str:
    return os.path.basename(str(getattr(module, "__file__", module.__name__)))


def _is_wrapped(raw: object) -> bool:
    return isinstance(raw, (staticmethod, classmethod))


def _is_defined_here(original: object, module: ModuleType, name: str) -> bool:
    """Say whether a target names an object where it is made, and not where it is imported."""
    if isinstance(original, _CAPTURED):
        in_package = "__path__" in vars(module)
        return in_package or original.__module__ == module.__name__ or not is_at_home(original)
    from pytest_lambda_lifecycle.observation.names_read import imported_names

    return name not in imported_names(module)


def _imports(module: ModuleType, key: str, target: Target) -> bool:
    """Say whether a module has imported the object of a target under the name ``key``."""
    from pytest_lambda_lifecycle.observation.names_read import imported_names

    source, name = imported_names(module).get(key, ("", ""))
    return name == target.path[0] and f".{target.module}".endswith(f".{source}" if source else "")


def _libraries() -> dict[int, str]:
    """Return the names of installed modules by the identity of their namespaces."""
    found = {}
    for name, module in list(sys.modules.items()):
        namespace = namespace_of(module)
        if namespace is not None and isinstance(module, ModuleType):
            folder = folder_of_module(module)
            if folder is not None and is_installed(folder):
                found[id(namespace)] = name
    return found
