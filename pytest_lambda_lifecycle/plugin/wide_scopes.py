"""Environments of a class, a module or the session are in force for each test that uses their
fixture.
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
    """Puts the environment that was in use last in force with the first of a test's own fixtures.

    Its patches then act on the environment's modules, as in the test in which it was made.
    """

    def __init__(self) -> None:
        self._lifecycles: dict[str, LambdaLifecycle] = {}

    def add(self, fixture: str, lifecycle: LambdaLifecycle) -> None:
        """Consider the environments that a fixture makes, from the next test on."""
        self._lifecycles[fixture] = lifecycle

    def remove(self, fixture: str) -> None:
        """Consider them no longer."""
        del self._lifecycles[fixture]

    def latest(self, item: pytest.Item) -> ProcessSlice | None:
        """Return what was in use last of the environments that a test uses, as far as they have
        begun and not ended.
        """
        used = self._lifecycles.keys() & getattr(item, "fixturenames", ())
        processes = [process for fixture in used for process in self._lifecycles[fixture]._in_use()]
        return max(processes, key=lambda process: process.entry, default=None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> None:
        """Enter before the first fixture of the test's own; pytest sets those of wider scope up
        before them.
        """
        if fixturedef.scope == "function" and stage.current is None:
            stage.resume(self.latest(request.node))
