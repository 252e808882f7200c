"""Mocks that stand on top of all others while a phase runs.

Mocks of one attribute form a stack: each saves the value that it has found, and restores it when
it ends.  A mock that has to answer first cannot rely on the order in which the tools of a test
begin.  So it registers here, goes on top when a phase begins, and off again when the phase ends:
between phases the stack is as the test has made it, and its mocks may end in any order.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final, Protocol

__all__ = ["LIBRARIES", "ON_TOP", "TopMock"]

LIBRARIES: Final = ("requests.adapters",)
"""Modules of which function code may have a copy of its own, which `TopMock.executed` gets."""


class TopMock(Protocol):
    """A mock that goes on top of others; the phases of several environments may be nested."""

    def begin_phase(self) -> None:
        """Go on top.  A mock that raises here has changed nothing."""
        ...

    def executed(self, module: ModuleType) -> None:
        """Go on top in a module that function code has just imported, until the phase ends."""
        ...

    def end_phase(self) -> None:
        """Go off again."""
        ...


ON_TOP: Final[list[TopMock]] = []
"""The mocks to put on top at the start of the next phase."""
