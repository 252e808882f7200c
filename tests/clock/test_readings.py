"""What functions and classes of time give under a clock, and after idling in real time."""

from __future__ import annotations

import importlib
import sys
import textwrap
import time
from datetime import date, datetime, timedelta, timezone
from types import ModuleType

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import LambdaClock, LifecycleError

START = datetime(2030, 7, 17, 12, 0, 0, 250_000, tzinfo=timezone.utc)


@pytest.fixture
def clock():
    with LambdaClock(START) as clock:
        yield clock


class TestFunctions:
    AGREE = """
        import time
        def handler(event, context):
            real, monotonic = time.CLOCK_REALTIME, time.CLOCK_MONOTONIC
            pairs = {
                "ctime": (time.ctime(), time.ctime(time.time())),
                "ctime of None": (time.ctime(None), time.ctime(time.time())),
                "asctime": (time.asctime(), time.asctime(time.gmtime(time.time()))),
                "clock_gettime": (time.clock_gettime(real), time.time()),
                "clock_gettime_ns": (time.clock_gettime_ns(real), time.time_ns()),
                "the monotonic clock": (time.clock_gettime(monotonic), time.monotonic()),
                "perf_counter": (time.perf_counter(), time.monotonic()),
                "the zone": (time.strftime("%Z"), "UTC"),
                "gmtime": (time.gmtime(None), time.gmtime(time.time())),
            }
            return [name for name, (one, other) in pairs.items() if one != other]
    """

    def test_all_agree_with_time_time(self, clock, environment):
        env = environment(self.AGREE)
        assert env.invoke().payload == []
        clock.advance(3600)
        assert env.invoke().payload == []

    def test_they_agree_in_the_test(self, clock):
        assert time.ctime() == time.ctime(time.time())
        assert time.clock_gettime(time.CLOCK_REALTIME) == time.time() == START.timestamp()

    def test_local_time_has_its_zone(self, clock, environment):
        env = environment(
            "import time\n"
            "from datetime import datetime\n"
            "def handler(event, context): return [time.localtime().tm_hour, datetime.now().hour]",
            environment={"TZ": "Europe/Berlin"},
        )
        assert env.invoke().payload == [14, 14]  # in summer

    def test_the_monotonic_clock_goes_on(self, environment):
        before = time.monotonic()
        with LambdaClock(START):
            assert 0 <= time.monotonic() - before < 60

    def test_two_environments_that_log_by_turns(self, clock, environment, write):
        source = "import logging\ndef handler(event, context): logging.warning('a line')"
        write("other.py", source)
        one, two = environment(source), environment(handler="other.handler", log_format="JSON")
        for env in (one, two, one, two):
            env.invoke()
        assert "a line" in one.invocations[-1].log
        one.close()
        two.invoke()


class TestDates:
    MAKE = """
        import datetime, xmlrpc.client
        from datetime import date, datetime as moment, timezone
        class Own(moment): pass
        def handler(event, context):
            values = [
                moment.now(), moment.now(timezone.utc), moment.utcnow(), moment.today(),
                datetime.datetime.fromtimestamp(0), moment(2030, 1, 1), date.today(), Own.now(),
            ]
            xmlrpc.client.dumps((moment.now(),))
            return [type(value).__name__ for value in values]
    """
    NAMES = (*["datetime"] * 6, "date", "Own")
    pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

    def test_values_are_of_the_real_classes(self, clock, environment):
        assert tuple(environment(self.MAKE).invoke().payload) == self.NAMES
        assert type(datetime.now()) is datetime
        assert type(date.today()) is date
        assert datetime.now(timezone.utc) == START

    def test_after_idling_without_a_clock(self, environment):
        env = environment(self.MAKE)
        env.invoke()
        env.idle(minutes=5)
        assert tuple(env.invoke().payload) == self.NAMES
        env.close()

    def test_inside_a_freeze_of_the_test(self, environment):
        with freeze_time("2021-05-05"):
            env = environment(self.MAKE)
            assert tuple(env.invoke().payload) == self.NAMES

    def test_a_freeze_that_ticks_inside(self, clock, environment):
        with freeze_time("2021-05-05", tick=True):
            assert datetime.now(timezone.utc) == datetime(2021, 5, 5, tzinfo=timezone.utc)
            environment("import time\ndef handler(event, context): time.sleep(2)").invoke()
            assert datetime.now(timezone.utc).second == 2

    def test_the_methods_are_restored(self):
        before = vars(datetime)["now"], vars(datetime)["utcnow"]
        with LambdaClock(START):
            assert vars(datetime)["now"] is not before[0]
        assert (vars(datetime)["now"], vars(datetime)["utcnow"]) == before
        assert abs(datetime.now().timestamp() - time.time()) < 60


