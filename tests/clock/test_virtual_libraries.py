"""Libraries under virtual time: their caches expire at the right moment, nothing fake stays."""

import importlib
import sys
import time
from datetime import date, datetime, timedelta, timezone

import pytest

from pytest_lambda_lifecycle import LambdaClock

START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)
INSTANT = timedelta(microseconds=1)


class Real:
    """Functions that a test keeps in a class stay real."""

    stopwatch = staticmethod(time.perf_counter)
    sleep = staticmethod(time.sleep)


@pytest.fixture
def clock():
    with LambdaClock(START) as clock:
        yield clock


def moment(clock, **span):
    """Move to one microsecond before a moment after the start, then to the moment itself."""
    clock.move_to(START + timedelta(**span) - INSTANT)
    yield
    clock.advance(0.000001)
    yield


class TestExpiry:
    """The libraries were loaded before the clock began."""

    def test_a_cache_with_the_clock_as_a_default_value(self, clock, environment):
        pytest.importorskip("cachetools")
        env = environment("""
            import cachetools, cachetools.func
            reads = []
            @cachetools.cached(cachetools.TTLCache(maxsize=8, ttl=60))
            def read(): reads.append("cached")
            @cachetools.func.ttl_cache(ttl=60)
            def read_too(): reads.append("ttl_cache")
            def handler(event, context): read(); read_too(); return len(reads)
        """)
        assert env.invoke().payload == 2
        seen = [env.invoke().payload for _ in moment(clock, seconds=60)]
        assert seen == [2, 4]

    def test_powertools_parameters(self, clock, environment):
        pytest.importorskip("aws_lambda_powertools")
        env = environment("""
            from aws_lambda_powertools.utilities.parameters import BaseProvider
            fetched = []
            class Provider(BaseProvider):
                def _get(self, name, **options): fetched.append(name); return "value"
                def _get_multiple(self, path, **options): ...
            provider = Provider()
            def handler(event, context): provider.get("name", max_age=60); return len(fetched)
        """)
        assert env.invoke().payload == 1
        # For Powertools, this is the last moment at which the value is valid.
        clock.move_to(START + timedelta(seconds=60))
        assert env.invoke().payload == 1
        clock.advance(0.000001)
        assert env.invoke().payload == 2

    def test_powertools_idempotency(self, clock, environment):
        pytest.importorskip("aws_lambda_powertools")
        moto = pytest.importorskip("moto")
        env = environment("""
            import boto3
            from aws_lambda_powertools.utilities.idempotency import (
                DynamoDBPersistenceLayer, IdempotencyConfig, idempotent)
            boto3.client("dynamodb").create_table(
                TableName="seen", BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
            runs = []
            config = IdempotencyConfig(event_key_jmespath="id", expires_after_seconds=60)
            @idempotent(persistence_store=DynamoDBPersistenceLayer("seen"), config=config)
            def handler(event, context): runs.append(event); return len(runs)
        """)
        with moto.mock_aws():
            assert env.invoke({"id": 1}).payload == 1
            # Powertools compares whole seconds: a record lives for one second longer.
            seen = [env.invoke({"id": 1}).payload for _ in moment(clock, seconds=61)]
            assert seen == [1, 2]

    def test_botocores_refreshable_credentials(self, clock, environment):
        pytest.importorskip("botocore")
        env = environment("""
            import datetime
            from botocore.credentials import RefreshableCredentials
            refreshed = []
            def refresh():
                refreshed.append(datetime.datetime.now(datetime.timezone.utc))
                end = refreshed[-1] + datetime.timedelta(hours=1)
                key = dict(access_key=f"key {len(refreshed)}", secret_key="s", token="t")
                return dict(key, expiry_time=end.isoformat())
            credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "test")
            def handler(event, context): return credentials.get_frozen_credentials().access_key
        """)
        assert env.invoke().payload == "key 1"
        # botocore refreshes when less than 15 minutes remain.
        clock.move_to(START + timedelta(minutes=45))
        assert env.invoke().payload == "key 1"
        clock.advance(0.000001)
        assert env.invoke().payload == "key 2"

    def test_idling_without_a_clock(self, environment):
        pytest.importorskip("cachetools")
        env = environment("""
            import cachetools, time
            from time import monotonic
            early = cachetools.TTLCache(maxsize=8, ttl=60)
            class Own: timer = time.monotonic
            def own(timer=time.monotonic): return timer()
            def handler(event, context):
                return [time.monotonic(), monotonic(), Own.timer(), own(), early.timer()]
        """)
        before = env.invoke().payload
        env.idle(seconds=61)
        # An older object, such as the cache, holds the real clock; only lambda_clock replaces that.
        after = [61 <= now - before[0] < 121 for now in env.invoke().payload]
        assert after == [True, True, True, True, False]
        env.close()


