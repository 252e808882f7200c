"""Child processes that function code starts through `subprocess`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["Children"]


class Children(Part):
    """Watches `subprocess.Popen` while the environment is entered."""

    def __init__(self, in_phase: Callable[[], bool]) -> None:
        self._in_phase = in_phase
        self.where: WeakKeyDictionary[subprocess.Popen[Any], str] = WeakKeyDictionary()
        """The children of this process, with the file and line that has started each."""

    def enter(self) -> Undo:
        popen: Any = subprocess.Popen
        if not (issubclass(type(popen), type) and hasattr(popen, "poll")):
            return nothing_to_undo  # a stand-in of the test: it starts no processes
        original = popen.__init__
        watch = self

        def __init__(self: subprocess.Popen[Any], *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401
            original(self, *arguments, **keywords)
            if watch._in_phase():
                watch.where[self] = _line_outside_of("subprocess")

        return patch_attributes((popen, "__init__", __init__))

    def discard(self) -> None:
        self.where.clear()


def _line_outside_of(library: str) -> str:
    """Return ``file:line`` of the nearest caller of a library."""
    frame = sys._getframe(2)
    while (
        frame.f_back is not None
        and frame.f_globals.get("__name__", "").partition(".")[0] == library
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
