"""`warnings.filters`: filters of function code act during its phases alone."""

from __future__ import annotations

import warnings
from typing import Any

from pytest_lambda_lifecycle.isolation.part import PhasePart

__all__ = ["WarningsFilters"]


class WarningsFilters(PhasePart):
    """Puts the function's own filters in front of the test's during a phase."""

    def __init__(self) -> None:
        self._own: list[Any] = []
        self._outside: Any = None
        self._inside: list[Any] = []
        self._count = 0

    def begin_phase(self) -> None:
        outside = self._outside = warnings.filters
        inside = self._inside = [*self._own, *outside]
        self._count = len(inside)
        warnings.filters = inside

    def end_phase(self) -> None:
        inside = warnings.filters
        outside = self._outside
        if inside is not self._inside or len(inside) != self._count:
            self._own = [entry for entry in inside if entry not in outside]
            getattr(warnings, "_filters_mutated", lambda: None)()
        warnings.filters = outside

    def discard(self) -> None:
        self._own = []
