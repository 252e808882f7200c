"""What function code changes in the process is its own while it runs, and nothing of it stays."""

import asyncio
import atexit
import builtins
import contextlib
import contextvars
import csv
import decimal
import faulthandler
import gc
import json
import locale
import logging
import os
import pkgutil
import random
import signal
import socket
import sys
import tempfile
import textwrap
import threading
import time
import warnings
import weakref
from pathlib import Path
from unittest import mock

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, InitError, LifecycleError
from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
from pytest_lambda_lifecycle.isolation.parts import environ, tmp
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored, SharedChange

on_linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")

# One function that changes everything which one process has one of; the conftest's leak detector
# looks at the rest.
VANDAL = """
    import asyncio, atexit, builtins, contextvars, decimal, locale, logging, os, random, signal, socket, sys
    import tempfile, threading, warnings
    os.environ["ADDED"] = "1"
    os.environ.pop("HOME", None)
    sys.path.append("/vandal")
    sys.argv = ["vandal"]
    sys.setrecursionlimit(1234)
    sys.excepthook = print
    threading.excepthook = print
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    socket.setdefaulttimeout(1.5)
    random.seed(1)
    tempfile.tempdir = "/vandal"
    warnings.simplefilter("ignore")
    builtins.vandal = 1
    json = __import__("json")
    json.dumps = print
    logging.getLogger("made.by.vandal").addHandler(logging.NullHandler())
    logging.getLogger("existing").setLevel(5)
    logging.root.handlers.clear()
    logging.basicConfig(level=1, force=True)
    logging.addLevelName(7, "SEVEN")
    logging.disable(30)
    logging.captureWarnings(True)
    decimal.getcontext().prec = 3
    locale.setlocale(locale.LC_ALL, "C")
    VAR = contextvars.ContextVar("vandal", default=0)
    VAR.set(1)
    loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)
    atexit.register(print, "never")
    os.chdir("/")
    sys.stdout = sys.stderr
    def handler(event, context):
        return {
            "added": os.environ.get("ADDED"), "home": os.environ.get("HOME"), "path": "/vandal" in sys.path,
            "argv": sys.argv, "limit": sys.getrecursionlimit(), "timeout": socket.getdefaulttimeout(),
            "tempdir": tempfile.tempdir, "builtin": builtins.vandal, "json": json.dumps is print,
            "level": logging.root.level, "prec": decimal.getcontext().prec, "var": VAR.get(),
            "loop": asyncio.get_event_loop_policy().get_event_loop() is loop, "cwd": os.getcwd(),
            "stdout": sys.stdout is sys.stderr, "disabled": logging.root.manager.disable,
            "signal": callable(signal.getsignal(signal.SIGUSR1)),
        }
"""
SEEN_BY_ITSELF = {
    "added": "1",
    "home": None,
    "path": True,
    "argv": ["vandal"],
    "limit": 1234,
    "timeout": 1.5,
    "tempdir": "/vandal",
    "builtin": 1,
    "json": True,
    "level": 1,
    "prec": 3,
    "var": 1,
    "loop": True,
    "cwd": "/",
    "stdout": True,
    "disabled": 30,
    "signal": True,
}


def photograph():
    """What the leak detector of the conftest does not look at."""
    existing = logging.getLogger("existing")
    return {
        "argv": sys.argv,
        "limit": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "socket": socket.getdefaulttimeout(),
        "random": random.getstate(),
        "tempdir": tempfile.tempdir,
        "builtin": hasattr(builtins, "vandal"),
        "json": json.dumps,
        "existing": (existing.level, list(existing.handlers)),
        "loggers": [name for name in logging.root.manager.loggerDict if name.startswith("made")],
        "seven": logging.getLevelName(7),
        "disable": logging.root.manager.disable,
        "showwarning": warnings.showwarning,
        "prec": decimal.getcontext().prec,
        "locale": locale.setlocale(locale.LC_ALL),
        "context": {variable.name for variable in contextvars.copy_context()},
        "policy": asyncio.events._event_loop_policy,
        "tz": (time.tzname, os.environ.get("TZ")),
    }


@pytest.fixture(autouse=True)
def existing_logger():
    logging.getLogger("existing")


def test_everything_is_the_functions_own_and_nothing_stays(environment):
    before = photograph()
    with tempfile.TemporaryDirectory():
        callbacks = atexit._ncallbacks()  # the first finalizer of a process registers itself, once
    env = environment(VANDAL)
    assert env.invoke().payload == SEEN_BY_ITSELF
    assert env.invoke().payload == SEEN_BY_ITSELF
    env.module.loop.close()
    env.close()
    assert photograph() == before
    assert atexit._ncallbacks() == callbacks
    assert [event.function for event in env.timeline.of(AtexitIgnored)] == ["print"]


def test_it_can_leave_and_come_back(environment):
    before = photograph()
    env = environment(VANDAL)
    env.invoke()
    left = stage.leave()
    assert photograph() == before
    stage.resume(left)
    assert env.invoke().payload == SEEN_BY_ITSELF
    stage.leave()
    assert env.invoke().payload == SEEN_BY_ITSELF
    env.module.loop.close()


def test_a_reset_begins_a_fresh_process(environment, tmp_path):
    env = environment(VANDAL)
    env.invoke()
    env.module.loop.close()
    env.reset()
    before = photograph()
    env.invoke()
    assert env.log.count("Runtime Version") == 1
    env.module.loop.close()
    env.close()
    assert photograph() == before


def test_an_init_that_raises_half_way(environment):
    before = photograph()
    env = environment(VANDAL.replace("def handler", "loop.close()\n    1/0\n    def handler"))
    with pytest.raises(InitError, match="division by zero"):
        env.invoke()
    assert photograph() == before


def test_two_open_environments_do_not_see_each_other(environment, write):
    vandal = environment(VANDAL)
    vandal.invoke()
    write(
        "meek.py",
        "import os, sys\ndef handler(event, context): return ['ADDED' in os.environ, '/vandal' in sys.path]",
    )
    meek = environment(handler="meek.handler")
    assert meek.invoke().payload == [False, False]
    assert vandal.invoke().payload == SEEN_BY_ITSELF
    vandal.module.loop.close()


