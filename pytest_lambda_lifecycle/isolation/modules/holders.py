"""Shared packages that hold objects of fresh ones, so that they have to be fresh as well.

``solarwinds_apm`` takes names of OpenTelemetry, which each cold start imports again.  If the former
were shared, it would go on with the OpenTelemetry of the first process: its spans would never reach
the provider of the second one.  So a package counts as fresh once one of its modules is found with
an object of a fresh package among its names.

What the tests have loaded stays shared in any case, and so do packages that they are run with.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.modules.fresh_packages import (
    FreshRule,
    packages_of_tests,
)

__all__ = ["find_holders", "modules_of"]

_PATCHED: Final = frozenset({"aiohttp", "boto3", "botocore", "httpx", "requests", "urllib3"})
"""Packages that hold wrappers of fresh ones, which are undone, and that mocks patch."""
_REGISTERED: Final = "_pb2"
"""The end of the names of modules that register themselves with a compiled package."""


def find_holders(
    newest: Mapping[str, ModuleType | None], own: Mapping[str, ModuleType], fresh: FreshRule
) -> set[str]:
    """Return the packages that hold objects of fresh ones.

    ``newest`` are the modules that have come since the world entered, and ``own`` its own.
    """
    if len(newest) <= len(own) or not any(map(fresh, own)):
        return set()
    found: set[str] = set()
    for name, module in newest.items():
        top = name.partition(".")[0]
        if module is None or name in own or top not in newest or top in sys.stdlib_module_names:
            continue
        if top not in _PATCHED and _holds(module, fresh):
            found.add(_package_of(name))
    if not found:
        return found
    of_tests = packages_of_tests()
    return {
        package
        for package in found
        if package.partition(".")[0] not in of_tests
        and fresh.may_add(package)
        and not any(name.endswith(_REGISTERED) and _is_in(name, package) for name in newest)
    }


def modules_of(packages: set[str]) -> Iterator[str]:
    """Return the names of all loaded modules of these packages."""
    for name in list(sys.modules):
        if any(_is_in(name, package) for package in packages):
            yield name


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _holds(module: object, fresh: FreshRule) -> bool:
    space = namespace_of(module) or {}
    homes = {_home_of(value) for value in list(space.values())}
    return any(fresh(home) for home in homes if home)


def _home_of(value: Any) -> str:  # noqa: ANN401  # whatever a module holds
    cls = type(value)
    if cls is ModuleType:
        home = value.__name__
    elif cls is FunctionType or issubclass(cls, type):
        home = getattr(value, "__module__", "")
    else:
        home = cls.__module__
    return home if type(home) is str else ""


def _package_of(name: str) -> str:
    """Return the regular package that a module is in: several may share a namespace package."""
    parts = name.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        space = namespace_of(sys.modules.get(package)) or {}
        if space.get("__file__") is not None:
            return package
    return name
