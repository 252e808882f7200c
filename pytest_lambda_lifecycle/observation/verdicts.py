"""Verdicts: the checks of settings against the events of a test, once it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_lambda_lifecycle.observation.budgets import check_budgets
from pytest_lambda_lifecycle.observation.calls.init_only import check_init_only
from pytest_lambda_lifecycle.observation.calls.network_verdicts import check_network
from pytest_lambda_lifecycle.observation.evidence import Check, Evidence, Verdict
from pytest_lambda_lifecycle.observation.file_checks import check_files

__all__ = ["Evidence", "verdicts"]

CHECKS: Final[tuple[Check, ...]] = (check_budgets, check_init_only, check_network, check_files)


def verdicts(evidence: Evidence) -> Iterator[Verdict]:
    """Yield the verdicts of all checks."""
    for check in CHECKS:
        yield from check(evidence)
