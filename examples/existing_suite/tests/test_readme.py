"""Snippets of the project's README and of `docs/migration.md`, word for word."""

from unittest import mock

import pytest

from pytest_lambda_lifecycle import FunctionError


def test_uses_the_new_rates(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    env.initialize()  # Init alone: imports the code
    with mock.patch("catalogue.app.RATES", {"USD": 2.0}):
        assert env.invoke({"amount": 8, "currency": "USD"}).payload["price"] == 16.0


def test_handler_in_an_environment(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    assert env.invoke({"amount": 8, "currency": "USD"}).payload["price"] == 10.0


def test_unknown_currency(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    with pytest.raises(FunctionError, match="KeyError: 'XYZ'") as caught:
        env.invoke({"amount": 8, "currency": "XYZ"})
    assert isinstance(caught.value.__cause__, KeyError)


def test_rates_that_init_loads(lambda_lifecycle):
    env = lambda_lifecycle("catalogue.app.handler")
    env.patch("catalogue.rates.load", lambda: {"USD": 2.0})
    assert env.invoke({"amount": 8, "currency": "USD"}).payload["price"] == 16.0


@pytest.fixture(scope="module")
def catalogue(module_lambda_lifecycle):
    env = module_lambda_lifecycle("catalogue.app.handler")
    env.initialize()
    return env


def test_requests_are_counted(catalogue):
    assert catalogue.invoke({"amount": 8, "currency": "USD"}).payload["requests"] >= 1
