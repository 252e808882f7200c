"""Random numbers of `random` in each process of the function, and those of the test."""

from __future__ import annotations

import random

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

DRAWS = """
    import random
    FIRST = random.getrandbits(64)
    def handler(event, context):
        if event == "seed": random.seed(3)
        return [FIRST, random.getrandbits(64)]
"""


def test_each_process_draws_its_own_numbers(environment):
    first, second = environment(DRAWS), environment()
    drawn = first.invoke().payload + second.invoke().payload
    first.reset()
    second.reset()
    drawn += first.invoke().payload + second.invoke().payload
    assert len(set(drawn)) == 8


def test_a_warm_process_goes_on_where_it_was(environment):
    env = environment(DRAWS, seed=5)
    drawn = [env.invoke().payload[1]]
    stage.leave()
    drawn.append(env.invoke().payload[1])
    assert len(set(drawn)) == 2
    env.invoke("seed")
    stage.leave()
    generator = random.Random(3)
    generator.getrandbits(64)
    assert env.invoke().payload[1] == generator.getrandbits(64)


def test_the_test_goes_on_where_it_was(environment):
    before = random.getstate()
    try:
        random.seed(7)
        environment(DRAWS).invoke()
        stage.leave()
        assert random.random() == random.Random(7).random()
    finally:
        random.setstate(before)


def test_a_seed_of_the_test_before_the_first_invoke_is_that_of_another_process(environment):
    before = random.getstate()
    try:
        random.seed(7)
        assert environment(DRAWS).invoke().payload[0] != random.Random(7).getrandbits(64)
    finally:
        stage.leave()
        random.setstate(before)


def test_a_seed_of_the_test_between_phases_acts_on_the_entered_environment(environment):
    env = environment(DRAWS)
    env.invoke()
    random.seed(7)
    assert env.invoke().payload[1] == random.Random(7).getrandbits(64)


@pytest.mark.parametrize("seed", [0, 7, 2**70])
def test_the_seed_is_that_of_the_setting(environment, seed):
    assert environment(DRAWS, seed=seed).seed == seed


def test_without_the_setting_each_environment_has_a_seed_of_the_system(environment):
    assert environment(DRAWS).seed != environment().seed


def test_environments_of_one_snapshot_draw_the_same_numbers(environment):
    settings = {"initialization_type": "snap-start", "runtime": "python3.12"}
    first = environment(DRAWS, seed=5, **settings)
    second = environment(seed=5, **settings)
    another = environment(seed=5, function_version="2", **settings)
    drawn = first.invoke().payload
    assert drawn == second.invoke().payload
    assert drawn != another.invoke().payload
    first.reset()
    assert drawn == first.invoke().payload
