"""The report of a run: what a suite costs with it, and the page of 10,000 phases."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.report.environments import what_happened
from pytest_lambda_lifecycle.report.page.writer import page
from pytest_lambda_lifecycle.report.run import Run, pack

from .conftest import Report, Timing

APP = "def handler(event, context): print(event); return {'ok': event['n']}"
SUITE = """
import pytest
@pytest.mark.parametrize("number", range(1000))
def test_it(lambda_lifecycle, number):
    env = lambda_lifecycle("app.handler")
    for n in range({invokes}):
        assert env.invoke({{"n": n}}).payload == {{"ok": n}}
"""
ROUNDS = 5


def _processor_time(folder: Path, *options: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment["PYTEST_PLUGINS"] = "pytest_lambda_lifecycle.plugin"
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("invokes", [2, 8])
def test_a_suite_with_the_report(tmp_path: Path, report: Report, invokes: int) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "test_suite.py").write_text(SUITE.format(invokes=invokes))
    found: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        found["bare"].append(_processor_time(tmp_path))
        found["ours"].append(_processor_time(tmp_path, "--lambda-lifecycle-report=run.html"))
    bare, ours = (Timing(median(found[name]), min(found[name])) for name in ("bare", "ours"))
    what = f"1,000 tests of {invokes} invokes with the report"
    report.ratio(what, ours, bare=bare, than="without", budget="<= 1.03 x")


def test_the_page_of_ten_thousand_phases(tmp_path: Path, report: Report) -> None:
    (tmp_path / "app.py").write_text(APP)
    with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path)) as env:
        for number in range(8):
            env.invoke({"n": number})
    facts = {"number": 1, "function": "app.handler", "facts": "", "made_at": "test_a.py:1"}
    run = Run("suite")
    for number in range(1000):
        run.phase_ended(f"test_it[{number}]", "", "passed", 0.0, 0.1, "")
        environment, _ = what_happened(env.timeline, virtual=False, **facts)
        run.test_ended(f"test_it[{number}]", "", pack([environment]))
    start = time.perf_counter()
    text = page(run)
    spent = time.perf_counter() - start
    size = f"{len(text) / 1e6:.1f} MB"
    report.text("the page of 10,000 phases", f"{spent * 1000:.0f} ms", size, "", "<= 3 s, 10 MB")
