"""The option ``chaos``: resets, recycles and idle hours between invokes, repeated by a seed."""

from __future__ import annotations

import re

import pytest

from .mode_suite import outcomes, usage_error

CHAOS = "--lambda-lifecycle-chaos"
ACTIONS = """
    import pytest
    from pytest_lambda_lifecycle import SuiteMode

    @pytest.mark.parametrize("number", range(4))
    def test_it(lambda_lifecycle, number):
        env = lambda_lifecycle("app.handler")
        for _ in range(8):
            env.invoke({})
        print(f"\\n<{number}: {[event.action for event in env.timeline.of(SuiteMode)]}>")
        assert number
"""


@pytest.fixture
def actions(mode_suite):
    """Return the actions of a run, by the number of the test."""
    mode_suite.makepyfile(test_suite=ACTIONS)

    def run(*arguments):
        result = mode_suite.runpytest_subprocess("-rP", "-p", "no:cacheprovider", *arguments)
        text = result.stdout.str()
        return dict(re.findall(r"^<(\d): (.*)>$", text, re.MULTILINE)), text

    return run


def test_a_seed_repeats_the_actions_of_each_test(actions):
    first, text = actions(f"{CHAOS}=7")
    assert "lambda_lifecycle: chaos=7" in text
    assert text.count(f"repeat this run: {CHAOS}=7") == 1  # on the one that fails
    assert len(set(first.values())) == 4
    assert {"reset", "recycle"} <= set(re.findall(r"'(\w+)'", str(first)))
    assert re.search(r"'idle for \d+ h'", str(first))
    again, _ = actions(f"{CHAOS}=7", "-k", "it[3] or it[1]")
    assert again == {"1": first["1"], "3": first["3"]}
    other, _ = actions(f"{CHAOS}=8")
    assert other != first


def test_all_workers_use_the_seed_in_the_header(actions):
    pytest.importorskip("xdist")
    parallel, text = actions("-p", "xdist", "-n", "2", CHAOS)
    (seed,) = set(re.findall(r"chaos=(\d+)", text))
    assert actions(f"{CHAOS}={seed}")[0] == parallel


def test_exact_tests_patches_and_checks_are_left_alone(mode_suite):
    found = outcomes(mode_suite, f"{CHAOS}=3")
    assert {name for name in found if found[name] == "failed"} <= {"test_relies_on_warm"}


def test_it_may_stand_in_the_ini_file(mode_suite):
    mode_suite.makeini("[pytest]\nlambda_lifecycle_chaos = random")
    found = re.findall(r"chaos=(\d+)", mode_suite.runpytest().stdout.str())
    assert found
    assert found != re.findall(r"chaos=(\d+)", mode_suite.runpytest().stdout.str())


@pytest.mark.parametrize("arguments", [[f"{CHAOS}=x"], [f"{CHAOS}=-1"], [CHAOS, "test_suite.py"]])
def test_bad_values_end_the_run(mode_suite, arguments):
    why = usage_error(mode_suite, *arguments)
    assert "is not a seed, which is a whole number of 0 or more, or random" in why
    assert "put the option behind the paths" in why
