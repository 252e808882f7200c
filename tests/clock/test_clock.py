"""Virtual time: it stands still until it is moved, and leaves no replacement behind."""

import asyncio
import datetime as dt
import random
import sys
import threading
import time
import uuid
from datetime import date, datetime, timedelta, timezone

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    FunctionTimeout,
    InitError,
    LambdaClock,
    LifecycleError,
)

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)


def functions():
    return (
        time.time,
        time.time_ns,
        time.monotonic,
        time.perf_counter,
        time.sleep,
        time.gmtime,
        dt.datetime,
        dt.date,
    )


REAL = functions()

CLOCKS = """
    import datetime, threading, time, uuid
    from concurrent.futures import ThreadPoolExecutor
    from datetime import date, datetime as captured
    from time import monotonic, sleep, time as now
    def read():
        return [
            time.time(), time.time_ns() / 1e9, now(),
            captured.now(datetime.timezone.utc).timestamp(),
            datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp(),
        ]
    def handler(event, context):
        if event == "spans":
            return [time.monotonic(), monotonic(), time.perf_counter(), time.monotonic_ns() / 1e9]
        if event == "dates":
            text = time.strftime("%Y-%m-%d %H:%M")
            return [str(date.today()), text, str(datetime.date.today())]
        if event == "thread":
            seen = []
            thread = threading.Thread(target=lambda: seen.extend(read()))
            thread.start(); thread.join()
            with ThreadPoolExecutor(1) as pool: return seen + pool.submit(read).result()
        if event == "uuid1": return uuid.uuid1().time
        if event == "remaining": return context.get_remaining_time_in_millis()
        if event: sleep(event)
        return read()
"""


@pytest.fixture
def clock():
    with LambdaClock(START) as clock:
        yield clock
    assert functions() == REAL
    assert not hasattr(time, "clock")


class TestReading:
    def test_time_stands_still_for_all_functions(self, clock, environment):
        env = environment(CLOCKS)
        assert set(env.invoke().payload) == {START.timestamp()}
        assert set(env.invoke("thread").payload) == {START.timestamp()}
        assert len(set(env.invoke("spans").payload)) == 1
        assert env.invoke("dates").payload == ["2030-05-17", "2030-05-17 12:00", "2030-05-17"]
        assert datetime.now(timezone.utc) == START == clock.now
        assert date.today() == START.date()
        # uuid1() counts the identifiers that it makes at one moment.
        assert abs(uuid.uuid1().time - env.invoke("uuid1").payload) <= 1
        assert env.invoke("remaining").payload == 3000

    def test_sleeping_moves_the_clock_to_the_microsecond(self, clock, environment):
        env = environment(CLOCKS)
        assert set(env.invoke(1.5).payload) == {START.timestamp() + 1.5}
        assert env.invocations[0].duration_ms == 1500
        assert clock.now == START + timedelta(seconds=1.5)
        env.invoke(0.0000001)
        assert clock.now == START + timedelta(seconds=1.5, microseconds=1)

    def test_modules_imported_later_and_the_durations_of_the_log(self, clock, environment, write):
        write(
            "late.py",
            "from time import time\nfrom datetime import datetime\n"
            "def read(): return time(), datetime.now().year",
        )
        env = environment(
            "def handler(event, context):\n import late, time; time.sleep(2); return late.read()"
        )
        assert env.invoke().payload == [START.timestamp() + 2, 2030]
        assert "\tDuration: 2000.00 ms\tBilled Duration: 2000 ms\t" in env.invocations[0].report
        assert env.timeline[0].at == START.timestamp() * 1_000_000

    def test_the_clock_moves_for_all_environments(self, clock, environment, write):
        write("other.py", CLOCKS.replace("    import", "import", 1).replace("\n    ", "\n"))
        one, two = environment(CLOCKS), environment(handler="other.handler")
        one.invoke()
        two.invoke()
        clock.advance(60)
        assert set(one.invoke().payload) == set(two.invoke().payload) == {START.timestamp() + 60}

    def test_the_default_start_is_the_current_second(self):
        before = time.time()
        with LambdaClock() as clock:
            assert clock.now.microsecond == 0
            assert abs(clock.now.timestamp() - before) <= 2


