"""Loggers, their handlers and their levels."""

from __future__ import annotations

import logging

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
