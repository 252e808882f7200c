"""The installed packages that a cold start imports again."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from typing import Final

__all__ = ["EVERY", "KEEP_LIFECYCLE_STATE", "fresh_rule"]

KEEP_LIFECYCLE_STATE: Final = frozenset(
    {
        "aws_embedded_metrics",
        "aws_lambda_powertools",
        "aws_xray_sdk",
        "datadog_lambda",
        "snapshot_restore_py",
    }
)
"""Libraries that note a cold start, or the registration of a hook, in a global of a module."""

EVERY: Final = "*"

# The test run itself uses these: a second copy would not have the settings of the first.
_TEST_TOOLS: Final = frozenset(
    {"pytest-lambda-lifecycle", "moto", "coverage", "hypothesis", "pip", "setuptools"}
)


@lru_cache(maxsize=64)
def fresh_rule(wanted: frozenset[str]) -> Callable[[str], bool]:
    """Return a predicate on module names, for the built-in list and ``wanted``.

    ``"*"`` stands for every third-party package.  Packages with compiled parts are shared even if
    they are named.
    """
    if EVERY not in wanted:
        tops = KEEP_LIFECYCLE_STATE | frozenset(name for name in wanted if "." not in name)
        dotted = tuple(f"{name}." for name in wanted if "." in name)
        if not dotted:
            return lambda name: name.partition(".")[0] in tops
        return lambda name: name.partition(".")[0] in tops or f"{name}.".startswith(dotted)
    third_party = _third_party_packages()
    return lambda name: name.partition(".")[0] in third_party


@lru_cache(maxsize=1)
def _third_party_packages() -> frozenset[str]:
    """Return the top-level names of installed distributions.

    Test tools, plugins of pytest and their dependencies are left out.
    """
    tops_by_distribution: dict[str, set[str]] = {}
    for top, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            tops_by_distribution.setdefault(_normal(distribution), set()).add(top)
    protected = _with_dependencies(set(_TEST_TOOLS) | _plugins())
    tops = [tops for name, tops in tops_by_distribution.items() if name not in protected]
    return frozenset().union(*tops) - {"_pytest", "pytest", "py"}


def _plugins() -> set[str]:
    return {
        _normal(distribution.name)
        for distribution in metadata.distributions()
        if any(entry.group == "pytest11" for entry in distribution.entry_points)
    }


def _with_dependencies(names: set[str]) -> set[str]:
    known: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        waiting += [
            _normal(re.split(r"[\s\[;<>=!~(]", text, maxsplit=1)[0]) for text in requirements
        ]
    return known


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
