"""The installed packages that a cold start imports again."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.function.kinds import NOT_FRESH
from pytest_lambda_lifecycle.function.task_root import has_module
from pytest_lambda_lifecycle.isolation.folders import is_installed

__all__ = [
    "EVERY",
    "KEEP_LIFECYCLE_STATE",
    "FreshRule",
    "fresh_rule",
    "package_of_handler",
    "packages_of_tests",
]

KEEP_LIFECYCLE_STATE: Final = {
    "aws_advanced_python_wrapper": "its services, with the threads that monitor hosts",
    "aws_durable_execution_sdk_python": "a boto3 client in a class, and plugins",
    "aws_embedded_metrics": "the detected environment",
    "aws_lambda_env_modeler": "models of the variables that were parsed first",
    "aws_lambda_powertools": "flags of a cold start, and caches",
    "aws_xray_sdk": "its recorder, and which modules it has patched",
    "beeline": "its client, which is made once",
    "bugsnag": "its configuration, and the hooks that it has set",
    "datadog_lambda": "flags of a cold start",
    "django": "settings, applications and connections; it refuses a second set-up",
    "dramatiq": "its broker, which refuses a second actor of a name",
    "elasticapm": "a flag of a cold start, its client, and what it has instrumented",
    "epsagon": "a flag and the time of a cold start, and what it has patched",
    "instana": "its agent and tracer, chosen by the variables at its import",
    "jaeger_client": "its tracer, of which it makes no second one",
    "lambda_cache": "cached values",
    "lambdarest": "the routes of its handler",
    "lambdawarmer": "a flag of a cold start, and the name of the function",
    "logfire": "its configuration, and providers of opentelemetry",
    "loguru": "its sinks, and the stream that it found at its import",
    "lumigo_core": "its configuration",
    "lumigo_tracer": "a flag of a cold start, and connections",
    "newrelic_lambda": "a flag of a cold start",
    "opentelemetry": "its providers, set once, and what it has instrumented",
    "opentracing": "its tracer",
    "prometheus_client": "its registry, which refuses a second metric of a name",
    "psycopg_pool": "the number of its next pool",
    "rollbar": "its settings, which it takes once",
    "sentry_sdk": "its client, and which integrations have patched",
    "serverless_sdk": "its spans, and what it has instrumented",
    "sls_sdk": "its spans, and what it has instrumented",
    "snapshot_restore_py": "registered hooks",
    "sqlmodel": "its tables, of which it refuses a second one of a name",
    "structlog": "its configuration, and the stream of its loggers",
    "zappa": "its handler with the application and the settings",
}
"""Libraries that keep state of a process in globals of their modules, with that state.

A second cold start in one process would find that state: it would be called warm, would serve the
application of the first one, would go unpatched, or would fail.
"""

_Tool: TypeAlias = "tuple[str, str, Callable[[Any], object]]"
_SET_UP_BY_TESTS: Final[dict[str, tuple[_Tool, ...]]] = {
    "aws_durable_execution_sdk_python": (
        ("aws_durable_execution_sdk_python_testing", "__name__", bool),
    ),
    "django": (("django.conf", "settings", lambda settings: settings.configured),),
    "logfire": (("logfire", "__name__", bool),),
    "opentelemetry": (
        ("logfire", "__name__", bool),
        ("opentelemetry.trace", "_TRACER_PROVIDER", bool),
        ("opentelemetry.metrics._internal", "_METER_PROVIDER", bool),
    ),
    "sentry_sdk": (("sentry_sdk.scope", "_global_scope", lambda scope: scope.client.is_active()),),
}
"""How the tests show that they have set a library up themselves, to see what function code does.

