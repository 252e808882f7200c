"""Suites for the options that write files about a run, and what they wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

APP = """
    print("module level </script>")
    def handler(event, context):
        return {"token": "hunter2"}
"""
SUITE = """
    import pytest

    def test_first(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        env.invoke({})
        env.invoke({})

    def test_none():
        pass

    @pytest.mark.parametrize("name", ["</script>", "b"])
    def test_names(module_lambda_lifecycle, name):
        envs = module_lambda_lifecycle.environments or [module_lambda_lifecycle("app.handler")]
        envs[0].invoke({})
        assert name != "b"
"""


def data_of(path: Path) -> dict[str, object]:
    """Return the data in a page."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(found)


def outcomes(path: Path) -> list[tuple[str, str]]:
    """Return name and outcome of the tests of a page, in order."""
    return [(test["id"].partition("::")[2], test["outcome"]) for test in data_of(path)["tests"]]


def usage_error(suite: pytest.Pytester, *arguments: str) -> str:
    """Return the error of a run that begins no test."""
    result = suite.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "passed" not in result.stdout.str()
    return result.stderr.str()
