"""Targets: dotted names inside modules, by which a test says where to look."""

from __future__ import annotations

import difflib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.folders import namespace_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["MISSING", "ONE_LOCAL", "Target", "is_at_home"]

MISSING = object()


def _no_text(target: object) -> LifecycleError:
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    dotted = f": {f'{module}.{name}'!r}?" if module and name else ", as text."
    return LifecycleError(
        f"cannot spy on or patch {target!r}: it is of type {type(target).__name__}, and a target "
        "is the dotted name of the place where function code finds the object",
        f"Did you mean its name{dotted}",
        code="LLC301",
    )


def _references_to_local() -> int:
    one = object()
    return sys.getrefcount(one)


ONE_LOCAL: Final = _references_to_local()
"""`sys.getrefcount` of an object that only a local variable holds; since 3.14 one less."""


class Target(NamedTuple):
    """A name inside a module: a function, a class, or something inside a class."""

    module: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.module, *self.path))

    @classmethod
    def parse(cls, text: str, world: World) -> Target:
        """Split a dotted name after the longest part that is a module; import nothing.

        Raises `LifecycleError` for text that names nothing inside a module.
        """
        __tracebackhide__ = True
        if not isinstance(cast("object", text), str):
            raise _no_text(text)
        parts = text.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise LifecycleError(
                f"cannot spy on or patch {text!r}: a target is a dotted name such as "
                "'orders.db.connect' or 'boto3.client'",
                code="LLC301",
            )
        length = world.module_length(parts)
        if length == 0:
            raise LifecycleError(
                f"cannot spy on or patch {text!r}: there is no module {parts[0]!r} on the import "
                "path",
                code="LLC301",
            )
        if length == len(parts):
            raise LifecycleError(
                f"cannot spy on or patch {text!r}: it is a module; name something inside it",
                code="LLC302",
            )
        return cls(".".join(parts[:length]), tuple(parts[length:]))

    def owner(self, module: ModuleType) -> object:
        """Return the object whose attribute the target is: the module, or a class inside it."""
        __tracebackhide__ = True
        owner: object = module
        for name in self.path[:-1]:
            owner = self.attribute(owner, name)
        return owner

    def attribute(self, owner: object, name: str) -> object:
        """Return an attribute; raise `LifecycleError` with the nearest name if there is none."""
        __tracebackhide__ = True
        value = getattr(owner, name, MISSING)
        if value is MISSING:
            near = difflib.get_close_matches(name, dir(owner), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            named = isinstance(owner, (ModuleType, type))
            where = owner.__name__ if named else type(owner).__name__  # type: ignore[attr-defined]
            raise LifecycleError(
                f"cannot spy on or patch {str(self)!r}: {where} has no attribute {name!r}{hint}",
                code="LLC301",
            )
        return value


def is_at_home(original: Any, elsewhere: ModuleType | None = None) -> bool:  # noqa: ANN401
    """Say whether the module of an object, another one than ``elsewhere``, has it by its name."""
    home = sys.modules.get(str(getattr(original, "__module__", "")))
    if home is None or home is elsewhere:
        return False
    name = str(getattr(original, "__qualname__", ""))
    found: Any = namespace_of(home) or {}
    for part in name.split("."):
        space = found if isinstance(found, dict) else getattr(found, "__dict__", {})
        found = space.get(part, MISSING)
    return getattr(found, "__func__", found) is getattr(original, "__func__", original)
