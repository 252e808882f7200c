"""The fixture ``lambda_clock``: virtual time as pytest hands it out, beside what else is
installed.
"""

from __future__ import annotations

import os
import re
import time

import pytest

APP = """
    import time
    from datetime import datetime
    def handler(event, context):
        while event == "hang": pass
        time.sleep(event)
        return [time.time(), datetime.now().year]
"""
HEAD = """
import pytest, time
from datetime import datetime, timedelta, timezone
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    return pytester


def run(project: pytest.Pytester, test: str, *options: str, **outcomes: int) -> pytest.RunResult:
    project.makepyfile(test_it=HEAD + test)
    result = project.runpytest(*options)
    result.assert_outcomes(**(outcomes or {"passed": 1}))
    return result


class TestFixture:
    @pytest.mark.parametrize(
        "arguments", ["lambda_lifecycle, lambda_clock", "lambda_clock, lambda_lifecycle"]
    )
    def test_it_runs_for_the_test_in_either_order(self, project, arguments):
        test = f"""
def test({arguments}):
    env = lambda_lifecycle("app.handler")
    before = lambda_clock.now
    assert env.invoke(2).payload[0] == before.timestamp() + 2
    env.idle(hours=24)
    assert lambda_clock.now == before + timedelta(hours=24, seconds=2) == datetime.now(timezone.utc)

def test_real(): assert abs(time.time() - {time.time()}) < 3600
"""
        run(project, test, "-p", "no:randomly", passed=2)

    def test_another_fixture_may_use_it(self, project):
        test = """
@pytest.fixture
def env(lambda_clock, lambda_lifecycle):
    lambda_clock.advance(hours=1)
    yield lambda_lifecycle("app.handler")
    lambda_clock.advance(hours=1)

def test(env, lambda_clock): assert env.invoke(1).payload[0] == lambda_clock.now.timestamp()
def test_later(request): request.getfixturevalue("env").invoke(1)
"""
        run(project, test, passed=2)

    def test_an_environment_of_the_session_lives_in_real_time(self, project):
        test = """
@pytest.fixture(scope="session")
def env(session_lambda_lifecycle):
    env = session_lambda_lifecycle("app.handler")
    env.invoke(0)
    return env

def test_before(env): env.invoke(0)
def test_under(env, lambda_clock):
    with pytest.raises(Exception, match="was made before lambda_clock .*'app.handler'"): env.invoke(0)
def test_after(env): env.invoke(0)
"""
        run(project, test, "-p", "no:randomly", passed=3)

    def test_an_environment_of_the_session_made_under_a_clock_ends_with_it(self, project):
        test = """
kept = []
def test_makes(session_lambda_lifecycle, lambda_clock):
    kept.append(session_lambda_lifecycle("app.handler"))
    kept[0].invoke(1)

@pytest.mark.parametrize("clock", [True, False])
def test_uses(clock, request):
    if clock: request.getfixturevalue("lambda_clock")
    with pytest.raises(Exception, match="the lambda_clock of this environment has ended; make both in one test"):
        kept[0].invoke(1)
"""
        run(project, test, "-p", "no:randomly", passed=3)

    def test_two_clocks_in_one_test(self, project):
        test = """
from pytest_lambda_lifecycle import LambdaClock
def test(lambda_clock):
    with pytest.raises(Exception, match="cannot start a second clock: one runs already"), LambdaClock(): pass
    lambda_clock.advance(1)
"""
        run(project, test)

    def test_a_test_that_fails_under_the_clock_shows_virtual_moments(self, project):
        test = """
def test(lambda_lifecycle, lambda_clock):
    lambda_lifecycle("app.handler").invoke(2)
    assert 0
