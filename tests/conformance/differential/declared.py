"""The declared differences: each is a row of the fidelity pages.

A program that differs has to agree without the building blocks whose text a pattern below matches;
otherwise it has another difference, which nothing declares.
"""

from __future__ import annotations

import re

from .programs import Program

__all__ = ["DECLARED", "declared_steps"]

DECLARED: dict[str, list[str]] = {}
"""The beginning of a row's first column, and patterns of the text of building blocks."""


def declared_steps(program: Program) -> tuple[set[int], list[str]]:
    """Return the positions of steps with a declared difference, and the rows that declare them."""
    steps: set[int] = set()
    rows: list[str] = []
    for row, patterns in DECLARED.items():
        for number, step in enumerate(program.steps):
            text = "\n".join((step.init, step.text, *step.files.values()))
            if any(re.search(pattern, text) for pattern in patterns):
                steps.add(number)
                rows.append(row)
    return steps, list(dict.fromkeys(rows))
