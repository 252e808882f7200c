"""Levels of loggers that a test sets, such as with `caplog`, do not reach a later test."""

from __future__ import annotations

import pytest

FUNCTION = """
    import logging
    logging.getLogger("named").setLevel("ERROR")
    logging.root.setLevel("INFO")
    def handler(event, context):
        logging.debug("quiet")
        return [logging.root.level, logging.getLogger("named").level]
"""


CONFTEST = """
    import logging, pytest
    SET_LEVEL = logging.Logger.setLevel
    @pytest.fixture
    def env(lambda_lifecycle): return lambda_lifecycle("app.handler")
    @pytest.fixture(scope="session")
    def shared(session_lambda_lifecycle): return session_lambda_lifecycle("app.handler")
    @pytest.fixture(autouse=True, scope="session")
    def late():
        before = logging.root.level, logging.getLogger("named").level
        yield
        assert before == (logging.root.level, logging.getLogger("named").level)
    def pytest_runtest_logfinish():
        levels = logging.root.level, logging.getLogger("named").level
        watched = logging.Logger.setLevel is not SET_LEVEL
        if levels != (30, 0) or watched: print("LEAK", *levels)
"""


@pytest.mark.parametrize(
    "test",
    [
        "(env, caplog):\n    with caplog.at_level('DEBUG'): env.invoke({})",
        "(env, caplog):\n    with caplog.at_level('DEBUG', 'named'): env.invoke({})",
        "(env, caplog):\n    caplog.set_level('DEBUG'); env.invoke({})",
        "(caplog, env):\n    caplog.set_level('DEBUG'); "
        "caplog.set_level('DEBUG', 'named'); env.invoke({})",
        "(caplog, env):\n    env.invoke({}); caplog.set_level('DEBUG'); env.invoke({})\n"
        "    assert caplog.messages == ['quiet']",
        "(env, caplog):\n    env.invoke({}); caplog.set_level('DEBUG'); "
        "caplog.set_level('DEBUG', 'named')\n"
        "    assert env.invoke({}).payload == [10, 10]",
        "(caplog, env):\n    env.invoke({}); caplog.set_level('DEBUG'); env.close()\n"
        "    assert logging.root.level == 10",
        "(env, caplog):\n    env.invoke({})\n    with caplog.at_level('DEBUG'): env.invoke({})\n"
        "    assert env.invoke({}).payload == [20, 40]",
        "(env, caplog, monkeypatch):\n    env.invoke({}); caplog.set_level('DEBUG'); "
        "env.reset(); env.invoke({})",
        "(shared, caplog):\n    caplog.set_level('DEBUG'); shared.invoke({}); "
        "caplog.set_level('DEBUG')\n"
        "    assert shared.invoke({}).payload == [10, 40]",
        "(shared, deep):\n    assert shared.invoke({}).payload == [10, 40]",
        "(shared, caplog):\n    assert shared.invoke({}).payload == [20, 40]",
    ],
)
def test_levels_do_not_reach_a_later_test(pytester, test):
    pytester.makepyfile(app=FUNCTION)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        "import logging, pytest\n"
        "@pytest.fixture\n"
        "def deep(shared, caplog): shared.invoke({}); caplog.set_level('DEBUG')\n"
        f"def test_first{test}\n"
        "def test_second():\n"
        "    assert (logging.root.level, logging.getLogger('named').level) == (30, 0)\n"
        "def test_third(shared): assert shared.invoke({}).payload == [20, 40]\n"
    )
    result = pytester.runpytest_subprocess("-q", "-s", "-p", "no:randomly")
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*LEAK*")