class TestMoving:
    def test_advance_and_move_to(self, clock):
        clock.advance(1, minutes=2, hours=3)
        assert clock.now == START + timedelta(hours=3, minutes=2, seconds=1)
        clock.move_to(START + timedelta(days=1))
        assert clock.now == START + timedelta(days=1)
        clock.move_to(clock.now)

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", True, None])
    def test_spans_that_are_refused(self, clock, environment, seconds):
        env = environment(CLOCKS)
        env.invoke()
        for ask in (clock.advance, env.idle):
            with pytest.raises(
                LifecycleError, match="a length of time is a finite number of seconds, and not"
            ):
                ask(seconds)
        assert clock.now == START

    def test_moving_backwards_and_naive_moments_are_refused(self, clock):
        with pytest.raises(
            LifecycleError, match=r"cannot move the clock back to 2030-05-17 11:59:59.*goes forward"
        ):
            clock.move_to(START - timedelta(seconds=1))
        with pytest.raises(LifecycleError, match="give an aware datetime"):
            clock.move_to(datetime(2031, 1, 1))
        with pytest.raises(LifecycleError, match="give an aware datetime"):
            LambdaClock(datetime(2031, 1, 1))

    def test_a_second_clock_and_one_that_was_not_started(self, clock):
        with pytest.raises(LifecycleError, match="one runs already"), LambdaClock():
            pass
        with pytest.raises(LifecycleError, match="was not started"):
            LambdaClock().advance(1)

    def test_a_clock_after_its_end(self, environment):
        with LambdaClock(START) as clock:
            env = environment(CLOCKS)
            env.invoke()
        for ask in (lambda: clock.advance(1), env.invoke, lambda: env.idle(1)):
            with pytest.raises(LifecycleError, match="has ended"):
                ask()
        with pytest.raises(LifecycleError, match="has ended"), clock:
            pass

    def test_moving_while_a_phase_runs(self, clock, environment):
        import builtins

        builtins.the_clock = clock
        try:
            env = environment(
                "import builtins\ndef handler(event, context): builtins.the_clock.advance(1)"
            )
            with pytest.raises(
                LifecycleError, match="while the environment of 'app.handler' is inside a phase"
            ):
                env.invoke()
        finally:
            del builtins.the_clock

    def test_an_environment_older_than_the_clock(self, environment):
        env = environment(CLOCKS)
        env.invoke()
        with (
            LambdaClock(START),
            pytest.raises(LifecycleError, match="was made before lambda_clock"),
        ):
            env.invoke()
        env.invoke()


class TestEndOfTheCalendar:
    """Python's `datetime` ends with the year 9999."""

    ENDS = (
        "Python's calendar ends with the year 9999, and time goes up to 9999-12-31 00:00:00.00:00"
    )
    LAST = datetime(9999, 12, 31, tzinfo=timezone.utc)
    CENTURY = 100 * 365.25 * 24

    def test_the_clock_does_not_move_beyond_it(self, clock, environment):
        env = environment(CLOCKS)
        env.invoke()
        for ask in (clock.advance, env.idle):
            with pytest.raises(
                LifecycleError, match=rf"cannot let 7\.01e\+07 hours pass from .*: {self.ENDS}; let"
            ):
                ask(hours=80 * self.CENTURY)
        with pytest.raises(
            LifecycleError, match=f"cannot move the clock to 9999-12-31 09:00:00.*: {self.ENDS}"
        ):
            clock.move_to(self.LAST + timedelta(hours=9))
        assert clock.now == START == datetime.now(timezone.utc)
        assert set(env.invoke().payload) == {START.timestamp()}
        assert not env.invocations[-1].cold_start

    @pytest.mark.parametrize("seconds", [1e12, 1e300, 1.7e308, pytest.param(10**400, id="10**400")])
    def test_a_span_longer_than_any_calendar(self, clock, environment, seconds):
        for ask in (clock.advance, environment(CLOCKS).idle):
            with pytest.raises(
                LifecycleError, match=f"seconds 1.*finite number of seconds, .*{self.ENDS}"
            ):
                ask(seconds)
        assert clock.now == START

    def test_the_last_moments_before_it(self, clock, environment):
        env = environment(CLOCKS)
        clock.move_to(self.LAST - timedelta(seconds=2))
        assert set(env.invoke(1).payload) == {self.LAST.timestamp() - 1}
        assert env.invoke("dates").payload == ["9999-12-30", "9999-12-30 23:59", "9999-12-30"]
        with pytest.raises(LifecycleError, match=f"cannot let .* hours pass from .*: {self.ENDS}"):
            env.invoke(1.5)
        assert clock.now == self.LAST - timedelta(seconds=1)

    def test_idling_without_a_clock(self, environment):
        env, before = environment(CLOCKS), datetime.now(timezone.utc)
        for hours in (80 * self.CENTURY, 1e300):
            with pytest.raises(LifecycleError, match="the year 9999"):
                env.idle(hours=hours)
        assert functions() == REAL
        env.idle(hours=30 * self.CENTURY)
        assert before.year + 2999 <= datetime.now(timezone.utc).year <= before.year + 3001
        with pytest.raises(LifecycleError, match=self.ENDS):
            env.idle(hours=60 * self.CENTURY)
        assert (
            before.year + 2999
            <= datetime.fromtimestamp(env.invoke().payload[0]).year
            <= before.year + 3001
        )

    def test_idling_without_a_clock_in_a_freeze_of_the_test(self, environment):
        env = environment(CLOCKS)
        with freeze_time("9000-01-01"), freeze_time("2040-01-01"):
            with pytest.raises(LifecycleError, match="from 9000-01-01 00:00:00.00:00: Python"):
                env.idle(hours=10 * self.CENTURY)
            assert set(env.invoke().payload) == {
                datetime(2040, 1, 1, tzinfo=timezone.utc).timestamp()
            }

    @pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=-5))])
    def test_a_clock_does_not_start_after_it(self, zone):
        late = datetime.max.replace(tzinfo=zone)
        with pytest.raises(
            LifecycleError, match="cannot start the clock at 9999-12-31 23:59:59.*: .*the year 9999"
        ):
            LambdaClock(late).__enter__()
        with (
            freeze_time("9999-12-31 12:00"),
            pytest.raises(LifecycleError, match="cannot start the clock at 9999-12"),
        ):
            LambdaClock().__enter__()
        assert functions() == REAL