"""
        result = run(project, test, failed=1)
        result.stdout.fnmatch_lines(["*2000.000 ms  Invoke ended: 2000.00 ms, billed 20?? ms"])

    def test_its_line_in_the_list_of_fixtures(self, project):
        result = project.runpytest("--fixtures", "-q")
        result.stdout.fnmatch_lines(
            ["lambda_clock -- *plugin*__init__.py:*", "    Virtual time for the test *"]
        )


class TestStart:
    def test_by_ini_then_command_line_then_marker(self, project):
        project.makeini("[pytest]\nlambda_lifecycle_clock_start = 2031-01-01T00:00:00Z")
        test = "def test(lambda_clock): assert lambda_clock.now.year == {}"
        run(project, test.format(2031))
        option = "--lambda-lifecycle-clock-start=2032-01-01T00:00:00+00:00"
        result = run(project, test.format(2032), option)
        result.stdout.fnmatch_lines(["lambda_lifecycle: clock_start=2031-*, clock_start=2032-*"])
        for start in (
            "start=datetime(2033, 1, 1, tzinfo=timezone.utc)",
            "'2033-06-01T14:00+02:00'",
        ):
            run(project, f"@pytest.mark.lambda_clock({start})\n" + test.format(2033), option)
        run(project, "@pytest.mark.lambda_clock(start=None)\n" + test.format(2032), option)

    def test_the_closest_marker_counts_and_one_without_the_fixture_does_nothing(self, project):
        test = """
pytestmark = pytest.mark.lambda_clock("2031-01-01T00:00:00Z")
@pytest.mark.lambda_clock("2032-01-01T00:00:00Z")
class Base: pass
@pytest.mark.lambda_clock("2033-01-01T00:00:00Z")
class TestIt(Base):
    def test_of_the_class(self, lambda_clock): assert lambda_clock.now.year == 2033
    @pytest.mark.lambda_clock(start="2034-01-01T00:00:00Z")
    def test_its_own(self, lambda_clock): assert lambda_clock.now.year == 2034
def test_of_the_module(lambda_clock): assert lambda_clock.now.year == 2031
def test_real(): assert datetime.now().year < 2031
"""
        run(project, test, "--strict-markers", passed=4)

    @pytest.mark.parametrize(
        ("marker", "message"),
        [
            (
                "start=datetime(2033, 1, 1)",
                "start=datetime.datetime(2033, 1, 1, 0, 0) has no time zone: it takes an",
            ),
            ("start='2033-01-01'", "start='2033-01-01' has no time zone: it takes"),
            (
                "start='tomorrow'",
                "start='tomorrow' is no moment: it takes an aware datetime, or text such as '2030-",
            ),
            ("2033", "start=2033 is no moment"),
            (
                "'9999-12-31T00:01Z'",
                "start='9999-12-31T00:01Z' is too late: Python's calendar ends with the year 9999",
            ),
            (
                "'2033-01-01T00:00Z', '2034-01-01T00:00Z'",
                "one argument, start, and was given '2033-01-01T00:00Z', '20",
            ),
            (
                "'2033-01-01T00:00Z', start=None",
                "one argument, start, and was given '2033-01-01T00:00Z', start=None",
            ),
            ("begin=1", "the marker takes one argument, start, and was given begin=1"),
        ],
    )
    def test_a_marker_that_cannot_be(self, project, marker, message):
        result = run(
            project, f"@pytest.mark.lambda_clock({marker})\ndef test(lambda_clock): pass", errors=1
        )
        assert message in result.stdout.str()
        assert "(from the marker lambda_clock at test_it.py:3 (test))" in result.stdout.str()
        assert "clock_fixture.py" not in result.stdout.str()

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("clock_start", "2030-01-01", "clock_start='2030-01-01' has no time zone: it takes"),
            ("clock_start", "soon", "clock_start='soon' is no moment: it takes"),
            ("clock_start", "", "clock_start='' is no moment: it takes"),
            (
                "clock_start",
                "9999-12-31T12:00-05:00",
                "clock_start='9999-12-31T12:00-05:00' is too late: Python's",
            ),
            *(
                ("watchdog", value, "it takes a number of seconds above 0")
                for value in ("soon", "", "10 s")
            ),
            *(
                ("watchdog", value, "has to be a number of seconds above 0")
                for value in ("0", "-1", "nan", "inf")
            ),
        ],
    )
    def test_an_option_that_cannot_be_ends_the_run(self, project, option, value, message):
        flag = f"--lambda-lifecycle-{option.replace('_', '-')}"
        result = project.runpytest(f"{flag}={value}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert message.replace("it takes a number", "has to be a number") in result.stderr.str()
        assert f"(from {flag})" in result.stderr.str()

        project.makeini(f"[pytest]\nlambda_lifecycle_{option} = {value}")
        result = project.runpytest()
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert message in result.stderr.str() or pytest.version_tuple < (8, 4)
        assert f"ini option lambda_lifecycle_{option} in tox.ini" in result.stderr.str()

    @pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest 9 brought native TOML")
    def test_in_native_toml(self, project):
        project.makepyprojecttoml(
            "[tool.pytest]\nlambda_lifecycle_watchdog = 1\nlambda_lifecycle_idle_timeout = 600\n"
            "lambda_lifecycle_clock_start = '2031-01-01T00:00:00Z'"
        )
        test = "def test(lambda_lifecycle): assert lambda_lifecycle('app.handler').config.idle_timeout == 600"
        run(
            project,
            test + "\ndef test_starts(lambda_clock): assert lambda_clock.now.year == 2031",
            passed=2,
        )
        project.makepyprojecttoml(
            "[tool.pytest]\nlambda_lifecycle_clock_start = 2031-01-01T00:00:00Z"
        )
        result = project.runpytest()
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "it takes text such as '2030-01-31T12:00:00Z'" in result.stderr.str()

    def test_the_watchdog(self, project):
        test = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.initialize()
    with pytest.raises(Exception, match=r"0\\.3 s of real time without moving.* raise lambda_lifecycle_watchdog"):
        env.invoke("hang")
    assert env.invoke(1).cold_start
"""
        run(project, test, "-o", "lambda_lifecycle_watchdog=9", "--lambda-lifecycle-watchdog=0.3")

    def test_idle_timeout_and_max_lifetime(self, project):
        project.makeini("[pytest]\nlambda_lifecycle_idle_timeout = 600")
        test = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.invoke(0); env.idle(minutes=10)
    assert env.phases == ["init", "invoke", "shutdown"]
    assert env.config.max_lifetime == 60
