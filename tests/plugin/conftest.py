"""What the tests of the plugin begin with: suites that run inside a test."""

from __future__ import annotations

import pytest
from clock.conftest import project

__all__ = ["project", "suite"]

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
