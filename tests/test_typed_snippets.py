"""Snippets for users pass a strict type checker, once their fixtures are annotated."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pytest_lambda_lifecycle

ROOT = Path(__file__).parent.parent
NAMES = ", ".join(name for name in pytest_lambda_lifecycle.__all__ if name != "__version__")
HEADER = f"""\
from typing import Any
from unittest import mock

import pytest

from pytest_lambda_lifecycle import {NAMES}

"""
FIXTURES = {
    "lambda_lifecycle": "LambdaLifecycle",
    "lambda_clock": "LambdaClock",
    "lambda_http": "LambdaHttp",
}


def annotated(snippet: str) -> str:
    """Annotate the tests of a snippet; what stands outside a test is the body of one."""
    if not re.search(r"^(async )?def |^@", snippet, re.MULTILINE):
        snippet = f"def test_it({', '.join(FIXTURES)}):\n{textwrap.indent(snippet, '    ')}"

    def arguments(match: re.Match[str]) -> str:
        names = [name.strip() for name in match[2].split(",") if name.strip()]
        typed = ", ".join(f"{name}: {FIXTURES.get(name, 'Any')}" for name in names)
        return f"{match[1]}({typed}) -> None:"

    return re.sub(r"^((?:async )?def test_\w+)\((.*?)\):", arguments, snippet, flags=re.MULTILINE)


def test_the_snippets_pass_mypy(tmp_path: Path) -> None:
    """mypy checks them as a user's test files, each on its own."""
    pytest.importorskip("mypy")
    texts = [(ROOT / page).read_text("utf-8") for page in ("README.md", "docs/recipes.md")]
    files = []
    snippets = re.findall(r"^```python\n(.*?)^```", "\n".join(texts), re.M | re.S)
    for index, snippet in enumerate(snippets):
        files.append(tmp_path / f"snippet_{index}.py")
        files[-1].write_text(HEADER + annotated(snippet), encoding="utf-8")
    assert len(files) > 10
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, *map(str, files)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("Success"), done.stdout + done.stderr