def test_what_raises_on_entering_is_undone(environment, monkeypatch):
    before = photograph()
    env = environment("def handler(event, context): return 1")

    def fail(self):
        raise OSError("no more")

    monkeypatch.setattr(
        "pytest_lambda_lifecycle.isolation.parts.logging_tree.LoggingTree.enter", fail
    )
    with pytest.raises(OSError, match="no more"):
        env.invoke()
    monkeypatch.undo()
    assert photograph() == before
    assert env.invoke().payload == 1


def test_an_undo_that_raises_does_not_stop_the_others(environment, monkeypatch):
    env = environment("import os\nos.environ['ADDED'] = '1'\ndef handler(event, context): return 1")
    original = ProcessSlice.take_process

    def take(self):
        original(self)
        self._undo.append(lambda: 1 / 0)

    monkeypatch.setattr(ProcessSlice, "take_process", take)
    env.invoke()
    with pytest.raises(LifecycleError, match="not everything could be restored.*division by zero"):
        stage.leave()
    assert "ADDED" not in os.environ


class TestVariables:
    SHOW = "import os\nAT_INIT = dict(os.environ)\ndef handler(event, context): return AT_INIT"

    def test_lambdas_variables_are_there_at_import(self, environment, tmp_path):
        env = environment(
            self.SHOW, environment={"TABLE": "orders"}, function_name="shop", memory_size=256
        )
        seen = env.invoke().payload
        expected = {
            "TABLE": "orders",
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(tmp_path / "task"),
            "TZ": ":UTC",
        }
        assert {name: seen[name] for name in expected} == expected

    def test_real_credentials_are_never_visible(self, environment, monkeypatch):
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
        ):
            monkeypatch.setenv(name, "REAL")
        env = environment(self.SHOW)
        seen = env.invoke().payload
        assert "REAL" not in seen.values()
        assert "AWS_PROFILE" not in seen
        env.close()
        assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"

    def test_what_the_test_sets_between_invokes_reaches_both_sides(self, environment, monkeypatch):
        env = environment(
            "import os\ndef handler(event, context): return os.environ.get('SET_BY_TEST')"
        )
        env.invoke()
        monkeypatch.setenv("SET_BY_TEST", "1")
        assert env.invoke().payload == "1"
        stage.leave()
        assert os.environ["SET_BY_TEST"] == "1"
        assert env.invoke().payload == "1"
        stage.leave()
        monkeypatch.undo()
        assert env.invoke().payload is None

    @pytest.mark.parametrize("first_left", [True, False])
    def test_monkeypatch_may_undo_before_or_after_the_environment_leaves(
        self, environment, monkeypatch, first_left
    ):
        monkeypatch.syspath_prepend("/by-the-test")
        env = environment("def handler(event, context): return 1")
        env.invoke()
        monkeypatch.setenv("SET_BY_TEST", "1")
        if first_left:
            stage.leave()
        monkeypatch.undo()
        env.close()
        assert "/by-the-test" not in sys.path
        assert "SET_BY_TEST" not in os.environ

    def test_time_is_utc(self, environment, monkeypatch):
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        try:
            env = environment(
                "import time\ndef handler(event, context): return [time.tzname[0], time.timezone]"
            )
            assert env.invoke().payload == ["UTC", 0]
            env.close()
            assert time.timezone == -9 * 3600
        finally:
            monkeypatch.undo()
            time.tzset()


class TestLogging:
    def test_lambdas_handler_is_first_and_the_level_is_warning(self, environment, caplog):
        caplog.set_level(logging.DEBUG)
        env = environment("""
            import logging
            FIRST = type(logging.root.handlers[0]).__name__
            logging.basicConfig(level="DEBUG")  # a no-op: root has a handler
            def handler(event, context): return [FIRST, logging.root.level]
        """)
        assert env.invoke().payload == ["LambdaLoggerHandler", logging.WARNING]
        env.close()
        assert logging.root.level == logging.DEBUG

    def test_caplog_set_level_between_phases_acts(self, environment, caplog):
        env = environment("import logging\ndef handler(event, context): logging.info('quiet')")
        env.invoke()
        assert caplog.messages == []
        with caplog.at_level(logging.INFO):
            env.invoke()
        assert caplog.messages == ["quiet"]

    def test_loggers_of_a_closed_world_are_gone(self, environment):
        env = environment(
            "import logging\nlogging.getLogger('svc').init = 1\ndef handler(event, context): ..."
        )
        env.invoke()
        env.close()
        assert "svc" not in logging.root.manager.loggerDict


class TestEventLoops:
    ASYNC = """
        import asyncio
        async def main(): await asyncio.sleep(0); return "ran"
        def handler(event, context): return asyncio.run(main())
    """

    def test_asyncio_run_in_a_handler_inside_a_running_loop(self, environment):
        env = environment(self.ASYNC)

        async def test():
            loop = asyncio.get_running_loop()
            assert env.invoke().payload == "ran"
            assert env.invoke().payload == "ran"
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)

        asyncio.run(test())

    def test_a_loop_kept_across_invokes(self, environment):
        env = environment("""
            import asyncio
            loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)
            def handler(event, context):
                if event == "close": return loop.close()
                current = asyncio.get_event_loop_policy().get_event_loop()
                return loop.run_until_complete(asyncio.sleep(0, current is loop))
        """)
        assert [env.invoke().payload for _ in range(2)] == [True, True]
        env.invoke("close")

    def test_the_tests_own_loop_is_still_current(self, environment):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            environment(self.ASYNC).invoke()
            assert asyncio.get_event_loop_policy().get_event_loop() is loop
        finally:
            asyncio.set_event_loop(None)
            asyncio.set_event_loop_policy(None)
            loop.close()


