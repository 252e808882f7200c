"""Recipes of the project's README and of `docs/time.md`, word for word."""

import pytest

from pytest_lambda_lifecycle import FunctionTimeout


def test_the_token_is_fetched_once_an_hour(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.app.handler")
    fetch = env.spy("reports.issuer.fetch_token")
    env.invoke({"pages": 1})
    env.idle(minutes=61)  # virtual time: takes microseconds
    env.invoke({"pages": 1})
    assert fetch.phases == ["init", "invoke"]


def test_times_out(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.slow.handler", timeout=3)
    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
        env.invoke({"sleep": 10})
    assert env.invoke({"sleep": 0}).cold_start  # a timeout resets the environment


def test_is_warm_a_day_later(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.slow.handler")
    env.invoke({"sleep": 0})
    env.idle(hours=24)
    assert not env.invoke({"sleep": 0}).cold_start


def test_spins_down_after_ten_minutes(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.slow.handler", idle_timeout=600)
    env.invoke({"sleep": 0})
    env.idle(minutes=11)
    assert env.invoke({"sleep": 0}).cold_start


def test_a_page_may_take_seconds(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.app.handler", timeout=10)
    env.latency("reports.issuer.make_page", ms=2900)  # and the 100 ms for which make_page sleeps
    assert env.invoke({"pages": 2}).duration_ms == 6000


def test_work_is_saved_when_250_ms_remain(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("reports.app.handler")
    env.initialize()
    saved = env.invoke({"pages": 10}, remaining_ms=250)
    assert saved.payload == {"pages": ["page 0", "page 1"], "continue_at": 2}
