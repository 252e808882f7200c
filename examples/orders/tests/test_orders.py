import pytest

pytestmark = [
    pytest.mark.usefixtures("orders_table"),
    pytest.mark.lambda_lifecycle("orders.app.handler", environment={"TABLE": "orders"}),
]


def test_an_order_is_kept(lambda_lifecycle, orders_table):
    env = lambda_lifecycle()

    assert env.invoke({"id": "1", "item": "tea"}).payload == {"id": "1", "item": "tea"}
    assert env.invoke({"id": "2"}).payload is None
    assert orders_table.get_item(Key={"id": "1"})["Item"]["item"] == "tea"


def test_connects_once(lambda_lifecycle):
    env = lambda_lifecycle()
    connect = env.spy("boto3.resource")

    cold = env.invoke({"id": "1"})
    warm = env.invoke({"id": "2"})

    assert cold.cold_start
    assert not warm.cold_start
    assert env.init_count == 1
    assert connect.phases == ["init"]
    env.assert_reused("orders.app.table")


def test_init_imports_the_module_of_the_handler(lambda_lifecycle):
    env = lambda_lifecycle()
    env.initialize()

    for one in sorted(env.init.imports, key=lambda one: one.own_ms, reverse=True):
        print(f"{one.own_ms:8.2f} ms  {one.name}")

    assert "orders.app" in {one.name for one in env.init.imports}


def test_the_slow_handler_connects_on_every_call(lambda_lifecycle):
    env = lambda_lifecycle("orders.slow.handler")
    connect = env.spy("boto3.resource")

    env.invoke({"id": "1"})
    env.invoke({"id": "2"})

    assert connect.phases == ["invoke", "invoke"]  # the bug


def test_each_environment_starts_cold(lambda_lifecycle):
    first = lambda_lifecycle()
    second = lambda_lifecycle()

    assert first.invoke({"id": "1"}).cold_start
    assert second.invoke({"id": "1"}).cold_start
    assert first.module.table is not second.module.table


def test_shutdown_ends_it(lambda_lifecycle):
    env = lambda_lifecycle()
    env.invoke({"id": "1"})
    env.invoke({"id": "2"})

    env.shutdown()

    assert env.phases == ["init", "invoke", "invoke", "shutdown"]