class TestSleeping:
    def test_libraries_that_have_captured_sleep(self, clock, environment):
        standard = pytest.importorskip("botocore.retries.standard")
        env = environment("""
            import sched, time
            from botocore.retries import standard
            def handler(event, context):
                standard.RetryHandler.__init__.__defaults__[-1](1.5)
                scheduler = sched.scheduler()
                scheduler.enter(0.5, 1, lambda: None)
                scheduler.run()
                return time.time()
        """)
        assert env.invoke().payload == START.timestamp() + 2
        assert standard.RetryHandler.__init__.__defaults__[-1] is not Real.sleep
        clock.__exit__(None, None, None)
        assert standard.RetryHandler.__init__.__defaults__[-1] is Real.sleep

    @pytest.mark.parametrize("shift_first", [False, True])
    def test_a_library_imported_under_one_clock_and_used_under_the_next(
        self, tmp_path, monkeypatch, environment, shift_first
    ):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        source = (
            "import time\nfrom time import sleep\n"
            "def nap(sleep=time.sleep): sleep(1)\ndef doze(): sleep(1)\n"
        )
        (folder / "naplib.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        source = "import naplib\ndef handler(event, context): naplib.nap(); naplib.doze()"
        for number in range(3):
            if number == 0 and shift_first:  # a shift replaces other functions than a clock
                importlib.import_module("naplib")
                shifted = environment(source)
                shifted.idle(1)
                shifted.close()
            with LambdaClock(START) as clock:
                environment(source).invoke()
                assert clock.now == START + timedelta(seconds=2)
        naplib = sys.modules.pop("naplib")
        assert naplib.sleep is naplib.nap.__defaults__[0] is time.sleep is Real.sleep

    def test_tables_that_a_library_fills_under_a_clock(self, tmp_path, monkeypatch, environment):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        (folder / "tablelib.py").write_text(
            "import datetime, time\nfrom datetime import date\n"
            "class Writer:\n    writers = {str: 1, datetime.datetime: 2, int: time.time}\n"
            "TYPES = frozenset({datetime.datetime, int})\nORDER = (int, date)\n"
            "LIST, SET = [int, date], {int, date}\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        with LambdaClock(START):
            environment(
                "import tablelib\ndef handler(event, context): return tablelib.TYPES and None"
            ).invoke()
        tablelib = sys.modules.pop("tablelib")
        assert list(tablelib.Writer.writers.items()) == [(str, 1), (datetime, 2), (int, time.time)]
        assert {datetime, int} == tablelib.TYPES
        assert (int, date) == tablelib.ORDER
        assert [int, date] == tablelib.LIST
        assert {int, date} == tablelib.SET

    @pytest.mark.parametrize("loaded", ["before", "under a clock"])
    def test_dates_in_pydantic_models(self, monkeypatch, environment, loaded):
        pydantic = pytest.importorskip("pydantic")
        if loaded == "before":
            pydantic.create_model("Any", at=(datetime, ...))
        else:
            for name in [name for name in sys.modules if name.partition(".")[0] == "pydantic"]:
                monkeypatch.delitem(sys.modules, name)
        source = """
            from datetime import date, datetime
            from pydantic import BaseModel
            class Order(BaseModel):
                at: datetime
                day: date | None
            def handler(event, context):
                return Order(**event).model_dump(mode="json")
        """
        event = {"at": "2030-05-17T12:00:00Z", "day": "2030-05-17"}
        with LambdaClock(START):
            assert environment(source).invoke(event).payload == event
        assert environment(source).invoke(event).payload == event

    @pytest.mark.parametrize(
        "wait",
        [
            "subprocess.run([*CHILD], timeout=9)",
            "subprocess.Popen([*CHILD]).wait(9)",
            "subprocess.run([*CHILD])",
        ],
    )
    def test_children_take_real_time(self, clock, environment, wait):
        env = environment(f"""
            import subprocess, sys
            CHILD = sys.executable, "-c", "import time; time.sleep(0.2)"
            def handler(event, context): {wait}
        """)
        before = Real.stopwatch()
        env.invoke()
        assert Real.stopwatch() - before > 0.2
        assert clock.now == START

    def test_pipes_wait_in_real_time(self, clock, environment):
        env = environment("""
            import multiprocessing.connection
            def handler(event, context):
                one, other = multiprocessing.Pipe()
                return one.poll(0.05), multiprocessing.connection.wait([other], 0.05)
        """)
        before = Real.stopwatch()
        assert env.invoke().payload == [False, []]
        assert Real.stopwatch() - before >= 0.09
        assert clock.now == START

    def test_a_child_that_takes_too_long(self, clock, environment):
        env = environment("""
            import subprocess, sys
            def handler(event, context):
                command = [sys.executable, "-c", "import time; time.sleep(30)"]
                try: subprocess.run(command, timeout=0.1)
                except subprocess.TimeoutExpired: return "expired"
        """)
        assert env.invoke().payload == "expired"
        assert clock.now == START
