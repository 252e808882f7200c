"""x"""

from __future__ import annotations

import pytest
from clock.projects import run


def test_by_ini_then_command_line_then_marker(project):
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
def test_an_option_that_cannot_be_ends_the_run(project, option, value, message):
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
def test_in_native_toml(project):
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
    project.makepyprojecttoml("[tool.pytest]\nlambda_lifecycle_clock_start = 2031-01-01T00:00:00Z")
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "it takes text such as '2030-01-31T12:00:00Z'" in result.stderr.str()


def test_the_watchdog(project):
    test = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.initialize()
    with pytest.raises(Exception, match=r"0\\.3 s of real time without moving.* raise lambda_lifecycle_watchdog"):
        env.invoke("hang")
    assert env.invoke(1).cold_start
"""
    run(project, test, "-o", "lambda_lifecycle_watchdog=9", "--lambda-lifecycle-watchdog=0.3")


def test_idle_timeout_and_max_lifetime(project):
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
