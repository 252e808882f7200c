"""Loggers, their handlers and their levels."""

from __future__ import annotations

import logging
import sys

from pytest_lambda_lifecycle.isolation.stage import stage


def test_the_handler_of_lambda_is_first_and_the_level_is_warning(environment, caplog):
    caplog.set_level(logging.DEBUG)
    env = environment("""
        import logging
        FIRST = type(logging.root.handlers[0]).__name__
        logging.basicConfig(level="DEBUG")  # a no-op: root has a handler
        def handler(event, context): return [FIRST, logging.root.level]
    """)
    assert env.invoke().payload == ["LambdaLoggerHandler", logging.WARNING]
    env.close()
    assert logging.root.level == logging.DEBUG


def test_caplog_set_level_between_phases_acts(environment, caplog):
    env = environment("import logging\ndef handler(event, context): logging.info('quiet')")
    env.invoke()
    assert caplog.messages == []
    with caplog.at_level(logging.INFO):
        env.invoke()
    assert caplog.messages == ["quiet"]


def test_loggers_of_a_closed_environment_are_removed(environment):
    env = environment(
        "import logging\nlogging.getLogger('svc').init = 1\ndef handler(event, context): ..."
    )
    env.invoke()
    env.close()
    assert "svc" not in logging.root.manager.loggerDict


def test_loggers_that_the_test_has_set_up(environment, outside):
    logging.getLogger("orders-service").init = True
    logging.getLogger("orders-service").addHandler(logging.StreamHandler())
    try:
        env = environment("""
            import logging
            logger = logging.getLogger("orders-service")
            def handler(event, context): return [hasattr(logger, "init"), len(logger.handlers)]
        """)
        assert env.invoke().payload == [False, 0]
        env.close()
        assert logging.getLogger("orders-service").init
    finally:
        del logging.root.manager.loggerDict["orders-service"]


def test_the_level_of_the_root_logger_between_phases(environment, caplog, monkeypatch):
    # As pytest does for its setting log_level.
    monkeypatch.setattr(logging.root, "level", logging.INFO)
    env = environment("def handler(event, context): pass")
    env.invoke()
    logging.getLogger("of.the.test").info("lost")
    caplog.set_level(logging.INFO)
    logging.getLogger("of.the.test").info("kept")
    stage.leave()
    assert [record.message for record in caplog.records] == ["kept"]


LIBRARY = "import logging\nlogger = logging.getLogger(__name__)\n"


def test_a_logger_that_a_library_has_made_in_an_environment_stays_with_the_library(
    environment, tmp_path, monkeypatch
):
    """A level that a later function sets by name acts on the logger that the library holds."""
    (tmp_path / "library_of_loggers.py").write_text(LIBRARY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(logging.root.manager.loggerDict, "library_of_loggers", None)
    monkeypatch.delitem(logging.root.manager.loggerDict, "library_of_loggers")
    source = """
        import logging, library_of_loggers
        named = logging.getLogger("library_of_loggers")
        LEVEL = named.level
        ENABLED = library_of_loggers.logger.isEnabledFor(logging.DEBUG)
        named.setLevel({level!r})
        def handler(event, context):
            held = library_of_loggers.logger
            return [LEVEL, ENABLED, held is named, held.isEnabledFor(logging.DEBUG)]
    """
    try:
        for level, enabled in (("ERROR", False), ("DEBUG", True), ("INFO", False)):
            env = environment(source.format(level=level))
            assert env.invoke().payload == [logging.NOTSET, False, True, enabled]
            env.close()
    finally:
        sys.modules.pop("library_of_loggers", None)


def test_each_process_says_once_that_a_logger_has_no_handler(environment):
    source = """
        import logging
        def handler(event, context):
            logging.root.handlers.clear()
            logging.lastResort = None
            logging.getLogger("lonely").error("lost")
    """
    for _ in range(2):
        env = environment(source)
        env.invoke()
        env.invoke()
        assert env.log.count('No handlers could be found for logger "lonely"') == 1
        env.close()
