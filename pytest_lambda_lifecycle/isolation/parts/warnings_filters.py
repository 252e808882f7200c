"""`warnings.filters`: filters of function code act during its phases alone."""

from __future__ import annotations

import warnings
from typing import Any

from pytest_lambda_lifecycle.isolation.part import PhasePart

__all__ = ["WarningsFilters"]


class WarningsFilters(PhasePart):
    """Puts the filters of the function in front of those of the test during a phase."""

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
        inside = getattr(warnings, "filters", None)
        outside = self._outside
        if type(inside) is not list:  # not even Python could use it
            inside = self._inside
        if inside is not self._inside or len(inside) != self._count:
            self._own = [entry for entry in inside if entry not in outside]
            _forget_registries()
        warnings.filters = outside

    def discard(self) -> None:
        self._own = []


def _forget_registries() -> None:
    """Let modules show warnings again that other filters have let them show once."""
    mutated = getattr(warnings, "_filters_mutated", None)  # private: it may be missing
    if mutated is not None:
        mutated()
