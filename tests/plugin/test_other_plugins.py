"""``lambda_clock`` beside other plugins of pytest."""

from __future__ import annotations

import re

import pytest
from clock.projects import HEAD, run


def test_durations_stay_sane(project):
    test = """
def test(lambda_lifecycle, lambda_clock):
    lambda_lifecycle("app.handler", timeout=900).invoke(900); lambda_clock.advance(hours=9)
def test_without(lambda_lifecycle): lambda_lifecycle("app.handler").idle(hours=9)
"""
    result = run(project, test, "--durations=0", "-vv", "--junitxml=out.xml", passed=2)
    shown = [
        float(number)
        for number in re.findall(r"(\d+\.\d+)s (?:call|setup|teardown)", result.stdout.str())
    ]
    assert len(shown) == 6
    assert max(shown) < 60
    times = re.findall(r' time="([0-9.]+)"', (project.path / "out.xml").read_text())
    assert len(times) == 3
    assert all(float(one) < 60 for one in times)
    assert re.search(r"2 passed.* in \d+\.\d\ds ==", result.stdout.str())


def test_xdist_and_randomly(project):
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_randomly")
    test = """
@pytest.mark.parametrize("n", range(10))
@pytest.mark.lambda_clock("2031-01-01T00:00:00Z")
def test_virtual(lambda_lifecycle, lambda_clock, n):
    assert lambda_lifecycle("app.handler").invoke(n / 4).payload[0] == lambda_clock.now.timestamp()
    assert lambda_clock.now.year == 2031
@pytest.mark.parametrize("n", range(10))
def test_real(lambda_lifecycle, n):
    assert lambda_lifecycle("app.handler").invoke(0).payload[1] < 2031
"""
    for arguments in (["-p", "xdist", "-n", "2"], ["-p", "randomly"]):
        run(project, test, *arguments, passed=20)


def test_asyncio(project):
    pytest.importorskip("pytest_asyncio")
    project.makepyfile(
        app="""
        import asyncio
        async def main(): await asyncio.sleep(2); return "slept"
        def handler(event, context): return asyncio.run(main())
        """
    )
    test = """
import asyncio
REAL = {"now": time.perf_counter}
@pytest.mark.asyncio
async def test(lambda_lifecycle, lambda_clock):
    began, real, loop = lambda_clock.now, REAL["now"](), asyncio.get_running_loop().time()
    await asyncio.sleep(0.05)
    assert REAL["now"]() - real >= 0.04 and asyncio.get_running_loop().time() - loop >= 0.04
    assert lambda_lifecycle("app.handler").invoke().payload == "slept"
    assert timedelta(seconds=2) <= lambda_clock.now - began < timedelta(seconds=2.01)
"""
    run(project, test, "-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")


def test_benchmark(project, monkeypatch):
    pytest.importorskip("pytest_benchmark")
    test = """
def test(lambda_lifecycle, lambda_clock, benchmark):
    env = lambda_lifecycle("app.handler")
    env.initialize()
    before = lambda_clock.now
    benchmark.pedantic(env.invoke, [1], rounds=20)
    assert lambda_clock.now - before == timedelta(seconds=20)
    assert 0 < benchmark.stats.stats.min < 1
def test_calibrated(lambda_lifecycle, lambda_clock, benchmark):
    env = lambda_lifecycle("app.handler")
    benchmark(env.invoke, 0)
    assert 0 < benchmark.stats.stats.min < 1
"""
    # In a worker of xdist, pytest-benchmark measures nothing.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    run(project, test, "-p", "benchmark", "--benchmark-max-time=0.1", passed=2)


@pytest.mark.parametrize("under", ["lambda_clock", "tmp_path"])
def test_timeout_by_signal(project, under):
    pytest.importorskip("pytest_timeout")
    test = f"""
@pytest.mark.timeout(1.5, func_only=True)  # not the start of a clock on a busy machine
def test(lambda_lifecycle, {under}): lambda_lifecycle("app.handler", timeout=30).invoke("hang")
def test_next(lambda_lifecycle, lambda_clock): lambda_lifecycle("app.handler").invoke(1)
"""
    project.makepyfile(test_it=HEAD + test)
    # In its own process: here, pytest-timeout may use the timer for this run.
    result = project.runpytest_subprocess("-p", "timeout", "-p", "no:randomly", timeout=60)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*while event == *", "*Timeout (>1.5s) from pytest-timeout.*"])


def test_timeout_by_thread(project):
    pytest.importorskip("pytest_timeout")
    project.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.timeout(1.5, method="thread", func_only=True)
        def test(lambda_lifecycle, lambda_clock):
            lambda_lifecycle("app.handler", timeout=30).invoke("hang")
        """
    )
    result = project.runpytest_subprocess("-p", "timeout", timeout=60)
    assert result.ret == 1
    assert "Timeout" in (shown := result.stdout.str() + result.stderr.str())
    assert 'while event == "hang"' in shown
    assert "passed" not in shown