"""
        run(project, test, "--lambda-lifecycle-max-lifetime=60")
        test = "def test(lambda_lifecycle): assert lambda_lifecycle('app.handler').config.idle_timeout is None"
        run(project, test, "--lambda-lifecycle-idle-timeout=None")
        result = project.runpytest("--lambda-lifecycle-max-lifetime=soon")
        result.stderr.fnmatch_lines(["*max_lifetime='soon' has to be a number of seconds above 0*"])


class TestIdlingWithoutAClock:
    """Time is shifted for everybody until the end of the test item."""

    def test_an_environment_of_the_session(self, project):
        test = """
REAL = [time.time]
@pytest.fixture(scope="session")
def env(session_lambda_lifecycle): return session_lambda_lifecycle("app.handler", idle_timeout=7200, max_lifetime=9999)

def test_shifted(env, lambda_lifecycle):
    before = time.time()
    env.invoke(0); env.idle(hours=1)
    lambda_lifecycle("app.handler").close()
    assert time.time() - before >= 3600 and env.invoke(0).payload[0] - before >= 3600

@pytest.mark.parametrize("n", [1, 2])
def test_real_again(env, n):
    assert time.time is REAL[0] is env.module.time.time and abs(env.invoke(0).payload[0] - time.time()) < 60
    env.idle(minutes=119)
    assert not env.invoke(0).cold_start

def test_due(env):
    env.idle(hours=2)
    assert env.invoke(0).cold_start
"""
        run(project, test, "-p", "no:randomly", passed=4)

    def test_modules_of_open_environments_get_real_time_back(self, project):
        project.makepyfile(
            app="""
            import time
            from datetime import datetime
            from time import monotonic
            class Cache: timer = time.monotonic
            def fetch(clock=time.monotonic): return clock()
            def handler(event, context): return [monotonic(), Cache.timer(), fetch(), datetime.now().timestamp()]
            """
        )
        test = """