class TestDeadline:
    def test_a_sleep_past_the_deadline_is_cut_at_it(self, clock, environment):
        env = environment(CLOCKS, timeout=3)
        env.initialize()
        with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
            env.invoke(10)
        assert clock.now == START + timedelta(seconds=3)
        assert env.invocations[0].duration_ms == 3000
        assert "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t" in env.invocations[0].report

    def test_a_sleep_that_ends_at_the_deadline_is_not_cut(self, clock, environment):
        env = environment(CLOCKS, timeout=3)
        assert env.invoke(3).status == "success"
        with pytest.raises(FunctionTimeout):
            env.invoke(3.000001)

    def test_remaining_ms(self, clock, environment):
        env = environment("""
            import time
            def handler(event, context):
                while context.get_remaining_time_in_millis() > 100: time.sleep(0.05)
                return "saved"
        """)
        assert env.invoke(remaining_ms=250).payload == "saved"
        assert clock.now == START + timedelta(milliseconds=150)

    @pytest.mark.parametrize("exception", ["Exception", "BaseException"])
    def test_code_that_swallows_exceptions_is_cut_again(self, clock, environment, exception):
        env = environment(f"""
            import time
            def handler(event, context):
                for _ in range(3):
                    try: time.sleep(10)
                    except {exception}: pass
                return "swallowed"
        """)
        with pytest.raises(FunctionTimeout):
            env.invoke()
        assert clock.now == START + timedelta(seconds=3)

    def test_the_reset_after_a_timeout(self, clock, environment):
        env = environment(CLOCKS + "    time.sleep(1)\n")
        env.invoke()
        assert env.init.duration_ms == 1000
        assert env.invocations[0].init_duration_ms == 1000
        env.invoke(10, check=False)
        again = env.invoke(1.5)
        assert again.duration_ms == 2500
        assert again.init_duration_ms is None
        with pytest.raises(FunctionTimeout):  # init leaves two of the three seconds
            env.reset()
            env.invoke(2.1)

    def test_the_limit_of_init(self, clock, environment):
        env = environment(
            "import time\ntime.sleep(9.9)\ndef handler(event, context): return 1", timeout=11
        )
        assert env.invoke().payload == 1
        slow = environment(
            "import time\ntime.sleep(10.1)\ndef handler(event, context): return 1", timeout=11
        )
        served = slow.invoke()
        assert [(init.phase, init.status, init.duration_ms) for init in slow.inits] == [
            ("init", "timeout", 10_000),
            ("invoke", "success", 10_100),
        ]
        assert served.duration_ms == 10_100

    def test_provisioned_concurrency_has_130_seconds(self, clock, environment):
        source = "import time\ntime.sleep(%s)\ndef handler(event, context): return 1"
        environment(source % 130, initialization_type="provisioned-concurrency").initialize()
        with pytest.raises(InitError, match=r"Task timed out after 130\.00 seconds"):
            environment(source % 130.1, initialization_type="provisioned-concurrency").initialize()

    @pytest.mark.parametrize("do", ["while event: pass", "event and pipe.recv()"])
    def test_code_that_spins_is_ended_by_the_watchdog(self, environment, do):
        with LambdaClock(START, watchdog=0.5) as clock:
            env = environment(
                "import multiprocessing, time\npipe, other = multiprocessing.Pipe()\n"
                f"def handler(event, context):\n {do}\n return time.time()"
            )
            env.initialize()
            began = REAL[3]()
            with pytest.raises(
                LifecycleError, match=r"ran for 0\.5 s of real time without moving the clock"
            ):
                env.invoke(True)
            assert REAL[3]() - began < 20
            assert env.invoke(False).payload == clock.now.timestamp()
            assert env.init_count == 2


