"""The ini options and the command line, each as a suite would set it."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle.function.settings import setting_names
from pytest_lambda_lifecycle.plugin.options import CLOCK_OPTIONS, OPTIONS

# option, text, what the environment's config then has
SCALARS = [
    ("timeout", "12", 12),
    ("memory_size", "512", 512),
    ("ephemeral_storage", "1024", 1024),
    ("region", "eu-west-1", "eu-west-1"),
    ("account_id", "000000000001", "000000000001"),
    ("runtime", "python3.12", "python3.12"),
    ("log_format", "JSON", "JSON"),
    ("application_log_level", "DEBUG", "DEBUG"),
    ("idle_timeout", "600", 600.0),
    ("max_lifetime", "7200.5", 7200.5),
]
BAD = [
    ("timeout", "901", "timeout=901 s is outside Lambda's range 1..900 s"),
    ("memory_size", "64", "memory_size=64 MB is outside Lambda's range 128..10240 MB"),
    ("ephemeral_storage", "1", "512..10240 MB"),
    ("region", "mars", "region='mars' has to be the name of a region"),
    ("account_id", "12", "a string of 12 digits"),
    ("runtime", "python2.7", "runtime='python2.7' is not one of 'python3.10'"),
    ("log_format", "json", "did you mean 'JSON'"),
    ("application_log_level", "LOUD", "'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'"),
    ("environment", "TABLE", "'TABLE' is not of the form NAME=VALUE"),
    ("environment", "AWS_REGION=x", "'AWS_REGION' is reserved by Lambda; use the setting region"),
    ("layers", "no-layer", "does not exist"),
    ("fresh_packages", "a-b", "did you mean 'a_b'"),
    ("code_dir", "nowhere", "does not exist"),
    ("idle_timeout", "0", "idle_timeout=0.0 has to be a number of seconds above 0"),
    ("max_lifetime", "nan", "max_lifetime=nan has to be a number of seconds above 0"),
]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite that prints one setting of an environment made without any."""
    pytester.makepyfile(
        app="def handler(event, context): return None",
        test_suite="""
            import os
            def test_shows(lambda_lifecycle):
                config = lambda_lifecycle("app.handler").config
                name = os.environ["SETTING"]
                print(f"<{getattr(config, name)!r} from {config.source_of(name)}>")
        """,
    )
    return pytester


def shown(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, setting: str, *arguments: str
) -> str:
    monkeypatch.setenv("SETTING", setting)
    result = suite.runpytest("-s", *arguments)
    result.assert_outcomes(passed=1)
    (line,) = [
        line
        for line in result.outlines
        if line.endswith(">.") or line.endswith(">") or " from " in line
    ][-1:]
    return line


@pytest.mark.parametrize(("setting", "text", "value"), SCALARS)
def test_an_ini_option_sets_the_suites_default(suite, monkeypatch, setting, text, value):
    suite.makeini(f"[pytest]\nlambda_lifecycle_{setting} = {text}")
    assert f"<{value!r} from ini option lambda_lifecycle_{setting} in tox.ini>" in shown(
        suite, monkeypatch, setting
    )


@pytest.mark.parametrize(("setting", "text", "value"), SCALARS)
def test_the_command_line_wins_over_the_ini_file(suite, monkeypatch, setting, text, value):
    suite.makeini("[pytest]\nlambda_lifecycle_timeout = 7\nlambda_lifecycle_region = us-west-2")
    flag = f"--lambda-lifecycle-{setting.replace('_', '-')}"
    assert f"<{value!r} from {flag}>" in shown(suite, monkeypatch, setting, flag, text)


def test_an_override_with_o_says_so(suite, monkeypatch):
    line = shown(suite, monkeypatch, "timeout", "-o", "lambda_lifecycle_timeout=9")
    assert "<9 from ini option lambda_lifecycle_timeout given with -o>" in line


def test_pyproject_toml_works(suite, monkeypatch):
    suite.makepyprojecttoml("[tool.pytest.ini_options]\nlambda_lifecycle_timeout = '8'")
    assert "<8 from ini option lambda_lifecycle_timeout in pyproject.toml>" in shown(
        suite, monkeypatch, "timeout"
    )


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest 9 brought native TOML")
def test_native_toml_takes_numbers_and_lists(suite, monkeypatch):
    suite.makepyprojecttoml(
        "[tool.pytest]\nlambda_lifecycle_timeout = 8\nlambda_lifecycle_environment = ['STAGE=dev', 'TABLE=orders']"
    )
    assert "<8 from" in shown(suite, monkeypatch, "timeout")
    assert "<{'STAGE': 'dev', 'TABLE': 'orders'} from" in shown(suite, monkeypatch, "environment")


def test_environment_is_a_list_of_lines_and_merges_with_the_command_line(suite, monkeypatch):
    suite.makeini("[pytest]\nlambda_lifecycle_environment =\n  STAGE = dev\n  TABLE=a=b\n")
    line = shown(suite, monkeypatch, "environment", "--lambda-lifecycle-environment", "STAGE=prod")
    assert "<{'STAGE': 'prod', 'TABLE': 'a=b'} from --lambda-lifecycle-environment>" in line


