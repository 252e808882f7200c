"""The files about a whole run: a page, Markdown and a trace (options ``report`` and ``trace``).

Each process reads the timelines when a test ends, and sends what they say with the report of the
test's teardown.  So pytest-xdist brings it to the process that writes the files, test by test: a
worker that crashes takes nothing along but its running test.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import pytest

from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.plugin import options
from pytest_lambda_lifecycle.report.environments import what_happened
from pytest_lambda_lifecycle.report.reading import FIRST
from pytest_lambda_lifecycle.report.run import Packed, Run, pack
from pytest_lambda_lifecycle.report.texts import plain, shown

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.plugin.failure_report import Entry, FailureReports
    from pytest_lambda_lifecycle.report.reading import Environment

__all__ = ["Collector", "register"]

_NAME: Final = "lambda_lifecycle_run_report"
_SENT: Final = "_lambda_lifecycle"
"""The attribute of the report of a teardown that carries the environments of the test."""
_LONGEST_ID: Final = 500
_SUMMARY_OF_JOB: Final = "GITHUB_STEP_SUMMARY"


class _Target(NamedTuple):
    """A file to write."""

    path: Path
    form: str
    """``"html"``, ``"markdown"`` or ``"trace"``."""
    add: bool
    """It is a file of others, to which the report is added."""


def register(
    config: pytest.Config, failure_reports: Callable[[], FailureReports | None]
) -> Collector | None:
    """Return what collects at the end of each test; None if there is no file to write.

    Raises `pytest.UsageError` before any test for a file that cannot be written.
    """
    real_time = _wants_real_time(config)
    if not any(options.given(config, options.REPORTS)):
        return None
    is_worker = hasattr(config, "workerinput")
    targets = [] if is_worker else list(_targets(config))
    for target in targets:
        _check(target)
    moments = _Moments() if real_time else None
    collector = Collector(failure_reports, moments)
    manager = config.pluginmanager
    if moments is not None:
        manager.register(moments, f"{_NAME}_moments")
    if not is_worker:
        manager.register(_Writer(config, targets, collector.collect), _NAME)
    manager.register(collector, f"{_NAME}_collector")  # after the writer, so it comes before it
    return collector


# -- the files -------------------------------------------------------------------------------------


def _targets(config: pytest.Config) -> Iterable[_Target]:
    for option, on_command_line, value in options.given(config, options.REPORTS):
        source = option.flag if on_command_line else options.ini_source(config, option)
        here = config.invocation_params.dir
        directory = here if on_command_line else options.ini_directory(config)
        for text in cast("list[str | Path]", value):
            if not str(text).strip():
                raise pytest.UsageError(f"{source}: the path is empty; it takes a file to write")
            yield _target(option, source, directory, str(text))


def _wants_real_time(config: pytest.Config) -> bool:
    """Say whether a trace is written, and in real time."""
    asked = "virtual"
    for option, on_command_line, value in options.given(config, (options.TRACE_TIME,)):
        source = option.flag if on_command_line else options.ini_source(config, option)
        if value not in ("virtual", "real"):
            raise pytest.UsageError(f"{source}: {value!r} is not one of virtual, real")
        asked = str(value)
    return asked == "real" and any(options.given(config, (options.TRACE,)))


def _target(option: options.Option, source: str, directory: Path, text: str) -> _Target:
    path = Path(os.path.abspath(directory / Path(text).expanduser()))
    ending = path.suffix.lower()
    if option is options.TRACE:
        if ending == ".json":
            return _Target(path, "trace", add=False)
        raise pytest.UsageError(f"{source}: {text!r} is no file of JSON; its name ends in .json")
    of_job = os.environ.get(_SUMMARY_OF_JOB)
    if of_job and path == Path(os.path.abspath(of_job)):
        return _Target(path, "markdown", add=True)
    if ending in (".html", ".htm"):
        return _Target(path, "html", add=False)
    if ending in (".md", ".markdown"):
        return _Target(path, "markdown", add=False)
    raise pytest.UsageError(
        f"{source}: the ending of {text!r} says no format; it is .html for a page or .md for "
        "Markdown"
    )


def _check(target: _Target) -> None:
    """Make the folder of a file, and see whether the file can be written."""
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            target.path.stat()  # a name that no file can have raises something else
        if target.add or target.path.exists():
            with target.path.open("ab"):
                pass
        if not target.add:
            with tempfile.TemporaryFile(dir=target.path.parent):
                pass
    except (OSError, ValueError) as problem:
        raise pytest.UsageError(
            f"the report {target.path} cannot be written: {problem}; nothing has run"
        ) from problem


def _write(target: _Target, run: Run) -> None:
    """Write a file, or nothing of it if that fails."""
    text = _text(target.form, run)
    if target.add:
        with target.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return
    beside = target.path.with_name(f".lambda-lifecycle-{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.replace(target.path)
    finally:
        beside.unlink(missing_ok=True)


def _text(form: str, run: Run) -> str:
    if form == "html":
        from pytest_lambda_lifecycle.report.page.writer import page

        return page(run)
    if form == "trace":
        from pytest_lambda_lifecycle.report.trace import trace

        return trace(run)
    from pytest_lambda_lifecycle.report.markdown import markdown

    return markdown(run)


# -- the process that runs tests -------------------------------------------------------------------


class _Moments:
    """The real moments of events, by their ids, until the test ends."""

    def __init__(self) -> None:
        self._found: dict[int, int] = {}

    @pytest.hookimpl
    def pytest_lambda_lifecycle_event(self, event: Event) -> None:
        self._found[id(event)] = RealTime.time_ns() // 1000

    def of(self, events: Iterable[Event]) -> list[int]:
        """Return a moment for each event; what was not announced takes that of the one before."""
        moments: list[int] = []
        for event in events:
            found = self._found.get(id(event), moments[-1] if moments else None)
            moments.append(RealTime.time_ns() // 1000 if found is None else found)
        return moments

    def forget(self) -> None:
        """Forget the events of a test that has ended."""
        self._found.clear()


class Collector:
    """Reads the timelines of each test when it ends."""

    def __init__(
        self, failure_reports: Callable[[], FailureReports | None], moments: _Moments | None
    ) -> None:
        self._failure_reports = failure_reports
        self._moments = moments
        self._latest: Packed | None = None

    def collect_for(self, report: pytest.TestReport) -> None:
        """Attach what the environments did to the report of the item's teardown."""
        self._latest = self.collect()
        if self._latest is not None:
            setattr(report, _SENT, self._latest)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Attach it again where a hook of the suite has put a new report in the place of that."""
        if report.when == "teardown" and self._latest is not None:
            setattr(report, _SENT, self._latest)
            self._latest = None

    def collect(self) -> Packed | None:
        """Return what the environments did that the item used; None if it used none."""
        reports = self._failure_reports()
        entries = [] if reports is None else reports.used()
        if not entries:
            return None
        real = None
        if self._moments is not None:
            real = [_read(entry, self._moments.of(entry.events()))[0] for entry in entries]
            self._moments.forget()
        found: list[Environment] = []
        for entry in entries:
            environment, entry.why = _read(entry)
            found.append(environment)
        return pack(found, real)


def _read(entry: Entry, moments: list[int] | None = None) -> tuple[Environment, str]:
    """Return what an environment did in the running item.

    It never raises, since an exception would end the whole run: the ``repr`` of an object of
    function code may raise.
    """
    config = entry.environment.config
    facts = f"{config.runtime}, {config.memory_size} MB, timeout {config.timeout} s"
    read = partial(
        what_happened,
        number=entry.number,
        function=config.handler,
        made_at=entry.made_at,
        virtual=entry.environment._clock is not None,
    )
    try:
        return read(
            entry.events(),
            facts=facts,
            why=FIRST if entry.why is None else entry.why,
            moments=moments,
        )
    except Exception as problem:
        kind = type(problem).__name__
        return read([], facts=f"the timeline cannot be shown: {kind} in a repr of function code")


# -- the process that writes -----------------------------------------------------------------------


class _Writer:
    """Puts the tests of all processes together, and writes the files."""

    def __init__(
        self, config: pytest.Config, targets: list[_Target], collect: Callable[[], Packed | None]
    ) -> None:
        self._targets = targets
        self._collect = collect
        self._run = Run(plain(config.rootpath.name, 100))
        self._running, self._began = "", 0.0
        self._written: list[str] = []
        self._failed: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._run.set_order(plain(item.nodeid, _LONGEST_ID) for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self._run.set_order(plain(test_id, _LONGEST_ID) for test_id in ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running, self._began = nodeid, RealTime.time_ns() / 1e9

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test_id = plain(report.nodeid, _LONGEST_ID)
        worker = _worker(report)
        start, seconds = getattr(report, "start", 0.0), getattr(report, "duration", 0.0)
        self._run.phase_ended(test_id, worker, _outcome(report), start, seconds, _error(report))
        if report.when not in ("setup", "call"):  # a worker that crashed sends another word
            self._run.test_ended(test_id, worker, vars(report).pop(_SENT, None))
            self._running = ""

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._run.interrupted = plain(excinfo.exconly(), 200)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:  # also where a fixture of wider scope raises, which ends only now
            if not session.config.getoption("collectonly", False):
                self._write_all()

    def _write_all(self) -> None:
        if self._run.interrupted and self._running:
            test_id = plain(self._running, _LONGEST_ID)
            self._run.test_interrupted(test_id, self._began, self._collect())
        for target in self._targets:
            try:
                _write(target, self._run)
                self._written.append(f"{target.path} written")
            except (OSError, ValueError) as problem:
                self._failed.append(f"{target.path} could not be written: {problem}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        quiet = terminalreporter.config.get_verbosity() < 0
        for line in [*self._failed, *(() if quiet else self._written)]:
            terminalreporter.write_sep("-", f"Lambda lifecycle: {line}")


def _worker(report: pytest.TestReport) -> str:
    """Return the name of the worker of pytest-xdist that sent a report, or ``""``."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(getattr(gateway, "id", ""))


def _outcome(report: pytest.TestReport) -> str:
    if report.when not in ("setup", "call", "teardown"):
        return "crashed"
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return report.outcome


def _error(report: pytest.TestReport) -> str:
    """Return line and message of a failure, without secrets."""
    if not report.failed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return shown(str(report.longrepr))
    return f"{plain(str(crash.path), 300)}:{crash.lineno}\n{shown(str(crash.message))}"
