"""The timeout of the function and the limit of Init, in real time."""

import signal
import sys
import threading
import time

import pytest

from pytest_lambda_lifecycle import (
    FunctionTimeout,
    InitError,
    LifecycleError,
)
from pytest_lambda_lifecycle.isolation import alarm
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.isolation.interruption import Interruption
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.rules import init_limit_us

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")

HANDLER = """
    import asyncio, os, socket, subprocess, sys, threading, time
    from concurrent.futures import ThreadPoolExecutor
    print("init")
    COUNT = 0
    def forever():
        while True: pass
    def stubborn():
        try: time.sleep(30)
        finally: time.sleep(30)
    def swallow(exception):
        for _ in range(3):
            try: time.sleep(30)
            except exception: pass
        return "swallowed"
    async def asynchronous(): await asyncio.gather(asyncio.sleep(30), asyncio.sleep(20))
    def receive():
        one, other = socket.socketpair()
        with one, other: one.recv(1)
    def pool():
        executor = ThreadPoolExecutor(1)
        try: executor.submit(time.sleep, 0.6).result()
        finally: executor.shutdown(wait=False)
    def handler(event, context):
        global COUNT
        COUNT += 1
        return eval(event) if event else COUNT
"""


def timer_is_set() -> bool:
    """Return whether another tool, such as pytest-timeout, uses the timer in this test."""
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.parametrize(
    "do",
    [
        "forever()",
        "time.sleep(30)",
        "stubborn()",
        "swallow(BaseException)",
        "swallow(Exception)",
        "asyncio.run(asynchronous())",
        "threading.Event().wait(30)",
        "threading.Lock().acquire() and [lock := threading.Lock(), lock.acquire(), lock.acquire()]",
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(30)'])",
        "os.system('sleep 30')",
        "receive()",
        "pool()",
        "sum(range(10**7)) and time.sleep(30)",
    ],
)
def test_a_handler_that_does_not_end_is_cut(environment, do):
    before, threads = timer_is_set(), set(threading.enumerate())
    env = environment(HANDLER)
    env.invoke("")
    began = time.perf_counter()
    with pytest.raises(FunctionTimeout) as caught:
        env.invoke(do, remaining_ms=200, request_id="r-1")
    assert 0.2 <= time.perf_counter() - began < 20
    assert caught.value.error_type == "Sandbox.Timedout"
    assert caught.value.error_message == "RequestId: r-1 Error: Task timed out after 3.00 seconds"
    timed_out = env.invocations[-1]
    assert timed_out.status == "timeout"
    assert timed_out.report.endswith("\tStatus: timeout")
    assert timed_out.error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": caught.value.error_message,
    }
    assert env.state == "reset"
    assert timer_is_set() == before
    for thread in set(threading.enumerate()) - threads:  # other threads are not interrupted
        thread.join(5)


def test_after_a_timeout_the_next_invoke_includes_init(environment):
    env = environment(HANDLER)
    env.invoke("")
    (env.tmp / "kept").touch()
    env.invoke("time.sleep(30)", remaining_ms=100, check=False)
    again = env.invoke("")
    assert again.payload == 1
    assert again.cold_start
    assert env.init.phase == "invoke"
    assert again.init_duration_ms is None
    assert "Init Duration" not in again.report
    assert (env.tmp / "kept").exists()
    assert [event.name for event in env.timeline if event.name == "reset"] == ["reset"]


def test_a_whole_second_of_timeout(environment):
    env = environment(HANDLER, timeout=1)
    began = time.perf_counter()
    with pytest.raises(FunctionTimeout, match="Task timed out after 1.00 seconds"):
        env.invoke("time.sleep(30)")
    assert 1 <= time.perf_counter() - began < 20


def test_a_handler_that_ends_in_time_is_not_cut(environment):
    env, before, handler = (
        environment(HANDLER, timeout=1),
        timer_is_set(),
        signal.getsignal(signal.SIGALRM),
    )
    assert env.invoke("time.sleep(0.3)").status == "success"
    assert timer_is_set() == before
    assert signal.getsignal(signal.SIGALRM) == handler


def test_remaining_time_follows_timeout_and_remaining_ms(environment):
    env = environment(
        "def handler(event, context): return context.get_remaining_time_in_millis()", timeout=30
    )
    assert 29_000 < env.invoke().payload <= 30_000
    assert 100 < env.invoke(remaining_ms=250).payload <= 250


@pytest.mark.parametrize("remaining", [0, -1, 3001, 1.5, True, "250"])
def test_remaining_times_that_are_refused(environment, remaining):
    env = environment(HANDLER)
    with pytest.raises(
        LifecycleError, match=r"whole number of ms from 1 to 3000, the function's timeout \(from"
    ):
        env.invoke("", remaining_ms=remaining)
    assert env.phases == []


