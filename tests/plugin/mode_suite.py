"""A suite for the modes of a whole suite: ``cold``, ``warm`` and ``chaos``."""

from __future__ import annotations

import pytest

__all__ = ["APP", "SUITE", "outcomes", "usage_error"]

APP = """
    seen = []
    def helper(): return "real"
    def handler(event, context):
        seen.append(1)
        return {"count": len(seen), "helper": helper()}
"""
SUITE = """
    import pytest
    from unittest import mock

    def test_relies_on_warm(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        counts = [env.invoke({}).payload["count"] for _ in range(8)]
        assert counts[1] > counts[0] and counts[7] == counts[0] + 7

    def test_relies_on_cold(lambda_lifecycle):
        assert lambda_lifecycle("app.handler").invoke({}).payload["count"] == 1

    @pytest.mark.lambda_lifecycle_exact
    def test_exact(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        assert [env.invoke({}).payload["count"] for _ in range(8)] == list(range(1, 9))
        assert env.timeline.names.count("suite_mode") == 0

    @pytest.mark.lambda_lifecycle_exact
    class TestClass:
        def test_exact_class(self, lambda_lifecycle):
            env = lambda_lifecycle("app.handler")
            assert [env.invoke({}).payload["count"] for _ in range(2)] == [1, 2]

    def test_counts(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        helper = env.spy("app.helper")
        invocation = env.invoke({})
        assert len(helper.calls) == 1 and helper.phases == ["invoke"]
        assert env.invocations == [invocation]
        assert env.init_count == 1
        assert env.log.count("START RequestId") == 1

    def test_patches(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        env.initialize()
        with mock.patch("app.helper", lambda: "patched"):
            assert {env.invoke({}).payload["helper"] for _ in range(8)} == {"patched"}

    def test_wide(session_lambda_lifecycle):
        env = session_lambda_lifecycle("app.handler")
        env.invoke({})
        assert len(env.invocations) == 1
"""


def outcomes(suite: pytest.Pytester, *arguments: str) -> dict[str, str]:
    """Run a suite; return the outcome of each test."""
    recorder = suite.inline_run("-p", "no:cacheprovider", *arguments)
    calls = [one for one in recorder.getreports("pytest_runtest_logreport") if one.when == "call"]
    return {one.nodeid.rpartition("::")[2]: one.outcome for one in calls}


def usage_error(suite: pytest.Pytester, *arguments: str) -> str:
    """Return the text with which a run ends before it begins."""
    result = suite.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    return result.stderr.str()
