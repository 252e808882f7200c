"""A suite that runs inside a test: one function, and the imports of its test file."""

from __future__ import annotations

import pytest

APP = """
    import time
    from datetime import datetime
    def handler(event, context):
        while event == "hang": pass
        time.sleep(event)
        return [time.time(), datetime.now().year]
"""


HEAD = """
import pytest, time
from datetime import datetime, timedelta, timezone
"""


def run(project: pytest.Pytester, test: str, *options: str, **outcomes: int) -> pytest.RunResult:
    project.makepyfile(test_it=HEAD + test)
    result = project.runpytest(*options)
    result.assert_outcomes(**(outcomes or {"passed": 1}))
    return result
