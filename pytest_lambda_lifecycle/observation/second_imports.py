"""Errors of a shared library that refuses what an earlier environment has done with it."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

from pytest_lambda_lifecycle.isolation.folders import folder_of, is_installed
from pytest_lambda_lifecycle.isolation.frames import is_own

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["hint_at_shared_library"]


def hint_at_shared_library(error: BaseException, world: World) -> str:
    """Return a hint for an error of Init that a shared library has raised, or "".

    A library may refuse a second registration of a name, as on Lambda nobody makes one: there each
    cold start is a process of its own.  So the hint is for a module of the function that an earlier
    environment of this run has imported as well.
    """
    importing, libraries = "", list[str]()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        space: dict[str, Any] = frame.f_globals
        name = str(space.get("__name__", ""))
        top = name.partition(".")[0]
        if is_own(frame) or top in sys.stdlib_module_names or name.startswith("importlib."):
            continue
        if not is_installed(folder_of(frame.f_code.co_filename)):
            importing, libraries = name, []
        elif world.is_source(name) and top not in libraries:
            libraries.append(top)
    if not libraries or not world.was_imported_before(importing):
        return ""
    names = " ".join(libraries)
    return (
        f"Hint: {libraries[-1]} has raised while {importing!r} was imported, which an earlier "
        "environment of this run has imported as well.  Lambda starts a new process for each cold "
        "start; here installed libraries are shared, with what they have registered.  If that is "
        "the reason, let each cold start import the library afresh: "
        f"lambda_lifecycle_fresh_packages = {names}"
    )
