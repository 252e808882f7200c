"""The checks that the tests of all options share: ini file, command line, and a bad value.

`suite` is the fixture ``option_suite``: a suite that prints one setting of an environment.
"""

from __future__ import annotations

import pytest

__all__ = [
    "check_bad_clock_value",
    "check_bad_value",
    "check_command_line",
    "check_ini_option",
    "flag_of",
    "shown",
]


def flag_of(setting: str) -> str:
    """Return the name of an option on the command line."""
    return f"--lambda-lifecycle-{setting.replace('_', '-')}"


def shown(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting: str, *arguments: str
) -> str:
    """Return the line with the value of a setting and the source of the value."""
    monkeypatch.setenv("SETTING", setting)
    result = suite.runpytest("-s", *arguments)
    result.assert_outcomes(passed=1)
    (line,) = [
        line
        for line in result.outlines
        if line.endswith(">.") or line.endswith(">") or " from " in line
    ][-1:]
    return line


def check_ini_option(suite, monkeypatch, setting, text, value):
    """Check that the ini option sets the default of the suite, and is the source of the value."""
    suite.makeini(f"[pytest]\nlambda_lifecycle_{setting} = {text}")
    assert f"<{value!r} from ini option lambda_lifecycle_{setting} in tox.ini>" in shown(
        suite, monkeypatch, setting
    )


def check_command_line(suite, monkeypatch, setting, text, value):
    """Check that the command line wins over the ini file, and is the source of the value."""
    suite.makeini("[pytest]\nlambda_lifecycle_timeout = 7\nlambda_lifecycle_region = us-west-2")
    flag = flag_of(setting)
    assert f"<{value!r} from {flag}>" in shown(suite, monkeypatch, setting, flag, text)


def check_bad_value(suite, setting, text, message):
    """Check that a value which Lambda would refuse ends the run, and that its source is named."""
    flag = flag_of(setting)
    result = suite.runpytest(flag, text)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    if setting != "code_dir":
        assert f"(from {flag})" in result.stderr.str()
    assert message in result.stderr.str()

    suite.makeini(f"[pytest]\nlambda_lifecycle_{setting} = {text}")
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ini option lambda_lifecycle_{setting} in tox.ini" in result.stderr.str()
    assert message in result.stderr.str()


def check_bad_clock_value(project, option, value, message):
    """Check the same of an option of ``lambda_clock``, with any suite."""
    flag = flag_of(option)
    result = project.runpytest(f"{flag}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message.replace("it takes a number", "has to be a number") in result.stderr.str()
    assert f"(from {flag})" in result.stderr.str()

    project.makeini(f"[pytest]\nlambda_lifecycle_{option} = {value}")
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() or pytest.version_tuple < (8, 4)
    assert f"ini option lambda_lifecycle_{option} in tox.ini" in result.stderr.str()
