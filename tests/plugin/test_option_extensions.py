"""The option ``extensions``: executables that are extensions of every function."""

import os

import pytest

from .option_checks import check_bad_value, shown

needs_processes = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")


@pytest.fixture
def programs(option_suite):
    """Two executables in the rootdir."""
    paths = [option_suite.path / name for name in ("agent", "other")]
    for path in paths:
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return paths


@needs_processes
def test_in_the_ini_file(option_suite, monkeypatch, programs):
    option_suite.makeini("[pytest]\nlambda_lifecycle_extensions = agent other")
    line = shown(option_suite, monkeypatch, "extensions")
    source = "ini option lambda_lifecycle_extensions in tox.ini"
    assert f"<{tuple(programs)!r} from {source}>" in line


@needs_processes
def test_on_the_command_line(option_suite, monkeypatch, programs):
    """There, paths start at the directory in which pytest was called."""
    below = option_suite.mkdir("below")
    option_suite.makeini("[pytest]\nlambda_lifecycle_extensions = agent")
    monkeypatch.chdir(below)
    flag = "--lambda-lifecycle-extensions"
    arguments = [f"{flag}=../other", "--rootdir", "..", ".."]
    line = shown(option_suite, monkeypatch, "extensions", *arguments)
    assert f"<({programs[1]!r},) from {flag}>" in line


@needs_processes
def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "extensions", "no-agent", "does not exist")