class TestPhaseOnly:
    def test_the_working_directory(self, environment, tmp_path):
        here = os.getcwd()
        env = environment("""
            import os
            def handler(event, context):
                if event: os.chdir(event)
                return os.getcwd()
        """)
        assert env.invoke("").payload == str(tmp_path / "task")
        assert os.getcwd() == here
        assert env.invoke("/").payload == "/"
        assert os.getcwd() == here
        assert env.invoke("").payload == "/"

    def test_a_deleted_working_directory(self, environment, tmp_path):
        here = os.getcwd()
        env = environment("""
            import os
            def handler(event, context):
                os.mkdir("/tmp/gone-%d" % os.getpid()); os.chdir("/tmp/gone-%d" % os.getpid())
                os.rmdir(os.getcwd())
        """)
        env.invoke()
        assert os.getcwd() == here
        env.invoke()

    def test_a_deleted_task_root(self, environment, tmp_path):
        import shutil

        env = environment("def handler(event, context): return 1")
        env.invoke()
        shutil.rmtree(tmp_path / "task")
        assert env.invoke().payload == 1  # its process works in that directory still
        stage.leave()
        with pytest.raises(FileNotFoundError):
            env.invoke()
        assert not stage.running
        (tmp_path / "task").mkdir()
        assert env.invoke().payload == 1

    @on_linux
    def test_a_function_that_closes_every_descriptor_it_does_not_know(self, environment, tmp_path):
        here = os.getcwd()
        env = environment("""
            import os
            def handler(event, context):
                for link in os.listdir("/proc/self/fd"):
                    try: directory = os.path.isdir("/proc/self/fd/" + link)
                    except OSError: continue
                    if directory and int(link) > 2: os.close(int(link))
                return os.getcwd()
        """)
        assert env.invoke().payload == str(tmp_path / "task")
        assert os.getcwd() == here
        assert env.invoke().payload == str(tmp_path / "task")
        assert os.getcwd() == here

    def test_the_tests_directory_may_be_renamed_meanwhile(self, environment, tmp_path, monkeypatch):
        (tmp_path / "before").mkdir()
        monkeypatch.chdir(tmp_path / "before")
        env = environment(
            "import os\ndef handler(event, context): os.rename(event['from'], event['to'])"
        )
        env.invoke({"from": str(tmp_path / "before"), "to": str(tmp_path / "after")})
        assert os.getcwd() == str(tmp_path / "after")

    @on_linux
    def test_no_descriptor_stays_open(self, environment, tmp_path, monkeypatch):
        def directories():
            links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
            return [os.readlink(link) for link in links if os.path.isdir(link)]

        before = directories()
        env = environment("""
            import os
            def handler(event, context): os.chdir("/")
        """)
        env.invoke()
        monkeypatch.chdir(tmp_path)
        env.invoke()
        env.reset()
        env.invoke()
        stage.leave()
        assert directories() == before

    def test_warnings_filters(self, environment):
        before = warnings.filters
        env = environment("""
            import warnings
            warnings.simplefilter("ignore", UserWarning)
            def handler(event, context): warnings.warn("quiet"); return len(warnings.filters)
        """)
        env.invoke()
        assert warnings.filters is before
        with pytest.warns(UserWarning, match="loud"):
            warnings.warn("loud", stacklevel=1)

    def test_tempfile_uses_the_environments_tmp(self, environment):
        env = environment("""
            import tempfile
            def handler(event, context):
                with tempfile.NamedTemporaryFile(delete=False) as file: return file.name
        """)
        assert env.invoke().payload.startswith(str(env.tmp) + os.sep)
        env.close()
        assert not env.tmp.exists()

    def test_the_folder_is_made_when_somebody_asks(self, environment, monkeypatch, tmp_path):
        machine = tmp_path / "machine"
        machine.mkdir()
        monkeypatch.setattr(tmp, "OUTSIDE_TMP", str(machine))
        env = environment("""
            import tempfile
            def handler(event, context):
                return tempfile.tempdir, event and tempfile.gettempdir(), tempfile.tempdir
        """)
        assert env.invoke(False).payload == [
            None,
            False,
            None,
        ]  # as in any process in which nobody has asked
        assert list(machine.iterdir()) == []
        with (
            mock.patch("os.mkdir", side_effect=AssertionError),
            mock.patch("tempfile.mkdtemp", side_effect=OSError),
        ):
            [before, asked, after] = env.invoke(True).payload
        assert (before, Path(asked), after) == (None, env.tmp, asked)
        assert env.invoke(False).payload == [asked, False, asked]
        assert list(machine.iterdir()) == [env.tmp]
        assert env.tmp.stat().st_mode & 0o077 == 0
        env.reset()
        assert env.invoke(False).payload == [None, False, None]
        assert list(machine.iterdir()) == [env.tmp]
        env.close()
        assert list(machine.iterdir()) == []

    def test_the_folder_of_an_environment_that_has_ended(self, environment):
        env = environment("def handler(event, context): pass")
        env.invoke()
        env.close()
        assert not env.tmp.exists()

    def test_who_asks_first_between_phases_is_the_test(self, environment, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", None)
        env = environment("def handler(event, context): pass")
        env.invoke()
        assert Path(tempfile.gettempdir()) not in [env.tmp, *env.tmp.iterdir()]

    def test_folders_that_nobody_may_write_to_go_as_well(self, environment, tmp_path):
        (tmp_path / "elsewhere").mkdir(mode=0o500)
        env = environment(f"""
            import os, tempfile
            def handler(event, context):
                os.makedirs(tempfile.gettempdir() + "/a/b/c")
                os.symlink({str(tmp_path / "elsewhere")!r}, tempfile.gettempdir() + "/a/link")
                os.chmod(tempfile.gettempdir() + "/a/b", 0o500)
                os.chmod(tempfile.gettempdir() + "/a", 0o500)
        """)
        env.invoke()
        tmp = env.tmp
        env.recycle()
        assert list(tmp.iterdir()) == []
        env.invoke()
        env.close()
        assert not tmp.exists()
        assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o500


def timer_is_set() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
class TestAlarm:
    def test_a_timer_left_running_is_frozen_and_goes_on(self, environment):
        before = timer_is_set()
        env = environment("""
            import signal, time
            rang = []
            signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
            def handler(event, context):
                if event == "set": signal.setitimer(signal.ITIMER_REAL, 0.05)
                if event == "wait": time.sleep(0.2)
                return len(rang)
        """)
        assert env.invoke("set").payload == 0
        assert timer_is_set() == before
        time.sleep(0.1)
        assert env.module.rang == []
        assert env.invoke("wait").payload == 1

    def test_the_tests_own_timer_fires_at_its_moment(self, environment):
        env = environment("""
            import signal
            def handler(event, context):
                signal.signal(signal.SIGALRM, lambda *_: None); signal.alarm(100); signal.alarm(0)
        """)
        rang: list[float] = []
        before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.perf_counter()))
        try:
            began = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, 0.15)
            env.invoke()
            left, _ = signal.getitimer(signal.ITIMER_REAL)
            assert 0 < left <= 0.15
            while not rang and time.perf_counter() < began + 5:
                time.sleep(0.01)
            assert 0.14 < rang[0] - began < 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def test_the_traceback_of_the_tests_handler_shows_none_of_our_frames(self, environment):
        env = environment("import time\ndef handler(event, context): time.sleep(5)")
        env.initialize()
        before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("Timeout"))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(pytest.fail.Exception) as caught:
                env.invoke()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        inside = caught.traceback[
            [entry.path.name for entry in caught.traceback].index("app.py") + 1 :
        ]
        assert [
            entry.name for entry in inside if not entry.frame.f_locals.get("__tracebackhide__")
        ] == ["<lambda>"]


