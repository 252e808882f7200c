"""The option ``watchdog``: real seconds that a phase may take under ``lambda_clock``."""

import pytest
from clock.projects import run

from .option_checks import check_bad_clock_value

HANGS = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.initialize()
    with pytest.raises(Exception, match=r"1 s of real time without moving"):
        env.invoke("hang")
"""


def test_in_the_ini_file(project):
    project.makeini("[pytest]\nlambda_lifecycle_watchdog = 1")
    run(project, HANGS)


def test_on_the_command_line(project):
    run(project, HANGS, "--lambda-lifecycle-watchdog=1")


def test_the_command_line_wins_over_the_ini_file(project):
    test = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.initialize()
    match = r"(?s)1 s of real time without moving.*Raise lambda_lifecycle_watchdog"
    with pytest.raises(Exception, match=match):
        env.invoke("hang")
    assert env.invoke(1).cold_start
"""
    run(project, test, "-o", "lambda_lifecycle_watchdog=9", "--lambda-lifecycle-watchdog=1")


@pytest.mark.parametrize("value", ["soon", "", "10 s"])
def test_a_value_that_is_not_a_number_ends_the_run(project, value):
    check_bad_clock_value(project, "watchdog", value, "it takes a number of seconds above 0")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_bad_value_ends_the_run(project, value):
    check_bad_clock_value(project, "watchdog", value, "has to be a number of seconds above 0")
