"""Snippets of the project's README and of `docs/migration.md`, word for word."""

import pytest

pytestmark = pytest.mark.usefixtures("orders_table")


def test_connects_once(lambda_lifecycle):
    env = lambda_lifecycle("orders.app.handler", environment={"TABLE": "orders"})
    connect = env.spy("boto3.resource")  # before Init: nothing has been imported yet

    cold = env.invoke({"id": "1", "item": "tea"})  # Init, then Invoke
    warm = env.invoke({"id": "1"})  # Invoke alone

    assert cold.cold_start
    assert not warm.cold_start
    assert warm.payload == {"id": "1", "item": "tea"}
    assert connect.phases == ["init"]  # never in an invoke
    env.assert_reused("orders.app.table")  # still the object that Init made

    env.shutdown()
    assert env.phases == ["init", "invoke", "invoke", "shutdown"]


@pytest.mark.lambda_lifecycle("orders.app.handler", environment={"TABLE": "orders"}, timeout=10)
def test_the_order_is_found(lambda_lifecycle):
    env = lambda_lifecycle()
    assert env.invoke({"id": "1", "item": "tea"}).payload == {"id": "1", "item": "tea"}