modules, REAL = [], (time.monotonic, datetime)
def test_shifted(module_lambda_lifecycle):
    env = module_lambda_lifecycle("app.handler")
    before = env.invoke().payload
    env.idle(hours=1)
    assert all(3600 <= now - then < 3660 for then, now in zip(before, env.invoke().payload))
    modules.append(env.module)
def test_real():
    app, = modules
    assert (app.monotonic, app.datetime) == REAL
    assert app.Cache.timer is app.fetch.__defaults__[0] is REAL[0]
"""
        run(project, test, "-p", "no:randomly", passed=2)

    def test_a_failing_test(self, project):
        test = """
def test_shifted(lambda_lifecycle): lambda_lifecycle("app.handler").idle(hours=1); assert 0
def test_real(): assert time.time.__module__ == "time"
"""
        run(project, test, "-p", "no:randomly", passed=1, failed=1)


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


class TestOtherPlugins:
    def test_xdist_and_randomly(self, project):
        pytest.importorskip("xdist")
        pytest.importorskip("pytest_randomly")
        test = """
@pytest.mark.parametrize("n", range(10))
@pytest.mark.lambda_clock("2031-01-01T00:00:00Z")
def test_virtual(lambda_lifecycle, lambda_clock, n):
    assert lambda_lifecycle("app.handler").invoke(n / 4).payload[0] == lambda_clock.now.timestamp()
    assert lambda_clock.now.year == 2031
@pytest.mark.parametrize("n", range(10))
def test_real(lambda_lifecycle, n): assert lambda_lifecycle("app.handler").invoke(0).payload[1] < 2031
"""
        for arguments in (["-p", "xdist", "-n", "2"], ["-p", "randomly"]):
            run(project, test, *arguments, passed=20)

    def test_asyncio(self, project):
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

    def test_benchmark(self, project, monkeypatch):
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
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # there it measures nothing
        run(project, test, "-p", "benchmark", "--benchmark-max-time=0.1", passed=2)

    @pytest.mark.parametrize("under", ["lambda_clock", "tmp_path"])
    def test_timeout_by_signal(self, project, under):
        pytest.importorskip("pytest_timeout")
        test = f"""
@pytest.mark.timeout(1.5, func_only=True)  # starting a clock on a busy machine is not what is to be cut
def test(lambda_lifecycle, {under}): lambda_lifecycle("app.handler", timeout=30).invoke("hang")
def test_next(lambda_lifecycle, lambda_clock): lambda_lifecycle("app.handler").invoke(1)
"""
        project.makepyfile(test_it=HEAD + test)
        # In a process of its own: pytest-timeout, where it watches this run, has the timer here.
        result = project.runpytest_subprocess("-p", "timeout", "-p", "no:randomly", timeout=60)
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["*while event == *", "*Timeout (>1.5s) from pytest-timeout.*"])

    def test_timeout_by_thread(self, project):
        pytest.importorskip("pytest_timeout")
        project.makepyfile(
            test_it="""
            import pytest
            @pytest.mark.timeout(1.5, method="thread", func_only=True)
            def test(lambda_lifecycle, lambda_clock): lambda_lifecycle("app.handler", timeout=30).invoke("hang")
            """
        )
        result = project.runpytest_subprocess("-p", "timeout", timeout=60)
        assert result.ret == 1
        assert "Timeout" in (shown := result.stdout.str() + result.stderr.str())
        assert 'while event == "hang"' in shown
        assert "passed" not in shown


class TestOtherClocks:
    def test_freeze_time_outside(self, project):
        test = """
from freezegun import freeze_time
@pytest.fixture(autouse=True)
def frozen():
    with freeze_time("2040-01-01"): yield
def test(lambda_lifecycle, lambda_clock):
    assert lambda_lifecycle("app.handler").invoke(1).payload[1] == 2040 == lambda_clock.now.year
