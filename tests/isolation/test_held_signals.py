"""A signal handler of the test raises while an environment begins, enters, leaves or ends."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.isolation.held_signals import Held, Released, get_handler, set_handler
from pytest_lambda_lifecycle.isolation.parts.environ import Variables
from pytest_lambda_lifecycle.isolation.parts.working_directory import WorkingDirectory
from pytest_lambda_lifecycle.isolation.stage import stage

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_sigmask"), reason="needs a mask of signals"
)

CODE = """
    import os, sys, tempfile
    os.environ["OF_THE_FUNCTION"] = "1"
    sys.path.append("/of/the/function")
    def handler(event, context):
        os.chdir("/")
        tempfile.tempdir = "/of/the/function"
        return os.environ["OF_THE_FUNCTION"]
"""


from_outside: Final = signal.raise_signal
"""Sends a signal from outside: function code finds a stand-in while its environment is entered."""

Late = pytest.fail.Exception
"""What the handler of pytest-timeout raises."""


def raise_late(number: int, frame: object) -> None:
    pytest.fail("too late")


@pytest.fixture(params=["SIGALRM", "SIGUSR1", "SIGINT"])
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    """Install a handler of the test that raises; that of Ctrl-C is Python's own."""
    number: int = getattr(signal, request.param)
    if number == signal.SIGINT:
        yield number
        return
    before = signal.signal(number, raise_late)
    yield number
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(number, before)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Python swallows an exception of a handler that it calls in a callback of the collector."""
    gc.disable()
    yield
    gc.enable()


def state() -> dict[str, object]:
    return {
        "environ": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "path": list(sys.path),
        "finders": list(map(id, sys.meta_path)),
        "directory": os.getcwd(),
        "streams": (id(sys.stdout), id(sys.stderr)),
        "logging": (logging.root.level, list(map(id, logging.root.handlers))),
        "handlers": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGUSR1)],
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "tempdir": tempfile.tempdir,
        "running": list(stage.running),
        "app": "app" in sys.modules,
    }


@pytest.mark.parametrize("part", [Variables, WorkingDirectory])
@pytest.mark.parametrize("method", ["enter", "begin_phase", "end_phase", "discard"])
def test_a_signal_in_the_midst_of_a_step_waits_for_its_end(
    environment, monkeypatch, number, part, method
):
    original = getattr(part, method)
    seen: list[bool] = []

    def interrupted(self: object) -> object:
        from_outside(number)
        seen.append(True)  # the handler has not raised yet
        return original(self)

    before = state()
    with monkeypatch.context() as patches:
        patches.setattr(part, method, interrupted)
        env = environment(CODE)
        with pytest.raises((Late, KeyboardInterrupt)):
            env.initialize()
            env.close()
    assert seen
    env.close()
    assert state() == before
    assert env.state == "closed"


# The signal may come in the import system, which then leaves the file of a module open.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("operation", ["initialize", "invoke", "warm", "leave", "close"])
def test_signals_at_any_moment(write, tmp_path, monkeypatch, number, operation, without_collector):
    """Whatever they interrupt is done or undone, and the environment can be closed."""
    # Python swallows an exception of a handler that it calls in a callback: of a weak reference.
    swallowed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)
    write("app.py", CODE)
    config = FunctionConfig("app.handler", code_dir=tmp_path / "task")
    tempfile.gettempdir()
    before, numbers, hits = state(), random.Random(7), 0
    for _ in range(40):
        env = ExecutionEnvironment(config)
        if operation in ("warm", "leave", "close"):
            env.invoke()
        action: Callable[[], object] = {
            "initialize": env.initialize,
            "leave": stage.leave,
            "close": env.close,
        }.get(operation, env.invoke)
        try:
            send_soon(number, numbers.uniform(0.00001, 0.002 if operation != "warm" else 0.0003))
            action()
            time.sleep(1)  # until the signal arrives
            assert swallowed, "the signal is lost"
        except (Late, KeyboardInterrupt):
            hits += 1
        env.close()
        assert env.state == "closed"
        assert state() == before
    assert hits > 20


def send_soon(number: int, seconds: float) -> None:
    if number == signal.SIGALRM:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        main = threading.main_thread().ident
        threading.Timer(seconds, signal.pthread_kill, (main, number)).start()


def test_function_code_is_interrupted_at_once(environment):
    before = signal.signal(signal.SIGUSR1, raise_late)
    try:
        env = environment("""
            import signal, time
            signal.raise_signal(signal.SIGUSR1)
            time.sleep(30)
        """)
        began = time.monotonic()
        with pytest.raises(Late):
            env.initialize()
        assert time.monotonic() - began < 20
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_handlers_that_are_held_back_can_be_exchanged():
    before = signal.signal(signal.SIGUSR1, raise_late)
    heard: list[int] = []
    try:
        with Held():
            assert get_handler(signal.SIGUSR1) is raise_late
            signal.raise_signal(signal.SIGUSR1)
            assert set_handler(signal.SIGUSR1, lambda number, frame: heard.append(number)) is (
                raise_late
            )
            signal.raise_signal(signal.SIGUSR1)
            assert heard == []
            with Released():
                assert heard == [signal.SIGUSR1]
                signal.raise_signal(signal.SIGUSR1)
                assert heard == [signal.SIGUSR1] * 2
            with Held():
                signal.raise_signal(signal.SIGUSR1)
            assert heard == [signal.SIGUSR1] * 2
        assert heard == [signal.SIGUSR1] * 3
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_comes_by_another_thread_waits_too(environment, monkeypatch):
    """A signal to the process goes to any thread that has not masked it."""
    original = Variables.enter
    other = threading.Event()
    thread = threading.Thread(target=other.wait)
    thread.start()
    before = signal.signal(signal.SIGALRM, raise_late)

    def slow(self: Variables) -> object:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        return original(self)

    try:
        monkeypatch.setattr(Variables, "enter", slow)
        env = environment("def handler(event, context): ...")
        with pytest.raises(Late):
            env.initialize()
        stage.leave()
        assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
    finally:
        signal.signal(signal.SIGALRM, before)
        other.set()
        thread.join()


def test_other_threads_are_not_concerned():
    seen: list[object] = []

    def look() -> None:
        with Held():
            seen.append(Held.handlers)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [None]
