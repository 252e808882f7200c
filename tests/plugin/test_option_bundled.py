"""The option ``bundled``: code outside the task root that the build copies into the functions."""

import pytest

from .option_checks import check_bad_value, flag_of, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    """A value that is no directory beside the ini file is an import name."""
    option_suite.mkdir("libs")
    option_suite.makeini("[pytest]\nlambda_lifecycle_bundled = common src.helper libs")
    line = shown(option_suite, monkeypatch, "bundled")
    assert f"<('common', 'src.helper', PosixPath('{option_suite.path}/libs')) from ini opt" in line


def test_on_the_command_line(option_suite, monkeypatch):
    flag = flag_of("bundled")
    line = shown(option_suite, monkeypatch, "bundled", flag, "common", flag, "shared")
    assert f"<('common', 'shared') from {flag}>" in line


@pytest.mark.parametrize(
    ("value", "message"), [("./libs", "does not exist"), ("a-b", "does not exist")]
)
def test_a_bad_value_ends_the_run(option_suite, value, message):
    check_bad_value(option_suite, "bundled", value, message)


def test_a_file_is_refused(option_suite):
    option_suite.makepyfile(**{"pricing": ""})
    check_bad_value(option_suite, "bundled", "./pricing.py", "is a file, not a directory")
