"""The modules that belong to the tests, where no pytest plugin tells.

They stay in `sys.modules`: a test that is imported a second time would patch and compare objects of
another copy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Final

from pytest_lambda_lifecycle.isolation.folders import folder_of, inside, namespace_of, real
from pytest_lambda_lifecycle.isolation.modules.membership import Keep, is_rewritten

__all__ = ["keep_for"]

_TEST_FILE: Final = re.compile(r"(test|tests|test_.*|.*_test|.*_tests|conftest)\.py", re.IGNORECASE)
_TEST_FOLDER: Final = re.compile(r"(tests?|testing|testsuite)", re.IGNORECASE)


@lru_cache(maxsize=64)
def keep_for(import_path: tuple[str, ...], made_in: str) -> Keep:
    """Return the predicate that says of a module whether it stays shared; see `TestsOwn`.

    Worlds with the very same one need not ask it for the same modules again.
    """
    return TestsOwn(import_path, made_in).keep


class TestsOwn:
    """Says of a module whether it belongs to the tests, by its file."""

    __test__ = False

    def __init__(self, import_path: Sequence[str], made_in: str) -> None:
        """``made_in`` is the file whose code has made the environment."""
        self._roots = [real(folder) for folder in import_path]
        folder, _, base = made_in.rpartition(os.sep)
        self._made_in = f"{real(folder)}{os.sep}{base}"
        self._test_folders: dict[str, bool] = {}

    def keep(self, name: str, module: ModuleType, namesake: bool) -> bool:
        """Say whether a module stays shared; function code in a root does not.

        Function code may have replaced `os.path.join` and the like, so that text is all there is.
        """
        file = (namespace_of(module) or {}).get("__file__")
        if namesake or not isinstance(file, str):
            return namesake and is_rewritten(module)
        base = file.rpartition(os.sep)[2]
        folder = folder_of(file)
        if any(inside(folder, root) for root in self._roots):
            return False
        if f"{folder}{os.sep}{base}" == self._made_in or _TEST_FILE.fullmatch(base):
            return True
        return is_rewritten(module) or self._is_test_folder(folder)

    def _is_test_folder(self, folder: str) -> bool:
        """Say whether a folder's name, or one above it that is not above the task root, says so."""
        known = self._test_folders.get(folder)
        if known is None:
            parts, of_root = folder.split(os.sep), self._roots[0].split(os.sep)
            while parts and of_root and parts[0] == of_root[0]:
                del parts[0], of_root[0]
            known = self._test_folders[folder] = any(map(_TEST_FOLDER.fullmatch, parts))
        return known
