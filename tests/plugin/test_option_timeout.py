"""The option ``timeout``: seconds that an invoke may take."""

import pytest

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "timeout", "12", 12)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "timeout", "12", 12)


def test_a_bad_value_ends_the_run(option_suite):
    message = "timeout=1801 s is outside Lambda's range 1..1800 s"
    check_bad_value(option_suite, "timeout", "1801", message)


@pytest.mark.parametrize("text", ["three", "3.5", "", "3 s"])
def test_a_value_that_is_not_a_number_ends_the_run(option_suite, text):
    for arguments, ini in [
        (["--lambda-lifecycle-timeout", text], ""),
        ([], f"lambda_lifecycle_timeout = {text}"),
    ]:
        option_suite.makeini(f"[pytest]\n{ini}")
        result = option_suite.runpytest(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        error = result.stderr.str()
        assert text in error
        assert "whole number of seconds, 1..1800" in error
        assert (
            "lambda_lifecycle_timeout in tox.ini" in error or "--lambda-lifecycle-timeout" in error
        )
