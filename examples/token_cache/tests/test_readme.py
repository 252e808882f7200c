"""The second example of the project's README, word for word."""

import pytest

from pytest_lambda_lifecycle import FunctionTimeout


def test_times_out(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.slow.handler", timeout=3)
    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
        env.invoke({"sleep": 10})
    assert env.invoke({"sleep": 0}).cold_start  # reset: init ran again

    env.idle(hours=24)
    assert not env.invoke({"sleep": 0}).cold_start
