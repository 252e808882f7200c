"""The tests of the tutorial, for its first function, which has two bugs."""

import pytest


def test_total(lambda_lifecycle):
    env = lambda_lifecycle("shop.first.handler")
    assert env.invoke({"articles": ["tea"]}).payload == {"total": 4}


@pytest.mark.xfail(raises=AssertionError, strict=True, reason="the first function has this bug")
def test_prices_are_loaded_once(lambda_lifecycle):
    env = lambda_lifecycle("shop.first.handler")
    load = env.spy("shop.prices.load")
    env.invoke({"articles": ["tea"]})
    env.invoke({"articles": ["cup"]})
    assert load.phases == ["init"]


@pytest.mark.xfail(raises=AssertionError, strict=True, reason="the first function has this bug")
def test_each_customer_pays_for_one_order(lambda_lifecycle):
    env = lambda_lifecycle("shop.first.handler")
    cold = env.invoke({"articles": ["tea"]})
    warm = env.invoke({"articles": ["cup"]})
    assert cold.cold_start
    assert not warm.cold_start
    assert (cold.payload, warm.payload) == ({"total": 4}, {"total": 9})
