"""Errors of a shared library that refuses what an earlier environment has done with it."""

from __future__ import annotations

import importlib.machinery
import sys
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.isolation.folders import (
    folder_of,
    folder_of_module,
    is_installed,
    namespace_of,
)
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.modules.traced_modules import home_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["hint_at_shared_library"]

_COMPILED: Final = tuple(importlib.machinery.EXTENSION_SUFFIXES)


def hint_at_shared_library(error: BaseException, world: World) -> str:
    """Return a hint for an error of Init that a shared library has raised, or "".

    A library may refuse a second registration of a name, as on Lambda nobody makes one: there each
    cold start is a process of its own.  So the hint is for a module of the function that an earlier
    environment of this run has imported as well.
    """
    importing, libraries = "", list[str]()
    held: Iterable[object] = ()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        space: dict[str, Any] = frame.f_globals
        name = str(space.get("__name__", ""))
        top = name.partition(".")[0]
        file = frame.f_code.co_filename
        if is_own(frame) or top in sys.stdlib_module_names or file.startswith("<"):
            continue
        if not is_installed(folder_of(file)):
            importing, libraries, held = name, [], list(space.values())
        elif world.is_source(name) and top not in libraries:
            libraries.append(top)
    if not libraries or not world.was_imported_before(importing):
        return ""
    raising = libraries[-1]
    libraries = [name for name in libraries if not _is_compiled(name)] or _homes(held, world)
    if not libraries:
        return ""
    names = " ".join(libraries)
    return (
        f"Hint: {raising} has raised while {importing!r} was imported, which an earlier "
        "environment of this run has imported as well.  Lambda starts a new process for each cold "
        "start; here installed libraries are shared, with what they have registered.  If that is "
        "the reason, let each cold start import the library afresh: "
        f"lambda_lifecycle_fresh_packages = {names}"
    )


def _is_compiled(package: str) -> bool:
    """Say whether a loaded package has compiled parts, so that it is shared in any case."""
    return any(
        name.partition(".")[0] == package
        and str((namespace_of(module) or {}).get("__file__", "")).endswith(_COMPILED)
        for name, module in list(sys.modules.items())
    )


def _homes(values: Iterable[object], world: World) -> list[str]:
    """Return the shared packages that have made these values, except compiled ones.

    What a compiled package refuses is in a registry that another package may have made, such as the
    base class of the models.
    """
    names = dict.fromkeys(home_of(value) for value in values)
    tops = dict.fromkeys(name.partition(".")[0] for name in names if world.own(name) is None)
    return [
        top
        for top in tops
        if top not in sys.stdlib_module_names
        and is_installed(folder_of_module(sys.modules.get(top)) or "")
        and not _is_compiled(top)
    ]
