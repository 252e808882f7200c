"""The option ``trace_time``: virtual or real time in the trace of a test with ``lambda_clock``."""

from __future__ import annotations

import json

import pytest
from report.test_trace import check

from .run_files import usage_error


@pytest.mark.parametrize(("time", "virtual"), [("virtual", True), ("real", False), (None, True)])
def test_the_time_of_the_trace(pytester, time, virtual):
    pytester.makepyfile(
        app="""
            import time
            def handler(event, context): time.sleep(500)
        """,
        test_it="""
            def test_it(lambda_lifecycle, lambda_clock):
                env = lambda_lifecycle("app.handler", timeout=600)
                env.invoke({})
                env.idle(hours=1)
                env.invoke({})
        """,
    )
    options = [] if time is None else [f"--lambda-lifecycle-trace-time={time}"]
    result = pytester.runpytest("--lambda-lifecycle-trace=run.json", *options)
    result.assert_outcomes(passed=1)
    events = json.loads((pytester.path / "run.json").read_text())["traceEvents"]
    check(events)
    invokes = [event for event in events if event["ph"] == "X" and event["name"] == "invoke"]
    assert len(invokes) == 2
    assert [event["dur"] == 500_000_000 for event in invokes] == [virtual, virtual]
    assert (invokes[1]["ts"] - invokes[0]["ts"] >= 3_600_000_000) is virtual


def test_another_time(pytester):
    error = usage_error(pytester, "--lambda-lifecycle-trace-time=cpu")
    assert "'cpu' is not one of virtual, real" in error
