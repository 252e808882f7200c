"""Runs for the tests of the writers: their tests have used environments of a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lambda_lifecycle.lifecycle.events import Event
from pytest_lambda_lifecycle.report.environments import what_happened
from pytest_lambda_lifecycle.report.reading import Environment
from pytest_lambda_lifecycle.report.run import Run, pack


def read(events: Sequence[Event], **facts: object) -> Environment:
    """Return what happened in an environment, from its events."""
    given = {
        "number": 1,
        "function": "app.handler",
        "facts": "python3.12, 128 MB, timeout 3 s",
        "made_at": "test_app.py:3",
        "virtual": False,
        **facts,
    }
    return what_happened(events, **given)[0]


def run_of(
    *environments: Environment, test_id: str = "test_app.py::test_it", **result: object
) -> Run:
    """Return a run of one test for each environment, numbered if there are several."""
    run = Run("shop")
    for number, environment in enumerate(environments):
        name = test_id if len(environments) == 1 else f"{test_id}[{number}]"
        facts = {"outcome": "passed", "start": 1000.0 + number, "seconds": 0.5, "error": ""}
        run.phase_ended(name, "", **{**facts, **result})
        run.test_ended(name, "", pack([environment]))
    return run
