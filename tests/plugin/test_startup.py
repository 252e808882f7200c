"""The plugin adds nothing to a run that does not use it."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import pytest

HEAVY = {
    "freezegun",
    "responses",
    "requests",
    "urllib3",
    "http.server",
    "asyncio",
    "unittest.mock",
    "boto3",
    "simplejson",
}
OURS = {
    "pytest_lambda_lifecycle",
    "pytest_lambda_lifecycle.plugin.hookspecs",
    "pytest_lambda_lifecycle.plugin.options",
    "pytest_lambda_lifecycle.plugin",
}


def loaded(
    pytester: pytest.Pytester, *arguments: str, test: str = "def test_it(): pass"
) -> set[str]:
    """Return the names in ``sys.modules`` at the end of a run in a new process."""
    pytester.makeconftest(
        """
        import json, sys

        def pytest_unconfigure():
            with open("modules.json", "w") as file:
                json.dump(sorted(sys.modules), file)
        """
    )
    pytester.makepyfile(test_it=test)
    assert pytester.runpytest_subprocess(*arguments).ret == 0
    return set(json.loads((pytester.path / "modules.json").read_text()))


@pytest.mark.parametrize(
    "arguments", [["--collect-only"], [], ["-v"], ["--fixtures"]], ids=" ".join
)
def test_the_plugin_adds_four_modules_and_no_large_library(pytester, monkeypatch, arguments):
    with_plugin = loaded(pytester, *arguments)
    monkeypatch.delenv("PYTEST_PLUGINS")
    without = loaded(pytester, *arguments)
    assert with_plugin - without == OURS
    assert not HEAVY & (with_plugin - without)


def test_options_load_the_settings_only(pytester):
    with_options = loaded(pytester, "--lambda-lifecycle-timeout=5")
    ours = {name for name in with_options if name.startswith("pytest_lambda_lifecycle.")}
    settings = {
        "errors",
        "function",
        "function.budget_kinds",
        "function.config",
        "function.extension",
        "function.hosts",
        "function.kinds",
        "function.path_kinds",
        "function.reserved",
        "function.setting_types",
        "function.settings",
        "function.state_kinds",
    }
    assert ours - OURS == {f"pytest_lambda_lifecycle.{name}" for name in settings}


def test_a_suite_with_freezegun_loads_no_more_of_the_plugin(pytester):
    test = "import freezegun\n@freezegun.freeze_time('2030-01-01')\ndef test_it(): pass"
    assert {
        name for name in loaded(pytester, test=test) if name.startswith("pytest_lambda_lifecycle")
    } == OURS


def test_the_plugin_prints_nothing(pytester):
    pytester.makepyfile("def test_it(): pass")
    lines = pytester.runpytest_subprocess("-p", "no:cacheprovider").outlines
    assert not [line for line in lines if "lambda" in line.lower() and "rootdir" not in line]


@pytest.mark.skipif(
    "lambda_lifecycle" not in {entry.name for entry in entry_points(group="pytest11")},
    reason="it is not installed",
)
def test_the_installed_plugin_can_be_switched_off(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_PLUGINS")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    pytester.makepyfile("def test_it(lambda_lifecycle): pass")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("-p", "no:lambda_lifecycle")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'lambda_lifecycle' not found"])
