"""Environments that were made before their clock, and clocks of wider scopes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from pytest_lambda_lifecycle import LambdaClock, LifecycleError

from .projects import run

START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)
SLEEPS = "import os, time\ndef handler(event, context): time.sleep(1); return time.time()"


def test_an_environment_that_has_not_run_joins(environment):
    env = environment(SLEEPS)
    spy = env.spy("time.sleep")
    with LambdaClock(START):
        env.latency("os.getcwd", 5)
        assert env.invoke().payload == START.timestamp() + 1
        assert spy.phases == ["invoke"]
        assert env.invocations[0].duration_ms == 1000
        assert env.timeline[0].at == START.timestamp() * 1_000_000
        env.idle(hours=12)
        env.invoke()
    with pytest.raises(LifecycleError, match="has ended"):
        env.invoke()


def test_its_credentials_expire_and_it_spins_down(environment):
    env = environment(
        "import os\ndef handler(event, context): return os.environ['AWS_CREDENTIAL_EXPIRATION']",
        idle_timeout=20 * 3600,
    )
    with LambdaClock(START):
        assert env.invoke().payload == "2030-05-18T00:00:00Z"
        env.idle(hours=12)
        assert env.invoke().payload == "2030-05-18T12:00:00Z"
        env.idle(hours=21)
        assert env.invoke().cold_start


def test_one_that_has_run_is_refused(environment):
    env = environment(SLEEPS.replace("time.sleep(1); ", ""))
    env.invoke()
    with LambdaClock(START), pytest.raises(LifecycleError, match="has run in real time"):
        env.invoke()
    env.invoke()


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_a_clock_of_wider_scope(project, scope):
    test = f"""
@pytest.fixture(scope="{scope}")
def env({scope}_lambda_lifecycle, {scope}_lambda_clock):
    env = {scope}_lambda_lifecycle("app.handler")
    env.invoke(1)
    return env
class TestIt:
    def test_one(self, env, {scope}_lambda_clock):
        before = {scope}_lambda_clock.now
        env.idle(hours=1)
        assert env.invoke(1).payload[0] == before.timestamp() + 3601
    def test_two(self, env, lambda_clock, {scope}_lambda_clock):
        assert lambda_clock is {scope}_lambda_clock
        assert env.invoke(0).payload[0] == lambda_clock.now.timestamp()
"""
    run(project, test, "-p", "no:randomly", passed=2)


def test_a_marker_of_a_class_for_its_clock(project):
    test = """
@pytest.mark.lambda_clock(start="2031-01-01T00:00:00Z")
class TestIt:
    def test_one(self, class_lambda_clock): assert class_lambda_clock.now.year == 2031
    def test_two(self, class_lambda_clock, lambda_clock): assert lambda_clock.now.year == 2031
    @pytest.mark.lambda_clock(start="2032-01-01T00:00:00Z")
    def test_other(self, class_lambda_clock, lambda_clock): pass
def test_real(): assert datetime.now().year < 2031
"""
    result = run(project, test, "-p", "no:randomly", passed=3, errors=1)
    result.stdout.fnmatch_lines(
        ["*the clock of a wider scope runs already: <LambdaClock, now 2031*"]
    )


def test_deadlines_of_hypothesis(project):
    pytest.importorskip("hypothesis")
    test = """
from hypothesis import HealthCheck, given, settings, strategies as st
FIXTURES = [HealthCheck.function_scoped_fixture]
@settings(max_examples=5, suppress_health_check=FIXTURES, database=None, deadline=59_000)
@given(minutes=st.integers(1, 30))
def test_property(lambda_lifecycle, lambda_clock, minutes):
    env = lambda_lifecycle("app.handler")
    env.invoke(0)
    env.idle(minutes=minutes)
    assert not env.invoke(0).cold_start
"""
    project.makepyfile(test_it="import pytest\n" + test)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