def test_atexit_of_shared_libraries_passes_through(environment, monkeypatch):
    registered: list[object] = []
    monkeypatch.setattr(
        "pytest_lambda_lifecycle.isolation.parts.exits.Exits._register",
        staticmethod(lambda f, *a, **k: registered.append(f)),
    )
    env = environment("""
        import atexit, logging, weakref
        class Thing: pass
        thing = Thing()
        @atexit.register
        def goodbye(): ...
        from atexit import register
        def handler(event, context): register(goodbye)
    """)
    env.invoke()
    assert [event.function for event in env.timeline.of(AtexitIgnored)] == ["goodbye", "goodbye"]
    assert registered == []
    exec("import atexit; atexit.register(print)", {"__name__": "not.function.code"})
    assert registered == [print]


def test_a_thread_that_prints_between_phases_writes_to_the_tests_stream(environment, capsys):
    env = environment("""
        import threading
        go, done = threading.Event(), threading.Event()
        def work():
            go.wait(10); print("from the thread"); done.set()
        def handler(event, context):
            threading.Thread(target=work, daemon=True).start()
    """)
    env.invoke()
    env.module.go.set()
    assert env.module.done.wait(10)
    assert "from the thread" in capsys.readouterr().out


class TestWhatTestsDoBetweenPhases:
    """Tools of the test that were started before the environment came, and end while it is
    entered.
    """

    SHOW = "import os\ndef handler(event, context): return dict(os.environ)"

    def test_patch_dict_of_the_environment_brings_no_real_credentials(
        self, environment, monkeypatch
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        env = environment(self.SHOW, environment={"TABLE": "orders"})
        with mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "mocked", "ADDED": "1"}):
            assert env.invoke().payload["ADDED"] == "1"
        seen = env.invoke().payload
        assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
        assert (seen["TABLE"], seen["AWS_LAMBDA_FUNCTION_NAME"]) == ("orders", "function")
        assert "ADDED" not in seen
        stage.leave()
        assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"
        assert "ADDED" not in os.environ

    def test_an_emptied_environment_comes_back_whole(self, environment, monkeypatch):
        monkeypatch.setenv(
            "AWS_REGION", "us-east-1"
        )  # as inside, so nothing changes when it comes back
        before = dict(os.environ)
        env = environment(self.SHOW, environment={"TABLE": "orders"})
        with mock.patch.dict(os.environ, {"ADDED": "1"}, clear=True):
            assert "HOME" not in env.invoke().payload
        assert env.invoke().payload["AWS_LAMBDA_FUNCTION_NAME"] == "function"
        stage.leave()
        environ.sweep()
        assert dict(os.environ) == before

    @pytest.mark.parametrize("undone", ["inside", "after leaving", "after coming back"])
    def test_a_variable_of_the_function_that_a_test_sets(self, environment, monkeypatch, undone):
        env = environment(self.SHOW, environment={"TABLE": "orders"})
        env.invoke()
        monkeypatch.setenv("TABLE", "patched")
        assert env.invoke().payload["TABLE"] == "patched"
        if undone != "inside":
            left = stage.leave()
            assert "TABLE" not in os.environ
            if undone == "after coming back":
                stage.resume(left)
        monkeypatch.undo()
        stage.leave()
        environ.sweep()
        assert "TABLE" not in os.environ

    def test_a_stub_in_sys_modules_that_is_undone_inside(self, environment, monkeypatch):
        import types

        monkeypatch.setitem(sys.modules, "not_installed", types.ModuleType("not_installed"))
        env = environment("import not_installed\ndef handler(event, context): return 1")
        env.invoke()
        monkeypatch.undo()
        env.close()
        assert "not_installed" not in sys.modules

    def test_patch_dict_of_sys_modules_does_not_throw_the_function_out(self, environment, write):
        write("helper.py", "CALLS = []")
        env = environment(
            "import helper\ndef handler(event, context):\n import helper as h\n return h is helper"
        )
        with mock.patch.dict(sys.modules, {"not_installed": mock.Mock()}):
            assert env.invoke().payload is True
        assert env.invoke().payload is True
        env.close()
        assert not {"app", "helper", "not_installed"} & set(sys.modules)

    def test_a_module_that_is_reloaded_moves_to_the_end_of_sys_modules(
        self, environment, tmp_path, monkeypatch
    ):
        import importlib

        (tmp_path / "site-packages").mkdir()
        (tmp_path / "site-packages" / "lastlib.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
        last = importlib.import_module("lastlib")
        env = environment("def handler(event, context): return 1")
        env.invoke()
        importlib.reload(last)
        env.close()
        del sys.modules["lastlib"]
        assert "app" not in sys.modules

    def test_loggers_that_the_outside_copy_has_set_up(self, environment, outside):
        logging.getLogger("orders-service").init = True
        logging.getLogger("orders-service").addHandler(logging.StreamHandler())
        try:
            env = environment("""
                import logging
                logger = logging.getLogger("orders-service")
                def handler(event, context): return [hasattr(logger, "init"), len(logger.handlers)]
            """)
            assert env.invoke().payload == [False, 0]
            env.close()
            assert logging.getLogger("orders-service").init
        finally:
            del logging.root.manager.loggerDict["orders-service"]

    def test_a_freeze_of_the_tests_own_reaches_modules_that_are_not_entered(
        self, environment, write
    ):
        env = environment("""
            from datetime import datetime
            import time
            def handler(event, context): return [datetime.now().year, time.gmtime().tm_year]
        """)
        real = env.invoke().payload
        stage.leave()
        with freeze_time("2021-05-05"):
            assert env.invoke().payload == [2021, 2021]
            stage.leave()
        assert env.invoke().payload == real


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
class TestStubbornCode:
    @pytest.mark.leaks  # interrupted within coverage's trace function, Python takes that function out
    def test_a_loop_that_swallows_everything_at_one_place(self, environment):
        env = environment("""
            import time
            def handler(event, context):
                while True:
                    try: time.sleep(1)
                    except: pass
        """)
        env.initialize()
        began = time.perf_counter()
        assert env.invoke(remaining_ms=100, check=False).status == "timeout"
        assert time.perf_counter() - began < 5
        assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())

    def test_a_debugger_stops_the_clock(self, environment):
        env = environment("""
            import time
            def handler(event, context):
                exec("time.sleep(0.4)", {"__name__": "pdb", "time": time})  # a prompt that waits for an answer
                return "went on"
        """)
        env.initialize()
        assert env.invoke(remaining_ms=100).payload == "went on"


