"""The option ``seed``: the random numbers of a run, shown in each failure, and repeated."""

from __future__ import annotations

import re

import pytest

from .option_checks import check_bad_value, check_command_line, check_ini_option, shown

DRAWS = """
    import random
    def handler(event, context): return random.getrandbits(64)
"""
FAILS = """
    import pytest
    @pytest.mark.parametrize("number", range(2))
    def test_fails(lambda_lifecycle, module_lambda_lifecycle, number):
        envs = [make("app.handler") for make in (lambda_lifecycle, module_lambda_lifecycle) * 2]
        drawn = [env.invoke().payload for env in envs]
        envs[0].reset()
        drawn.append(envs[0].invoke().payload)
        assert len(set(drawn)) == 5
        pytest.fail(f"drawn: {drawn}")
"""


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "seed", "7", 7)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "seed", "7", 7)


def test_none_on_the_command_line_takes_the_seed_of_the_ini_file_away(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_seed = 3")
    flag = "--lambda-lifecycle-seed"
    assert f"<None from {flag}>" in shown(option_suite, monkeypatch, "seed", f"{flag}=None")


def test_a_bad_value_ends_the_run(option_suite):
    message = "seed=-1 has to be a whole number, 0 or more, or None for another one in each run"
    check_bad_value(option_suite, "seed", "-1", message)


class TestRepeating:
    @pytest.fixture(autouse=True)
    def project(self, pytester):
        pytester.makepyfile(app=DRAWS, test_it=FAILS)

    def run(self, pytester, *arguments):
        """Return the seeds that a run shows, and the numbers that its tests draw."""
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)
        result.assert_outcomes(failed=2)
        text = result.stdout.str()
        seeds = set(re.findall(r"--lambda-lifecycle-seed=(\d+)", text))
        return seeds, re.findall(r"^E +Failed: drawn: (.*)", text, re.MULTILINE)

    def test_the_seed_that_a_failure_shows_repeats_it(self, pytester):
        (seed,), drawn = self.run(pytester)
        assert len(set(drawn)) == 2
        seeds, again = self.run(pytester, f"--lambda-lifecycle-seed={seed}")
        assert seeds == {seed}
        assert again == drawn

    def test_each_run_has_another_one(self, pytester):
        assert self.run(pytester) != self.run(pytester)

    def test_the_seed_of_pytest_randomly_counts(self, pytester):
        pytest.importorskip("pytest_randomly")
        randomly = ("-p", "pytest_randomly", "--randomly-seed=77", "--randomly-dont-reorganize")
        seeds, drawn = self.run(pytester, *randomly)
        assert seeds == {"77"}
        assert (seeds, drawn) == self.run(pytester, *randomly)
        assert (seeds, drawn) == self.run(pytester, "--lambda-lifecycle-seed=77")
        assert self.run(pytester, *randomly, "--lambda-lifecycle-seed=5")[0] == {"5"}
