"""Process state that function code changes: the function sees it, and nothing of it stays."""

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
import socket
import sys
import tempfile
import threading
import time
import warnings

import pytest

from pytest_lambda_lifecycle import InitError, LifecycleError
from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored

# A function that changes every kind of process state.  `snapshot` has the kinds that the leak
# detector of the conftest leaves out.
VANDAL = """
    import asyncio, atexit, builtins, contextvars, decimal, locale, logging, os, random, signal
    import socket, sys, tempfile, threading, warnings
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
            "added": os.environ.get("ADDED"), "home": os.environ.get("HOME"),
            "path": "/vandal" in sys.path, "argv": sys.argv,
            "limit": sys.getrecursionlimit(), "timeout": socket.getdefaulttimeout(),
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


def snapshot():
    """Return process state that the leak detector of the conftest does not compare."""
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


def test_the_function_sees_its_changes_and_none_stays(environment):
    before = snapshot()
    with tempfile.TemporaryDirectory():
        callbacks = atexit._ncallbacks()  # the first finalizer of a process registers itself once
    env = environment(VANDAL)
    assert env.invoke().payload == SEEN_BY_ITSELF
    assert env.invoke().payload == SEEN_BY_ITSELF
    env.module.loop.close()
    env.close()
    assert snapshot() == before
    assert atexit._ncallbacks() == callbacks
    assert [event.function for event in env.timeline.of(AtexitIgnored)] == ["print"]


def test_an_environment_can_leave_and_enter_again(environment):
    before = snapshot()
    env = environment(VANDAL)
    env.invoke()
    left = stage.leave()
    assert snapshot() == before
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
    before = snapshot()
    env.invoke()
    assert env.log.count("Runtime Version") == 1
    env.module.loop.close()
    env.close()
    assert snapshot() == before


def test_changes_of_a_failed_init_are_undone(environment):
    before = snapshot()
    env = environment(VANDAL.replace("def handler", "loop.close()\n    1/0\n    def handler"))
    with pytest.raises(InitError, match="division by zero"):
        env.invoke()
    assert snapshot() == before


def test_two_open_environments_do_not_see_each_other(environment, write):
    vandal = environment(VANDAL)
    vandal.invoke()
    write(
        "meek.py",
        "import os, sys\n"
        "def handler(event, context): return ['ADDED' in os.environ, '/vandal' in sys.path]",
    )
    meek = environment(handler="meek.handler")
    assert meek.invoke().payload == [False, False]
    assert vandal.invoke().payload == SEEN_BY_ITSELF
    vandal.module.loop.close()


def test_a_part_that_raises_on_entering_is_undone(environment, monkeypatch):
    before = snapshot()
    env = environment("def handler(event, context): return 1")

    def fail(self):
        raise OSError("no more")

    monkeypatch.setattr(
        "pytest_lambda_lifecycle.isolation.parts.logging_tree.LoggingTree.enter", fail
    )
    with pytest.raises(OSError, match="no more"):
        env.invoke()
    monkeypatch.undo()
    assert snapshot() == before
    assert env.invoke().payload == 1


def test_a_restoration_that_raises_does_not_stop_the_others(environment, monkeypatch):
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