def test_moto_that_ends_while_the_environment_is_entered_puts_no_real_keys_back(
    environment, monkeypatch
):
    moto = pytest.importorskip("moto")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    env = environment(
        "import os\ndef handler(event, context): return os.environ['AWS_ACCESS_KEY_ID']"
    )
    with moto.mock_aws():
        env.invoke()
    assert env.invoke().payload.startswith("ASIA")
    stage.leave()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"


def test_what_is_set_by_a_call_is_the_functions_own(environment):
    def values():
        mask, size = os.umask(0o022), threading.stack_size()
        os.umask(mask)
        threading.stack_size(size)
        return [gc.isenabled(), sys.getswitchinterval(), size, mask, sys.getrecursionlimit()]

    before = values()
    env = environment("""
        import gc, os, sys, threading
        gc.disable(); sys.setswitchinterval(0.5); threading.stack_size(1 << 20); os.umask(0o007)
        sys.setrecursionlimit(1234)
        def handler(event, context):
            if event: gc.enable()
            mask, size = os.umask(0o007), threading.stack_size()
            threading.stack_size(size)
            return [gc.isenabled(), sys.getswitchinterval(), size, mask, sys.getrecursionlimit()]
    """)
    functions = [False, 0.5, 1 << 20, 0o007, 1234]
    for _ in range(2):
        assert env.invoke("").payload == functions
        stage.leave()
        assert values() == before
    env.invoke("enable")
    assert env.invoke("").payload[0] is True
    env.reset()
    assert values() == before


def test_more_that_is_set_by_a_call(environment):
    def values():
        descriptor = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(descriptor)
        blocked = signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        digits = getattr(sys, "get_int_max_str_digits", lambda: 999)()
        return [
            [*gc.get_threshold()],
            gc.get_freeze_count() > 0,
            digits,
            csv.field_size_limit(),
            descriptor,
            blocked,
        ]

    before = values()
    env = environment("""
        import csv, gc, os, signal, sys
        gc.set_threshold(5000, 5, 5); gc.freeze(); csv.field_size_limit(10**9)
        getattr(sys, "set_int_max_str_digits", print)(999)
        reading, writing = os.pipe(); os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        def handler(event, context): return writing
    """)
    writing = env.invoke().payload
    functions = [[5000, 5, 5], True, 999, 10**9, writing, True]
    for _ in range(2):
        env.invoke()
        assert values() == functions
        stage.leave()
        assert values() == before
    for descriptor in env.module.reading, writing:
        os.close(descriptor)
    env.invoke()  # although its descriptor is closed
    env.reset()
    assert values() == before


def test_faulthandler_stays_pytests(environment):
    before = faulthandler.is_enabled()
    env = environment("""
        import faulthandler, signal
        faulthandler.disable() if faulthandler.is_enabled() else faulthandler.enable()
        faulthandler.dump_traceback_later(0.01, exit=True)
        faulthandler.register(signal.SIGUSR1)
        faulthandler.cancel_dump_traceback_later()
        def handler(event, context): return faulthandler.is_enabled()
    """)
    assert env.invoke().payload is before
    time.sleep(0.02)
    stage.leave()
    assert faulthandler.is_enabled() is before
    assert faulthandler.unregister(signal.SIGUSR1) is False


def test_what_a_test_sets_by_a_call_stays(environment):
    env = environment("def handler(event, context): ...")
    gc.disable()  # as pytest-benchmark does around each round
    mask = os.umask(0o027)
    try:
        env.invoke()
        gc.enable()
        os.umask(0o077)
        stage.leave()
        assert gc.isenabled()
        assert os.umask(mask) == 0o077
    finally:
        gc.enable()
        os.umask(mask)


def test_the_default_decimal_context_and_the_breakpoint_hook(environment):
    before = repr(decimal.DefaultContext), sys.breakpointhook
    env = environment("""
        import decimal, sys, threading
        decimal.DefaultContext.prec = 5
        decimal.DefaultContext.traps[decimal.Inexact] = True
        sys.breakpointhook = lambda: None
        def handler(event, context):
            return [decimal.DefaultContext.prec, decimal.DefaultContext.traps[decimal.Inexact], breakpoint()]
    """)
    for _ in range(2):
        assert env.invoke().payload == [5, True, None]
        stage.leave()
        assert (repr(decimal.DefaultContext), sys.breakpointhook) == before