class TestImports:
    """A library that is first imported under a clock, or in a freeze, meets the real classes."""

    LIBRARY = """
        import datetime, time
        from datetime import date, datetime as moment
        class Meta(type): pass
        class Base(metaclass=Meta): pass
        class Dated(date, Base): pass
        assert date.__flags__ & (1 << 9) == 0, "a class made in Python would end the process"
        clocks = [time.time]
        def read(): return moment.now().year, clocks[0](), time.time()
    """

    @pytest.fixture
    def library(self, tmp_path, monkeypatch, write):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        (folder / "datedlib.py").write_text(textwrap.dedent(self.LIBRARY))
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "datedlib", raising=False)
        return "import datedlib\ndef handler(event, context): return list(datedlib.read())"

    def test_under_a_clock(self, library, environment):
        with LambdaClock(START) as clock:
            payload = environment(library).invoke().payload
            assert payload == [2030, START.timestamp(), START.timestamp()]
            clock.advance(days=1)
        found = sys.modules.pop("datedlib")
        assert isinstance(found, ModuleType)
        assert found.clocks == [time.time]
        assert found.read()[0] == datetime.now().year

    def test_in_a_freeze_of_the_test(self, library, environment):
        with freeze_time("2021-05-05"):
            assert environment(library).invoke().payload[0] == 2021
        found = sys.modules.pop("datedlib")
        assert found.moment is datetime

    def test_a_library_that_freezegun_has_loaded_inside_its_freeze(
        self, tmp_path, monkeypatch, environment, write
    ):
        """To begin, it reads all names, and so imports what a package imports at first use."""
        package = tmp_path / "site-packages" / "lazylib"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(
            "import importlib\n"
            "def __dir__(): return ['tables']\n"
            "def __getattr__(name): return importlib.import_module('lazylib.' + name)"
        )
        (package / "tables.py").write_text(
            "import datetime\n"
            "NAMES = {datetime.datetime: 'moment', datetime.date: 'day'}\n"
            "class Known:\n"
            "    several = [datetime.date, int]\n"
            "    kinds = datetime.datetime, datetime.date\n"
        )
        monkeypatch.syspath_prepend(str(package.parent))
        importlib.import_module("lazylib")
        source = """
            import datetime, lazylib
            def handler(event, context):
                tables = lazylib.tables
                classes = datetime.datetime, datetime.date
                held = [cls in tables.Known.kinds for cls in classes]
                held.append(datetime.date in tables.Known.several)
                return [*map(tables.NAMES.get, classes), *held]
        """
        with freeze_time("2020-01-01"):
            assert "lazylib.tables" in sys.modules
            env = environment(source)
            assert env.invoke().payload == ["moment", "day", True, True, True]
            fake = datetime.now().__class__
            assert sys.modules["lazylib.tables"].NAMES[fake] == "moment"  # as the test needs it
        assert env.invoke().payload == ["moment", "day", True, True, True]
        del sys.modules["lazylib"], sys.modules["lazylib.tables"]

    def test_models_with_dates_inside_a_freeze(self, environment):
        pytest.importorskip("pydantic")
        source = """
            from datetime import datetime
            from pydantic import BaseModel
            class Order(BaseModel):
                placed: datetime
            def handler(event, context): return Order(**event).placed.year
        """
        with freeze_time("2020-01-01"):
            assert environment(source).invoke({"placed": "2020-01-01T00:00:00"}).payload == 2020


class TestMoving:
    def test_text_days_and_repr(self, clock):
        clock.advance(days=1, hours=1)
        assert clock.now == START + timedelta(days=1, hours=1)
        clock.move_to("2031-01-01T00:00:00Z")
        assert clock.now == datetime(2031, 1, 1, tzinfo=timezone.utc)
        assert repr(clock) == "<LambdaClock, now 2031-01-01T00:00:00+00:00>"
        assert repr(LambdaClock()) == "<LambdaClock, not started>"

    @pytest.mark.parametrize("text", ["2031-01-01T00:00:00", "soon", ""])
    def test_text_that_is_refused(self, clock, text):
        with pytest.raises(LifecycleError, match="give an aware datetime, .* or text such as"):
            clock.move_to(text)


def test_other_values_of_modules_stay(environment):
    """Names are looked up by identity, and some functions have no stand-in of freezegun's."""
    env = environment("""
        other, table = None, {}
        class Held: value = None
        def read(one=None, *, two=None): return [other, one, two, Held.value, table]
        def handler(event, context): return read()
    """)
    stays = [None, None, None, None, {}]
    assert env.invoke().payload == stays
    other = environment("def handler(event, context): pass")
    other.invoke()
    assert env.invoke().payload == stays
    with freeze_time("2021-05-05"):
        other.invoke()
        assert env.invoke().payload == stays
    with LambdaClock(START):
        one = environment("def handler(event, context, one=None): return one")
        one.invoke()
        environment("def handler(event, context): pass").invoke()
        assert one.invoke().payload is None
