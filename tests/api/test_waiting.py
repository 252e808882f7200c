"""How the conductor waits: for a condition, for a deadline, or until a signal handler raises."""

from __future__ import annotations

import signal
import threading

import pytest

from pytest_lambda_lifecycle.isolation.real import RealTime


class Cut(BaseException):
    """Stands for the exception that a deadline raises into a phase."""


@pytest.fixture(params=["registry", "runtime"])
def waiting(remote, request):
    return getattr(remote, request.param)


def test_a_condition_that_holds_needs_no_time(waiting):
    assert waiting.wait(lambda: True, 0.0)


def test_a_condition_that_never_holds(waiting):
    began = RealTime.perf_counter()
    assert not waiting.wait(lambda: False, began + 0.02)
    assert RealTime.perf_counter() >= began + 0.02


def test_each_change_wakes_the_waiting_thread(remote):
    registry = remote.registry
    registry.begin(["agent"])
    thread = threading.Thread(target=lambda: registry.exited("agent", 1))
    agent = registry.agents[0]
    thread.start()
    assert registry.wait(lambda: agent.exit_code == 1, remote.soon())
    thread.join()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers")
def test_a_signal_handler_that_raises_ends_the_wait(waiting, remote):
    def cut(*_):
        raise Cut

    before = signal.signal(signal.SIGALRM, cut)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Cut):
            waiting.wait(lambda: False, remote.soon())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    free = []
    thread = threading.Thread(target=lambda: free.append(waiting.wait(lambda: True, 0.0)))
    thread.start()
    thread.join(20)
    assert free == [True]  # the lock has been released


def test_frozen_time_does_not_stop_the_wait(waiting):
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time("2026-01-01"):
        assert not waiting.wait(lambda: False, RealTime.perf_counter() + 0.02)


def test_closing_does_not_wait_for_ever_for_a_call(remote, monkeypatch):
    from pytest_lambda_lifecycle.api import server

    monkeypatch.setattr(server, "_PATIENCE", 0.02)
    waiting = remote.later("GET", "/2018-06-01/runtime/invocation/next")
    assert remote.runtime.wait(lambda: remote.runtime.ready, remote.soon())
    remote.server.close()
    with pytest.raises(ConnectionError):
        waiting.result()
    remote.runtime.end()
    for thread in threading.enumerate():
        if thread.name.startswith("lambda-lifecycle-api"):
            thread.join(20)
