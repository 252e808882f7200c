"""The interval timer, which the function, the test and the deadline share."""

import _signal
import signal
import time

import pytest

from pytest_lambda_lifecycle.isolation import alarm


def timer_is_set() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_timer_left_running_is_frozen_and_goes_on(environment):
    before = timer_is_set()
    env = environment("""
        import signal, time
        rang = []
        signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
        def handler(event, context):
            if event == "set": signal.setitimer(signal.ITIMER_REAL, 0.25)
            while event == "wait" and not rang: time.sleep(0.01)
            return len(rang)
    """)
    assert env.invoke("set").payload == 0
    assert timer_is_set() == before
    time.sleep(0.3)
    assert env.module.rang == []
    assert env.invoke("wait").payload == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_timer_of_the_test_fires_in_time(environment):
    env = environment("""
        import signal
        def handler(event, context):
            signal.signal(signal.SIGALRM, lambda *_: None); signal.alarm(100); signal.alarm(0)
    """)
    rang: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.perf_counter()))
    try:
        env.initialize()
        began = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        env.invoke()
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 0.25
        while not rang and time.perf_counter() < began + 20:
            time.sleep(0.01)
        assert rang[0] - began > 0.24
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_signal_at_the_end_of_a_phase_reaches_the_test(environment, monkeypatch):
    """It was lost where the test has a timer, as pytest-timeout has."""
    env = environment("def handler(event, context): ...")
    env.initialize()
    rang: list[int] = []
    handle = alarm._handle_signals

    def handle_late_ones() -> None:
        _signal.raise_signal(signal.SIGALRM)
        handle()

    before = signal.signal(signal.SIGALRM, lambda number, _: rang.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 100)
        monkeypatch.setattr(alarm, "_handle_signals", handle_late_ones)
        env.invoke()
        assert rang == [signal.SIGALRM]
        assert timer_is_set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_the_traceback_of_a_handler_of_the_test_hides_the_library(environment):
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
    inside = caught.traceback[[entry.path.name for entry in caught.traceback].index("app.py") + 1 :]
    assert [
        entry.name for entry in inside if not entry.frame.f_locals.get("__tracebackhide__")
    ] == ["<lambda>"]
