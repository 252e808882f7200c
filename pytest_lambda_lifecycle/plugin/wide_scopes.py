"""Environments of class, module and session scope, in the tests that use their fixture.

An environment leaves the process when a test ends.  One of a wider scope is entered again at the
start of the next test that uses its fixture, before the fixtures of the test itself are set up.
Their patches then act on the environment's modules, as in the test in which it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
from pytest_lambda_lifecycle.isolation.stage import stage

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle

__all__ = ["WideEnvironments"]


class WideEnvironments:
    """A plugin that enters the environment that was used last, before a test's own fixtures."""

    def __init__(self) -> None:
        self._lifecycles: dict[str, LambdaLifecycle] = {}
        """The values of the wider fixtures that are set up, by the names of the fixtures."""

    def add(self, fixture: str, lifecycle: LambdaLifecycle) -> None:
        """Enter environments of a fixture from the next test on."""
        self._lifecycles[fixture] = lifecycle

    def remove(self, fixture: str) -> None:
        """Enter environments of a fixture no longer."""
        del self._lifecycles[fixture]

    def latest(self, item: pytest.Item) -> ProcessSlice | None:
        """Return the share of the process of the environment that was entered last.

        Only environments count that have begun, have not ended, and whose fixture the test uses.
        """
        used = self._lifecycles.keys() & getattr(item, "fixturenames", ())
        processes = [process for fixture in used for process in self._lifecycles[fixture]._in_use()]
        return max(processes, key=lambda process: process.entry, default=None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> None:
        """Enter before the first fixture of function scope: pytest sets up wider ones earlier."""
        if fixturedef.scope == "function" and stage.current is None:
            stage.resume(self.latest(request.node))
