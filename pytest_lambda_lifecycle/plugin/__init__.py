"""The pytest plugin: what pytest loads in every run.

It imports pytest alone.  Everything else of the package is imported by the first test that uses one
of the fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lambda_lifecycle.clock.lambda_clock import LambdaClock
    from pytest_lambda_lifecycle.function.settings import Settings
    from pytest_lambda_lifecycle.isolation.stage import Slice
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle
    from pytest_lambda_lifecycle.plugin.journal import Journal
    from pytest_lambda_lifecycle.plugin.patch_watch import PatchWatch
    from pytest_lambda_lifecycle.plugin.wide_scopes import WideEnvironments

MARKER: Final = (
    "lambda_lifecycle(handler=None, **settings): settings of the environments that the lambda_lifecycle fixture makes "
    "for the test; the same keywords as its call (timeout=3, memory_size=128, environment={...}, ...)."
)

CLOCK_MARKER: Final = (
    "lambda_clock(start=None): when the virtual time of the lambda_clock fixture begins, as an aware datetime or as "
    "ISO 8601 text; now, on the whole second, by default."
)

_journal_key: Final[pytest.StashKey[Journal]] = pytest.StashKey()
"""On the config: the environments of this run, from the first one on."""
_item_key: Final[pytest.StashKey[pytest.Item | None]] = pytest.StashKey()
"""On the config: the item that runs."""
_watch_key: Final[pytest.StashKey[PatchWatch]] = pytest.StashKey()
"""On the config: how function modules looked when that item began, from the first one on that uses
a fixture.
"""
_wide_key: Final[pytest.StashKey[WideEnvironments]] = pytest.StashKey()
"""On the config: environments that are wider than a test, from the first one on."""
_entered_key: Final[pytest.StashKey[Slice | None]] = pytest.StashKey()
"""On an item: the environment that is put back at its next phase."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the command line options and their ini forms."""
    from pytest_lambda_lifecycle.plugin import options

    options.register(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the plugin's own hooks known."""
    from pytest_lambda_lifecycle.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; check the options while a mistake can still end the run with a usage
    error.
    """
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", CLOCK_MARKER)
    from pytest_lambda_lifecycle.plugin import options

    options.check(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what the ini file and the command line set; nothing otherwise."""
    from pytest_lambda_lifecycle.plugin import options

    return options.header(config)


# -- fixtures -------------------------------------------------------------------------------------------------------

_SCOPES: Final[Mapping[str, Literal["function", "class", "module", "session"]]] = {
    "lambda_lifecycle": "function",
    "class_lambda_lifecycle": "class",
    "module_lambda_lifecycle": "module",
    "session_lambda_lifecycle": "session",
}
_FIXTURES: Final = frozenset(_SCOPES)


def _fixture(name: str, scope: Literal["function", "class", "module", "session"]) -> object:
    def make(
        request: pytest.FixtureRequest, lambda_lifecycle_config: Settings
    ) -> Generator[LambdaLifecycle, None, None]:
        from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle
        from pytest_lambda_lifecycle.plugin.journal import Journal

        __tracebackhide__ = True
        config = request.config
        journal = config.stash.setdefault(_journal_key, Journal())
        watch = _watch(config)  # with getfixturevalue() the item has begun already

        def patched(module: ModuleType) -> list[str]:
            return _watch(config).patched(module)

        lifecycle = LambdaLifecycle(
            request,
            lambda_lifecycle_config,
            journal=journal,
            patched=patched,
            misplaced=watch.misplaced,
        )
        if scope == "function":
            yield lifecycle
        else:
            wide = _wide_environments(config)
            wide.add(name, lifecycle)
            yield lifecycle
            wide.remove(name)
        lifecycle.close()

    ends = "the test" if scope == "function" else f"the {scope}"
    make.__name__ = name
    make.__doc__ = f"Call it to make a Lambda environment that lives until {ends} ends."
    return pytest.fixture(scope=scope, name=name)(make)


lambda_lifecycle = _fixture("lambda_lifecycle", "function")
class_lambda_lifecycle = _fixture("class_lambda_lifecycle", "class")
module_lambda_lifecycle = _fixture("module_lambda_lifecycle", "module")
session_lambda_lifecycle = _fixture("session_lambda_lifecycle", "session")


@pytest.fixture
def lambda_clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Virtual time for the test and its Lambda environments: nothing sleeps."""
    from pytest_lambda_lifecycle.plugin import options
    from pytest_lambda_lifecycle.plugin.clock_fixture import clock_for

    __tracebackhide__ = True
    with clock_for(request, options.clock_options(request.config)) as clock:
        yield clock


@pytest.fixture(scope="session")
def lambda_lifecycle_config() -> Settings:
    """Override it to give all Lambda environments of a suite their settings."""
    return {}


# -- one test item --------------------------------------------------------------------------------------------------
# These wrappers are innermost (trylast), inside those of pytest's logging and capture: an
# environment enters and leaves the process under the same handlers and streams.


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note how function modules look before any fixture or patch of this test acts on them."""
    __tracebackhide__ = True
    item.config.stash[_item_key] = item
    if not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        _put_own_modules_back()
        _watch(item.config)
    return (yield from _one_phase(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the environment in place that was entered when setup ended."""
    __tracebackhide__ = True
    wide = item.config.stash.get(_wide_key, None)
    if wide is not None and item.stash.get(_entered_key, None) is None:
        item.stash[_entered_key] = wide.latest(item)
    return (yield from _one_phase(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the environment in place that was entered when the test ended; afterwards nothing of it
    is left.
    """
    __tracebackhide__ = True
    try:
        return (yield from _one_phase(item))
    finally:
        item.stash[_entered_key] = None
        item.config.stash[_item_key] = None
        watch = item.config.stash.get(_watch_key, None)
        if "pytest_lambda_lifecycle.environment.execution_environment" in sys.modules:
            _sweep(None if watch is None else watch.variables)
        if watch is not None:
            watch.end()


def _sweep(variables: Mapping[str, str] | None) -> None:
    """Undo what came back after the environments of a test had left."""
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.isolation import after_test

    after_test.sweep(variables, any_open=ExecutionEnvironment.any_open())
    ExecutionEnvironment.unshift_time()


def _put_own_modules_back() -> None:
    """Undo that a tool has put back a copy of `sys.modules` that did not have what of ours was
    loaded meanwhile.

    Imported a second time, our modules would not know the classes that those which are left know.
    """
    packages = [sys.modules[__name__.partition(".")[0]]]
    for package in packages:
        for name, module in vars(package).items():
            full = f"{package.__name__}.{name}"
            if isinstance(module, ModuleType) and module.__name__ == full:
                sys.modules.setdefault(full, module)
                if "__path__" in vars(module):
                    packages.append(module)


def _watch(config: pytest.Config) -> PatchWatch:
    """Return what knows of the running item's patches; it looks now if it has not yet."""
    watch = config.stash.get(_watch_key, None)
    if watch is None:
        from pytest_lambda_lifecycle.plugin.patch_watch import PatchWatch

        watch = config.stash[_watch_key] = PatchWatch(config.rootpath)
        config.add_cleanup(watch.close)
    watch.begin(config.stash.get(_item_key, None))
    return watch


def _wide_environments(config: pytest.Config) -> WideEnvironments:
    wide = config.stash.get(_wide_key, None)
    if wide is None:
        from pytest_lambda_lifecycle.plugin.wide_scopes import WideEnvironments

        wide = config.stash[_wide_key] = WideEnvironments()
        config.pluginmanager.register(wide, "lambda_lifecycle_wide")
    return wide


def _one_phase(item: pytest.Item) -> Generator[None, Any, Any]:
    __tracebackhide__ = True
    module = sys.modules.get("pytest_lambda_lifecycle.isolation.stage")
    if module is not None:
        module.stage.resume(item.stash.get(_entered_key, None))
    try:
        return (yield)
    finally:
        module = sys.modules.get("pytest_lambda_lifecycle.isolation.stage")
        if module is not None:
            item.stash[_entered_key] = module.stage.leave()


# -- reports --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show on a failed test what happened in its environments."""
    report = yield
    journal = item.config.stash.get(_journal_key, None)
    if journal is not None:
        if report.failed:
            journal.show_on(report)
        if report.when == "teardown":
            journal.item_ends()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call: pytest.CallInfo[Any]) -> None:
    """Let a debugger reach the frames of the handler."""
    failures = sys.modules.get("pytest_lambda_lifecycle.lifecycle.failures")
    if (
        failures is not None
        and call.excinfo is not None
        and isinstance(call.excinfo.value, failures.FunctionError)
    ):
        from pytest_lambda_lifecycle.plugin import journal

        call.excinfo = journal.with_frames_of_cause(call.excinfo)


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Explain how a timeline or phases differ from what a test expected."""
    if "pytest_lambda_lifecycle.lifecycle.timeline" not in sys.modules:
        return None
    from pytest_lambda_lifecycle.plugin import assertions

    return assertions.explain(
        op, left, right, verbose=config.get_verbosity(config.VERBOSITY_ASSERTIONS) > 1
    )


@pytest.hookimpl(trylast=True)
def pytest_lambda_lifecycle_invoke(proceed: Callable[[], Invocation]) -> Invocation:
    """Run the invoke; whoever wants to act around it wraps this."""
    __tracebackhide__ = True
    return proceed()
