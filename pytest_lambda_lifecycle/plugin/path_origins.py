"""Where the entries of the tests' `sys.path` came from, in words."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from pytest_lambda_lifecycle.observation.foreign_code import PathNotes
from pytest_lambda_lifecycle.plugin.kept_modules import test_folders

__all__ = ["path_notes"]

_CHANGES_PATH: Final = re.compile(r"\bsys\.path\b|\bsyspath_prepend\b|\baddsitedir\b")


def path_notes(session: pytest.Session) -> PathNotes:
    """Return what pytest knows of `sys.path`, and where relative paths of the ini file start."""
    config = session.config
    base = config.inipath.parent if config.inipath else config.rootpath
    return PathNotes(lambda entry: _origin_of(config, entry), base, test_folders(session))


def _origin_of(config: pytest.Config, entry: str) -> str:
    place = _real(entry)
    with suppress(ValueError):  # -p no:python_path
        if any(_real(path) == place for path in config.getini("pythonpath")):
            return f"{config.inipath.name if config.inipath else 'ini option'}: pythonpath"
    if any(_real(path) == place for path in _environment_path()):
        return "environment variable PYTHONPATH"
    changing = [path for path in _conftest_files(config) if _changes_path(path)]
    named = " or ".join(_shown(config, path) for path in changing)
    files = {path.parent for path in _conftest_files(config)} | _folders_of_tests(config)
    if any(_real(top) == place for top in map(_import_top, files)):
        return "pytest, which adds the folders of tests and of conftest.py files to it"
    if named:
        return f"{named}: sys.path"
    if place == _real(os.curdir) or place == _real(config.invocation_params.dir):
        return "python -m pytest, which adds the current directory"
    return "a test, a fixture or a plugin"


def _environment_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _conftest_files(config: pytest.Config) -> list[Path]:
    files = (getattr(one, "__file__", None) for one in config.pluginmanager.get_plugins())
    return sorted(Path(file) for file in files if file and os.path.basename(file) == "conftest.py")


def _folders_of_tests(config: pytest.Config) -> set[Path]:
    session = config.pluginmanager.get_plugin("session")
    return {item.path.parent for item in getattr(session, "items", ())}


def _import_top(folder: Path) -> Path:
    """Return the folder that pytest adds for a test: the first one that is no package."""
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def _changes_path(file: Path) -> bool:
    with suppress(OSError, UnicodeError):
        return _CHANGES_PATH.search(file.read_text(encoding="utf-8")) is not None
    return False


def _shown(config: pytest.Config, path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(config.rootpath))
    return str(path)


def _real(path: str | os.PathLike[str]) -> str:
    return os.path.realpath(path)