"""
        run(project, test)

    def test_freeze_time_before_the_plugin_was_first_used(self, project):
        project.makepyfile(
            test_it="""
            import pytest
            from freezegun import freeze_time
            @pytest.mark.parametrize("n", [1, 2])
            def test(request, n):
                with freeze_time("2040-01-01"):
                    env = request.getfixturevalue("lambda_lifecycle")("app.handler")
                    env.initialize()
                    failed = env.invoke("hang", remaining_ms=100, check=False)
                    assert failed.status == "timeout" and 100 <= failed.duration_ms < 2000
            """
        )
        project.runpytest_subprocess(timeout=60).assert_outcomes(passed=2)

    def test_freeze_time_as_a_decorator_is_inside(self, project):
        test = """
from freezegun import freeze_time
@freeze_time("2040-01-01")
def test(lambda_lifecycle, lambda_clock):
    assert lambda_lifecycle("app.handler").invoke(1).payload[1] == 2040 > lambda_clock.now.year
"""
        run(project, test)

    def test_freeze_time_inside(self, project):
        test = """
from freezegun import freeze_time
def test(lambda_lifecycle, lambda_clock):
    env, began = lambda_lifecycle("app.handler"), lambda_clock.now
    with freeze_time("2040-01-01"):
        assert env.invoke(0).payload[1] == 2040
    assert env.invoke(0).payload[0] == began.timestamp() == time.time()
"""
        run(project, test)

    @pytest.mark.parametrize("arguments", ["freezer, lambda_clock", "lambda_clock, freezer"])
    def test_pytest_freezer(self, project, arguments):
        pytest.importorskip("pytest_freezer")
        test = f"""
