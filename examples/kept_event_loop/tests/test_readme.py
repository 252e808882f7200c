"""Recipes of the project's README and of docs/state.md, word for word."""

import pytest
from hypothesis import strategies as st

from pytest_lambda_lifecycle import lifecycle_machine


def test_warm_answers_are_those_of_a_cold_start(lambda_lifecycle):
    events = [{"city": "Bergen"}, {"city": "Cairo"}]
    lambda_lifecycle.assert_warm_equals_cold(
        events, handler="weather.app.handler", ignore=["requestId"]
    )


def answers_for_the_right_city(env):
    last = env.invocations[-1]
    return last.status != "success" or last.payload["sky"] in ("rain", "sun")


TestLifecycles = lifecycle_machine(
    "weather.app.handler",
    events=st.fixed_dictionaries({"city": st.sampled_from(["Bergen", "Cairo"])}),
    invariants=[answers_for_the_right_city],
).TestCase


def test_copies_of_a_snapshot_share_nothing_unique(lambda_lifecycle):
    env = lambda_lifecycle("weather.app.handler", initialization_type="snap-start")
    env.assert_snapshot_safe()


@pytest.mark.lambda_lifecycle_exact
def test_init_runs_once(lambda_lifecycle):
    env = lambda_lifecycle("weather.app.handler")
    env.invoke({"city": "Bergen"})
    env.invoke({"city": "Cairo"})
    assert env.init_count == 1
