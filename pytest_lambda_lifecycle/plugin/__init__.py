"""The pytest plugin: the only folder that imports pytest.

pytest loads this module in every run, and it imports pytest alone.  The first test that uses one of
the fixtures imports everything else of the package.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lambda_lifecycle.clock.public_clock import LambdaClock
    from pytest_lambda_lifecycle.function.settings import Settings
    from pytest_lambda_lifecycle.isolation.stage import Slice
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.observation.calls.lambda_http import LambdaHttp
    from pytest_lambda_lifecycle.plugin.failure_report import FailureReports
    from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle
    from pytest_lambda_lifecycle.plugin.patch_watch import PatchWatch
    from pytest_lambda_lifecycle.plugin.run_report import Collector
    from pytest_lambda_lifecycle.plugin.wide_scopes import WideEnvironments

MARKER: Final = (
    "lambda_lifecycle(handler=None, **settings): "
    "settings of the environments that the lambda_lifecycle fixture makes for the test; "
    "the same keywords as its call (timeout=3, memory_size=128, environment={...}, ...)."
)

CLOCK_MARKER: Final = (
    "lambda_clock(start=None): "
    "when the virtual time of the lambda_clock fixture begins, as an aware datetime or as "
    "ISO 8601 text; now, on the whole second, by default."
)

EXACT_MARKER: Final = (
    "lambda_lifecycle_exact: the test asserts on the lifecycle itself, so --lambda-lifecycle-cold, "
    "--lambda-lifecycle-warm and --lambda-lifecycle-chaos leave its environments alone."
)

_TALLY: Final = "pytest_lambda_lifecycle.environment.tally"
"""The module that counts environments, once one was made."""
_FROM_WORKERS: Final = "lambda_lifecycle_from_workers"
_TO_CONTROLLER: Final = "lambda_lifecycle_to_controller"

_reports_key: Final[pytest.StashKey[FailureReports]] = pytest.StashKey()
"""On the config: the environments of this run, from the first one on."""
_collector_key: Final[pytest.StashKey[Collector | None]] = pytest.StashKey()
"""On the config: what collects for the files about the run, if one is asked for."""
_item_key: Final[pytest.StashKey[pytest.Item | None]] = pytest.StashKey()
"""On the config: the running item."""
_watch_key: Final[pytest.StashKey[PatchWatch]] = pytest.StashKey()
"""On the config: the watch for patches, from the first item on that uses a fixture."""
_wide_key: Final[pytest.StashKey[WideEnvironments]] = pytest.StashKey()
"""On the config: the environments of class, module and session scope, from the first one on."""
_used_key: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""On an item: one of the fixtures was set up for it, perhaps by getfixturevalue()."""
_tally_key: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""On the config: the run is inside another one that has environments, and has its own tally."""
_entered_key: Final[pytest.StashKey[Slice | None]] = pytest.StashKey()
"""On an item: the environment to enter again in the item's next phase (setup, call, teardown)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the command line options and their ini forms."""
    from pytest_lambda_lifecycle.plugin import options

    options.register(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugin's own hooks."""
    from pytest_lambda_lifecycle.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and check the options: a mistake ends the run with a usage error."""
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", CLOCK_MARKER)
    config.addinivalue_line("markers", EXACT_MARKER)
    from pytest_lambda_lifecycle.plugin import options

    options.check(config)
    if any(options.given(config, (options.SECTION,))):
        from pytest_lambda_lifecycle.plugin import section_extent

        section_extent.check(config)
    if any(options.given(config, options.MODES)):
        from pytest_lambda_lifecycle.plugin import modes

        modes.modes_of(config)
    if any(options.given(config, (*options.REPORTS, options.TRACE_TIME))):
        from pytest_lambda_lifecycle.plugin import run_report

        reports = partial(config.stash.get, _reports_key, None)
        config.stash[_collector_key] = run_report.register(config, reports)
    tally: Any = sys.modules.get(_TALLY)
    if tally is not None:  # a run inside another one, as of the tests of a plugin
        tally.RUNS.append(tally.Tally())
        config.stash[_tally_key] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget what was counted in a run inside another one."""
    tally: Any = sys.modules.get(_TALLY)
    if tally is not None and config.stash.get(_tally_key, False):
        tally.RUNS.pop()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the settings of the ini file and the command line, or None without any."""
    from pytest_lambda_lifecycle.plugin import options

    if any(options.given(config, options.MODES)):
        from pytest_lambda_lifecycle.plugin.modes import modes_of

        modes = modes_of(config)
        return options.header(config, [] if modes is None else modes.shown())
    return options.header(config, [])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401  # pytest-xdist may be missing
    """Pass the seed of the run on to a worker of pytest-xdist, and add up what workers count."""
    plugins = node.config.pluginmanager
    if not plugins.has_plugin(_FROM_WORKERS):
        from pytest_lambda_lifecycle.plugin.run_summary import FromWorkers

        plugins.register(FromWorkers(), _FROM_WORKERS)
    modes = sys.modules.get("pytest_lambda_lifecycle.plugin.modes")
    if modes is not None:
        modes.pass_to_worker(node.workerinput, node.config)


# -- fixtures --------------------------------------------------------------------------------------


@pytest.fixture
def lambda_lifecycle(
    request: pytest.FixtureRequest, lambda_lifecycle_config: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Call it to make a Lambda environment that lives until the test ends:
    lambda_lifecycle("orders.app.handler", timeout=3).invoke({"id": 1}).

    The keywords are the settings of the function.
    """
    __tracebackhide__ = True
    yield from _lifecycle(request, lambda_lifecycle_config)


@pytest.fixture(scope="class")
def class_lambda_lifecycle(
    request: pytest.FixtureRequest, lambda_lifecycle_config: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Call it to make a Lambda environment that lives until the class ends."""
    __tracebackhide__ = True
    yield from _wide_lifecycle(request, lambda_lifecycle_config)


@pytest.fixture(scope="module")
def module_lambda_lifecycle(
    request: pytest.FixtureRequest, lambda_lifecycle_config: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Call it to make a Lambda environment that lives until the module ends."""
    __tracebackhide__ = True
    yield from _wide_lifecycle(request, lambda_lifecycle_config)


@pytest.fixture(scope="session")
def session_lambda_lifecycle(
    request: pytest.FixtureRequest, lambda_lifecycle_config: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Call it to make a Lambda environment that lives until the session ends."""
    __tracebackhide__ = True
    yield from _wide_lifecycle(request, lambda_lifecycle_config)


@pytest.fixture
def lambda_clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Virtual time for the test and its Lambda environments: nothing sleeps.
    It moves when function code sleeps, by env.idle(hours=1), and by lambda_clock.advance(1).
    """
    __tracebackhide__ = True
    yield from _clock(request)


@pytest.fixture(scope="class")
def class_lambda_clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Virtual time until the class ends, for environments that live as long."""
    __tracebackhide__ = True
    yield from _clock(request)


@pytest.fixture(scope="module")
def module_lambda_clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Virtual time until the module ends, for environments that live as long."""
    __tracebackhide__ = True
    yield from _clock(request)


@pytest.fixture(scope="session")
def session_lambda_clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Virtual time until the session ends, for environments that live as long."""
    __tracebackhide__ = True
    yield from _clock(request)


@pytest.fixture
def lambda_http() -> Generator[LambdaHttp, None, None]:
    """HTTP responses for function code: responses.RequestsMock, in force in all phases:
    lambda_http.get("https://config.example/v1", json={"v": 1}, latency_ms=120).

    It answers requests and libraries built on it; httpx and aiohttp need their own mock.
    """
    __tracebackhide__ = True
    yield from _http()


@pytest.fixture(scope="class")
def class_lambda_http() -> Generator[LambdaHttp, None, None]:
    """HTTP responses for function code until the class ends."""
    __tracebackhide__ = True
    yield from _http()


@pytest.fixture(scope="module")
def module_lambda_http() -> Generator[LambdaHttp, None, None]:
    """HTTP responses for function code until the module ends."""
    __tracebackhide__ = True
    yield from _http()


@pytest.fixture(scope="session")
def session_lambda_http() -> Generator[LambdaHttp, None, None]:
    """HTTP responses for function code until the session ends."""
    __tracebackhide__ = True
    yield from _http()


@pytest.fixture(scope="session")
def lambda_lifecycle_config() -> Settings:
    """Override it in a conftest.py to give all Lambda environments of a suite their settings:
    it returns a mapping, such as {"timeout": 5, "environment": {"STAGE": "test"}}.
    """
    return {}


_LIFECYCLE_FIXTURES: Final = frozenset(
    f"{scope}lambda_lifecycle" for scope in ("", "class_", "module_", "session_")
)


def _clock(request: pytest.FixtureRequest) -> Generator[LambdaClock, None, None]:
    """Yield the value of a fixture: the clock, which runs until the fixture ends."""
    from pytest_lambda_lifecycle.plugin import options
    from pytest_lambda_lifecycle.plugin.clock_fixture import clock_for

    __tracebackhide__ = True
    with clock_for(request, options.clock_options(request.config)) as clock:
        yield clock


def _http() -> Generator[LambdaHttp, None, None]:
    """Yield the value of a fixture; where it is asked to, check that all requests were made."""
    from pytest_lambda_lifecycle.observation.calls.lambda_http import LambdaHttp

    missing = ""
    try:
        with LambdaHttp() as http:
            yield http
    except AssertionError as problem:
        missing = str(problem)
    if missing:  # outside of the handler, and in a frame that is shown: the text alone is reported
        pytest.fail(missing, pytrace=False)


def _lifecycle(
    request: pytest.FixtureRequest, settings: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Yield the value of a fixture, and end its environments afterwards."""
    from pytest_lambda_lifecycle.plugin import progress_line
    from pytest_lambda_lifecycle.plugin.failure_report import FailureReports
    from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle

    __tracebackhide__ = True
    if "lambda_http" in request.fixturenames and request.scope == "function":
        request.getfixturevalue("lambda_http")  # it ends later, and answers in shutdowns as well
    config = request.config
    item = config.stash.get(_item_key, None)
    if item is not None:
        item.stash[_used_key] = True
    failure_reports = config.stash.setdefault(_reports_key, FailureReports())
    _patch_watch(config)
    progress_line.begin_test(config)
    lifecycle = LambdaLifecycle(
        request,
        settings,
        failure_reports=failure_reports,
        patched=partial(_patched, config),
        running_item=partial(config.stash.get, _item_key, None),
    )
    yield lifecycle
    lifecycle.close()


def _wide_lifecycle(
    request: pytest.FixtureRequest, settings: Settings
) -> Generator[LambdaLifecycle, None, None]:
    """Yield the value of a fixture whose environments serve several tests."""
    __tracebackhide__ = True
    wide = _wide_environments(request.config)
    fixture = str(request.fixturename)
    for lifecycle in _lifecycle(request, settings):
        wide.add(fixture, lifecycle)
        yield lifecycle
        wide.remove(fixture)


def _patched(config: pytest.Config, module: ModuleType) -> list[str]:
    """Return the names in a module that the running item has patched."""
    return _patch_watch(config).patched(module)


def _patch_watch(config: pytest.Config) -> PatchWatch:
    """Return the watch for patches; it took its snapshot when the running item began.

    For an item that gets a fixture by getfixturevalue(), it takes the snapshot now.
    """
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


# -- one test item ---------------------------------------------------------------------------------
# These wrappers are innermost (trylast), inside those of pytest's logging and capture: an
# environment enters and leaves the process under the same handlers and streams.


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Take a snapshot of the project's modules before fixtures or patches change them."""
    __tracebackhide__ = True
    item.config.stash[_item_key] = item
    if not _LIFECYCLE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        _restore_own_modules()
        _patch_watch(item.config)
        from pytest_lambda_lifecycle.isolation import log_levels

        log_levels.watch_test()
    return (yield from _one_phase(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Enter again the environment that was entered when setup ended; judge the test's calls."""
    __tracebackhide__ = True
    wide = item.config.stash.get(_wide_key, None)
    if wide is not None and item.stash.get(_entered_key, None) is None:
        item.stash[_entered_key] = wide.latest(item)
    result = yield from _one_phase(item)
    if any(mark.name == "lambda_lifecycle" for mark in item.own_markers):
        _warn_of_idle_marker(item)
    failure_reports = item.config.stash.get(_reports_key, None)
    if failure_reports is not None:  # a test that has failed already does not fail twice
        failure_reports.judge()
    return result


def _warn_of_idle_marker(item: pytest.Item) -> None:
    """Warn of a marker on a test that asks for no environment: nobody reads it."""
    unasked = _LIFECYCLE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    if unasked and not item.stash.get(_used_key, False):
        from pytest_lambda_lifecycle.errors import LifecycleWarning

        item.warn(
            LifecycleWarning(
                "the marker lambda_lifecycle has no effect, since the test does not ask for the "
                "fixture: def test_it(lambda_lifecycle): env = lambda_lifecycle()"
            )
        )


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Enter again the environment that was entered when the test ended; restore all afterwards."""
    __tracebackhide__ = True
    try:
        return (yield from _one_phase(item))
    finally:
        item.stash[_entered_key] = None
        item.config.stash[_item_key] = None
        watch = item.config.stash.get(_watch_key, None)
        if not _CHANGES_THE_PROCESS.isdisjoint(sys.modules):
            _sweep(None if watch is None else watch.variables)
        if watch is not None:
            watch.end()


def _one_phase(item: pytest.Item) -> Generator[None, Any, Any]:
    """Enter the environment of an item for one of its phases.

    The module `stage` is looked up twice: the phase of the item may be the first to import it.
    """
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


_CHANGES_THE_PROCESS: Final = frozenset(
    {
        "pytest_lambda_lifecycle.environment.execution_environment",
        "pytest_lambda_lifecycle.observation.calls.lambda_http",
    }
)
"""A test has used one of the fixtures once these are imported."""


def _sweep(variables: Mapping[str, str] | None) -> None:
    """Remove state of function code that a tool has put back after the environments had left."""
    from pytest_lambda_lifecycle.environment import open_environments
    from pytest_lambda_lifecycle.isolation import sweep

    sweep.after_test(variables, any_open=open_environments.any_open())
    open_environments.unshift_time()


def _restore_own_modules() -> None:
    """Put modules of this package back that a tool has taken out of `sys.modules`.

    Some tools replace `sys.modules` by a copy that they took earlier (pytester does, and
    `mock.patch.dict`).  Modules of this package that were imported since then are missing from the
    copy.  If they were imported a second time, each class would exist twice, and `isinstance` would
    be false for objects of the other copy.  The packages still hold their modules as attributes, so
    each missing module is found there.
    """
    packages = [sys.modules[__name__.partition(".")[0]]]
    for package in packages:
        for name, module in vars(package).items():
            full_name = f"{package.__name__}.{name}"
            if isinstance(module, ModuleType) and module.__name__ == full_name:
                sys.modules.setdefault(full_name, module)
                if "__path__" in vars(module):
                    packages.append(module)


# -- reports ---------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the timeline and the log of its environments to the report of a failed test.

    With ``-rA`` or ``-rP``, they are added to that of a passed test, too.
    """
    report = yield
    http = sys.modules.get("pytest_lambda_lifecycle.observation.calls.lambda_http")
    if report.failed and http is not None:
        http.note_failed_test()
    failure_reports = item.config.stash.get(_reports_key, None)
    if failure_reports is not None:
        from pytest_lambda_lifecycle.plugin import failure_report, progress_line

        progress_line.end_phase(item.config)
        failure_reports.note_records(item.config)
        shows_passed = report.passed and report.when == "call"
        if report.failed or shows_passed:
            from pytest_lambda_lifecycle.plugin.section_extent import extent_for

            extent = extent_for(item.config, passed=shows_passed)
            if extent:
                failure_reports.show_on(report, item.config, extent)
        modes = sys.modules.get("pytest_lambda_lifecycle.plugin.modes")
        if report.failed and modes is not None:
            modes.show_on(report, item, failure_reports)
        if report.when == "teardown":
            _tell_other_reports(item.config, report, failure_reports)
        failure_report.escape_surrogates(report)
        if report.when == "teardown":
            collector = item.config.stash.get(_collector_key, None)
            if collector is not None:
                collector.collect_for(report)
            failure_reports.item_ends()
    if report.when == "teardown" and _TALLY in sys.modules and hasattr(item.config, "workerinput"):
        plugins = item.config.pluginmanager
        if not plugins.has_plugin(_TO_CONTROLLER):
            from pytest_lambda_lifecycle.plugin.run_summary import ToController

            plugins.register(ToController(), _TO_CONTROLLER)
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write how many environments there were, and what stands out."""
    if _TALLY in sys.modules:
        from pytest_lambda_lifecycle.plugin import run_summary

        run_summary.show(terminalreporter, config.get_verbosity())


def _tell_other_reports(
    config: pytest.Config, report: pytest.TestReport, failure_reports: FailureReports
) -> None:
    """Add what JUnit XML and the page of pytest-html show, if one of them is written."""
    for_junit = config.getoption("xmlpath", None)
    for_html = config.getoption("htmlpath", None)
    entries = failure_reports.used() if for_junit or for_html else ()
    if entries:
        from pytest_lambda_lifecycle.plugin import other_reports

        used = [(entry.environment.config.handler, entry.events()) for entry in entries]
        if for_junit:
            other_reports.add_properties(report, used, failure_reports.counts)
        if for_html:
            other_reports.add_extras(report, used)


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call: pytest.CallInfo[Any]) -> None:
    """Let a debugger reach the frames of the handler."""
    failures = sys.modules.get("pytest_lambda_lifecycle.lifecycle.failures")
    if failures is None or call.excinfo is None:
        return
    if isinstance(call.excinfo.value, failures.FunctionError):
        from pytest_lambda_lifecycle.plugin import failure_report

        call.excinfo = failure_report.with_frames_of_cause(call.excinfo)


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Explain how a timeline or phases differ from the expectation of a test."""
    if "pytest_lambda_lifecycle.lifecycle.timeline" not in sys.modules:
        return None
    from pytest_lambda_lifecycle.plugin import assertions

    verbose = config.get_verbosity(config.VERBOSITY_ASSERTIONS) > 1
    return assertions.explain(op, left, right, verbose=verbose)


@pytest.hookimpl(trylast=True)
def pytest_lambda_lifecycle_invoke(proceed: Callable[[], Invocation]) -> Invocation:
    """Run the invoke, after all other implementations of this hook."""
    __tracebackhide__ = True
    return proceed()
