"""The option ``warm``: the first event of a test is sent before, and the test does not see it."""

from __future__ import annotations

import pytest

from .mode_suite import outcomes, usage_error

WARM = "--lambda-lifecycle-warm=2"


@pytest.fixture(autouse=True)
def suite(mode_suite):
    return mode_suite


def test_a_test_that_relies_on_a_cold_environment_fails(suite):
    assert outcomes(suite, WARM) == {
        "test_relies_on_warm": "passed",
        "test_relies_on_cold": "failed",
        "test_exact": "passed",
        "test_exact_class": "passed",
        "test_counts": "passed",
        "test_patches": "passed",
        "test_wide": "passed",
    }


def test_one_event_on_the_timeline_stands_for_the_invokes(suite):
    result = suite.runpytest(WARM)
    result.stdout.fnmatch_lines(
        [
            "lambda_lifecycle: warm=2",
            "* --lambda-lifecycle-warm: the event was sent before, 2 times",
        ]
    )


NOTHING_OF_IT = """
    import pytest
    from pytest_lambda_lifecycle import SuiteMode

    def test_failures(lambda_lifecycle):
        env = lambda_lifecycle("app.handler", max_duration_ms=60_000)
        with pytest.raises(Exception, match="exit status 3"):
            env.invoke({"exit": 3})
        assert (env.init_count, len(env.invocations)) == (1, 1)
        (mode,) = env.timeline.of(SuiteMode)
        assert mode.action == "the event was sent before, 2 times; 2 failed: Runtime.ExitError"
        assert env.phases == ["init", "invoke"]

    def test_ids(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        first = env.invoke({}, request_id="given", client_context={"custom": {"a": "b"}})
        assert first.request_id == "given"
        assert len(set(first.payload["ids"])) == 3
        assert first.payload["client"] == [{"a": "b"}] * 3

    def test_snap_start(lambda_lifecycle):
        env = lambda_lifecycle("app.handler", initialization_type="snap-start")
        env.invoke({})
        assert env.phases == ["init", "restore", "invoke"]

    def test_requests_and_faults(lambda_lifecycle, lambda_http):
        lambda_http.get("https://config.example/", json=1)
        env = lambda_lifecycle("app.handler")
        env.invoke({"url": "https://config.example/"})
        assert len(lambda_http.calls) == len(env.http_calls) == 1

    def test_events_of_the_hook(lambda_lifecycle, heard):
        lambda_lifecycle("app.handler").invoke({})
        for name in ("invoke_start", "suite_mode", "init_start"):
            assert heard.count(name) == 1
"""


def test_nothing_else_of_them_is_seen(suite):
    suite.makepyfile(
        test_suite=NOTHING_OF_IT,
        conftest="""
            import pytest
            NAMES = []
            def pytest_lambda_lifecycle_event(event): NAMES.append(event.name)
            @pytest.fixture
            def heard(): NAMES.clear(); return NAMES
        """,
        app="""
            import sys
            ids, client = [], []
            def handler(event, context):
                if "exit" in event: sys.exit(event["exit"])
                if "url" in event:
                    import requests
                    return requests.get(event["url"]).json()
                ids.append(context.aws_request_id)
                if context.client_context: client.append(context.client_context.custom)
                return {"ids": ids, "client": client}
        """,
    )
    suite.runpytest(WARM).assert_outcomes(passed=5)


def test_it_may_stand_in_the_ini_file(suite):
    suite.makeini("[pytest]\nlambda_lifecycle_warm = 1")
    assert outcomes(suite)["test_relies_on_cold"] == "failed"
    assert outcomes(suite, "--lambda-lifecycle-warm=0")["test_relies_on_cold"] == "passed"


@pytest.mark.parametrize("bad", ["-1", "two", "1.5", "10001"])
def test_bad_values_end_the_run(suite, bad):
    why = usage_error(suite, f"--lambda-lifecycle-warm={bad}")
    assert f"--lambda-lifecycle-warm: '{bad}' is not a whole number from 0 to 10000" in why
