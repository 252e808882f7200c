"""Lets ``cd examples && pytest`` run each example as its own project, as `run.py` does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from run import run

del sys.path[0]


def pytest_collect_directory(path, parent):
    if (path / "pyproject.toml").is_file():
        return Example.from_parent(parent, path=path)
    return None


class Example(pytest.Directory):
    """The folder of an example."""

    def collect(self):
        yield Project.from_parent(self, name="project")


class Project(pytest.Item):
    """All tests of an example, in a process of their own."""

    def runtest(self):
        with tempfile.TemporaryFile() as output:
            if run(self.path, [], stdout=output, stderr=subprocess.STDOUT) != 0:
                output.seek(0)
                pytest.fail(output.read().decode(errors="replace"), pytrace=False)
