"""What function code changes in the process is its own while it runs, and nothing of it stays."""

import asyncio
import atexit
import builtins
import contextvars
import decimal
import json
import locale
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from unittest import mock

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import InitError, LifecycleError, surroundings
from pytest_lambda_lifecycle.events import AtexitIgnored
from pytest_lambda_lifecycle.process import ProcessSlice, stage

# One function that changes everything which one process has one of; the conftest's leak detector looks at the rest.
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
        "meek.py", "import os, sys\ndef handler(event, context): return ['ADDED' in os.environ, '/vandal' in sys.path]"
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

    monkeypatch.setattr("pytest_lambda_lifecycle.parts.LoggingTree.enter", fail)
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
        env = environment(self.SHOW, environment={"TABLE": "orders"}, function_name="shop", memory_size=256)
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
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.setenv(name, "REAL")
        env = environment(self.SHOW)
        seen = env.invoke().payload
        assert "REAL" not in seen.values()
        assert "AWS_PROFILE" not in seen
        env.close()
        assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"

    def test_what_the_test_sets_between_invokes_reaches_both_sides(self, environment, monkeypatch):
        env = environment("import os\ndef handler(event, context): return os.environ.get('SET_BY_TEST')")
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
    def test_monkeypatch_may_undo_before_or_after_the_environment_leaves(self, environment, monkeypatch, first_left):
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
            env = environment("import time\ndef handler(event, context): return [time.tzname[0], time.timezone]")
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
        env = environment("import logging\nlogging.getLogger('svc').init = 1\ndef handler(event, context): ...")
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
        with pytest.raises(FileNotFoundError):
            env.invoke()
        assert not stage.running
        (tmp_path / "task").mkdir()
        assert env.invoke().payload == 1

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


def test_atexit_of_shared_libraries_passes_through(environment, monkeypatch):
    registered: list[object] = []
    monkeypatch.setattr(
        "pytest_lambda_lifecycle.exits.Exits._register", staticmethod(lambda f, *a, **k: registered.append(f))
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
    """Tools of the test that were started before the environment came, and end while it is entered."""

    SHOW = "import os\ndef handler(event, context): return dict(os.environ)"

    def test_patch_dict_of_the_environment_brings_no_real_credentials(self, environment, monkeypatch):
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
        surroundings.sweep()
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
        env = environment("import helper\ndef handler(event, context):\n import helper as h\n return h is helper")
        with mock.patch.dict(sys.modules, {"not_installed": mock.Mock()}):
            assert env.invoke().payload is True
        assert env.invoke().payload is True
        env.close()
        assert not {"app", "helper", "not_installed"} & set(sys.modules)

    def test_a_module_that_is_reloaded_moves_to_the_end_of_sys_modules(self, environment, tmp_path, monkeypatch):
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

    def test_a_freeze_of_the_tests_own_reaches_modules_that_are_not_entered(self, environment, write):
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


def test_moto_that_ends_while_the_environment_is_entered_puts_no_real_keys_back(environment, monkeypatch):
    moto = pytest.importorskip("moto")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    env = environment("import os\ndef handler(event, context): return os.environ['AWS_ACCESS_KEY_ID']")
    with moto.mock_aws():
        env.invoke()
    assert env.invoke().payload.startswith("ASIA")
    stage.leave()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"
