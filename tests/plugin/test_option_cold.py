"""The option ``cold``: each invoke runs in a fresh environment."""

from __future__ import annotations

import pytest

from .mode_suite import outcomes, usage_error

COLD = "--lambda-lifecycle-cold"


@pytest.fixture(autouse=True)
def suite(mode_suite):
    return mode_suite


def test_a_test_that_relies_on_a_warm_environment_fails(suite):
    assert outcomes(suite, COLD) == {
        "test_relies_on_warm": "failed",
        "test_relies_on_cold": "passed",
        "test_exact": "passed",
        "test_exact_class": "passed",
        "test_counts": "passed",
        "test_patches": "passed",
        "test_wide": "passed",
    }


def test_the_failure_shows_the_mode_and_its_actions(suite):
    result = suite.runpytest(COLD)
    result.stdout.fnmatch_lines(
        [
            "lambda_lifecycle: cold",
            "* --lambda-lifecycle-cold: recycle",
            "repeat this run: --lambda-lifecycle-cold",
        ]
    )
    assert result.stdout.str().count("repeat this run") == 1


def test_it_may_stand_in_the_ini_file(suite):
    suite.makeini("[pytest]\nlambda_lifecycle_cold = true")
    assert outcomes(suite)["test_relies_on_warm"] == "failed"
    assert outcomes(suite, "-o", "lambda_lifecycle_cold=false")["test_relies_on_warm"] == "passed"


def test_bad_values_end_the_run(suite):
    why = usage_error(suite, "-o", "lambda_lifecycle_cold=perhaps")
    assert "ini option lambda_lifecycle_cold given with -o: invalid truth value 'perhaps'" in why
    for other in ("--lambda-lifecycle-warm=1", "--lambda-lifecycle-chaos=1"):
        assert "exclude each other" in usage_error(suite, COLD, other)


def test_assertions_that_compare_invokes_are_not_disturbed(suite):
    suite.makepyfile(
        test_suite=r"""
            import pytest
            def test_growth(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                with pytest.raises(AssertionError, match=r"app\.seen"):
                    env.assert_no_growth({}, invokes=20)
                assert env.init_count == 1
                env.invoke({})
                assert env.init_count == 2
            def test_cold_and_warm(lambda_lifecycle):
                with pytest.raises(AssertionError, match="count: 2, and cold 1"):
                    lambda_lifecycle.assert_warm_equals_cold([{}], "app.handler")
        """
    )
    suite.runpytest(COLD).assert_outcomes(passed=2)
