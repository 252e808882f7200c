"""The event of function code that imports what is not deployed with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["ForeignImport"]


@dataclass(slots=True)
class ForeignImport(Event):
    """Function code has asked for a module that only the tests' `sys.path` leads to.

    On Lambda it does not exist: it lies outside the task root and the layers.
    """

    phase: str
    invocation: int | None
    where: str
    """The innermost line of function code, as ``"shop/app.py:12"``."""
    module: str
    """The dotted name."""
    path: str
    """The file, or the folder of a package."""
    entry: str
    """The entry of `sys.path` that leads there."""
    refused: bool = True
    """False under ``foreign_imports = "warn"``, where it went through."""
    name: ClassVar[str] = "foreign_import"

    def __str__(self) -> str:
        return f"{self.module} ({self.path})"
