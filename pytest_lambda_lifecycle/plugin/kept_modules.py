"""Which modules are pytest's: tests, conftest files, plugins and what lies in the tests' folders.

They stay in `sys.modules` although they may lie under a function's task root.  No single source
knows them all: the loader tells of rewritten modules only (nothing under ``--assert=plain``), the
plugin manager of conftest files and plugins, the collected items of test modules, and helper
modules in a test folder are known to none of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import pytest

from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.isolation.modules.world import Keep, is_rewritten

__all__ = ["keep_for"]

_TEST_FOLDER: Final = re.compile(
    r"(.*[_.-])?(tests?|testing|testsuite|specs?)([_.-].*)?", re.IGNORECASE
)


class _Collected(NamedTuple):
    """What the collection found, once per session."""

    modules: frozenset[int]
    folders: frozenset[Path]
    patterns: tuple[str, ...]


_collected_key: Final = pytest.StashKey[_Collected]()


def keep_for(session: pytest.Session, task_root: Path, handler_file: Path | None) -> Keep:
    """Return the predicate that says of a module whether it has to stay shared."""
    collected = session.stash.get(_collected_key, None) or _collect(session)
    plugins = session.config.pluginmanager.get_plugins()
    folders = tuple(
        {
            f"{folder}{os.sep}"
            for test_folder in collected.folders
            if (
                folder := _test_tree(
                    test_folder, _real(task_root), _real(session.config.rootpath), handler_file
                )
            )
        }
    )
    # With python_files=*.py function code is rewritten and looks like a test, too: then only what
    # was collected counts.
    named = tuple(
        p for p in collected.patterns if handler_file is None or not fnmatch(handler_file.name, p)
    )

    def keep(name: str, module: ModuleType, namesake: bool) -> bool:
        if id(module) in collected.modules or module in plugins:
            return True
        path = _path_of(module)
        if path is None or (handler_file is not None and path == str(handler_file)):
            return False
        helper = "." not in name and "__path__" not in vars(module)
        if f"{path}{os.sep}".startswith(folders) and not (
            helper and namesake
        ):  # the function imports its own
            return True
        base = os.path.basename(path)
        if base == "conftest.py" or any(fnmatch(base, pattern) for pattern in named):
            return True
        return len(named) == len(collected.patterns) and is_rewritten(module)

    return keep


def handler_file(task_root: Path, handler: str) -> Path | None:
    """Return the real path of the handler's module, if it lies in the task root."""
    name = HandlerName.parse(handler)
    if name.is_importable:
        for source in name.sources:
            if os.path.isfile(task_root / source):
                return _real(task_root / source)
    return None


def _collect(session: pytest.Session) -> _Collected:
    # Doctest items do not count: they lie in the code under test.
    functions = [item for item in session.items if isinstance(item, pytest.Function)]
    files = {item.path for item in functions}
    files.update(
        Path(file)
        for plugin in session.config.pluginmanager.get_plugins()
        if os.path.basename(file := getattr(plugin, "__file__", None) or "") == "conftest.py"
    )
    patterns: Iterable[str] = session.config.getini("python_files")
    collected = session.stash[_collected_key] = _Collected(
        modules=frozenset({id(item.module) for item in functions}),
        folders=frozenset({_real(file.parent) for file in files}),
        patterns=tuple(patterns),
    )
    return collected


def _test_tree(folder: Path, task_root: Path, rootdir: Path, handler: Path | None) -> Path | None:
    """Return the folder above a test file of which everything is the tests': the highest one that
    is named like one.

    A folder that merely *contains* test files is none: tests may lie beside function code.  Nor is
    one that contains the handler.
    """
    base = next((top for top in (task_root, rootdir) if folder.is_relative_to(top)), None)
    if base is None:
        return folder if _TEST_FOLDER.fullmatch(folder.name) else None
    tree, named = base, False
    for part in folder.relative_to(base).parts:
        tree /= part
        named = named or _TEST_FOLDER.fullmatch(part) is not None
        if (
            named
            and not task_root.is_relative_to(tree)
            and (handler is None or not handler.is_relative_to(tree))
        ):
            return tree
    return None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _path_of(module: ModuleType) -> str | None:
    """Return the real path of a module's file, or of the folder of a namespace package."""
    try:
        file = module.__dict__.get("__file__")
        if not isinstance(file, str):
            file = next(iter(module.__dict__.get("__path__") or ()), None)
    except Exception:  # anything may sit in sys.modules
        return None
    return os.path.realpath(file) if isinstance(file, str) else None