def test({arguments}, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    freezer.move_to("2040-01-01")
    env.idle(hours=1)
    assert env.invoke(2).payload[1] == datetime.now().year
    assert env.invocations[-1].duration_ms == 2000
def test_real(): assert time.time.__module__ == "time" and datetime.now().year < 2040
"""
        run(project, test, "-p", "freezer", "-p", "no:randomly", passed=2)

    def test_idling_without_a_clock_moves_a_frozen_one(self, project):
        test = """
from freezegun import freeze_time
def test(lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    with freeze_time("2040-01-01"):
        env.idle(hours=1)
        assert env.invoke(0).payload[0] == datetime(2040, 1, 1, 1, tzinfo=timezone.utc).timestamp()
    env.idle(hours=1)
    with freeze_time("2041-01-01"):
        env.idle(hours=1)
        assert env.invoke(0).payload[0] == datetime(2041, 1, 1, 1, tzinfo=timezone.utc).timestamp()
        env.close()
        assert datetime.now().hour == 1
def test_real(): assert time.time.__module__ == "time" and abs(datetime.now().timestamp() - time.time()) < 60
"""
        run(project, test, "-p", "no:randomly", passed=2)

    @pytest.mark.parametrize("ask", ["request.getfixturevalue('lambda_clock')", "env.idle(1)"])
    def test_time_machine_is_refused(self, project, ask):
        pytest.importorskip("time_machine")
        test = f"""
import time_machine
def test(request, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    with time_machine.travel("2041-01-01"):
        with pytest.raises(Exception, match="lambda_clock.*time-machine is travelling in this test.*freezegun"): {ask}
        assert env.invoke(0).payload[1] == 2041
    env.idle(1)
"""
        run(project, test)

    @pytest.mark.parametrize("virtual", ["request.getfixturevalue('lambda_clock')", "env.idle(1)"])
    def test_time_machine_is_refused_afterwards(self, project, virtual):
        pytest.importorskip("time_machine")
        test = f"""
import time_machine
def test(request, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    {virtual}
    with pytest.raises(Exception, match="cannot travel with time-machine.*lambda_clock.*freezegun"):
        time_machine.travel("2041-01-01").start()
def test_next():
    with time_machine.travel("2041-01-01"): assert datetime.now().year == 2041
"""
        run(project, test, "-p", "no:randomly", passed=2)


def test_moto_and_signing_use_the_same_time(project):
    pytest.importorskip("moto")
    project.makepyfile(
        app="""
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            s3.create_bucket(Bucket="bucket"); s3.put_object(Bucket="bucket", Key="k", Body=b"x")
            written = s3.head_object(Bucket="bucket", Key="k")["LastModified"].timestamp()
            return [written, s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=60)]
        """
    )
    test = """
from moto import mock_aws
@mock_aws
@pytest.mark.lambda_clock(start="2030-01-01T00:00:00Z")
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    for _ in range(2):
        now = lambda_clock.now.timestamp()
        written, url = env.invoke(0).payload
        assert written == now and f"Expires={int(now) + 60}" in url
        env.idle(hours=11, minutes=30)
"""
    run(project, test)


LIBRARY = """
import datetime, time
from datetime import datetime as moment
from time import sleep
class Held: now, tick = datetime.datetime, staticmethod(time.time)
def read(clock=time.monotonic, *, kind=datetime.date, nap=time.sleep): ...
"""
FAKES = """
import random, sys, time
from types import FunctionType, MethodType, ModuleType
import pytest

def fakes():
    for name, module in list(sys.modules.items()):
        if name.startswith("freezegun") or not issubclass(type(module), ModuleType): continue
        for owner in [module, *(one for one in list(vars(module).values()) if issubclass(type(one), type))]:
            for key, value in list(vars(owner).items()):
                held = [value.__func__ if type(value) in (staticmethod, classmethod) else value]
                if type(held[0]) is FunctionType:
                    held += [*(held[0].__defaults__ or ()), *(held[0].__kwdefaults__ or {}).values()]
                yield from (f"{name}: {owner}.{key}" for one in held if is_fake(one))

def is_fake(value):
    if type(value) is MethodType: return type(value.__self__).__name__ == "VirtualSleep"
    if not issubclass(type(value), (FunctionType, type)): return False
    if value.__module__ == "freezegun.api": return value.__name__.lower().startswith("fake")
    return value.__name__ == "stand_in"

@pytest.fixture(scope="session", autouse=True)
def nothing_fake():
    real = time.time, time.monotonic, time.sleep, sys.modules["datetime"].datetime
    yield
    assert (time.time, time.monotonic, time.sleep, sys.modules["datetime"].datetime) == real
    assert {f"lib{n}" for n in range(9)} <= set(sys.modules)
    assert list(fakes()) == []

def pytest_collection_modifyitems(items): random.shuffle(items)
"""
THOUSAND = """
from freezegun import freeze_time
@pytest.fixture
def frozen():
    with freeze_time("2040-01-01"): yield
@pytest.mark.parametrize("n", range(700))
def test_virtual(lambda_clock, n): lambda_clock.advance(1); assert time.time() == lambda_clock.now.timestamp()
@pytest.mark.parametrize("n", range(100))
def test_frozen_outside(frozen, lambda_clock, n): assert lambda_clock.now.year == 2040
@pytest.mark.parametrize("n", range(100))
def test_frozen_inside(lambda_clock, frozen, n): assert datetime.now().year == 2040
@pytest.mark.parametrize("n", range(30))
def test_environment(lambda_clock, lambda_lifecycle, n): lambda_lifecycle(f"app{n % 9}.handler").invoke(1)
@pytest.mark.parametrize("n", range(70))
def test_idle(lambda_lifecycle, n): lambda_lifecycle(f"app{n % 9}.handler").idle(hours=1)
"""


def test_a_thousand_tests_in_random_order_leave_nothing_fake(project, monkeypatch):
    libraries = project.mkdir("site-packages")
    for number in range(9):  # each is imported first by whichever test comes first
        (libraries / f"lib{number}.py").write_text(LIBRARY)
        (project.path / f"app{number}.py").write_text(
            f"import lib{number}\n{LIBRARY}\ndef handler(e, c): sleep(e)"
        )
    monkeypatch.setenv("PYTHONPATH", str(libraries), prepend=os.pathsep)
    project.makepyfile(test_it=HEAD + THOUSAND)
    project.makeconftest(FAKES)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1000)
