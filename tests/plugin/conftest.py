"""Fixtures of the tests of the plugin: suites that run inside a test."""

from __future__ import annotations

import pytest
from clock.conftest import project

from .mode_suite import APP, SUITE

pytest.register_assert_rewrite("plugin.option_checks")

__all__ = ["mode_suite", "option_suite", "project", "suite"]

COUNTING = """
    import os
    inits = os.environ.get("INITS", "")
    count = 0
    def handler(event, context):
        global count
        count += 1
        return {"count": count, "timeout": context.get_remaining_time_in_millis() // 1000 + 1}
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=COUNTING)
    return pytester


@pytest.fixture
def mode_suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with tests that rely on a cold, on a warm, and on neither environment."""
    pytester.makepyfile(app=APP, test_suite=SUITE)
    return pytester


@pytest.fixture
def option_suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite that prints one setting of an environment made without any."""
    pytester.makepyfile(
        app="def handler(event, context): return None",
        test_suite="""
            import os
            def test_shows(lambda_lifecycle):
                config = lambda_lifecycle("app.handler").config
                name = os.environ["SETTING"]
                print(f"<{getattr(config, name)!r} from {config.source_of(name)}>")
        """,
    )
    return pytester
