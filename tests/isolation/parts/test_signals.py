"""Signal handlers and timers of function code: they leave and come back with the environment."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from pytest_lambda_lifecycle import FunctionError
from pytest_lambda_lifecycle.isolation.stage import stage

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs POSIX signals and timers"
)

CPU_TIMERS = [("ITIMER_PROF", "SIGPROF"), ("ITIMER_VIRTUAL", "SIGVTALRM")]

TICKING = """
    import signal, time
    ticks = 0
    def tick(number, frame):
        global ticks
        ticks += 1
    def compute(before):
        "User time, which alone ITIMER_VIRTUAL counts: until the timer rings, or 0.1 s."
        rings = signal.getitimer(signal.{timer})[1] > 0
        until = time.process_time() + (5 if rings else 0.1)
        while time.process_time() < until and not (rings and ticks > before):
            for _ in range(10_000): pass
    def handler(event, context):
        if event == "start":
            signal.signal(signal.{number}, tick)
            signal.setitimer(signal.{timer}, 0.02, 0.02)
        if event == "stop":
            signal.setitimer(signal.{timer}, 0)
        before = ticks
        compute(before)
        return [ticks - before > 0, signal.getsignal(signal.{number}) is tick]
"""


def compute(seconds, enough=lambda: False):
    """Spend user time, which alone ITIMER_VIRTUAL counts: reading the clock is system time."""
    until = time.process_time() + seconds
    while time.process_time() < until and not enough():
        for _ in range(10_000):
            pass


def state(timer, number):
    left, interval = signal.getitimer(getattr(signal, timer))
    return left > 0, interval, signal.getsignal(getattr(signal, number))


@pytest.mark.parametrize(("timer", "number"), CPU_TIMERS)
class TestTimersOfCpuTime:
    def test_they_are_frozen_with_the_environment_and_go_on(self, environment, timer, number):
        env = environment(TICKING.format(timer=timer, number=number))
        before = state(timer, number)
        assert env.invoke("start").payload == [True, True]
        for _ in range(2):
            stage.leave()
            assert state(timer, number) == before
            compute(0.1)
            assert env.invoke("").payload == [True, True]
        assert env.invoke("stop").payload == [False, True]
        stage.leave()
        assert env.invoke("").payload == [False, True]

    @pytest.mark.parametrize("end", ["reset", "close"])
    def test_they_end_with_the_process(self, environment, timer, number, end):
        env = environment(TICKING.format(timer=timer, number=number))
        before = state(timer, number)
        env.invoke("start")
        getattr(env, end)()
        assert state(timer, number) == before
        compute(0.1)
        if end == "reset":
            assert env.invoke("").payload == [False, False]

    def test_a_handler_that_raises_does_so_in_phases_alone(self, environment, timer, number):
        env = environment(f"""
            import signal, time
            def late(number, frame): raise TimeoutError("too late")
            def handler(event, context):
                if event:
                    signal.signal(signal.{number}, late)
                    signal.setitimer(signal.{timer}, 0.05)
                    return None
                until = time.process_time() + 5
                while time.process_time() < until: pass
        """)
        env.invoke("start")
        compute(0.2)
        with pytest.raises(FunctionError, match="too late"):
            env.invoke("")

    @pytest.mark.parametrize("first", ["", "signal.signal(signal.{number}, signal.SIG_DFL)"])
    def test_without_a_handler_they_end_the_process_of_the_function(
        self, environment, timer, number, first
    ):
        env = environment(f"""
            import signal, time
            def handler(event, context):
                {first.format(number=number)}
                signal.setitimer(signal.{timer}, 0.05)
                assert signal.getsignal(signal.{number}) == signal.SIG_DFL
                if event: return None
                while True: pass
        """)
        before = state(timer, number)
        assert env.invoke("", check=False).error_type == "Runtime.ExitError"
        env.invoke("leave it running")
        compute(0.2)
        env.close()
        assert state(timer, number) == before

    def test_a_timer_of_the_test_goes_on(self, environment, timer, number):
        ticks = []
        handler = signal.signal(getattr(signal, number), lambda *_: ticks.append(1))
        signal.setitimer(getattr(signal, timer), 0.02, 0.02)
        try:
            env = environment(TICKING.format(timer=timer, number=number))
            assert env.invoke("start").payload == [True, True]
            env.close()
            ticks.clear()
            compute(5, enough=lambda: ticks)
            assert ticks
        finally:
            signal.setitimer(getattr(signal, timer), 0)
            signal.signal(getattr(signal, number), handler)

    def test_a_timer_that_a_thread_of_the_function_sets_stops_as_well(
        self, environment, timer, number
    ):
        env = environment(f"""
            import signal, threading
            def work(): signal.setitimer(signal.{timer}, 0.05, 0.05)
            def handler(event, context):
                if event: signal.signal(signal.{number}, lambda *_: None)
                thread = threading.Thread(target=work)
                thread.start(); thread.join()
                return signal.getitimer(signal.{timer})[1]
        """)
        before = state(timer, number)
        assert env.invoke("").payload == 0
        assert env.invoke("with a handler").payload == pytest.approx(0.05, abs=0.01)
        env.close()
        assert state(timer, number) == before

    def test_a_phase_on_another_thread_leaves_no_timer(self, environment, timer, number):
        env = environment(
            f"import signal\ndef handler(e, c): signal.setitimer(signal.{timer}, 0.05, 0.05)"
        )
        before = state(timer, number)
        thread = threading.Thread(target=env.invoke)
        thread.start()
        thread.join()
        compute(0.1)
        env.close()
        assert state(timer, number) == before


def test_the_wakeup_descriptor_leaves_with_timers_and_handlers(environment):
    env = environment("""
        import os, signal
        reading, writing = os.pipe(); os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        signal.signal(signal.SIGPROF, lambda *_: None)
        signal.setitimer(signal.ITIMER_PROF, 60)
        def handler(event, context):
            now = signal.set_wakeup_fd(writing)
            return [now == writing, signal.getitimer(signal.ITIMER_PROF)[0] > 0]
    """)
    for _ in range(2):
        assert env.invoke().payload == [True, True]
        stage.leave()
        assert signal.set_wakeup_fd(-1) == -1
        assert state("ITIMER_PROF", "SIGPROF") == (False, 0, signal.SIG_DFL)


def test_what_is_no_handler_is_refused(environment):
    env = environment("import signal\ndef handler(e, c): signal.signal(signal.SIGPROF, None)")
    with pytest.raises(FunctionError, match="signal handler must be"):
        env.invoke()