class TestSingleValues:
    @pytest.mark.parametrize("entered_at_its_end", [False, True])
    def test_a_patch_that_ends_after_the_environment_has_entered_is_gone(
        self, environment, entered_at_its_end
    ):
        def values():
            return (
                sys.argv,
                tempfile.tempdir,
                sys.breakpointhook,
                os.environ,
                socket.getdefaulttimeout(),
            )

        before, arguments = values(), list(sys.argv)
        env = environment("""
            import socket, sys
            def handler(event, context): return [sys.argv, socket.getdefaulttimeout()]
        """)
        patches = (
            mock.patch("sys.argv", ["of", "the", "test"]),
            mock.patch("tempfile.tempdir", "/of/the/test"),
            mock.patch("sys.breakpointhook", print),
        )
        with contextlib.ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch)
            assert env.invoke().payload == [["of", "the", "test"], None]
            left = stage.leave()
            assert tempfile.tempdir == "/of/the/test"
            if entered_at_its_end:
                stage.resume(left)
        stage.leave()
        assert values() == before
        assert sys.argv is before[0]
        assert env.invoke().payload == [arguments, None]

    def test_lists_and_mappings_that_are_changed_in_place_or_equal(self, environment):
        before, arguments = (sys.argv, os.environ), list(sys.argv)
        env = environment("""
            import os, sys
            sys.argv.append("added")
            os.environ = dict(os.environ)
            def handler(event, context): return [sys.argv[-1], type(os.environ).__name__]
        """)
        for _ in range(2):
            assert env.invoke().payload == ["added", "dict"]
            stage.leave()
            assert sys.argv is before[0]
            assert os.environ is before[1]
            assert sys.argv == arguments

    def test_the_start_method_of_multiprocessing_is_unset_in_each_process(self, environment):
        import multiprocessing

        before = multiprocessing.get_start_method(allow_none=True)
        env = environment("""
            import multiprocessing
            multiprocessing.set_start_method("spawn")  # a second time it would raise
            def handler(event, context): return multiprocessing.get_start_method()
        """)
        for _ in range(2):
            assert env.invoke().payload == "spawn"
            stage.leave()
            assert multiprocessing.get_start_method(allow_none=True) == before
            env.reset()

    def test_hooks_of_threads(self, environment):
        env = environment("""
            import threading
            def hook(*_): return None
            threading.settrace(hook)
            threading.setprofile(hook)
            def handler(event, context): return threading.gettrace() is threading.getprofile() is hook
        """)
        before = threading._trace_hook, threading._profile_hook
        for _ in range(2):
            assert env.invoke().payload
            stage.leave()
            assert (threading._trace_hook, threading._profile_hook) == before


class TestFinders:
    FINDERS = """
        import importlib.machinery, sys, types
        class Finder:
            @staticmethod
            def find_spec(name, path, target=None):
                if name == "made_up": return importlib.machinery.ModuleSpec(name, Finder)
            @staticmethod
            def create_module(spec): return types.ModuleType(spec.name)
            @staticmethod
            def exec_module(module): module.value = 1
        first, last = Finder(), Finder()
        sys.meta_path.insert(0, first)
        sys.meta_path.append(last)
        sys.path_hooks.insert(0, importlib.machinery.FileFinder.path_hook((Finder, [".never"])))
        sys.path_hooks.append(lambda path: (_ for _ in ()).throw(ImportError))
        def handler(event, context):
            import made_up
            here = [sys.meta_path.index(first) < 2, sys.meta_path[-1] is last, len(sys.path_hooks)]
            return [made_up.value, *here]
    """

    def test_those_of_function_code_go_with_it(self, environment):
        finders, hooks = list(sys.meta_path), list(sys.path_hooks)
        lists = sys.meta_path, sys.path_hooks
        env = environment(self.FINDERS)
        for _ in range(2):
            assert env.invoke().payload == [1, True, True, len(hooks) + 2]
            stage.leave()
            assert (sys.meta_path, sys.path_hooks) == (finders, hooks)
            assert (sys.meta_path is lists[0], sys.path_hooks is lists[1]) == (True, True)
        env.reset()
        env.invoke()
        assert len(sys.path_hooks) == len(hooks) + 2
        env.close()
        assert (sys.meta_path, sys.path_hooks) == (finders, hooks)

    def test_a_list_that_function_code_binds_anew(self, environment):
        finders = sys.meta_path
        before = list(finders)
        env = environment("""
            import sys
            class Finder: find_spec = staticmethod(lambda *_: None)
            sys.meta_path = [*sys.meta_path, Finder]
            def handler(event, context): return sys.meta_path[-1] is Finder
        """)
        assert env.invoke().payload
        stage.leave()
        assert sys.meta_path is finders
        assert finders == before
        assert env.invoke().payload

    def test_those_of_an_init_that_fails_go_as_well(self, environment):
        before = list(sys.meta_path), list(sys.path_hooks)
        env = environment(textwrap.dedent(self.FINDERS).partition("def handler")[0] + "1 / 0")
        for _ in range(2):
            with pytest.raises(InitError):
                env.invoke()
            stage.leave()
            assert (sys.meta_path, sys.path_hooks) == before

    def test_those_that_function_code_takes_out_are_back(self, environment):
        before = list(sys.meta_path), list(sys.path_hooks), dict(sys.path_importer_cache)
        objects = sys.meta_path, sys.path_hooks, sys.path_importer_cache
        env = environment("""
            import importlib.machinery, sys, zipimport
            sys.path_hooks.remove(zipimport.zipimporter)
            sys.path_importer_cache = {}
            def handler(event, context):
                for finder in importlib.machinery.PathFinder, importlib.machinery.BuiltinImporter:
                    if finder in sys.meta_path:
                        sys.meta_path.remove(finder)
                sys.path_importer_cache["/made/up"] = object()
                return [importlib.machinery.PathFinder in sys.meta_path, zipimport.zipimporter in sys.path_hooks]
        """)
        for _ in range(2):
            assert env.invoke().payload == [False, False]
            stage.leave()
            assert (sys.meta_path, sys.path_hooks) == before[:2]
            assert "/made/up" not in sys.path_importer_cache
            now = sys.meta_path, sys.path_hooks, sys.path_importer_cache
            assert all(one is other for one, other in zip(now, objects, strict=True))
        env.reset()
        assert env.invoke().cold_start

    def test_a_finder_that_function_code_leaves_in_the_cache(self, environment):
        env = environment("""
            import sys
            sys.path_importer_cache["/made/up"] = object()
            def handler(event, context): ...
        """)
        env.invoke()
        stage.leave()
        assert "/made/up" not in sys.path_importer_cache

    def test_those_of_tests_and_libraries_stay(self, environment, monkeypatch, tmp_path):
        (tmp_path / "site-packages").mkdir()
        library = "import sys\nclass Finder: find_spec = staticmethod(lambda *_: None)\nsys.meta_path.append(Finder)"
        (tmp_path / "site-packages" / "finderlib.py").write_text(library)
        monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
        env = environment("import finderlib\ndef handler(event, context): ...")
        env.invoke()

        class Own:
            find_spec = staticmethod(lambda *_: None)

        sys.meta_path.insert(0, Own)
        stage.leave()
        libraries = sys.modules.pop("finderlib").Finder
        try:
            assert (sys.meta_path[0], sys.meta_path[-1]) == (Own, libraries)
            env.invoke()
            sys.meta_path.remove(Own)
            stage.leave()
            assert Own not in sys.meta_path
        finally:
            sys.meta_path[:] = [
                finder for finder in sys.meta_path if finder not in (Own, libraries)
            ]


