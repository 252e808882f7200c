"""Levels of loggers that a test asks for ahead of an invoke, whether it is cold or warm."""

from __future__ import annotations

import logging
import sys
import unittest

import pytest

from pytest_lambda_lifecycle import LogLevelOfTest
from pytest_lambda_lifecycle.isolation import log_levels, log_listeners

LOGS = """
    import logging
    log = logging.getLogger("svc")
    INIT = [log.level, logging.root.level]
    def handler(event, context):
        log.info("an info line")
        log.warning("a warning")
        return [INIT, [log.level, logging.root.level]]
"""
SETS = """
    import logging
    log = logging.getLogger("svc")
    log.setLevel("INFO")
    logging.root.setLevel("INFO")
    def handler(event, context):
        log.debug("a debug line")
        log.info("an info line")
        return [log.level, logging.root.level]
"""
LINES = ["an info line", "a warning"]


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    assert not log_listeners._CARRIED
    assert (logging.getLogger("svc").level, logging.root.level) == (0, 30)
    logging.Logger.manager.loggerDict.pop("svc")


@pytest.fixture
def make(lambda_lifecycle, write, tmp_path, nothing_stays):
    """Make an environment from the source of its module."""

    def make(source=LOGS, **settings):
        write("app.py", source)
        return lambda_lifecycle("app.handler", code_dir=tmp_path / "task", **settings)

    return make


def held(env):
    return [(event.level, event.instead_of) for event in env.timeline.of(LogLevelOfTest)]


def test_a_level_of_the_root_logger_holds_and_the_timeline_says_so(make, caplog):
    env = make()
    caplog.set_level("INFO")
    assert env.invoke().payload == [[0, 20], [0, 20]]
    assert caplog.messages == LINES
    assert held(env) == [("INFO", "WARNING")]
    assert "log level INFO: the test has set it (on Lambda: WARNING)" in str(env.timeline)


def test_a_level_of_a_named_logger_holds(make, caplog):
    env = make()
    caplog.set_level("INFO", "svc")
    assert env.invoke().payload == [[20, 30], [20, 30]]
    assert caplog.messages == LINES
    assert held(env) == []


def test_the_level_of_the_setting_gives_way_to_the_test(make, caplog):
    env = make(application_log_level="ERROR")
    caplog.set_level("INFO")
    assert env.invoke().payload[1] == [0, 20]
    assert held(env) == [("INFO", "ERROR")]


@pytest.mark.parametrize("logger", [None, "svc"])
def test_a_level_ends_with_its_block(make, caplog, logger):
    env = make()
    with caplog.at_level("INFO", logger):
        env.invoke()
    assert env.invoke().payload[1] == [0, 30]
    assert caplog.messages == [*LINES, "a warning"]


@pytest.mark.parametrize("logger", [None, "svc"])
def test_a_level_that_has_ended_does_not_hold(make, caplog, logger):
    env = make()
    with caplog.at_level("INFO", logger):
        pass
    assert env.invoke().payload == [[0, 30], [0, 30]]
    assert held(env) == []


@pytest.mark.parametrize("logger", [None, "svc"])
@pytest.mark.parametrize("before", [True, False])
def test_a_level_holds_in_the_init_after_a_reset(make, caplog, logger, before):
    env = make()
    env.invoke()
    with caplog.at_level("INFO", logger):
        if before:
            env.reset()
            env.invoke()
            assert "an info line" in caplog.text
    if not before:
        env.reset()
        with caplog.at_level("INFO", logger):
            env.invoke()
            assert "an info line" in caplog.text
    assert env.invoke().payload[1] == [0, 30]


def test_a_lower_level_holds_where_the_function_sets_one_in_init(make, caplog):
    env = make(SETS)
    with caplog.at_level("DEBUG", "svc"), caplog.at_level("DEBUG"):
        assert env.invoke().payload == [10, 10]
        assert "a debug line" in caplog.messages
    assert env.invoke().payload == [20, 20]


def test_a_higher_level_takes_nothing_out_of_the_log(make, caplog):
    env = make(SETS)
    caplog.set_level("ERROR", "svc")
    caplog.set_level("ERROR")
    assert env.invoke().payload == [20, 20]
    assert "an info line" in env.log
    assert caplog.messages == []


def test_a_level_acts_on_each_environment_of_the_test(make, caplog):
    first, second = make(), make()
    first.invoke()
    second.invoke()
    with caplog.at_level("INFO"):
        assert first.invoke().payload[1] == [0, 20]
        assert second.invoke().payload[1] == [0, 20]
    assert first.invoke().payload[1] == second.invoke().payload[1] == [0, 30]


def test_a_level_of_the_test_itself_holds(make):
    logging.getLogger("svc").setLevel("INFO")
    env = make()
    try:
        assert env.invoke().payload[0] == [20, 30]
    finally:
        logging.getLogger("svc").setLevel("NOTSET")
    assert env.invoke().payload[1] == [0, 30]


def test_a_level_of_the_tests_copy_of_the_function_does_not(make, monkeypatch, tmp_path):
    env = make(
        """
        import logging, os
        logging.getLogger("svc").setLevel(os.environ.get("LEVEL", "DEBUG"))
        def handler(event, context): return logging.getLogger("svc").level
    """,
        environment={"LEVEL": "ERROR"},
    )
    monkeypatch.syspath_prepend(str(tmp_path / "task"))
    __import__("app")
    try:
        assert env.invoke().payload == logging.ERROR
    finally:
        env.close()
        del sys.modules["app"]
        logging.getLogger("svc").setLevel("NOTSET")


