"""Ini options and command line as a whole: sources, report header, help."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lambda_lifecycle.function.settings import setting_names
from pytest_lambda_lifecycle.plugin.options import MODES, OPTIONS, ORDINARY

from .option_checks import shown


def test_each_option_has_a_file_of_tests():
    files = {path.stem for path in Path(__file__).parent.glob("test_option_*.py")}
    assert files == {f"test_option_{option.setting}" for option in (*ORDINARY, *MODES)}


def test_the_source_of_an_override_with_o(option_suite, monkeypatch):
    line = shown(option_suite, monkeypatch, "timeout", "-o", "lambda_lifecycle_timeout=9")
    assert "<9 from ini option lambda_lifecycle_timeout given with -o>" in line


def test_options_in_pyproject_toml(option_suite, monkeypatch):
    option_suite.makepyprojecttoml("[tool.pytest.ini_options]\nlambda_lifecycle_timeout = '8'")
    assert "<8 from ini option lambda_lifecycle_timeout in pyproject.toml>" in shown(
        option_suite, monkeypatch, "timeout"
    )


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest 9 brought native TOML")
def test_options_in_native_toml(option_suite, monkeypatch):
    option_suite.makepyprojecttoml(
        "[tool.pytest]\nlambda_lifecycle_timeout = 8\n"
        "lambda_lifecycle_environment = ['STAGE=dev', 'TABLE=orders']"
    )
    assert "<8 from" in shown(option_suite, monkeypatch, "timeout")
    assert "<{'STAGE': 'dev', 'TABLE': 'orders'} from" in shown(
        option_suite, monkeypatch, "environment"
    )


def test_the_header_shows_the_options_that_are_set(option_suite, monkeypatch):
    monkeypatch.setenv("SETTING", "timeout")
    assert "lambda_lifecycle:" not in option_suite.runpytest().stdout.str()
    option_suite.makeini(
        "[pytest]\nlambda_lifecycle_timeout = 9\nlambda_lifecycle_fresh_packages = one two"
    )
    result = option_suite.runpytest("--lambda-lifecycle-region", "eu-west-1")
    result.stdout.fnmatch_lines(
        ["lambda_lifecycle: timeout=9, fresh_packages=one,two, region=eu-west-1"]
    )
    assert "lambda_lifecycle:" not in option_suite.runpytest("-q").stdout.str()


def test_the_help_describes_every_option(option_suite):
    result = option_suite.runpytest("--help")
    text = result.stdout.str()
    assert "AWS Lambda lifecycle:" in text
    for option in (*ORDINARY, *MODES):
        assert option.flag in text
        assert f"  {option.ini} " in text


def test_each_option_is_a_setting():
    assert {option.setting for option in OPTIONS} <= set(setting_names())


def test_options_with_strict_config(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_timeout = 9")
    assert "<9" in shown(option_suite, monkeypatch, "timeout", "--strict-config")
