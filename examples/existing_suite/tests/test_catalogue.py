"""The suite as it was: it imports the handler at its top and calls it as a plain function."""

from unittest import mock

import pytest
from catalogue import app
from catalogue.app import handler, price


@pytest.mark.parametrize(("currency", "expected"), [("EUR", 8.0), ("USD", 10.0)])
def test_price(currency, expected):
    assert price(8, currency) == expected


def test_handler():
    assert handler({"amount": 8, "currency": "USD"}, None)["price"] == 10.0


@mock.patch.dict("catalogue.app.RATES", {"GBP": 0.5})
def test_new_currency():
    assert handler({"amount": 8, "currency": "GBP"}, None)["price"] == 4.0


# Added: the fixture, and nothing else.


def test_rates_are_loaded_once(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    load = env.spy("catalogue.rates.load")

    env.invoke({"amount": 8, "currency": "USD"})
    env.invoke({"amount": 8, "currency": "EUR"})

    assert load.phases == ["init"]
    env.assert_reused("catalogue.app.RATES")


def test_state_starts_empty_in_every_environment(lambda_lifecycle):
    # The tests above have filled app.seen of this file; the environment has its own copy.
    env = lambda_lifecycle("catalogue.app.handler")

    assert env.invoke({"amount": 8, "currency": "USD"}).payload["requests"] == 1
    assert env.invoke({"amount": 8, "currency": "USD"}).payload["requests"] == 2


def test_patches_between_invokes_reach_the_environment(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    env.initialize()

    with mock.patch("catalogue.app.RATES", {"USD": 2.0}):
        assert env.invoke({"amount": 8, "currency": "USD"}).payload["price"] == 16.0
    assert env.invoke({"amount": 8, "currency": "USD"}).payload["price"] == 10.0


def test_this_file_keeps_its_own_copy(lambda_lifecycle):
    before = list(app.seen)

    env = lambda_lifecycle("catalogue.app.handler")
    env.invoke({"amount": 8, "currency": "USD"})

    assert env.module is not app
    assert app.seen == before
    assert app.handler is handler