class TestInit:
    SLOW = (
        "import time\nprint('body')\ntime.sleep(0.4)\ndef handler(event, context): return 'served'"
    )

    def test_limits(self):
        assert init_limit_us("on-demand", 900) == 10_000_000
        assert init_limit_us("provisioned-concurrency", 3) == 130_000_000
        assert init_limit_us("snap-start", 900) == 900_000_000

    def test_an_init_over_its_limit_is_retried_inside_the_invoke(self, environment, monkeypatch):
        monkeypatch.setattr(
            "pytest_lambda_lifecycle.lifecycle.rules.init_limit_us", lambda kind, timeout: 200_000
        )
        env = environment(self.SLOW)
        served = env.invoke()
        assert served.payload == "served"
        assert [(init.phase, init.status) for init in env.inits] == [
            ("init", "timeout"),
            ("invoke", "success"),
        ]
        assert served.duration_ms > 400
        assert served.init_duration_ms is None
        report = next(line for line in env.log.splitlines() if line.startswith("INIT_REPORT"))
        assert report.endswith("\tPhase: init\tStatus: timeout")

    def test_an_init_that_takes_the_whole_timeout(self, environment):
        env = environment(self.SLOW)
        env.reset()
        with pytest.raises(FunctionTimeout, match="Task timed out after 3.00 seconds"):
            env.invoke(remaining_ms=100)
        assert env.init.status == "timeout"
        assert env.invocations[0].status == "timeout"
        assert env.invocations[0].report.endswith("\tStatus: timeout")

    def test_initialize_over_its_limit(self, environment, monkeypatch):
        monkeypatch.setattr(
            "pytest_lambda_lifecycle.lifecycle.rules.init_limit_us", lambda kind, timeout: 200_000
        )
        env = environment(self.SLOW)
        with pytest.raises(InitError, match="Task timed out after 0.20 seconds"):
            env.initialize()


class TestSharedTimer:
    def test_function_code_may_set_its_own_timer(self, environment):
        env = environment("""
            import signal, time
            class TookTooLong(Exception): pass
            def ring(number, frame): raise TookTooLong
            def handler(event, context):
                before = signal.signal(signal.SIGALRM, ring)
                assert before in (signal.SIG_DFL, ring) and signal.getsignal(signal.SIGALRM) is ring
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.2
                try: time.sleep(30)
                except TookTooLong: pass
                signal.alarm(100)
                assert signal.alarm(0) in (99, 100)
                if event == "hang": time.sleep(30)
                return "its own timer rang"
        """)
        assert env.invoke().payload == "its own timer rang"
        with pytest.raises(FunctionTimeout):
            env.invoke("hang", remaining_ms=200)

    def test_its_own_timer_does_not_ring_once_the_time_is_up(self, environment):
        """It rang in our own code, and its exception left `invoke`, where it was a moment later."""
        env = environment("""
            import signal, time
            def ring(number, frame): print("rang", flush=True)
            def handler(event, context):
                signal.signal(signal.SIGALRM, ring)
                signal.setitimer(signal.ITIMER_REAL, 0.1, 0.01)
                unwinds_until = time.monotonic() + 0.2
                while time.monotonic() < unwinds_until:
                    try: time.sleep(1)
                    except BaseException as error: print(type(error).__name__, flush=True)
        """)
        failed = env.invoke(remaining_ms=50, check=False)
        assert "DeadlineReached" in failed.log
        assert "rang" not in failed.log

    def test_an_alarm_without_a_handler_ends_the_process(self, environment):
        env = environment(
            "import signal, time\n"
            "def handler(e, c): signal.setitimer(signal.ITIMER_REAL, .05); time.sleep(9)"
        )
        failed = env.invoke(check=False)
        assert failed.error["errorMessage"].endswith(
            "Runtime exited with error: signal: alarm clock"
        )

    def test_a_timer_of_the_test_fires_inside_the_handler(self, environment):
        env = environment(HANDLER)
        env.initialize()

        class Rang(BaseException):
            pass

        def ring(number, frame):
            raise Rang

        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            began = time.perf_counter()
            failed = env.invoke("time.sleep(30)", check=False)
            assert time.perf_counter() - began < 20
            # The runtime treats it as any other BaseException.
            assert failed.error_type == "Runtime.ExitError"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_outside_the_main_thread_a_timeout_shows_when_the_handler_returns(environment):
    env = environment(HANDLER)
    seen: list[object] = []

    def invoke():
        seen.append(env.invoke("time.sleep(0.3)", remaining_ms=100, check=False).status)
        env.close()

    thread = threading.Thread(target=invoke)
    thread.start()
    thread.join()
    assert seen == ["timeout"]


