"""Lines of the platform in the log: INIT_START, START, END, REPORT and others."""

from __future__ import annotations

import sys

import pytest


def test_the_log_is_the_text_in_cloudwatch(environment):
    env = environment("print('loading')\ndef handler(event, context): print('hello'); return 1")
    one = env.invoke(request_id="r-1")
    lines = env.log.splitlines()
    assert lines[:4] == [
        f"INIT_START Runtime Version: python:3.{sys.version_info.minor}",
        "loading",
        "START RequestId: r-1 Version: $LATEST",
        "hello",
    ]
    assert lines[4] == "END RequestId: r-1"
    assert lines[5] == one.report
    assert one.report.startswith("REPORT RequestId: r-1\tDuration: ")
    assert "\tMemory Size: 128 MB\t" in one.report
    assert one.report.endswith(f"\tInit Duration: {env.init.duration_ms:.2f} ms")
    assert "Init Duration" not in env.invoke().report
    assert one.log.startswith("START RequestId: r-1")
    assert "loading" in env.init.log


def test_billed_duration_is_duration_plus_init_rounded_up(environment):
    env = environment("def handler(event, context): return 1")
    one = env.invoke()
    total = one.duration_ms + one.init_duration_ms
    assert total <= one.billed_duration_ms < total + 1


def test_a_failed_init_writes_init_report(environment):
    env = environment("import nope")
    env.invoke(check=False, request_id="r-1")
    lines = [line.split("\t") for line in env.log.splitlines()]
    reports = [line for line in lines if line[0].startswith("INIT_REPORT")]
    tail = ["Status: error", "Error Type: Runtime.ImportModuleError"]
    assert [report[1:] for report in reports] == [
        ["Phase: init", *tail],
        ["Phase: invoke", *tail],
    ]
    start = next(i for i, line in enumerate(lines) if line[0].startswith("START"))
    assert lines.index(reports[1]) < start
    assert lines[-1][-2:] == tail


def test_platform_lines_stay_text_when_logs_are_json(environment):
    env = environment("def handler(event, context): return 1", log_format="JSON")
    assert env.invoke().report.startswith("REPORT RequestId: ")
    assert all(not line.startswith("{") for line in env.log.splitlines())


def test_max_memory_used_repeats_the_memory_size(environment):
    env = environment("def handler(event, context): return 1", memory_size=512)
    assert "\tMemory Size: 512 MB\tMax Memory Used: 512 MB" in env.invoke().report


def test_provisioned_concurrency_always_writes_init_report(environment):
    env = environment(
        "def handler(event, context): return 1", initialization_type="provisioned-concurrency"
    )
    env.initialize()
    assert "INIT_REPORT Init Duration: " in env.init.log
    first = env.invoke()
    assert not first.cold_start
    assert "Init Duration" not in first.report


@pytest.mark.parametrize(
    ("source", "error_type", "reported"),
    [
        ("1/0", "ZeroDivisionError", "Runtime.Unknown"),
        ("import nope", "Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("import sys; sys.exit(3)", "Runtime.ExitError", "Runtime.ExitError"),
    ],
)
def test_error_types_of_reports(environment, source, error_type, reported):
    env = environment(source)
    failed = env.invoke(check=False)
    assert (failed.error_type, env.init.error_type) == (error_type, error_type)
    assert failed.report.endswith(f"\tStatus: error\tError Type: {reported}")
    assert f"\tPhase: init\tStatus: error\tError Type: {reported}\n" in env.log
