import pytest

from pytest_lambda_lifecycle import FunctionError

HANDLERS = ["prices.broken.handler", "prices.fixed.handler"]


@pytest.mark.parametrize("handler", HANDLERS)
def test_one_request_shows_nothing(lambda_lifecycle, handler):
    assert lambda_lifecycle(handler).invoke({"sku": "tea"}).payload == 3


def test_the_second_request_finds_the_bug(lambda_lifecycle):
    env = lambda_lifecycle("prices.broken.handler")
    env.invoke({"sku": "tea"})

    with pytest.raises(FunctionError, match="RuntimeError: Event loop is closed"):
        env.invoke({"sku": "milk"})


def test_the_fixed_handler_keeps_its_client(lambda_lifecycle):
    env = lambda_lifecycle("prices.fixed.handler")

    assert env.invoke({"sku": "tea"}).payload == 3
    assert env.invoke({"sku": "milk"}).payload == 1
    assert env.init_count == 1
    env.assert_reused("prices.fixed.client", "prices.fixed.loop")
