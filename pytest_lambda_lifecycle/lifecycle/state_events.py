"""The events of the state audit: what an invoke has changed in the state that stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["StateChange"]


def _unknown() -> str:
    return ""


@dataclass(slots=True, repr=False)
class StateChange(Event):
    """State that is another one after an invoke than before it, and stays for the next one."""

    path: str
    """Where it is reached: ``"shop.app.CACHE['c']"``, ``"os.environ['MODE']"``, ``"/tmp/a"``."""
    kind: str
    """``"added"``, ``"removed"`` or ``"changed"``."""
    old: str
    """The value before the invoke, shortened and without secrets; ``""`` where there was none."""
    new: str
    """The value after it; ``""`` where there is none."""
    invoke: int
    """The number of the invoke in its process: 1 for the first one after Init."""
    settles: str = ""
    """Why `assert_no_state_leaks` does not judge it; ``""`` for a change that it judges."""
    find_where: Callable[[], str] = field(default=_unknown, compare=False)
    """Looks for the line, which takes longer than the audit itself."""
    name: ClassVar[str] = "state_change"

    @property
    def where(self) -> str:
        """The line of function code that makes such a change, as ``"shop/app.py:12"``.

        ``""`` if no line can be told; several, with ``or`` between them, if one of them did.
        """
        return self.find_where()

    def __str__(self) -> str:
        """Return the change in words: ``shop.app.N: changed 1 -> 2``."""
        values = f"{self.old} -> {self.new}" if self.kind == "changed" else self.old or self.new
        return f"{self.path}: {self.kind} {values}".rstrip()

    def __repr__(self) -> str:
        where = self.where
        return f"<{self} by invoke {self.invoke}{f', {where}' if where else ''}>"