def test_layers_start_at_the_ini_file_or_at_the_invocation_directory(suite, monkeypatch):
    below = suite.mkdir("below")
    for name in ("layer-a", "layer-b"):
        suite.mkdir(name)
    suite.makeini("[pytest]\nlambda_lifecycle_layers = layer-a layer-b")
    line = shown(suite, monkeypatch, "layers")
    assert str(suite.path / "layer-a") in line
    assert str(suite.path / "layer-b") in line
    monkeypatch.chdir(below)
    line = shown(
        suite,
        monkeypatch,
        "layers",
        "--lambda-lifecycle-layers",
        "../layer-b",
        "--rootdir",
        "..",
        "..",
    )
    assert f"('{suite.path / 'layer-b'}'),)" in line


def test_fresh_packages(suite, monkeypatch):
    suite.makeini("[pytest]\nlambda_lifecycle_fresh_packages = colorsys xml.dom")
    assert "<('colorsys', 'xml.dom') from ini" in shown(suite, monkeypatch, "fresh_packages")
    line = shown(suite, monkeypatch, "fresh_packages", "--lambda-lifecycle-fresh-packages", "*")
    assert "<('*',) from --lambda-lifecycle-fresh-packages>" in line


class TestCodeDir:
    def test_in_the_ini_file_it_is_the_first_place_to_look(self, suite, monkeypatch):
        suite.mkdir("functions")
        (suite.path / "functions" / "app.py").write_text(
            "def handler(event, context): return 'functions'"
        )
        suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions")
        line = shown(suite, monkeypatch, "code_dir")
        assert (
            f"PosixPath('{suite.path / 'functions'}') from the search for the handler's module"
            in line
        )

    def test_in_the_ini_file_it_is_not_the_only_place(self, suite, monkeypatch):
        suite.mkdir("functions")
        suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions")
        assert f"PosixPath('{suite.path}')" in shown(suite, monkeypatch, "code_dir")

    def test_on_the_command_line_it_is_the_task_root(self, suite, monkeypatch):
        suite.mkdir("build")
        suite.makeini("[pytest]\nlambda_lifecycle_code_dir = .")
        line = shown(suite, monkeypatch, "code_dir", "--lambda-lifecycle-code-dir", "build")
        assert f"PosixPath('{suite.path / 'build'}') from --lambda-lifecycle-code-dir" in line

    def test_the_places_are_listed_when_nothing_is_found(self, suite):
        suite.mkdir("functions")
        suite.mkdir("lib")
        suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions\npythonpath = lib")
        suite.makepyfile(
            test_suite="def test_it(lambda_lifecycle): lambda_lifecycle('gone.handler')"
        )
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "*ConfigError: no task root for the handler 'gone.handler' (from the call at test_*): "
                "looked for gone.py and gone/__init__.py in",
                "*/functions  (ini option lambda_lifecycle_code_dir in tox.ini)",
                f"*{suite.path}  (rootdir)",
                "*/src  (rootdir/src; it does not exist)",
                "*/lib  (an entry of the ini option pythonpath)",
                "*code_dir=...*",
            ]
        )


@pytest.mark.parametrize(("setting", "text", "message"), BAD)
def test_a_bad_value_ends_the_run_with_a_usage_error(suite, setting, text, message):
    flag = f"--lambda-lifecycle-{setting.replace('_', '-')}"
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


@pytest.mark.parametrize("text", ["three", "3.5", "", "3 s"])
def test_a_number_that_is_none_ends_the_run(suite, text):
    for arguments, ini in [
        (["--lambda-lifecycle-timeout", text], ""),
        ([], f"lambda_lifecycle_timeout = {text}"),
    ]:
        suite.makeini(f"[pytest]\n{ini}")
        result = suite.runpytest(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        error = result.stderr.str()
        assert text in error
        assert "whole number of seconds, 1..900" in error
        assert (
            "lambda_lifecycle_timeout in tox.ini" in error or "--lambda-lifecycle-timeout" in error
        )


def test_the_header_tells_what_is_set_and_nothing_otherwise(suite, monkeypatch):
    monkeypatch.setenv("SETTING", "timeout")
    assert "lambda_lifecycle:" not in suite.runpytest().stdout.str()
    suite.makeini(
        "[pytest]\nlambda_lifecycle_timeout = 9\nlambda_lifecycle_fresh_packages = one two"
    )
    result = suite.runpytest("--lambda-lifecycle-region", "eu-west-1")
    result.stdout.fnmatch_lines(
        ["lambda_lifecycle: timeout=9, fresh_packages=one,two, region=eu-west-1"]
    )
    assert "lambda_lifecycle:" not in suite.runpytest("-q").stdout.str()


def test_the_help_describes_every_option(suite):
    result = suite.runpytest("--help")
    text = result.stdout.str()
    assert "AWS Lambda lifecycle:" in text
    for option in (*OPTIONS, *CLOCK_OPTIONS):
        assert option.flag in text
        assert f"  {option.ini} " in text


def test_each_option_is_a_setting():
    assert {option.setting for option in OPTIONS} <= set(setting_names())


def test_strict_config_knows_the_options(suite, monkeypatch):
    suite.makeini("[pytest]\nlambda_lifecycle_timeout = 9")
    assert "<9" in shown(suite, monkeypatch, "timeout", "--strict-config")
