"""Handlers: function code finds Lambda's one, and those of test tools hear it all the same."""

from __future__ import annotations

import logging

import pytest
from _pytest.logging import LogCaptureHandler, catching_logs

from pytest_lambda_lifecycle.isolation.stage import stage

SHOWS = """
    import logging
    def show():
        names = [type(one).__name__ for one in logging.root.handlers]
        return [names, len(logging._handlerList), logging.root.parent]
    INIT = show()
    def handler(event, context):
        logging.warning("heard")
        return [INIT, show()]
"""
SEEN = [["LambdaLoggerHandler"], 2, None]
"""The other handler is that of `logging.lastResort`."""


@pytest.fixture
def make(lambda_lifecycle, write, tmp_path):
    """Make an environment from the source of its module."""

    def make(source, **settings):
        write("app.py", source)
        return lambda_lifecycle("app.handler", code_dir=tmp_path / "task", **settings)

    return make


def test_function_code_finds_the_handler_of_lambda_alone(make, caplog):
    env = make(SHOWS)
    assert env.invoke().payload == [SEEN, SEEN]
    stage.leave()
    assert env.invoke().payload == [SEEN, SEEN]
    env.reset()
    assert env.invoke().payload == [SEEN, SEEN]
    assert caplog.messages == ["heard"] * 3


def test_the_same_with_each_handler_of_pytest(pytester):
    pytester.makepyfile(
        app=SHOWS,
        test_it=f"""
            import logging
            def test_it(lambda_lifecycle, caplog):
                assert lambda_lifecycle("app.handler").invoke().payload == {[SEEN, SEEN]}
                logging.warning("of the test")
                assert caplog.messages == ["heard", "of the test"]
                assert False, "show the log"
            def test_after(): logging.warning("of a later test")
        """,
    )
    result = pytester.runpytest_subprocess(
        "-p", "no:randomly", "--log-cli-level=INFO", "--log-file=log.txt"
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["WARNING *heard", "*Captured log call*", "WARNING *of the test"])
    text = (pytester.path / "log.txt").read_text()
    assert [text.count(word) for word in ("heard", "of the test", "of a later test")] == [1, 1, 1]


SET_UPS = [
    "for one in root.handlers: root.removeHandler(one)",
    "root.handlers.pop()",
    "root.handlers.clear()",
    "root.handlers = []",
    "del root.handlers[:]",
    "root.removeHandler(root.handlers[0])",
    "[one] = root.handlers; one.setFormatter(logging.Formatter(FORMAT + '\\n')); root.setLevel(20)",
    "logging.basicConfig(force=True, format=FORMAT, level=20)",
    "logging.shutdown(); root.handlers = []",
    "dictConfig({'version': 1, 'formatters': {'f': {'format': FORMAT}}, 'handlers': {'h': {'class':"
    " 'logging.StreamHandler', 'formatter': 'f'}}, 'root': {'handlers': ['h'], 'level': 'INFO'}})",
]


@pytest.mark.parametrize("set_up", SET_UPS)
def test_logging_that_function_code_sets_up_anew(make, caplog, set_up):
    env = make(f"""
        import logging
        from logging.config import dictConfig
        FORMAT = "%(levelname)s|%(message)s"
        root = logging.getLogger()
        {set_up}
        logging.basicConfig(format=FORMAT, level=logging.INFO)
        def handler(event, context): logging.info("hello")
    """)
    env.invoke()
    assert env.log.count("INFO|hello") == 1
    assert caplog.messages == ["hello"]
    env.close()
    logging.warning("of the test")
    assert caplog.messages == ["hello", "of the test"]


def test_a_log_file_of_pytest_stays_open(pytester):
    pytester.makepyfile(
        app="""
            import logging, logging.config
            logging.config.dictConfig({"version": 1})
            def handler(event, context): logging.warning("of the function")
        """,
        test_it="""
            import logging
            def test_it(lambda_lifecycle): lambda_lifecycle("app.handler").invoke()
            def test_after(): logging.warning("of a later test")
        """,
    )
    pytester.runpytest_subprocess("-p", "no:randomly", "--log-file=log.txt")
    text = (pytester.path / "log.txt").read_text()
    assert "of the function" in text
    assert "of a later test" in text


def test_without_a_handler_the_last_resort_writes(make, caplog):
    env = make("""
        import logging
        logging.root.handlers.clear()
        def handler(event, context):
            logging.getLogger("svc").warning("the last resort")
            return logging.getLogger("svc").hasHandlers()
    """)
    assert env.invoke().payload is False
    assert "the last resort" in env.log
    assert caplog.messages == ["the last resort"]


@pytest.mark.parametrize(
    "set_up",
    ["setLevel('ERROR')", "addFilter(lambda record: False)"],
)
@pytest.mark.parametrize(
    "call",
    [
        "logging.warning('%d', 'x')",
        "logging.root.handle(logging.makeLogRecord({'levelno': 30, 'msg': '%d', 'args': ['x']}))",
        "logging.root.handle(logging.makeLogRecord({'levelno': 30, 'lineno': None}))",
    ],
)
def test_a_handler_of_a_tool_raises_nothing_into_function_code(make, caplog, set_up, call):
    env = make(f"""
        import logging, threading
        logging.root.handlers[0].{set_up}
        def handler(event, context):
            {call}
            return 1
    """)
    assert env.invoke().payload == 1
    with pytest.raises(TypeError, match="not all arguments|real number"):
        logging.getLogger("of.the.test").error("%d", "x")


def test_a_library_may_wrap_the_calls_of_handlers_in_init(make, caplog):
    real = logging.Logger.callHandlers
    env = make("""
        import logging
        wrapped, heard = logging.Logger.callHandlers, []
        def callHandlers(self, record):
            wrapped(self, record)
            heard.append(record.getMessage())
        logging.Logger.callHandlers = callHandlers
        def handler(event, context):
            logging.warning("heard")
            return heard
    """)
    env.invoke()
    stage.leave()
    assert logging.Logger.callHandlers is real
    assert env.invoke().payload == caplog.messages == ["heard"] * 2
    env.close()
    assert logging.Logger.callHandlers is real


def test_a_handler_that_a_tool_adds_and_removes_between_phases(make):
    env = make(SHOWS)
    env.invoke()
    with catching_logs(LogCaptureHandler(), level=logging.INFO) as handler:
        assert env.invoke().payload[1][0] == ["LambdaLoggerHandler"]
        env.reset()
        env.invoke()
        assert len(handler.records) == 2
    env.invoke()
    assert len(handler.records) == 2
    assert handler not in logging.root.handlers
    env.close()
    assert handler not in logging.root.handlers


def test_a_handler_that_the_test_removes_between_phases(make, caplog):
    env = make(SHOWS)
    env.invoke()
    caplog.clear()
    logging.root.removeHandler(caplog.handler)
    env.invoke()
    env.close()
    logging.warning("of the test")
    assert caplog.messages == []
