"""How much the section on Lambda environments shows in the report of a test."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_lambda_lifecycle.plugin.options import SECTION, given, ini_source

__all__ = ["check", "extent_for"]

_EXTENTS: Final = ("short", "full", "off")
_REPORTED: Final = frozenset("PA")
"""The letters of pytest's ``-r`` with which it shows the output of passed tests."""


def check(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for a value of the option that does not exist."""
    for _, on_command_line, value in given(config, (SECTION,)):
        if value not in _EXTENTS:
            source = SECTION.flag if on_command_line else ini_source(config, SECTION)
            raise pytest.UsageError(f"{source}: {value!r} is not one of {', '.join(_EXTENTS)}")


def extent_for(config: pytest.Config, *, passed: bool) -> str:
    """Return how much the section shows: ``short``, ``longer`` or ``full``; ``""`` for none."""
    if passed and _REPORTED.isdisjoint(config.getoption("reportchars", "") or ""):
        return ""
    values = [str(value) for _, _, value in given(config, (SECTION,))]
    if values:
        return "" if values[-1] == "off" else values[-1]
    verbose = getattr(config.option, "verbose", 0)  # none with -p no:terminal
    return "full" if verbose > 1 else "longer" if verbose > 0 else "short"
