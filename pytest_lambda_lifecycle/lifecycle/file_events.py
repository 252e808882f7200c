"""The events of function code that writes files: outside `/tmp`, into the machine's `/tmp`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["FileRefusal", "StorageExceeded", "TmpWrite"]


@dataclass(slots=True)
class FileRefusal(Event):
    """Function code tried to change a path that is read-only on Lambda.

    ``str(refusal)`` is ``"write /home/me/project/cache.json"``.  The same attempt of the same line
    is recorded once in each phase.
    """

    phase: str
    invocation: int | None
    where: str
    """The innermost line of function code, as ``"shop/app.py:12"``."""
    path: str
    """The path without symbolic links."""
    asked: str
    """The request in words: ``"write"``, ``"remove"``, ``"make the folder"`` ..."""
    refused: bool = True
    """False under ``filesystem = "report"``, where it went through."""
    name: ClassVar[str] = "file_refusal"

    def __str__(self) -> str:
        return f"{self.asked} {self.path}"


@dataclass(slots=True)
class TmpWrite(Event):
    """Function code wrote to a path in the machine's temporary folder, and not in ``env.tmp``.

    Each path is recorded once.
    """

    phase: str
    invocation: int | None
    where: str
    """The innermost line of function code, as ``"shop/app.py:12"``."""
    path: str
    stays: bool = field(default=False, compare=False)
    """There is such a file, after the latest test: nobody removes it."""
    name: ClassVar[str] = "tmp_write"

    def __str__(self) -> str:
        return self.path


@dataclass(slots=True)
class StorageExceeded(Event):
    """The files that function code has in ``/tmp`` are larger than ``ephemeral_storage``.

    From now on its writes there end in ``[Errno 28] No space left on device``, until it has removed
    enough of them.
    """

    used_bytes: int
    limit_mb: int
    name: ClassVar[str] = "storage_exceeded"
