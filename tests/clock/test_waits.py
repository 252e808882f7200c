"""Alarms, event loops and single waits in virtual time, up to the deadline."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from types import ModuleType

import pytest

from pytest_lambda_lifecycle import FunctionTimeout, LambdaClock

START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)
_stopwatch = [time.perf_counter]


@pytest.fixture
def clock():
    with LambdaClock(START) as clock:
        yield clock


class TestAlarms:
    def test_an_alarm_a_second_before_the_deadline(self, clock, environment):
        env = environment(
            """
            import signal, time
            class Soon(Exception): pass
            def ring(number, frame):
                raise Soon(frame.f_code.co_name)
            def handler(event, context):
                signal.signal(signal.SIGALRM, ring)
                signal.alarm(int(context.get_remaining_time_in_millis() / 1000) - 1)
                try: time.sleep(60)
                except Soon as soon: return str(soon)
            """,
            timeout=3,
        )
        assert env.invoke().payload == "handler"
        assert env.invocations[0].duration_ms == 2000

    def test_an_alarm_without_a_handler_ends_the_process(self, clock, environment):
        env = environment(
            "import signal, time\ndef handler(event, context): signal.alarm(1); time.sleep(2)"
        )
        failed = env.invoke(check=False)
        assert failed.status == "error"
        assert "alarm clock" in str(failed.payload)
        assert failed.duration_ms == 1000

    def test_a_timer_is_frozen_between_invokes(self, clock, environment):
        env = environment("""
            import signal, time
            rang = []
            signal.signal(signal.SIGALRM, lambda number, frame: rang.append(time.time()))
            def handler(event, context):
                if event: signal.setitimer(signal.ITIMER_REAL, event)
                time.sleep(1)
                return [rang, signal.getitimer(signal.ITIMER_REAL)[0]]
        """)
        assert env.invoke(1.5).payload == [[], 0.5]
        env.idle(hours=1)
        rang, left = env.invoke().payload
        assert (rang, left) == ([START.timestamp() + 3600 + 1.5], 0)


class TestEventLoops:
    @pytest.mark.parametrize("run", ["trio.run(main)", "anyio.run(main, backend='trio')"])
    def test_trio(self, clock, environment, monkeypatch, run):
        pytest.importorskip("trio")
        pytest.importorskip("anyio")
        # A thread that trio keeps would let the waits of later tests stand still for a while.
        monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)
        env = environment(
            f"""
            import anyio, time, trio
            async def main():
                await {run.partition(".")[0]}.sleep(2)
                with trio.move_on_after(3): await trio.sleep(60)
                await trio.to_thread.run_sync(time.sleep, 2)
                return "slept"
            def handler(event, context): return {run}
            """,
            timeout=30,
        )
        assert env.invoke().payload == "slept"
        assert env.invocations[0].duration_ms == pytest.approx(7000, abs=10)

    def test_a_child_that_takes_longer_than_a_socket_may(self, clock, environment):
        env = environment(
            """
            import asyncio, sys
            async def main():
                command = sys.executable, "-c", "import time; time.sleep(0.4); print('hello')"
                child = await asyncio.create_subprocess_exec(*command, stdout=-1)
                return (await asyncio.wait_for(child.communicate(), 20))[0].decode()
            def handler(event, context): return asyncio.run(main())
            """,
            timeout=30,
        )
        assert env.invoke().payload == "hello\n"


class TestDeadlines:
    @pytest.mark.parametrize(
        "wait",
        [
            "threading.Event().wait()",
            "threading.Event().wait(9)",
            "queue.Queue().get()",
            "queue.SimpleQueue().get(timeout=9)",
            "lock.acquire()",
            "asyncio.run(asyncio.sleep(9))",
            "thread().join()",
        ],
    )
    def test_a_wait_is_cut_at_the_deadline(self, clock, environment, wait):
        env = environment(f"""
            import asyncio, queue, threading, time
            lock = threading.Lock()
            def thread():
                thread = threading.Thread(target=time.sleep, args=[9])
                thread.start()
                return thread
            def handler(event, context):
                lock.acquire()
                {wait}
        """)
        with pytest.raises(FunctionTimeout):
            env.invoke()
        assert env.invocations[0].duration_ms == 3000

    def test_a_computation_holds_the_clock(self, clock, environment):
        env = environment("""
            import time
            from concurrent.futures import ThreadPoolExecutor
            def handler(event, context):
                with ThreadPoolExecutor(1) as pool:
                    future = pool.submit(lambda: sum(range(3_000_000)))
                    while not future.done(): time.sleep(0.01)
        """)
        env.invoke()
        assert env.invocations[0].duration_ms < 1000

    def test_a_worker_of_a_shared_executor_works_for_the_caller(
        self, tmp_path, monkeypatch, clock, environment, write
    ):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        (folder / "poollib.py").write_text(
            "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)"
        )
        monkeypatch.syspath_prepend(str(folder))
        source = (
            "import poollib, time\n"
            "def handler(event, context): return poollib.pool.submit(time.sleep, 1).result(2)"
        )
        write("other.py", source)
        one, two = environment(source), environment(handler="other.handler")
        for env in (one, two, one):
            env.invoke()
            assert env.invocations[-1].duration_ms == 1000
        import sys

        sys.modules.pop("poollib").pool.shutdown()


class TestTheTest:
    def test_waits_of_the_test_are_real(self, clock):
        import queue
        import threading

        began = _stopwatch[0]()
        assert not threading.Event().wait(0.02)
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=0.02)
        assert _stopwatch[0]() - began >= 0.035
        assert clock.now == START

    def test_a_sleep_is_cheap_where_one_thread_runs(self, clock, environment):
        env = environment(
            "import time\ndef handler(event, context):\n for _ in range(1000): time.sleep(0.001)"
        )
        env.initialize()
        env.invoke()
        assert env.invocations[0].duration_ms == 1000


@pytest.mark.parametrize("wait", ["threading.Event().wait(5)", "queue.Queue().get(timeout=5)"])
def test_a_debugger_waits_in_real_time_for_its_user(clock, environment, monkeypatch, wait):
    """The debugger of an editor waits on the thread that it has stopped."""
    debugger = ModuleType("pydevd")
    source = "import queue, threading\ndef stop(event):\n  try: WAIT\n  except queue.Empty: pass"
    exec(source.replace("WAIT", wait.replace("5", "0.01")), vars(debugger))
    monkeypatch.setitem(sys.modules, "pydevd", debugger)
    env = environment(
        f"""
        import queue, sys, threading
        def handler(event, context):
            if event == "stop": sys.modules["pydevd"].stop(event)
            else: {wait}
        """,
        timeout=1,
    )
    assert env.invoke("stop").duration_ms == 0
    with pytest.raises(FunctionTimeout):
        env.invoke()
