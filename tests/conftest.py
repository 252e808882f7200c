"""Every test of this suite has to leave the process as it found it."""

from __future__ import annotations

import _imp
import gc
import importlib
import logging
import os
import pkgutil
import signal
import sys
import textwrap
import threading
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from run_suite import FAILED, ONLY

import pytest_lambda_lifecycle
from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    Invocation,
    LambdaClock,
    LifecycleError,
)
from pytest_lambda_lifecycle.clock.real import RealClock, RealTurn
from pytest_lambda_lifecycle.isolation.real import RealTime

pytest_plugins = ["pytester"]

# A shell without job control starts background processes with SIGINT ignored, and then no test
# could press Ctrl-C.  `nohup` does so with SIGHUP, and children of a test would survive it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

MakeEnvironment = Callable[..., ExecutionEnvironment]

# A run inside this process removes its imports from sys.modules, but not from the attributes of
# packages: the next run would mix two copies of our modules, or of unittest.mock.  So all of them
# are imported before the first run.
importlib.import_module("unittest.mock")
for _module in pkgutil.walk_packages(pytest_lambda_lifecycle.__path__, "pytest_lambda_lifecycle."):
    importlib.import_module(_module.name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that are to run once more (`run_suite.py`)."""
    if ONLY in os.environ:
        only = set(Path(os.environ[ONLY]).read_text("utf-8").splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in only])
        items[:] = [item for item in items if item.nodeid in only]
        if len(items) != len(only):
            raise pytest.UsageError(f"{len(items)} of these tests were found: {sorted(only)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAILED in os.environ:
        reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
        ids = dict.fromkeys(report.nodeid for report in reports)
        Path(os.environ[FAILED]).write_text("".join(f"{one}\n" for one in ids), "utf-8")


def pytest_collection_finish() -> None:
    """Keep the 6,000 collected tests out of the garbage collector's way.

    Each run of pytest inside this process ends with five collections, which would look at them.
    """
    gc.collect()
    gc.freeze()


class PatientTurn(RealTurn):
    """A turn in real time on a machine that is busy with other things.

    Tests of deadlines set limits of their own.  A test that leaves them alone is not about them.
    """

    def __init__(self, limit_us: int) -> None:
        super().__init__(limit_us * 20 if limit_us > _OF_TESTS else limit_us)


_OF_TESTS = 1_500_000
"""Microseconds.  The default timeout and the limit of Init are longer, and what is left of them."""
RealClock.begin_turn = PatientTurn
assert LambdaClock.__init__.__kwdefaults__ == {"watchdog": 10.0}
LambdaClock.__init__.__kwdefaults__["watchdog"] = 60.0


class ProcessSnapshot:
    """State that function code, or the library itself, might leave behind in this process."""

    def __init__(self) -> None:
        root = logging.getLogger()
        self.facts: dict[str, object] = {
            "os.environ": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
            "sys.path": list(sys.path),
            "the object sys.path": id(sys.path),
            # The first import of six (botocore has a copy) adds a finder for good.
            "sys.meta_path": [
                id(finder) for finder in sys.meta_path if "Six" not in type(finder).__name__
            ],
            "sys.path_hooks": list(map(id, sys.path_hooks)),
            "root logger": (
                root.level,
                list(map(repr, root.handlers)),
                list(map(repr, root.filters)),
            ),
            "logging.disable": root.manager.disable,
            "working directory": os.getcwd(),
            "signal handlers": {
                number: signal.getsignal(number) for number in signal.valid_signals()
            },
            "interval timer": signal.getitimer(signal.ITIMER_REAL)[1],
            "streams": (id(sys.stdout), id(sys.stderr), id(sys.stdin)),
            "streams at start": (sys.__stdout__, sys.__stderr__),
            "warnings.filters": list(map(repr, warnings.filters)),
            "hooks of warnings": [warnings.showwarning, warnings.formatwarning],
            "os functions": (os._exit, os.abort, os.kill, os.fork, sys.exit),
            # pytest 8.2 sets new objects of its own classes for each phase.
            "hooks": [
                getattr(hook, "__qualname__", type(hook))
                for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)
            ],
            # Other threads wait for these forever.
            "lock of logging": logging._lock._is_owned(),  # type: ignore[attr-defined]
            "lock of imports": _imp.lock_held(),
            "trace": (sys.gettrace(), sys.getprofile(), sys.displayhook),
            "tracemalloc": tracemalloc.is_tracing(),
            "garbage collector": (gc.isenabled(), gc.get_debug()),
            "recursion limit": sys.getrecursionlimit(),
            "switch interval": sys.getswitchinterval(),
            "coroutine origins": sys.get_coroutine_origin_tracking_depth(),
        }
        self.modules = dict(sys.modules)
        self.threads = {thread for thread in threading.enumerate() if not _of_xdist(thread)}

    def differences(self, later: ProcessSnapshot) -> list[str]:
        found = [
            f"{name}: {before!r} -> {later.facts[name]!r}"
            for name, before in self.facts.items()
            if later.facts[name] != before
        ]
        found += [f"the thread {thread.name!r}" for thread in later.threads - self.threads]
        for name, module in self.modules.items():
            now = later.modules.get(name)
            if now is not module:
                found.append(
                    f"sys.modules[{name!r}] {'is gone' if now is None else 'is another object'}"
                )
        return found


def _of_xdist(thread: threading.Thread) -> bool:
    return "execnet" in type(thread).__module__ or (
        thread.daemon and thread is not threading.main_thread()
    )


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compare the process before and after a test and its other fixtures.

    ``@pytest.mark.leaks`` exempts a test.
    """
    before = ProcessSnapshot()
    yield
    if request.node.get_closest_marker("leaks") is None:
        until = RealTime.perf_counter() + 20
        while differences := before.differences(ProcessSnapshot()):
            only_threads = all(one.startswith("the thread") for one in differences)
            if not only_threads or RealTime.perf_counter() > until:
                break
            RealTime.sleep(0.005)  # they end, as soon as the machine lets them
        assert not differences, "the test left in the process: " + "; ".join(differences)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file of function code, by its path relative to the task root."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / "task" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture
def outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., list[ModuleType]]]:
    """Import modules of the task root as a test module does at its top."""
    root = tmp_path / "task"
    before = set(sys.modules)

    def load(*names: str) -> list[ModuleType]:
        monkeypatch.syspath_prepend(str(root))
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in names]

    yield load
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def environment(
    write: Callable[[str, str], Path], tmp_path: Path, outside: object
) -> Iterator[MakeEnvironment]:
    """Make an environment from the source of ``app.py``, with settings as keywords."""
    made: list[ExecutionEnvironment] = []

    def make(
        source: str | None = None, /, handler: str = "app.handler", **settings: object
    ) -> ExecutionEnvironment:
        if source is not None:
            write("app.py", source)
        hooks = {
            name: settings.pop(name)
            for name in ("observer", "keep", "tampered", "folders")
            if name in settings
        }
        settings.setdefault("code_dir", tmp_path / "task")
        config = FunctionConfig(handler, **settings)
        made.append(ExecutionEnvironment._of_plugin(config, **hooks))
        return made[-1]

    yield make
    for env in reversed(made):
        env.close()


@pytest.fixture
def invoke_during() -> Callable[..., tuple[Invocation, list[LifecycleError]]]:
    """Invoke ``other`` on a second thread while the handler of ``waiting`` runs.

    The handler sets ``entered`` and waits for ``leave``.  Return its invocation, and the errors
    with which the other invoke was refused.
    """

    def invoke_during(
        waiting: ExecutionEnvironment, other: ExecutionEnvironment
    ) -> tuple[Invocation, list[LifecycleError]]:
        waiting.initialize()
        module, refused = waiting.module, list[LifecycleError]()

        def invoke() -> None:
            module.entered.wait(10)
            try:
                other.invoke()
            except LifecycleError as problem:
                refused.append(problem)
            finally:
                module.leave.set()

        thread = threading.Thread(target=invoke)
        thread.start()
        invocation = waiting.invoke()
        thread.join()
        return invocation, refused

    return invoke_during


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Run with this plugin alone: others cost time, and a test that needs one loads it by name."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_lambda_lifecycle.plugin")
    # A test that writes another file of the same size within a second would run the first one,
    # compiled.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return pytester


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "leaks: the test changes the process for good, and says why."
    )
