"""Budgets: ``max_init_ms``, ``max_duration_ms``, ``max_http_calls`` and ``max_aws_calls``.

Under pytest they are checked when a test has ended: see tests/plugin/test_option_max_*.py.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from pytest_lambda_lifecycle import (
    ConfigError,
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    InitError,
    LambdaClock,
)
from pytest_lambda_lifecycle.observation.evidence import Evidence
from pytest_lambda_lifecycle.observation.verdicts import verdicts

from .made_calls import APP, NET, let_it_reach

CONFIG = "GET https://config.example/v1"
GET_ITEM = "aws dynamodb.GetItem"
SOURCE = "(from the arguments of FunctionConfig)"
SLOW = """
import time
import net
time.sleep(0.3)
def handler(event, context):
    for _ in range(event):
        net.reach("aws dynamodb.GetItem")
        time.sleep(0.1)
"""


@pytest.fixture
def clock():
    with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)) as clock:
        yield clock


@pytest.fixture
def make(environment, write):
    write("net.py", NET)

    def make(*in_init, source=APP, **settings):
        variables = {"IN_INIT": json.dumps(in_init)}
        return let_it_reach(environment(source, environment=variables, **settings))

    return make


def invoke(env, *what):
    return env.invoke(list(what), request_id=f"r-{len(env.invocations)}")


def exceeded(env):
    """End an environment as a ``with`` statement does; return the lines of its failure."""
    with pytest.raises(AssertionError) as caught, env:
        pass
    assert type(caught.value) is AssertionError
    return str(caught.value).splitlines()


class TestCounts:
    def test_each_invoke_above_the_limit_is_shown_with_lines_and_numbers(self, make):
        env = make(GET_ITEM, GET_ITEM, GET_ITEM, max_aws_calls=1)
        invoke(env, GET_ITEM)
        invoke(env, *[GET_ITEM] * 37, "aws sns.Publish", GET_ITEM, CONFIG)
        invoke(env)
        invoke(env, GET_ITEM, "aws sns.Publish")
        assert exceeded(env) == [
            f"app.handler exceeded max_aws_calls=1 in 2 of 4 invokes {SOURCE}",
            "  invoke 1 (warm, request r-1): 39 AWS calls",
            "    dynamodb.GetItem: 200, at app.py:11   x 38",
            "    sns.Publish: 200, at app.py:11",
            "  invoke 3 (warm, request r-3): 2 AWS calls",
            "    dynamodb.GetItem: 200, at app.py:11",
            "    sns.Publish: 200, at app.py:11",
        ]

    def test_http_requests_have_a_budget_of_their_own(self, make):
        env = make(CONFIG, max_http_calls=0, max_aws_calls=2)
        invoke(env, GET_ITEM, GET_ITEM, f"{CONFIG}?api_key=needle")
        assert exceeded(env) == [
            f"app.handler exceeded max_http_calls=0 in 1 of 1 invoke {SOURCE}",
            "  invoke 0 (cold, request r-0): 1 HTTP request",
            f"    {CONFIG}?api_key=***: 200 (mocked), at app.py:11",
        ]

    def test_calls_of_an_init_inside_an_invoke_are_not_the_invoke_s(self, make):
        env = make(GET_ITEM, GET_ITEM, max_aws_calls=1)
        invoke(env)
        env.reset()
        with env:
            assert invoke(env, GET_ITEM).cold_start

    def test_as_many_as_the_limit_are_allowed(self, make):
        with make(max_aws_calls=2, max_http_calls=1) as env:
            invoke(env, GET_ITEM, GET_ITEM, CONFIG)

    def test_a_failed_invoke_counts(self, make):
        env = make(max_aws_calls=0)
        with pytest.raises(FunctionError):
            invoke(env, GET_ITEM, "raise")
        assert "in 1 of 1 invoke" in exceeded(env)[0]

    def test_of_many_invokes_ten_are_shown(self, make):
        env = make(max_aws_calls=0)
        for _ in range(14):
            invoke(env, GET_ITEM)
        lines = exceeded(env)
        assert "in 14 of 14 invokes" in lines[0]
        assert lines[-1] == "  (4 more invokes)"
        assert len(lines) == 2 + 2 * 10


class TestTimes:
    """Under `LambdaClock` the lengths are those of virtual time."""

    def test_an_invoke_above_the_limit_is_shown_with_the_time_of_its_calls(self, make, clock):
        env = make(source=SLOW, max_duration_ms=150)
        env.invoke(1)
        env.invoke(3, request_id="r-1")
        assert exceeded(env) == [
            f"app.handler exceeded max_duration_ms=150 in 1 of 2 invokes {SOURCE}",
            "  invoke 1 (warm, request r-1): 300.00 ms",
            "    dynamodb.GetItem: 200, at app.py:7   x 3   (4.50 ms)",
        ]

    def test_an_init_above_the_limit(self, make, clock):
        env = make(source=SLOW, max_init_ms=299.5)
        env.invoke(0)
        assert exceeded(env) == [
            f"app.handler exceeded max_init_ms=299.5 in 1 of 1 Init {SOURCE}",
            "  Init: 300.00 ms",
        ]

    def test_exactly_the_limit_is_allowed(self, make, clock):
        with make(source=SLOW, max_init_ms=300, max_duration_ms=100) as env:
            env.invoke(1)

    def test_each_init_counts_also_one_inside_an_invoke(self, make, clock):
        env = make(source=SLOW, max_init_ms=100, max_duration_ms=350)
        env.invoke(0)
        env.reset()
        env.invoke(1, request_id="r-1")
        assert exceeded(env) == [
            f"app.handler exceeded max_init_ms=100 in 2 of 2 Inits {SOURCE}",
            "  Init: 300.00 ms",
            "  Init: 300.00 ms",
            f"app.handler exceeded max_duration_ms=350 in 1 of 2 invokes {SOURCE}",
            "  invoke 1 (cold, request r-1): 400.00 ms",
            "    dynamodb.GetItem: 200, at app.py:7   (1.50 ms)",
        ]

    def test_a_failed_init_counts(self, make, clock):
        env = make(source=SLOW + "raise ValueError\n", max_init_ms=100)
        with pytest.raises(InitError):
            env.initialize()
        assert "max_init_ms=100 in 1 of 1 Init" in exceeded(env)[0]

    def test_in_real_time(self, make):
        source = "import time\ndef handler(event, context): time.sleep(0.02)"
        with make(source=source, max_duration_ms=2000) as env:
            env.invoke()
        env = make(source=source, max_duration_ms=1.5)
        env.invoke()
        assert "exceeded max_duration_ms=1.5 in 1 of 1 invoke" in exceeded(env)[0]


class TestTheEndOfAWithStatement:
    def test_an_exception_of_its_body_is_not_replaced(self, make):
        with pytest.raises(ZeroDivisionError), make(max_aws_calls=0) as env:
            invoke(env, GET_ITEM)
            raise ZeroDivisionError

    def test_the_environment_has_ended(self, make):
        env = make(max_aws_calls=0)
        invoke(env, GET_ITEM)
        exceeded(env)
        assert env.state == "closed"

    def test_a_second_end_says_nothing_more(self, make):
        env = make(max_aws_calls=0)
        invoke(env, GET_ITEM)
        exceeded(env)
        with env:
            pass

    def test_without_budgets_nothing_is_checked(self, tmp_path):
        (tmp_path / "app.py").write_text("def handler(event, context): pass")
        with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path)) as env:
            env.invoke()
        evidence = Evidence(env.config, env.timeline, env.phases, env.phases, 0)
        assert list(verdicts(evidence)) == []


@pytest.mark.parametrize("setting", ["max_init_ms", "max_duration_ms"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5", [1]])
def test_bad_lengths_of_time(setting, value):
    with pytest.raises(ConfigError, match="has to be a number of ms above 0, or None for no limit"):
        FunctionConfig("app.handler", **{setting: value})


@pytest.mark.parametrize("setting", ["max_http_calls", "max_aws_calls"])
@pytest.mark.parametrize("value", [-1, 1.0, True, "5", [1]])
def test_bad_counts(setting, value):
    with pytest.raises(ConfigError, match="has to be a whole number, 0 or more, or None for no"):
        FunctionConfig("app.handler", **{setting: value})


def test_none_is_no_limit():
    config = FunctionConfig("app.handler", max_aws_calls=None, max_init_ms=None)
    assert (config.max_aws_calls, config.max_init_ms) == (None, None)