class TestSharedNamespaces:
    def test_what_init_changes_is_undone_and_reported(self, environment):
        import collections

        before = vars(collections.OrderedDict), socket.socket.connect
        env = environment("""
            import builtins, collections, json, socket
            collections.Mapping = dict
            socket.socket.connect = print
            del json.JSONEncoder.item_separator
            def handler(event, context): return [collections.Mapping is dict, socket.socket.connect is print]
        """)
        separator = json.JSONEncoder.item_separator
        for _ in range(2):
            assert env.invoke().payload == [True, True]
            stage.leave()
            assert not hasattr(collections, "Mapping")
            assert (vars(collections.OrderedDict), socket.socket.connect) == before
            assert json.JSONEncoder.item_separator == separator
        changed = sorted(event.target for event in env.timeline.of(SharedChange))
        assert changed == [
            "collections.Mapping",
            "json.encoder.JSONEncoder.item_separator",
            "socket.socket.connect",
        ]
        assert "changed: collections.Mapping, which is shared" in repr(env.timeline)

    def test_special_names_too(self, environment):
        before = builtins.__import__, socket.socket.__init__
        env = environment("""
            import builtins, socket
            original, created = builtins.__import__, socket.socket.__init__
            builtins.__import__ = lambda *arguments, **keywords: original(*arguments, **keywords)
            socket.socket.__init__ = lambda *arguments, **keywords: created(*arguments, **keywords)
            def handler(event, context): return builtins.__import__ is not original
        """)
        for _ in range(2):
            assert env.invoke().payload
            stage.leave()
            assert (builtins.__import__, socket.socket.__init__) == before
        changed = [event.target for event in env.timeline.of(SharedChange)]
        assert changed == ["builtins.__import__", "socket.socket.__init__"]

    def test_a_tool_that_ends_meanwhile_leaves_nothing_of_its_own(self, environment):
        real = time.time
        env = environment("""
            import time
            own = time.time = lambda: 1.0
            def handler(event, context): return time.time is own
        """)
        with freeze_time("2020-01-01"):
            assert env.invoke().payload
            stage.leave()
            assert time.time is not real  # frozen
            assert env.invoke().payload
        stage.leave()
        assert time.time is real
        assert env.invoke().payload
        stage.leave()
        assert time.time is real

    def test_a_library_that_init_is_the_first_to_import(self, environment, monkeypatch):
        saved = {
            name: sys.modules.pop(name)
            for name in list(sys.modules)
            if name.partition(".")[0] == "urllib3"
        }
        try:
            env = environment("""
                import urllib3.connectionpool, urllib3.util.retry
                urllib3.connectionpool.HTTPConnectionPool.urlopen = print
                def handler(event, context): return urllib3.connectionpool.HTTPConnectionPool.urlopen is print
            """)
            for _ in range(2):
                assert env.invoke().payload
                stage.leave()
                urllib3 = sys.modules["urllib3"]
                assert callable(urllib3.connectionpool.HTTPConnectionPool.urlopen)
                assert urllib3.connectionpool.HTTPConnectionPool.urlopen is not print
                assert urllib3.util is sys.modules["urllib3.util"]
            [change] = env.timeline.of(SharedChange)
            assert change.target == "urllib3.connectionpool.HTTPConnectionPool.urlopen"
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == "urllib3"]:
                del sys.modules[name]
            sys.modules.update(saved)

    def test_a_submodule_that_init_is_the_first_to_import_stays_on_its_package(
        self, environment, monkeypatch
    ):
        monkeypatch.delitem(sys.modules, "json.tool", raising=False)
        monkeypatch.delattr(json, "tool", raising=False)
        env = environment("import json.tool\ndef handler(event, context): ...")
        env.invoke()
        stage.leave()
        assert json.tool is sys.modules["json.tool"]
        assert env.timeline.of(SharedChange) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_fork_server_of_multiprocessing_goes_with_the_environment(environment, write):
    import multiprocessing.forkserver
    import multiprocessing.util

    def kept():
        return multiprocessing.process.current_process()._config.get("tempdir"), dict(vars(server))

    server = multiprocessing.forkserver._forkserver
    before = kept()
    write("work.py", "def work(): ...")
    env = environment(
        """
        import multiprocessing, work
        def handler(event, context):
            process = multiprocessing.get_context("forkserver").Process(target=work.work)
            process.start(); process.join()
            return [process.exitcode, multiprocessing.forkserver._forkserver._forkserver_pid]
        """,
        timeout=30,
    )
    code, first = env.invoke().payload
    stage.leave()
    assert code == 0
    assert kept() == before
    assert env.invoke().payload == [0, first]
    env.reset()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert env.invoke().payload[1] != first
    env.close()
    assert kept() == before
    assert not [
        one
        for one in multiprocessing.util._finalizer_registry.values()
        if str(env.tmp) in str(one._args)
    ]


