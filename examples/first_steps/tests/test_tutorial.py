"""The tests of the tutorial, for the finished function."""

import pytest

from pytest_lambda_lifecycle import FunctionTimeout


def test_total(lambda_lifecycle):
    env = lambda_lifecycle("shop.app.handler")
    assert env.invoke({"articles": ["tea"]}).payload == {"total": 4}


def test_prices_are_loaded_once(lambda_lifecycle):
    env = lambda_lifecycle("shop.app.handler")
    load = env.spy("shop.prices.load")
    env.invoke({"articles": ["tea"]})
    env.invoke({"articles": ["cup"]})
    assert load.phases == ["init"]


def test_each_customer_pays_for_one_order(lambda_lifecycle):
    env = lambda_lifecycle("shop.app.handler")
    cold = env.invoke({"articles": ["tea"]})
    warm = env.invoke({"articles": ["cup"]})
    assert cold.cold_start
    assert not warm.cold_start
    assert (cold.payload, warm.payload) == ({"total": 4}, {"total": 9})


def test_it_is_cut_at_the_timeout(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("shop.app.handler", timeout=3)
    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
        env.invoke({"articles": [], "seconds": 10})
    assert env.invoke({"articles": ["tea"]}).cold_start


def test_it_flushes_at_the_end(lambda_lifecycle):
    env = lambda_lifecycle("shop.app.handler", runtime="python3.13")
    env.extension("monitor")
    env.invoke({"articles": ["tea"]})
    end = env.shutdown()
    assert end.signals == ["SIGTERM"]
    assert end.log == "flushed\n"
    assert env.phases == ["init", "invoke", "shutdown"]