For each library there are attributes of modules, each with a predicate.  An own copy of the library
would not have the test's settings (pytest-django) or its exporter of spans.  logfire is loaded
wherever it is installed, as it is a plugin of pytest as well.
"""
_WRAP_NOTHING: Final = frozenset(
    {
        "aws_advanced_python_wrapper",
        "aws_durable_execution_sdk_python",
        "aws_embedded_metrics",
        "aws_lambda_env_modeler",
        "aws_lambda_powertools",
        "django",
        "dramatiq",
        "lambda_cache",
        "lambdarest",
        "lambdawarmer",
        "loguru",
        "prometheus_client",
        "psycopg_pool",
        "snapshot_restore_py",
        "sqlmodel",
        "structlog",
        "zappa",
    }
)
"""Those libraries of the list that replace nothing in others."""
_NOT_TWICE: Final = ("opentelemetry.proto.",)
"""Modules that register themselves with a compiled package, which takes them once."""

EVERY: Final = "*"

# The test run itself uses these: a second copy would not have the settings of the first.
_TEST_TOOLS: Final = frozenset(
    {"pytest-lambda-lifecycle", "moto", "coverage", "hypothesis", "pip", "setuptools"}
)


class FreshRule:
    """A predicate on module names: does a cold start import the module again?"""

    def __init__(self, wanted: frozenset[str]) -> None:
        """``"*"`` stands for every third-party package; ``"no:name"`` takes a name from the list.

        Packages with compiled parts are shared even if they are named.
        """
        self._shared = {
            name.removeprefix(NOT_FRESH) for name in wanted if name.startswith(NOT_FRESH)
        }
        if EVERY in wanted:
            self._tops, named = set(_third_party_packages() - self._shared), frozenset[str]()
        else:
            self._tops = set(KEEP_LIFECYCLE_STATE.keys() - self._shared)
            named = wanted
        self._dotted: tuple[str, ...] = ()
        for name in named:
            if not name.startswith(NOT_FRESH):
                self.add(name)

    def __call__(self, name: str) -> bool:
        """Say whether a cold start imports the module of this name again."""
        if name.partition(".")[0] in self._tops:
            return not name.startswith(_NOT_TWICE)
        return bool(self._dotted) and f"{name}.".startswith(self._dotted)

    def may_wrap(self, name: str) -> bool:
        """Say whether a module may replace functions of other packages, as tracers do."""
        return name.partition(".")[0] not in _WRAP_NOTHING and self(name)

    def add(self, package: str) -> None:
        """Import this package again as well, from now on."""
        if "." in package:
            self._dotted = (*self._dotted, f"{package}.")
        else:
            self._tops.add(package)

    def may_add(self, package: str) -> bool:
        """Say whether nobody wants to share this package."""
        return package not in self._shared and package.partition(".")[0] not in self._shared


def fresh_rule(
    wanted: frozenset[str], outside: Callable[[str], ModuleType | None], of_handler: str = ""
) -> FreshRule:
    """Return the rule for the built-in list, ``wanted``, and the installed package of the handler.

    ``outside`` returns a loaded module by its name, as long as it is none of a function's.
    """
    for name, tools in _SET_UP_BY_TESTS.items():
        if name not in sys.modules or name in wanted:
            continue
        for module_name, attribute, is_set_up in tools:
            module = outside(module_name)
            if module is not None and _holds(module, attribute, is_set_up):
                wanted |= {NOT_FRESH + name}
    if of_handler and NOT_FRESH + of_handler not in wanted:
        wanted |= {of_handler}
    return _rule(wanted)


@lru_cache(maxsize=64)
def _rule(wanted: frozenset[str]) -> FreshRule:
    return FreshRule(wanted)


@lru_cache(maxsize=64)
def package_of_handler(handler: str, import_path: tuple[str, ...]) -> str:
    """Return the installed package that the handler is in, such as a vendor's; "" if in none.

    Its modules are the first that a cold start imports, so they often keep what they have found
    there: the function that they wrap.
    """
    name = HandlerName.parse(handler)
    top = name.parts[0]
    if not name.is_importable or top in sys.stdlib_module_names:
        return ""
    if any(has_module(Path(folder), [top]) for folder in import_path):
        return ""
    spec = PathFinder.find_spec(top)
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec is not None else []
    return top if places and is_installed(str(places[0])) else ""


def _holds(module: object, attribute: str, is_set_up: Callable[[Any], object]) -> bool:
    try:
        return bool(is_set_up(getattr(module, attribute)))
    except Exception:  # another version of the library, or a stub
        return False


def _third_party_packages() -> frozenset[str]:
    """Return the top-level names of installed distributions, without those of the tests."""
    return frozenset(metadata.packages_distributions()) - packages_of_tests()


@lru_cache(maxsize=1)
def packages_of_tests() -> frozenset[str]:
    """Return the top-level names of test tools, plugins of pytest and their dependencies."""
    protected = _with_dependencies(set(_TEST_TOOLS) | _plugins())
    tops = [
        top
        for top, distributions in metadata.packages_distributions().items()
        if not protected.isdisjoint(map(_normal, distributions))
    ]
    return frozenset(tops) | {"_pytest", "pytest", "py"}


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