class TestLatency:
    def test_a_call_takes_its_declared_time(self, clock, environment):
        env = environment(
            "import json\njson.dumps(1)\ndef handler(event, context): return json.dumps(event)"
        )
        spy = env.spy("json.dumps")
        env.latency("json.dumps", 9900)
        env.invoke({}, check=False)
        assert spy.phases == ["init"]
        assert env.init.duration_ms == 9900
        assert env.invocations[0].status == "timeout"

    def test_a_latency_without_a_clock_is_refused(self, environment):
        env = environment(CLOCKS)
        with pytest.raises(LifecycleError, match="runs in real time; make it under lambda_clock"):
            env.latency("json.dumps", 1)


class TestIdle:
    def test_idling_takes_no_time_and_stays_warm(self, clock, environment):
        env = environment(CLOCKS)
        env.invoke()
        env.idle(hours=24)
        later = env.invoke()
        assert not later.cold_start
        assert set(later.payload) == {START.timestamp() + 86400}

    def test_idling_past_idle_timeout_spins_down(self, clock, environment):
        env = environment(CLOCKS, idle_timeout=600)
        env.invoke()
        (env.tmp / "cache").touch()
        env.idle(minutes=9)
        assert not env.invoke().cold_start
        env.idle(minutes=10)
        assert env.phases.names[-1] == "shutdown"
        assert env.phases[-1].reason == "spindown"
        assert env.invoke().cold_start
        assert not (env.tmp / "cache").exists()
        clock.advance(minutes=10)  # counts as idling
        assert env.phases.names[-1] == "shutdown"

    def test_max_lifetime_recycles_under_constant_traffic(self, clock, environment):
        env = environment(CLOCKS, max_lifetime=3600)
        for _ in range(13):
            env.invoke()
            env.idle(minutes=5)
        assert [one.cold_start for one in env.invocations] == [True] + [False] * 11 + [True]

    def test_idling_before_the_first_phase(self, clock, environment):
        env = environment(CLOCKS, idle_timeout=1)
        env.idle(hours=1)
        assert env.phases == []

    def test_idling_is_refused_while_invoking_and_after_shutdown(self, clock, environment):
        import builtins

        env = environment(
            "import builtins\ndef handler(event, context): builtins.the_environment.idle(1)"
        )
        builtins.the_environment = env
        try:
            with pytest.raises(
                LifecycleError, match="cannot idle: this environment is inside invoke"
            ):
                env.invoke()
        finally:
            del builtins.the_environment
        env.shutdown()
        with pytest.raises(LifecycleError, match="cannot idle: this environment was shut down"):
            env.idle(1)

    def test_without_a_clock_time_is_shifted_and_goes_on(self, environment):
        before = (time.time(), time.monotonic())
        env = environment(CLOCKS)
        first = env.invoke("spans").payload
        env.idle(hours=1)
        assert 3600 <= time.time() - before[0] < 3660
        shifted = env.invoke().payload
        assert all(3600 <= one - before[0] < 3660 for one in shifted)
        spans = env.invoke("spans").payload
        env.idle(minutes=30)
        assert all(
            1800 <= now - then < 1860
            for then, now in zip(spans, env.invoke("spans").payload, strict=True)
        )
        assert all(3600 <= now - then < 3660 for then, now in zip(first, spans, strict=True))
        assert env.invocations[1].duration_ms < 60_000  # and not the hour
        env.close()
        assert (time.time, time.monotonic) == (REAL[0], REAL[2])
        assert time.time() - before[0] < 60


