"""Snippets of the project's README and of `docs/calls.md`, word for word."""


def test_config_is_fetched_once(lambda_lifecycle, lambda_http):
    lambda_http.get("https://config.example/v1/checkout", json={"tax": 0.19})
    env = lambda_lifecycle("checkout.app.handler")
    cold, warm = env.invoke({"price": 100}), env.invoke({"price": 10})
    assert (cold.payload, warm.payload) == (119, 11.9)
    assert [call.url for call in env.init.http_calls] == ["https://config.example/v1/checkout"]
    assert not warm.http_calls
