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

from pytest_lambda_lifecycle.isolation.folders import inside, namespace_of, real
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
        self._made_in = made_in

    def keep(self, name: str, module: ModuleType, namesake: bool) -> bool:
        """Say whether a module stays shared; function code in a root does not."""
        file = (namespace_of(module) or {}).get("__file__")
        if namesake or not isinstance(file, str):
            return namesake and is_rewritten(module)
        path = os.path.join(real(os.path.dirname(file)), os.path.basename(file))
        if any(inside(path, root) for root in self._roots):
            return False
        made_in = os.path.join(
            real(os.path.dirname(self._made_in)), os.path.basename(self._made_in)
        )
        if path == made_in or _TEST_FILE.fullmatch(os.path.basename(path)):
            return True
        below = os.path.relpath(path, os.path.dirname(made_in)).split(os.sep)
        return is_rewritten(module) or any(map(_TEST_FOLDER.fullmatch, below[:-1]))