class TestEventLoops:
    def test_timers_of_a_loop_take_no_time(self, clock, environment):
        source = """
            import asyncio
            async def main(event):
                await asyncio.gather(asyncio.sleep(event), asyncio.sleep(event / 2))
                try: await asyncio.wait_for(asyncio.sleep(99), 0.25)
                except asyncio.TimeoutError: return "right"
            def handler(event, context): return asyncio.run(main(event))
        """
        env = environment(source, timeout=900)  # more than any watchdog
        assert env.invoke(800).payload == "right"
        assert START + timedelta(seconds=800.25) <= clock.now < START + timedelta(seconds=800.26)
        with pytest.raises(FunctionTimeout):
            env.invoke(1000)

    def test_a_loop_kept_across_invokes_fires_late_after_idling(self, clock, environment):
        env = environment("""
            import asyncio, time
            loop = asyncio.new_event_loop()
            fired = []
            def handler(event, context):
                if event == "start": loop.call_later(60, lambda: fired.append(time.time()))
                if event == "close": return loop.close()
                loop.run_until_complete(asyncio.sleep(0.001))
                return fired
        """)
        assert env.invoke("start").payload == []
        env.idle(hours=1)
        (fired,) = env.invoke("again").payload
        assert START.timestamp() + 3600 <= fired < START.timestamp() + 3601
        env.invoke("close")

    def test_running_executors_and_children_are_waited_for(self, clock, environment):
        env = environment("""
            import asyncio, sys, threading
            done = threading.Event()
            async def main(event):
                if event == "child":
                    command = sys.executable, "-c", "print('hello')"
                    child = await asyncio.create_subprocess_exec(*command, stdout=-1)
                    return (await asyncio.wait_for(child.communicate(), 2))[0].decode()
                threading.Timer(0.03, done.set).start()
                return await asyncio.wait_for(asyncio.to_thread(done.wait), 2)
            def handler(event, context): return asyncio.run(main(event))
        """)
        assert env.invoke("thread").payload is True
        assert clock.now - START < timedelta(seconds=2.9)

    def test_the_loop_of_the_test_stays_real(self, clock, environment):
        env = environment(CLOCKS)

        async def test():
            began = REAL[3]()
            await asyncio.sleep(0.05)
            assert REAL[3]() - began >= 0.045
            env.invoke(1)

        asyncio.run(test())
        assert clock.now == START + timedelta(seconds=1)


class TestThreads:
    def test_sleeps_of_several_threads_run_side_by_side(self, clock, environment):
        env = environment("""
            import threading, time
            from concurrent.futures import ThreadPoolExecutor
            start = threading.Barrier(3)  # or one thread might start after another has slept
            def sleep(seconds): start.wait(); time.sleep(seconds)
            def handler(event, context):
                with ThreadPoolExecutor(3) as pool: list(pool.map(sleep, [1, 1, 1]))
                return time.time()
        """)
        assert env.invoke().payload == START.timestamp() + 1

    def test_a_sleeping_thread_does_not_move_the_clock_on_its_own(self, clock, environment):
        env = environment("""
            import threading, time
            beats = []
            stop = threading.Event()
            def beat():
                while not stop.is_set():
                    time.sleep(60); beats.append(time.time())
            def handler(event, context):
                if event == "start": threading.Thread(target=beat, daemon=True).start()
                if event == "stop": stop.set()
                return len(beats)
        """)
        env.invoke("start")
        for _ in range(100):
            env.invoke()
        assert clock.now - START <= timedelta(minutes=1)
        module = env.module
        module.stop.set()
        clock.advance(hours=1)

    def test_a_deadline_reached_on_another_thread(self, clock, environment):
        env = environment("""
            import threading, time
            def handler(event, context):
                thread = threading.Thread(target=time.sleep, args=[10])
                thread.start(); thread.join()
        """)
        with pytest.raises(FunctionTimeout):
            env.invoke()
        assert clock.now == START + timedelta(seconds=3)


