"""Writers: whether function code makes a call that changes files, or a tool of the test.

Tools write files on the function's thread, inside its phases: pytest its rewritten modules,
coverage its data, a cassette the answers that it records, a debugger whatever its user types.  On
Lambda there are no tools, so their calls go through.  The stack tells who calls:

* A call of the import system itself (``<frozen importlib...>``) writes a ``.pyc`` file.
* Frames of the standard library say nothing: everybody calls through `pathlib` and `shutil`.  Nor
  does text that was compiled at run time, such as a line typed in a debugger.
* The innermost of the other frames that is function code, a tool or a test decides.  Installed
  libraries are none of these, and act for whoever calls them: pandas for the function, YAML for
  the cassette.
* Where there is no such frame (a worker thread, a handler in a library), the function calls.

The code that the runtime calls first in a phase is function code also if it lies in a test module:
a handler, or an extension object.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.folders import (
    PACKAGE_FOLDERS,
    folder_of,
    inside,
    is_installed,
)
from pytest_lambda_lifecycle.isolation.frames import calls_function_code, is_own
from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.membership import Keep
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Writer", "Writers"]

_PHASE: Final = ProcessSlice.run.__code__
_IMPORTLIB: Final = "<frozen importlib"
_STANDARD_LIBRARY: Final = folder_of(sys.modules["os"].__file__ or "")

_TOOLS: Final = frozenset(
    # pytest and its kin; every top-level name that begins with "pytest" counts as well
    "_pytest pluggy xdist execnet coverage hypothesis syrupy snapshottest inline_snapshot "
    # debuggers
    "pdb bdb ipdb pudb pdbpp wdb remote_pdb debugpy pydevd _pydevd_bundle _pydev_bundle "
    "_pydevd_frame_eval "
    # cassettes and other stand-ins for services
    "vcr betamax placebo responses requests_mock httpretty mocket moto respx aioresponses".split()
)


class Writer(NamedTuple):
    """The function as the author of a call."""

    frame: FrameType | None
    """The innermost frame of function code; None if there is none on this thread's stack."""


class Writers:
    """Tells function code from tools, for one environment."""

    def __init__(self, world: World, keep: Keep) -> None:
        """``keep`` says which modules belong to pytest: tests, conftest files, plugins."""
        self._world = world
        self._keep = keep

    def function_at(self, frame: FrameType | None) -> Writer | None:
        """Return the function as the author of the call that ``frame`` makes; None for a tool."""
        if frame is None or frame.f_code.co_filename.startswith(_IMPORTLIB):
            return None
        if is_own(frame) and not calls_function_code(frame):
            return None
        stack = list(_frames(frame))
        first = stack[-1].f_globals if stack else None
        for one in stack:
            namespace = one.f_globals
            module = _module_of(one)
            name = str(namespace.get("__name__"))
            if namespace is first and not is_installed(folder_of(one.f_code.co_filename)):
                return Writer(one)
            if module is not None and self._is_function_code(name, module):
                return Writer(one)
            if _is_tool(name) or (module is not None and self._is_test(name, module)):
                return None
        return Writer(None)

    def _is_function_code(self, name: str, module: ModuleType) -> bool:
        return self._world.own(name) is module and self._world.is_source(name)

    def _is_test(self, name: str, module: ModuleType) -> bool:
        # By default (without the plugin) a module has to have a namesake to be kept.
        return self._keep(name, module, False) or self._keep(name, module, True)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a phase, innermost first, without those that say nothing."""
    while frame is not None and frame.f_code is not _PHASE:
        file = frame.f_code.co_filename
        silent = file.startswith("<") or _is_standard(file)
        if not is_own(frame) and (not silent or _is_tool(str(frame.f_globals.get("__name__")))):
            yield frame
        frame = frame.f_back


def _is_standard(file: str) -> bool:
    folder = folder_of(file)
    if not inside(folder, _STANDARD_LIBRARY):
        return False
    return PACKAGE_FOLDERS.isdisjoint(folder.split("/"))


def _is_tool(name: str) -> bool:
    top = name.partition(".")[0]
    return top in _TOOLS or top.startswith("pytest")


def _module_of(frame: FrameType) -> ModuleType | None:
    """Return the module whose code a frame runs, as `sys.modules` has it."""
    module = sys.modules.get(str(frame.f_globals.get("__name__")))
    try:
        return module if module is not None and vars(module) is frame.f_globals else None
    except Exception:  # anything may lie in `sys.modules`
        return None
