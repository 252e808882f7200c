"""The option ``trace``: the run in Chrome's trace event format."""

from __future__ import annotations

import json

import pytest
from report.test_trace import check

from .run_files import APP, SUITE, usage_error

TRACE = "--lambda-lifecycle-trace"


def test_a_trace_of_the_run(pytester):
    pytester.makepyfile(app=APP, test_it=SUITE)
    pytester.runpytest(f"{TRACE}=out/run.json").assert_outcomes(passed=3, failed=1)
    events = json.loads((pytester.path / "out" / "run.json").read_text())["traceEvents"]
    check(events)
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert names == ["app.handler, environment 1", "app.handler, environment 2"]


@pytest.mark.parametrize("path", ["run.html", "run"])
def test_a_path_of_another_format(pytester, path):
    assert f"{path!r} is no file of JSON" in usage_error(pytester, f"{TRACE}={path}")