class TestTheEndOfAPhase:
    """A signal may come as the timer is being cleared; Python calls its handler a little later."""

    @pytest.fixture
    def received(self):
        received = []
        before = signal.signal(signal.SIGALRM, lambda *_: received.append(1))
        yield received
        signal.signal(signal.SIGALRM, before)

    @pytest.fixture
    def own(self, received):
        own = alarm.Alarm(Interruption(time_is_up=lambda: None, forgive=lambda: None))
        leave = own.enter()
        yield own
        leave()
        signal.raise_signal(signal.SIGALRM)
        assert received.pop() == 1

    def test_a_late_signal_of_the_deadline_does_not_reach_the_test(
        self, own, received, monkeypatch
    ):
        real = alarm._setitimer

        def set_timer(*arguments):
            answer = real(*arguments)
            if arguments == (signal.ITIMER_REAL, 0):
                signal.raise_signal(signal.SIGALRM)
            return answer

        monkeypatch.setattr(alarm, "_setitimer", set_timer)
        own.begin(10)
        own._deadline_at = RealTime.perf_counter()
        own.end()
        assert not received
        signal.raise_signal(signal.SIGALRM)
        assert received == [1]

    def test_a_signal_at_any_moment(self, own, received):
        for number in range(200):
            own.begin(0.0005)
            until = RealTime.perf_counter() + 0.0004 + number / 1_000_000
            while RealTime.perf_counter() < until:
                pass
            own.end()
        assert not received
        assert signal.getitimer(signal.ITIMER_REAL)[1] == 0  # pytest-timeout may have set it once

    def test_a_signal_for_the_test_is_delivered_after_the_phase(self, own, received):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        own.begin(None)
        until = RealTime.perf_counter() + 0.0099
        while RealTime.perf_counter() < until:
            pass
        own.end()
        RealTime.sleep(0.01)
        assert received == [1]

    def test_a_signal_for_the_test_that_is_held_back_is_delivered_once(
        self, own, received, monkeypatch
    ):
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        with Held():
            own.begin(10)
            until = RealTime.perf_counter() + 0.002
            while RealTime.perf_counter() < until:
                pass
            monkeypatch.setattr(alarm, "_SOON", 5)  # a slow machine
            own.end()
            assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        assert received == [1]

    def test_an_interrupt_at_the_end_of_a_phase(self, environment, monkeypatch, capsys):
        env = environment("def handler(event, context): print(event)")
        env.initialize()
        real, raised = alarm.Alarm.end, []

        def end(self):
            if not raised:
                raised.append(1)
                raise KeyboardInterrupt
            real(self)

        stdout = sys.stdout
        monkeypatch.setattr(alarm.Alarm, "end", end)
        with pytest.raises(KeyboardInterrupt):
            env.invoke("first")
        assert sys.stdout is stdout
        assert signal.getitimer(signal.ITIMER_REAL)[1] == 0  # pytest-timeout may have set it once
        env.invoke("second")
        assert capsys.readouterr().out.count("second") == 1


def test_a_result_that_is_slow_to_encode_is_cut(environment):
    env = environment(
        """
        import time
        class Row:
            def _asdict(self): time.sleep(30)
        def handler(event, context): return {"row": Row()}
        """,
        timeout=1,
    )
    began = RealTime.perf_counter()
    with pytest.raises(FunctionTimeout):
        env.invoke()
    assert RealTime.perf_counter() - began < 10


def test_the_timeout_of_a_call_in_c_shows_when_it_returns(environment):
    env = environment("def handler(event, context): return sum(range(10_000_000))")
    env.initialize()
    late = env.invoke(remaining_ms=20, check=False)
    assert late.status == "timeout"
    assert late.duration_ms > 20


def test_function_code_can_see_its_timeout(environment):
    env = environment("""
        import time
        def handler(event, context):
            try: time.sleep(30)
            finally: print("on Lambda this is never printed")
    """)
    assert env.invoke(remaining_ms=50, check=False).status == "timeout"
    assert "never printed" in env.log


@pytest.mark.parametrize("place", ["init", "handler"])
@pytest.mark.parametrize("stand_in", ["lambda: 5.0", "lambda: 4e9", "Mock(return_value=5.0)"])
def test_the_deadline_is_that_of_the_platform_if_function_code_has_replaced_the_time(
    environment, place, stand_in
):
    env = environment(f"""
        import time
        from unittest.mock import Mock
        def replace():
            time.time = {stand_in}
        if {place!r} == "init":
            replace()
        def handler(event, context):
            if event == "replace":
                replace()
            return [context._epoch_deadline_time_in_ms, context.get_remaining_time_in_millis()]
    """)
    env.invoke("replace")
    before = time.time_ns() // 1_000_000
    deadline, remaining = env.invoke().payload
    assert before <= deadline - env.config.timeout * 1000 <= before + 2000
    now = 4e12 if "4e9" in stand_in else 5000
    assert remaining == max(deadline - now, 0)


def test_a_time_of_the_test_counts_for_the_deadline(environment, monkeypatch):
    env = environment(
        "def handler(event, context):\n"
        " return [context._epoch_deadline_time_in_ms, context.get_remaining_time_in_millis()]"
    )
    env.initialize()
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert env.invoke().payload == [
        1_000_000 + env.config.timeout * 1000,
        env.config.timeout * 1000,
    ]
