"""The option ``environment``: environment variables of the functions."""

import pytest

from .option_checks import check_bad_value, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_environment =\n  STAGE = dev\n  TABLE=a=b\n")
    line = shown(option_suite, monkeypatch, "environment")
    assert "<{'STAGE': 'dev', 'TABLE': 'a=b'} from ini option lambda_lifecycle_environment" in line


def test_on_the_command_line(option_suite, monkeypatch):
    arguments = [f"--lambda-lifecycle-environment={pair}" for pair in ("STAGE=dev", "TABLE=a=b")]
    line = shown(option_suite, monkeypatch, "environment", *arguments)
    assert "<{'STAGE': 'dev', 'TABLE': 'a=b'} from --lambda-lifecycle-environment>" in line


def test_the_command_line_is_merged_with_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_environment =\n  STAGE = dev\n  TABLE=a=b\n")
    line = shown(
        option_suite, monkeypatch, "environment", "--lambda-lifecycle-environment", "STAGE=prod"
    )
    assert "<{'STAGE': 'prod', 'TABLE': 'a=b'} from --lambda-lifecycle-environment>" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TABLE", "'TABLE' is not of the form NAME=VALUE"),
        ("AWS_REGION=x", "'AWS_REGION' is reserved by Lambda; use the setting region"),
    ],
)
def test_a_bad_value_ends_the_run(option_suite, text, message):
    check_bad_value(option_suite, "environment", text, message)