class TestToolsThatEndWhileItIsEntered:
    """A test's patch that began before the environment entered, and ends before it leaves."""

    HANDLER = "import os\ndef handler(event, context): return [os.environ.get('AWS_REGION'), os.environ.get('MINE')]"

    TARGETS = (
        "os.kill os.chdir os.putenv os.umask gc.freeze signal.signal threading.Thread.start subprocess.Popen.__init__ "
        "atexit.register socket.socket.connect sys.setrecursionlimit"
    )

    @pytest.mark.parametrize("target", TARGETS.split())
    @pytest.mark.parametrize("until", ["inside", "after"])
    def test_the_genuine_function_is_back(self, environment, target, until):
        path, _, name = target.rpartition(".")
        owner = pkgutil.resolve_name(path)
        before = vars(owner).get(name)

        def stand_in(*arguments, **keywords):
            return None

        env = environment(self.HANDLER)
        with mock.patch(target, stand_in):
            env.invoke()
            if until == "after":
                stage.leave()
        stage.leave()
        assert vars(owner).get(name) is before

    @pytest.mark.parametrize("until", ["inside", "after"])
    def test_another_mapping_in_place_of_the_variables(self, environment, until, monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "mine")
        before = dict(os.environ)
        theirs = {"MINE": "1", "AWS_PROFILE": "theirs"}
        env = environment(self.HANDLER)
        with mock.patch("os.environ", theirs):
            assert env.invoke().payload == ["us-east-1", "1"]
            if until == "after":
                stage.leave()
                assert theirs == {"MINE": "1", "AWS_PROFILE": "theirs"}
        stage.leave()
        assert dict(os.environ) == before
        assert theirs == {"MINE": "1", "AWS_PROFILE": "theirs"}

    @pytest.mark.parametrize("target", ["os.getpid", "os.open", "os.close", "os.getcwd"])
    def test_what_we_need_ourselves(self, environment, target):
        env = environment("def handler(event, context): return 1")
        here = os.getcwd()
        with mock.patch(target):
            assert env.invoke().payload == 1
        assert env.invoke().payload == 1
        assert os.getcwd() == here

    def test_a_session_that_function_code_gives_up(self, environment, monkeypatch):
        boto3 = pytest.importorskip("boto3")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", outside := object())
        env = environment(
            "import boto3\ndef handler(event, context): boto3.DEFAULT_SESSION = event"
        )
        for event in (1, None):
            env.invoke(event)
            stage.leave()
            assert boto3.DEFAULT_SESSION is outside

    def test_an_observer_that_fails_as_init_starts(self, environment):
        failing = [True]

        def observe(event):
            if failing and event.name == "init_start":
                failing.clear()
                raise ZeroDivisionError

        env = environment("def handler(event, context): return 1", observer=observe)
        with pytest.raises(ZeroDivisionError):
            env.invoke()
        assert env.invoke().payload == 1


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import os, time, json; os.own, time.own, json.own = Big(), Big(), Big()",
        "import logging; logging.getLogger('own').addHandler(logging.StreamHandler(Big()))",
        "import gc, signal; signal.signal(signal.SIGTERM, big.__eq__); gc.set_threshold(99)",
        "import socket; connection = socket.socket(); connection.bind(('127.0.0.1', 0))",
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', '']); child.wait()",
        "import sys; sys.modules['json'] = big; sys.path.append('own'); sys.meta_path.append(big)",
        "import asyncio; loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop); loop.close()",
        "import contextvars; contextvars.ContextVar('own').set(big)",
        "import threading; local = threading.local(); local.big = big",
    ],
)
def test_nothing_keeps_an_environment_that_is_closed(tmp_path, code):
    """Its modules go with it: they may hold much, and Python complains of files and loops that
    nobody has closed.
    """
    (tmp_path / "app.py").write_text(
        f"class Big: find_spec = write = lambda *_: None\nbig = Big()\n{code}\ndef handler(event, context): return 1\n"
    )
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path))
    spy = env.spy("app.Big") if code == "" else None
    env.invoke()
    env.invoke()
    left = [weakref.ref(one) for one in (env, env.module, env.module.big)]
    env.close()
    del env, spy
    gc.collect()
    assert [one() for one in left] == [None, None, None]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import os, urllib.request as r; r.urlopen(f'http://{os.environ[\"AWS_LAMBDA_RUNTIME_API\"]}/2018-06-01/ping').read()",
        "import tempfile; tempfile.mkdtemp()",
        "import threading; one = threading.Thread(target=print); one.start(); one.join(); del one",
    ],
)
def test_an_environment_that_is_closed_is_freed_at_once(tmp_path, code):
    """Not by the garbage collector, whose runs would come amid the next cold starts."""
    (tmp_path / "app.py").write_text(f"{code}\ndef handler(event, context): return 1\n")
    config = FunctionConfig("app.handler", code_dir=tmp_path)
    misplaced, around = lambda copies: list(copies()) and (), lambda event, invoke: invoke()
    gc.collect()
    gc.disable()
    try:
        env = ExecutionEnvironment(config, misplaced=misplaced, around_invoke=around)
        env.invoke()
        env.recycle()
        env.invoke()
        parts = env._parts
        left = [
            weakref.ref(one)
            for one in (env, parts.conductor, parts.process, parts.world, parts.runtime)
        ]
        env.close()
        del env, parts
        assert [one() for one in left] == [None] * len(left)
    finally:
        gc.enable()
