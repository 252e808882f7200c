import os

import pytest

from pytest_lambda_lifecycle import InitError


def test_a_missing_variable_fails_in_init(lambda_lifecycle):
    env = lambda_lifecycle("orders.app.handler")

    with pytest.raises(InitError, match="KeyError: 'TABLE'") as caught:
        env.invoke({"id": "1"})
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_variables_are_gone_afterwards(lambda_lifecycle):
    env = lambda_lifecycle("orders.slow.handler", environment={"TABLE": "orders"})
    env.initialize()
    assert os.environ["TABLE"] == "orders"
    assert os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"  # from conftest.py

    env.shutdown()

    assert "TABLE" not in os.environ
    assert "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" not in os.environ
