"""`sys.modules` as the latest phase has left it: how later changes are noticed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle.isolation.modules.replaced import are_same

__all__ = ["LastLook"]


class LastLook:
    """What can be compared with the present `sys.modules`.

    The number of entries and the name of the newest one take a tenth of a microsecond.  All entries
    take some microseconds, and show a module that was put in the place of another one.
    """

    __slots__ = ("_values", "count", "newest", "own", "sample", "sample_module")

    def __init__(self) -> None:
        self.own: dict[str, ModuleType] = {}
        """The modules of the function at that moment."""
        self.count = 0
        self.newest = ""
        self.sample = ""
        """The name of one of the function's modules."""
        self.sample_module: ModuleType | None = None
        """The module itself, which a whole copy of `sys.modules` made outside does not have."""
        self._values: list[Any] | None = None

    def note(self, own: dict[str, ModuleType], *, has_run: bool = True) -> None:
        """Look now; ``has_run`` says whether function code may have run since it entered."""
        self.own = own
        self.count = len(sys.modules)
        self.newest = next(reversed(sys.modules), "")
        self.sample = next(iter(own), "")
        self.sample_module = own.get(self.sample)
        self._values = list(sys.modules.values()) if has_run else None

    def note_change(self) -> None:
        """Let the next comparison of the number find a difference."""
        self.count = -1

    def has_changed(self) -> bool:
        """Say whether there are other modules, as far as that is seen at once."""
        modules = sys.modules
        return (
            len(modules) != self.count
            or next(reversed(modules)) is not self.newest
            or modules.get(self.sample) is not self.sample_module
        )

    def differs(self, *, before_any: bool) -> bool:
        """Say whether any entry differs; ``before_any`` is the answer before function code ran."""
        if self._values is None:
            return before_any
        return not are_same(list(sys.modules.values()), self._values)

    def forget(self) -> None:
        """Forget a process that has ended."""
        self.own = {}
        self.sample_module = None
        self._values = None