class TestCredentials:
    SHOW = """
        import os
        def handler(event, context):
            names = ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
            return [os.environ[name] for name in names]
    """

    def test_credentials_expire_by_the_clock_and_are_rotated_before(self, clock, environment):
        env = environment(self.SHOW)
        first = env.invoke().payload
        assert first[2] == "2030-05-18T00:00:00Z"
        env.idle(hours=11)
        assert env.invoke().payload == first
        env.idle(seconds=1)
        second = env.invoke().payload
        assert second[2] == "2030-05-18T11:00:01Z"
        assert not set(first) & set(second)
        assert env.init_count == 1

    def test_botocore_refreshes_credentials(self, clock, environment):
        pytest.importorskip("botocore")
        env = environment("""
            import botocore.session
            session = botocore.session.get_session()
            credentials = session.get_credentials()
            def handler(event, context): return credentials.get_frozen_credentials().access_key
        """)
        first = env.invoke().payload
        env.idle(hours=11, minutes=50)
        second = env.invoke().payload
        assert first != second
        assert second.startswith("ASIA")

    def test_without_a_clock_credentials_do_not_expire(self, environment):
        env = environment(
            "import os\n"
            "def handler(event, context): return 'AWS_CREDENTIAL_EXPIRATION' in os.environ"
        )
        assert env.invoke().payload is False


class TestTogether:
    def test_with_freeze_time_inside(self, clock, environment):
        env = environment(CLOCKS)
        with freeze_time("2040-01-01"):
            assert set(env.invoke().payload) == {
                datetime(2040, 1, 1, tzinfo=timezone.utc).timestamp()
            }
        assert set(env.invoke().payload) == {START.timestamp()}

    def test_with_freeze_time_outside(self, environment):
        with freeze_time("2040-01-01"):
            with LambdaClock() as clock:
                env = environment(CLOCKS)
                assert clock.now == datetime(2040, 1, 1, tzinfo=timezone.utc)
                assert set(env.invoke(1).payload) == {clock.now.timestamp()}
            assert datetime.now().year == 2040

    def test_modules_imported_under_the_clock_keep_nothing_fake(
        self, tmp_path, monkeypatch, environment
    ):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        (folder / "sharedlib.py").write_text(
            "import datetime, time\nfrom datetime import datetime as captured\n"
            "class Holder: now = datetime.datetime; tick = time.time\n"
            "def function(kind=datetime.datetime, *, clock=time.time): return kind.now()\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        with LambdaClock(START):
            env = environment(
                "import sharedlib\ndef handler(event, context): return sharedlib.function().year"
            )
            assert env.invoke().payload == 2030
        shared = sys.modules.pop("sharedlib")
        assert shared.Holder.now is shared.captured is datetime
        assert shared.Holder.tick is REAL[0]
        assert shared.function.__kwdefaults__ == {"clock": REAL[0]}
        assert shared.function().year == datetime.now().year

    def test_an_environment_that_outlives_the_clock_gets_real_time(self, write, tmp_path):
        write(
            "app.py",
            "from datetime import datetime\n"
            "def handler(event, context): return datetime.now().year",
        )
        with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task")) as env:
            env.close()
        with LambdaClock(START):
            env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task"))
            env.invoke()
            module = env.module
        assert module.datetime is datetime
        env.close()

    def test_many_clocks_in_random_order(self, environment):
        order = [random.choice(("clock", "env", "both")) for _ in range(30)]
        for step in order:
            if step != "env":
                with LambdaClock(START):
                    if step == "both":
                        environment(CLOCKS).invoke(1)
            else:
                environment(CLOCKS).invoke()
        assert dt.datetime is REAL[6]
        assert threading.Event().wait(0.001) is False


def test_an_interrupted_start_of_a_clock_leaves_real_time(monkeypatch):
    def interrupted(*_arguments: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    before = datetime.now
    monkeypatch.setattr("pytest_lambda_lifecycle.clock.freeze.replace_captured", interrupted)
    with pytest.raises(KeyboardInterrupt), LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)):
        pass
    monkeypatch.undo()
    assert time.time() < datetime(2029, 1, 1).timestamp()
    assert datetime.now == before
    with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)):
        assert time.time() == datetime(2030, 1, 1, tzinfo=timezone.utc).timestamp()
