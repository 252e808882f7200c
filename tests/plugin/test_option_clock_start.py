"""The option ``clock_start``: the moment at which ``lambda_clock`` starts."""

import pytest
from clock.projects import run

from .option_checks import check_bad_clock_value

YEAR = "def test(lambda_clock): assert lambda_clock.now.year == {}"


def test_in_the_ini_file(project):
    project.makeini("[pytest]\nlambda_lifecycle_clock_start = 2031-01-01T00:00:00Z")
    run(project, YEAR.format(2031))


def test_on_the_command_line(project):
    run(project, YEAR.format(2032), "--lambda-lifecycle-clock-start=2032-01-01T00:00:00+00:00")


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
    ("value", "message"),
    [
        ("2030-01-01", "clock_start='2030-01-01' has no time zone: it takes"),
        ("soon", "clock_start='soon' is no moment: it takes"),
        ("", "clock_start='' is no moment: it takes"),
        (
            "9999-12-31T12:00-05:00",
            "clock_start='9999-12-31T12:00-05:00' is too late: Python's",
        ),
    ],
)
def test_a_bad_value_ends_the_run(project, value, message):
    check_bad_clock_value(project, "clock_start", value, message)


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest 9 brought native TOML")
def test_in_native_toml(project):
    project.makepyprojecttoml(
        "[tool.pytest]\nlambda_lifecycle_watchdog = 1\nlambda_lifecycle_idle_timeout = 600\n"
        "lambda_lifecycle_clock_start = '2031-01-01T00:00:00Z'"
    )
    test = (
        "def test(lambda_lifecycle):\n"
        "    assert lambda_lifecycle('app.handler').config.idle_timeout == 600"
    )
    run(
        project,
        test + "\ndef test_starts(lambda_clock): assert lambda_clock.now.year == 2031",
        passed=2,
    )
    project.makepyprojecttoml("[tool.pytest]\nlambda_lifecycle_clock_start = 2031-01-01T00:00:00Z")
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "it takes text such as '2030-01-31T12:00:00Z'" in result.stderr.str()
