"""The progress of work that may take long: many invokes in one test."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

__all__ = ["Progress"]


class Progress:
    """Tells how far some work has come, if somebody listens."""

    listener: ClassVar[Callable[[str, int, int | None], None] | None] = None
    """Called with the name of the work, what is done, and the whole if that is known."""

    @classmethod
    def tell(cls, work: str, done: int, whole: int | None = None) -> None:
        """Tell that one more step is done."""
        if cls.listener is not None:
            cls.listener(work, done, whole)