class TestAssertLogs(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _make(self, make):
        self.env, self.other = make(), make()

    def check_that_it_has_ended(self):
        for env in {self.env, self.other}:
            assert env.invoke().payload[1] == [0, 30]
            env.close()
        assert {type(one).__module__ for one in logging.root.handlers} <= {"_pytest.logging"}
        assert logging.getLogger("svc").propagate
        assert logging.getLogger("svc").handlers == []

    def test_of_the_root_logger_around_a_cold_invoke(self):
        with self.assertLogs(level="INFO") as logs:
            self.env.invoke()
        assert logs.output == ["INFO:svc:an info line", "WARNING:svc:a warning"]
        assert self.env.log.count("an info line") == 1
        self.check_that_it_has_ended()

    def test_of_a_logger_around_a_cold_and_a_warm_invoke(self):
        for _ in range(2):
            with self.assertLogs("svc", "INFO") as logs:
                self.env.invoke()
            assert logs.output == ["INFO:svc:an info line", "WARNING:svc:a warning"]
        self.check_that_it_has_ended()

    def test_inside_one_of_the_root_logger(self):
        self.env.invoke()
        with self.assertLogs() as outer, self.assertLogs("svc") as inner:
            self.env.invoke()
            logging.error("an error of the test")
        assert outer.output == ["ERROR:root:an error of the test"]
        assert inner.output == ["INFO:svc:an info line", "WARNING:svc:a warning"]
        self.check_that_it_has_ended()

    def test_around_a_reset(self):
        self.env.invoke()
        with self.assertLogs("svc") as logs:
            self.env.invoke()
            self.env.reset()
            self.env.invoke()
        assert len(logs.output) == 4
        self.check_that_it_has_ended()

    def test_around_two_environments(self):
        self.env.invoke()
        self.other.invoke()
        for logger in ("svc", None):
            with self.assertLogs(logger) as logs:
                self.env.invoke()
                self.other.invoke()
                self.env.invoke()
            assert len(logs.output) == 6
            assert self.env.invoke().payload[1] == [0, 30]
        self.check_that_it_has_ended()

    def test_that_goes_on_after_the_environment(self):
        self.env.invoke()
        with self.assertLogs(level="INFO") as logs:
            self.env.close()
            logging.info("of the test")
        assert logs.output == ["INFO:root:of the test"]
        self.env = self.other
        self.check_that_it_has_ended()

    def test_of_no_logs(self):
        with self.assertNoLogs("svc", "ERROR"):
            self.env.invoke()
        self.check_that_it_has_ended()


SESSION = """
    import logging, pytest
    @pytest.fixture(scope="session")
    def env(session_lambda_lifecycle): return session_lambda_lifecycle("app.handler")
    @pytest.fixture
    def verbose(caplog): caplog.set_level("INFO", "svc")
    def test_of_both(env, caplog):
        caplog.set_level("INFO", "svc"); caplog.set_level("INFO")
        assert env.invoke().payload[1] == [20, 20]
    def test_of_none(env): assert env.invoke().payload[1] == [0, 30]
    def test_of_the_root(env, caplog):
        caplog.set_level("INFO")
        assert env.invoke().payload[1] == [0, 20]
        env.reset()
        assert env.invoke().payload == [[0, 20], [0, 20]]
    def test_of_none_after_a_reset(env): assert env.invoke().payload[1] == [0, 30]
    def test_of_a_fixture(verbose, env): assert env.invoke().payload[1] == [20, 30]
    def test_of_a_reset(env):
        env.reset()
        assert env.invoke().payload == [[0, 30], [0, 30]]
    def test_without_the_session(lambda_lifecycle):
        assert lambda_lifecycle("app.handler").invoke().payload[1] == [0, 30]
    def test_of_the_test_alone(caplog):
        assert (logging.root.level, logging.getLogger("svc").level) == ({level}, 0)
"""


@pytest.mark.parametrize(
    ("option", "level"),
    [
        ("--log-level=WARNING", 30),
        ("--log-level=INFO", 20),
        ("--log-cli-level=INFO", 20),
        ("--log-file-level=INFO", 20),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_level_holds_for_one_test_whatever_level_pytest_has(pytester, option, level, reverse):
    pytester.makepyfile(app=LOGS, test_it=SESSION.replace("{level}", str(level)))
    pytester.makeconftest(
        f"def pytest_collection_modifyitems(items): items[:] = items[::{-1 if reverse else 1}]"
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", option)
    result.assert_outcomes(passed=8)


def test_the_watch_for_levels_ends_with_the_test(pytester):
    pytester.makepyfile(
        app=LOGS,
        test_it="""
            import logging
            SET_LEVEL = logging.Logger.setLevel
            def test_it(lambda_lifecycle):
                assert logging.Logger.setLevel is not SET_LEVEL
                lambda_lifecycle("app.handler").invoke()
            def test_after(): assert logging.Logger.setLevel is SET_LEVEL
        """,
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)
    assert not log_levels._ASKED
