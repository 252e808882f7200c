"""The modules that belong to pytest: tests, conftest files, plugins, and helpers beside them.

They stay in `sys.modules` although they may lie under a function's task root.  If they were
imported afresh, a test and its helpers would hold different objects.

No single source lists them all.  The loader marks rewritten modules only, and none under
``--assert=plain``.  The plugin manager has conftest files and plugins, and the collected items have
test modules.  Helper modules in a test folder are in none of these.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple
from weakref import ref

import pytest

from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.isolation.folders import is_installed, namespace_of, real
from pytest_lambda_lifecycle.isolation.modules.membership import Keep, is_rewritten

__all__ = ["handler_file", "keep_for", "test_folders"]

_TEST_FOLDER: Final = re.compile(
    r"(.*[_.-])?(tests?|testing|testsuite|specs?)([_.-].*)?", re.IGNORECASE
)


class _Collected(NamedTuple):
    """The tests of a session."""

    modules: frozenset[int]
    """The ids of the test modules."""
    folders: frozenset[Path]
    """The folders of test modules and conftest files, as real paths."""
    patterns: tuple[str, ...]
    """The ini option ``python_files``."""
    names: frozenset[str]
    """The same folders as text."""


_collected_key: Final = pytest.StashKey[_Collected]()
_kept_key: Final = pytest.StashKey["dict[tuple[object, ...], _KeptModules]"]()
"""On the session: the answers so far, for each function and each number of plugins."""


def handler_file(task_root: Path, handler: str) -> Path | None:
    """Return the real path of the handler's module, if it lies in the task root."""
    name = HandlerName.parse(handler)
    if name.is_importable:
        for source in name.sources:
            if os.path.isfile(task_root / source):
                return _real(task_root / source)
    return None


def keep_for(session: pytest.Session, task_root: Path, handler_file: Path | None) -> Keep:
    """Return the predicate that says of a module whether it has to stay shared."""
    known = session.stash.setdefault(_kept_key, {})
    key = task_root, handler_file, len(session.config.pluginmanager.get_plugins())
    if key not in known:
        known[key] = _KeptModules(session, task_root, handler_file)
    return known[key].keep


def test_folders(session: pytest.Session) -> frozenset[str]:
    """Return the folders of test modules and conftest files, as real paths."""
    return (session.stash.get(_collected_key, None) or _collect(session)).names


class _KeptModules:
    """The modules that belong to pytest, as seen from one function."""

    def __init__(self, session: pytest.Session, task_root: Path, handler_file: Path | None) -> None:
        collected = session.stash.get(_collected_key, None) or _collect(session)
        tops = (_real(task_root), _real(session.config.rootpath))
        trees = {_test_tree(folder, tops, handler_file) for folder in collected.folders}
        trees |= set(_plugin_trees(session.config, tops, handler_file))
        self._verdicts: dict[tuple[str, bool], tuple[ref[ModuleType], bool]] = {}
        self._handler = None if handler_file is None else str(handler_file)
        self._modules = collected.modules
        self._plugins = session.config.pluginmanager.get_plugins()
        self._folders = tuple(f"{tree}{os.sep}" for tree in trees if tree)
        # With python_files=*.py function code is rewritten, and looks like a test, too.  Then its
        # name and its loader say nothing, and only collected modules count.
        self._patterns = [
            pattern
            for pattern in collected.patterns
            if handler_file is None or not fnmatch(handler_file.name, pattern)
        ]
        self._rewriting_counts = len(self._patterns) == len(collected.patterns)

    def keep(self, name: str, module: ModuleType, namesake: bool) -> bool:
        """Say whether a module has to stay shared.

        ``namesake`` says whether the function would import another file under this name.
        """
        known = self._verdicts.get((name, namesake))
        if known is not None and known[0]() is module:
            return known[1]
        verdict = self._keeps(name, module, namesake)
        with suppress(TypeError):  # any object may lie in sys.modules
            self._verdicts[name, namesake] = ref(module), verdict
        return verdict

    def _keeps(self, name: str, module: ModuleType, namesake: bool) -> bool:
        if id(module) in self._modules or module in self._plugins:
            return True
        path = _path_of(module)
        if path is None or path == self._handler:
            return False
        # A helper beside tests stays, unless the function has a module of the same name.
        is_helper = "." not in name and "__path__" not in (namespace_of(module) or {})
        if f"{path}{os.sep}".startswith(self._folders) and not (is_helper and namesake):
            return True
        base = os.path.basename(path)
        if base == "conftest.py" or any(fnmatch(base, pattern) for pattern in self._patterns):
            return True
        return self._rewriting_counts and is_rewritten(module)


def _collect(session: pytest.Session) -> _Collected:
    """Look through the collected items, once per session."""
    # Doctest items do not count: they lie in the code under test.
    functions = [item for item in session.items if isinstance(item, pytest.Function)]
    files = {item.path for item in functions}
    for plugin in session.config.pluginmanager.get_plugins():
        file = getattr(plugin, "__file__", None) or ""
        if os.path.basename(file) == "conftest.py":
            files.add(Path(file))
    patterns: Iterable[str] = session.config.getini("python_files")
    folders = frozenset({_real(file.parent) for file in files})
    collected = session.stash[_collected_key] = _Collected(
        modules=frozenset({id(item.module) for item in functions}),
        folders=folders,
        patterns=tuple(patterns),
        names=frozenset(map(str, folders)),
    )
    return collected


def _test_tree(folder: Path, tops: tuple[Path, Path], handler: Path | None) -> Path | None:
    """Return the highest folder above a test file that holds nothing but tests, if there is one.

    Its name says so (``tests``, for example).  A folder that merely contains test files does not
    count, since tests may lie beside function code.  Nor does a folder that contains the handler or
    the task root, which is the first of ``tops``.
    """
    task_root = tops[0]
    base = next((top for top in tops if folder.is_relative_to(top)), None)
    if base is None:
        return folder if _TEST_FOLDER.fullmatch(folder.name) else None
    tree = base
    named = False
    for part in folder.relative_to(base).parts:
        tree /= part
        named = named or _TEST_FOLDER.fullmatch(part) is not None
        holds_code = task_root.is_relative_to(tree) or (
            handler is not None and handler.is_relative_to(tree)
        )
        if named and not holds_code:
            return tree
    return None


def _plugin_trees(
    config: pytest.Config, tops: tuple[Path, Path], handler: Path | None
) -> Iterator[Path]:
    """Yield the folders of plugins that an editable install leads to, with their helpers."""
    for plugin, _ in config.pluginmanager.list_plugin_distinfo():
        file = getattr(plugin, "__file__", None)
        name = getattr(plugin, "__name__", "")
        if isinstance(file, str) and ("." in name or hasattr(plugin, "__path__")):
            tree = _real(Path(file)).parent
            code = [top for top in (tops[0], handler) if top is not None]
            if not is_installed(str(tree)) and not any(one.is_relative_to(tree) for one in code):
                yield tree


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _path_of(module: ModuleType) -> str | None:
    """Return the real path of a module's file, or of the folder of a namespace package."""
    namespace = namespace_of(module) or {}
    try:
        file = namespace.get("__file__")
        if not isinstance(file, str):
            file = next(iter(namespace.get("__path__") or ()), None)
    except Exception:  # an entry of sys.modules may be any object
        return None
    return real(file) if isinstance(file, str) else None
