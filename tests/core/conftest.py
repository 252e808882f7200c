"""What the tests of the core share: functions on disk, and environments that are closed."""

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

MakeEnvironment = Callable[..., ExecutionEnvironment]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file of function code, by its path relative to the task root."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / "task" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[ModuleType]]]:
    """Import modules of the task root as a test module does at its top."""
    root = tmp_path / "task"
    before = set(sys.modules)

    def load(*names: str) -> list[ModuleType]:
        monkeypatch.syspath_prepend(str(root))
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in names]

    yield load
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def environment(write: Callable[[str, str], Path], tmp_path: Path, outside: object) -> Iterator[MakeEnvironment]:
    """Make an environment from the source of ``app.py``; settings as keywords."""
    made: list[ExecutionEnvironment] = []

    def make(source: str | None = None, /, handler: str = "app.handler", **settings: object) -> ExecutionEnvironment:
        if source is not None:
            write("app.py", source)
        hooks = {name: settings.pop(name) for name in ("observer", "keep", "tampered") if name in settings}
        settings.setdefault("code_dir", tmp_path / "task")
        made.append(ExecutionEnvironment(FunctionConfig(handler, **settings), **hooks))
        return made[-1]

    yield make
    for env in reversed(made):
        env.close()
